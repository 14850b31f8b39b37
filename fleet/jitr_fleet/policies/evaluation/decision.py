"""Decides what AWS IoT would decide about a request, from the policies and what is known of the device.

An explicit Deny wins over any Allow; what nothing allows is denied implicitly. Pure: no AWS, no files, no clock unless
a condition asks for the time and the facts name none.
Sources: AWS IoT Core developer guide, "AWS IoT Core policies" and "AWS IoT Core policy variables"; IAM user guide,
"Policy evaluation logic". What AWS leaves open is listed in docs/policy-evaluation.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from jitr.policies.document import (
    VERSION_WITH_VARIABLES,
    Effect,
    PolicyDocument,
    Statement,
    Wildcard,
    matches,
    matches_parts,
    wildcards_of,
)
from jitr.policies.values import PolicyError
from jitr_fleet.policies.evaluation.conditions import ConditionResult, Parts, evaluate_condition
from jitr_fleet.policies.evaluation.facts import DeviceFacts, Protocol
from jitr_fleet.policies.evaluation.request import Request
from jitr_fleet.policies.language.variables import LITERALS, VariableUse, split_at_variables

# Actions that exist over HTTPS only: whatever the facts say, there is neither a client id nor a Thing.
_HTTPS_ACTIONS: Final = frozenset(
    name.lower()
    for name in (
        "DeleteThingShadow",
        "DescribeJobExecution",
        "GetPendingJobExecutions",
        "GetRetainedMessage",
        "GetThingShadow",
        "ListNamedShadowsForThing",
        "ListRetainedMessages",
        "StartNextPendingJobExecution",
        "UpdateJobExecution",
        "UpdateThingShadow",
    )
)


class Verdict(StrEnum):
    """The three answers of AWS IoT (API reference, TestAuthorization)."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicit_deny"
    IMPLICIT_DENY = "implicit_deny"


@dataclass(frozen=True)
class StatementResult:
    """Whether one statement applies to the request, and why or why not; `policy` counts the documents from 0."""

    policy: int
    statement: Statement
    applies: bool
    reason: str


@dataclass(frozen=True)
class VariableResult:
    """How one `${…}` was filled in; without a value it stayed as it stands, and `problem` says why."""

    name: str
    value: str | None
    problem: str


@dataclass(frozen=True)
class Decision:
    """The answer, the statement that decided (None where nothing applies), and how every statement was read."""

    decision: Verdict
    policy: int | None
    statement: Statement | None
    results: tuple[StatementResult, ...]
    variables: tuple[VariableResult, ...]

    @property
    def allowed(self) -> bool:
        """Whether the device may."""
        return self.decision is Verdict.ALLOWED

    def explanation(self, policies: Sequence[str]) -> list[str]:
        """Return the reasons, a sentence a line; `policies` are the documents' names, in the order of `evaluate`."""
        lines = [self._headline(policies)]
        for result in self.results:
            name = f"{result.statement.effect} {_name(result.policy, result.statement, policies)}"
            lines.append(f"{name} {'applies' if result.applies else 'does not apply'}: {result.reason}")
        for variable in self.variables:
            filled = (
                f"= {variable.value!r}" if variable.value is not None else f"stays as it stands: {variable.problem}"
            )
            lines.append(f"${{{variable.name}}} {filled}")
        return lines

    def _headline(self, policies: Sequence[str]) -> str:
        if self.statement is None or self.policy is None:
            return "implicitly denied: no statement applies"
        verb = "allowed" if self.allowed else "explicitly denied"
        return f"{verb} by {_name(self.policy, self.statement, policies)}"


def evaluate(documents: Sequence[PolicyDocument], request: Request) -> Decision:
    """Decide a request by all policies that are attached to the device's certificate.

    Not checked: whether the certificate is ACTIVE, whether MQTT itself allows the topic, and AWS's quotas. Raises
    PolicyError for conditions that AWS IoT does not document, in whatever statement they stand.
    """
    facts = request.facts
    if request.action.partition(":")[2].lower() in _HTTPS_ACTIONS:
        facts = replace(facts, protocol=Protocol.HTTPS)
    fillers = [_Filler(facts, variables=document.version == VERSION_WITH_VARIABLES) for document in documents]
    results = tuple(
        _result(policy, statement, request, fillers[policy])
        for policy, document in enumerate(documents)
        for statement in document.statements
    )
    variables = tuple({name: filled for filler in fillers for name, filled in filler.filled.items()}.values())
    deciding = _deciding(results)
    if deciding is None:
        return Decision(Verdict.IMPLICIT_DENY, None, None, results, variables)
    verdict = Verdict.ALLOWED if deciding.statement.effect is Effect.ALLOW else Verdict.EXPLICIT_DENY
    return Decision(verdict, deciding.policy, deciding.statement, results, variables)


class _Filler:
    """Fills the variables of one document's texts, and remembers how."""

    def __init__(self, facts: DeviceFacts, *, variables: bool) -> None:
        self.facts = facts
        self.variables = variables
        self.filled: dict[str, VariableResult] = {}

    def fill(self, text: str) -> Parts:
        """Return a text's parts; what is filled in stands for itself, whatever wildcards it holds."""
        if not self.variables:
            return wildcards_of(text)
        parts: list[str | Wildcard] = []
        for part in split_at_variables(text):
            if isinstance(part, str):
                parts.extend(wildcards_of(part))
            elif part.name in LITERALS:
                parts.append(part.name)
            else:
                parts.append(self._value(part))
        return tuple(parts)

    def _value(self, use: VariableUse) -> str:
        found = self.facts.filled_in(use)
        value = found.values[0] if found.values else None
        self.filled[use.name] = VariableResult(use.name, value, found.problem)
        return f"${{{use.name}}}" if value is None else value


def _deciding(results: Iterable[StatementResult]) -> StatementResult | None:
    applying = [result for result in results if result.applies]
    denying = [result for result in applying if result.statement.effect is Effect.DENY]
    return next(iter([*denying, *applying]), None)


def _result(policy: int, statement: Statement, request: Request, filler: _Filler) -> StatementResult:
    # Conditions first, and all of them: one that cannot be evaluated must not hide behind another action.
    conditions = _conditions(statement, filler)
    if not any(matches(pattern.lower(), request.action.lower()) for pattern in statement.actions):
        return StatementResult(policy, statement, applies=False, reason=f"no action matches {request.action}")
    matching = [each for each in statement.resources if matches_parts(filler.fill(each), request.resource)]
    if not matching:
        return StatementResult(policy, statement, applies=False, reason=f"no resource matches {request.resource}")
    for condition in conditions:
        if not condition.holds:
            return StatementResult(policy, statement, applies=False, reason=condition.reason)
    reasons = [f"resource {matching[0]}", *(condition.reason for condition in conditions)]
    return StatementResult(policy, statement, applies=True, reason="; ".join(reasons))


def _conditions(statement: Statement, filler: _Filler) -> list[ConditionResult]:
    try:
        return [
            evaluate_condition(each, values_of=filler.facts.condition_values, fill=filler.fill)
            for each in statement.conditions
        ]
    except PolicyError as error:
        raise PolicyError(f"{statement.pointer}: {error}") from error


def _name(policy: int, statement: Statement, policies: Sequence[str]) -> str:
    sid = f" ({statement.sid})" if statement.sid else ""
    return f"{policies[policy]} {statement.pointer}{sid}"
