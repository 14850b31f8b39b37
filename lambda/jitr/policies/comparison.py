"""Compares AWS IoT policies by what they mean: written differently is not a difference.

A policy is a set of atoms: one effect, one action, one resource, one set of conditions. A statement with several
actions and resources says the same as all of their pairs (IAM's evaluation logic, which AWS IoT follows). The order of
statements and lists, Sids, duplicates, and a text instead of a list of one change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from jitr.policies.document import Condition, Effect, PolicyDocument

# What stands for a text that is known no sooner than at evaluation or deploy: AWS's variables, its escapes as AWS IoT
# writes them, and our templates' own values.
_OPAQUE: Final = re.compile(r"\$\{[^}]*\}|\$\([*?$]\)|@\{[^}]*\}")
_RUN: Final = re.compile(r"[*?]+")
_ANY: Final = "*"
_ONE: Final = "?"
_NEGATED: Final = "Not"


@dataclass(frozen=True)
class Atom:
    """The smallest part of a policy; the values of its conditions are sorted, each there once."""

    effect: Effect
    action: str
    resource: str
    conditions: frozenset[Condition]

    def covers(self, other: Atom) -> bool:
        """Return whether this atom applies to every request that the other applies to; effects are not compared.

        Sound, not complete: False may mean that it could not be shown.
        """
        return (
            covers(self.action, other.action)
            and covers(self.resource, other.resource)
            and all(any(_implies(given, asked) for given in other.conditions) for asked in self.conditions)
        )


def atoms(document: PolicyDocument) -> frozenset[Atom]:
    """Return what a document is made of, each atom once."""
    return frozenset(_atoms(document))


def same_meaning(a: PolicyDocument, b: PolicyDocument) -> bool:
    """Return True only if both documents decide every request alike.

    Texts are compared as they stand: another case, or another pattern for the same strings, is a difference. So is the
    version, because it decides whether `${…}` is a variable.
    """
    return a.version == b.version and atoms(a) == atoms(b)


def covers(pattern: str, other: str) -> bool:
    """Return whether `pattern` matches every string that `other` matches: right for all patterns of `*` and `?`.

    Time is proportional to the product of the lengths. A variable stands for an unknown text, maybe an empty
    one: `*` covers it, `?` does not, and otherwise only the same variable does. What holds only for certain values of
    a variable is answered with False.
    """
    wildcards = _RUN.search(pattern)
    # Most pairs are decided by what stands before the first wildcard.
    if pattern == other or wildcards is None or not other.startswith(pattern[: wildcards.start()]):
        return pattern == other
    symbols = _symbols(other)
    # least[i]: how many characters the first i symbols match at least.
    least = [0]
    for symbol in symbols:
        least.append(least[-1] + (0 if symbol == _ANY or len(symbol) > 1 else 1))
    reached = [position == 0 for position in range(len(symbols) + 1)]
    for gap, symbol in _gaps(pattern):
        reached = _after_gap(reached, least, gap) if gap is not None else _after_symbol(reached, symbols, symbol)
        if not any(reached):
            return False
    return reached[-1]


def _atoms(document: PolicyDocument) -> Iterator[Atom]:
    for statement in document.statements:
        conditions = frozenset(
            replace(condition, values=tuple(sorted(set(condition.values)))) for condition in statement.conditions
        )
        for action in statement.actions:
            for resource in statement.resources:
                yield Atom(statement.effect, action, resource, conditions)


def _implies(given: Condition, asked: Condition) -> bool:
    """Return whether every request that meets `given` meets `asked`: several values are alternatives."""
    if (given.operator, given.key) != (asked.operator, asked.key):
        return False
    narrow, wide = (asked, given) if _NEGATED in given.operator else (given, asked)
    return set(narrow.values) <= set(wide.values)


def _symbols(pattern: str) -> list[str]:
    """Return characters and variables; of a run of wildcards the `?` come first, and one `*` is left."""
    symbols: list[str] = []
    for plain, opaque in _parts(pattern):
        symbols.extend(_RUN.sub(_normalised, plain))
        symbols.extend(opaque)
    return symbols


def _gaps(pattern: str) -> Iterator[tuple[int | None, str]]:
    """Yield a pattern's symbols, those of a run of wildcards with `*` as one gap of so many characters at least."""
    waiting = 0
    for symbol in _symbols(pattern):
        if symbol == _ONE:
            waiting += 1
        elif symbol == _ANY:
            yield waiting, ""
            waiting = 0
        else:
            yield from ((None, _ONE) for _ in range(waiting))
            waiting = 0
            yield None, symbol
    yield from ((None, _ONE) for _ in range(waiting))


def _after_symbol(reached: list[bool], symbols: list[str], wanted: str) -> list[bool]:
    """Return where one more symbol of the pattern leads: a `?` takes one character that is certainly there."""
    after = [False]
    for before, found in zip(reached, symbols, strict=False):
        certain = len(found) == 1 and found != _ANY
        after.append(before and (certain if wanted == _ONE else found == wanted))
    return after


def _after_gap(reached: list[bool], least: list[int], gap: int) -> list[bool]:
    """Return where a gap leads: anywhere from the first place on that is certainly far enough."""
    begin = reached.index(True)
    return [position >= begin and least[position] - least[begin] >= gap for position in range(len(reached))]


def _normalised(run: re.Match[str]) -> str:
    marks = run.group()
    return _ONE * marks.count(_ONE) + _ANY * (_ANY in marks)


def _parts(pattern: str) -> Iterator[tuple[str, list[str]]]:
    """Yield plain text and the variable behind it, if there is one."""
    end = 0
    for found in _OPAQUE.finditer(pattern):
        yield pattern[end : found.start()], [found.group()]
        end = found.end()
    yield pattern[end:], []
