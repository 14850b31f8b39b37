"""The condition operators, as a table, and how they are written: IAM's, which AWS IoT follows.

Source: IAM user guide, reference_policies_elements_condition_operators and
reference_policies_condition-single-vs-multi-valued-context-keys (2026-11-30).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final

_COMPARISONS: Final = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
NULL: Final = "Null"
OPERATORS: Final = (
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    *(f"Numeric{each}" for each in _COMPARISONS),
    *(f"Date{each}" for each in _COMPARISONS),
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    NULL,
)
FOR_ALL, FOR_ANY, IF_EXISTS = "ForAllValues:", "ForAnyValue:", "IfExists"
# Those that AWS's pages use over several values; editors offer them, the others are understood too.
COMMON_SETS: Final = tuple(
    f"{quantifier}{name}"
    for quantifier in (FOR_ALL, FOR_ANY)
    for name in ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase")
)


@dataclass(frozen=True)
class Operator:
    """One operator as it is written: its own name, and what stands before and behind it."""

    name: str
    for_all: bool = False
    for_any: bool = False
    if_exists: bool = False

    @property
    def negated(self) -> bool:
        """Whether it holds where nothing matches: the family's Not."""
        return "Not" in self.name

    @property
    def holds_without_value(self) -> bool:
        """Whether it holds for a key that the request does not have (IAM's rule on missing keys)."""
        return self.if_exists or self.for_all or (self.negated and not self.for_any)


def read_operator(written: str) -> Operator:
    """Return what a written operator means; raises ValueError, with the nearest name, for one that does not exist."""
    for_all, for_any = written.startswith(FOR_ALL), written.startswith(FOR_ANY)
    name = written.removeprefix(FOR_ALL if for_all else FOR_ANY)
    if_exists = name.endswith(IF_EXISTS)
    name = name.removesuffix(IF_EXISTS)
    if name not in OPERATORS:
        near = difflib.get_close_matches(name.casefold(), {each.casefold(): each for each in OPERATORS}, n=1)
        folded = {each.casefold(): each for each in OPERATORS}
        hint = f"; did you mean {folded[near[0]]}?" if near else "; the operators are IAM's, such as StringEquals"
        raise ValueError(f"there is no such condition operator{hint}")
    if name == NULL and (for_all or for_any or if_exists):
        raise ValueError("Null stands alone: it takes neither ForAllValues: nor ForAnyValue: nor IfExists")
    if for_any and if_exists:
        raise ValueError("AWS does not say what IfExists means for any value; write ForAnyValue without it, or Null")
    return Operator(name, for_all=for_all, for_any=for_any, if_exists=if_exists)
