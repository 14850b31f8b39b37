"""Decides what AWS IoT would decide about a request, from the policies and what is known of the device.

An explicit Deny wins over any Allow; what nothing allows is denied implicitly. What depends on something that the
question does not say has no answer. Where AWS's pages contradict one another, the stricter reading counts: an Allow
that applies by one reading only does not, a Deny that applies by one does. Pure: no AWS, no files, no clock.
Sources: AWS IoT Core developer guide, "AWS IoT Core policies" and "AWS IoT Core policy variables"; IAM user guide,
"Policy evaluation logic". What AWS leaves open is listed in docs/policy-evaluation.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

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
from jitr_fleet.policies.evaluation.conditions import ConditionResult, Filled, evaluate_condition
from jitr_fleet.policies.evaluation.facts import DeviceFacts
from jitr_fleet.policies.evaluation.request import AccessRequest
from jitr_fleet.policies.language.variables import LITERALS, VariableUse, split_at_variables


class AuthDecision(StrEnum):
    """The three answers of AWS IoT (API reference, TestAuthorization)."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicit_deny"
    IMPLICIT_DENY = "implicit_deny"


@dataclass(frozen=True)
class StatementResult:
    """Whether one statement applies to the request, and why or why not; `policy` counts the documents from 0.

    `applies` is None where that depends on what the question does not say; `reason` says on what.
    """

    policy: int
    statement: Statement
    applies: bool | None
    reason: str


@dataclass(frozen=True)
class VariableResult:
    """How one `${…}` was filled in; without a value it stayed as it stands, and `problem` says why."""

    name: str
    value: str | None
    problem: str
    unknown: bool = False


@dataclass(frozen=True)
class Decision:
    """The answer, the statement that decided (None where nothing applies), and how every statement was read.

    `decision` is None where the answer depends on what the question does not say; `statement` is then the first one
    that may decide.
    """

    decision: AuthDecision | None
    policy: int | None
    statement: Statement | None
    results: tuple[StatementResult, ...]
    variables: tuple[VariableResult, ...]

    @property
    def allowed(self) -> bool:
        """Whether the device may, for certain."""
        return self.decision is AuthDecision.ALLOWED

    @property
    def problem(self) -> str:
        """Why there is no answer, and what would give one; empty where there is one."""
        if self.decision is not None:
            return ""
        reasons = (result.reason for result in self.results if result.applies is None)
        return f"undetermined: {'; '.join(dict.fromkeys(reasons))}"

    def explanation(self, policies: Sequence[str]) -> list[str]:
        """Return the reasons, a sentence a line; `policies` are the documents' names, in the order of `evaluate`."""
        lines = [self._headline(policies)]
        verbs = {True: "applies", False: "does not apply", None: "may apply"}
        for result in self.results:
            name = f"{result.statement.effect} {_name(result.policy, result.statement, policies)}"
            lines.append(f"{name} {verbs[result.applies]}: {result.reason}")
        return lines + [f"${{{variable.name}}} {_filled(variable)}" for variable in self.variables]

    def _headline(self, policies: Sequence[str]) -> str:
        if self.statement is None or self.policy is None:
            return "implicitly denied: no statement applies"
        name = _name(self.policy, self.statement, policies)
        if self.decision is None:
            return f"undetermined: {name} may apply, by what the question does not say"
        return f"{'allowed' if self.allowed else 'explicitly denied'} by {name}"


def evaluate(documents: Sequence[PolicyDocument], request: AccessRequest) -> Decision:
    """Decide a request by all policies that are attached to the device's certificate.

    Not checked: whether the certificate is ACTIVE, whether MQTT itself allows the topic, and AWS's quotas. Raises
    PolicyError for conditions that AWS IoT does not document, in whatever statement they stand.
    """
    readings = [
        [_Filler(facts, variables=document.version == VERSION_WITH_VARIABLES) for document in documents]
        for facts in request.facts.for_action(request.action).readings()
    ]
    results = tuple(
        _stricter(statement.effect, [_result(policy, statement, request, fillers[policy]) for fillers in readings])
        for policy, document in enumerate(documents)
        for statement in document.statements
    )
    filled = {name: found for filler in readings[0] for name, found in filler.filled.items()}
    answer, deciding = _deciding(results)
    policy, statement = (None, None) if deciding is None else (deciding.policy, deciding.statement)
    return Decision(answer, policy, statement, results, tuple(filled.values()))


class _Filler:
    """Fills the variables of one document's texts, and remembers how."""

    def __init__(self, facts: DeviceFacts, *, variables: bool) -> None:
        self.facts = facts
        self.variables = variables
        self.filled: dict[str, VariableResult] = {}

    def fill(self, text: str) -> Filled:
        """Return a text's parts; what is filled in stands for itself, whatever wildcards it holds.

        A variable whose value the question leaves open may be anything: a wildcard, with the reason.
        """
        if not self.variables:
            return Filled(wildcards_of(text))
        parts: list[str | Wildcard] = []
        unknown: list[str] = []
        for part in split_at_variables(text):
            if isinstance(part, str):
                parts.extend(wildcards_of(part))
            elif part.name in LITERALS:
                parts.append(part.name)
            else:
                found = self._value(part)
                unknown += [f"${{{part.name}}}: {found.problem}"] * found.unknown
                text = f"${{{part.name}}}" if found.value is None else found.value
                parts.append(Wildcard.ANY if found.unknown else text)
        return Filled(tuple(parts), tuple(unknown))

    def _value(self, use: VariableUse) -> VariableResult:
        found = self.facts.filled_in(use)
        value = found.values[0] if found.values else None
        self.filled[use.name] = VariableResult(use.name, value, found.problem, unknown=found.unknown)
        return self.filled[use.name]


def _deciding(results: Iterable[StatementResult]) -> tuple[AuthDecision | None, StatementResult | None]:
    """Return the answer and the statement it comes from: what may deny hides every Allow, what may allow only none."""
    possible = [result for result in results if result.applies is not False]
    for effect, answer in ((Effect.DENY, AuthDecision.EXPLICIT_DENY), (Effect.ALLOW, AuthDecision.ALLOWED)):
        of_effect = [result for result in possible if result.statement.effect is effect]
        certain = [result for result in of_effect if result.applies]
        if certain or of_effect:
            return (answer, certain[0]) if certain else (None, of_effect[0])
    return AuthDecision.IMPLICIT_DENY, None


def _stricter(effect: Effect, readings: Sequence[StatementResult]) -> StatementResult:
    """Return the reading that lets the device do less: an Allow that does not apply, a Deny that does."""
    order = (False, None, True) if effect is Effect.ALLOW else (True, None, False)
    return min(readings, key=lambda result: order.index(result.applies))


def _result(policy: int, statement: Statement, request: AccessRequest, filler: _Filler) -> StatementResult:
    # Conditions first, and all of them: one that cannot be evaluated must not hide behind another action.
    conditions = _conditions(statement, filler)
    if not any(matches(pattern.lower(), request.action.lower()) for pattern in statement.actions):
        return StatementResult(policy, statement, applies=False, reason=f"no action matches {request.action}")
    filled = [(each, filler.fill(each)) for each in statement.resources]
    matching = [(each, found) for each, found in filled if matches_parts(found.parts, request.resource)]
    if not matching:
        return StatementResult(policy, statement, applies=False, reason=f"no resource matches {request.resource}")
    for condition in conditions:
        if condition.holds is False:
            return StatementResult(policy, statement, applies=False, reason=condition.reason)
    certain = [each for each, found in matching if not found.unknown]
    unknown = [] if certain else list(matching[0][1].unknown)
    unknown += [condition.reason for condition in conditions if condition.holds is None]
    if unknown:
        return StatementResult(policy, statement, applies=None, reason="; ".join(unknown))
    reasons = [f"resource {certain[0]}", *(condition.reason for condition in conditions)]
    return StatementResult(policy, statement, applies=True, reason="; ".join(reasons))


def _conditions(statement: Statement, filler: _Filler) -> list[ConditionResult]:
    try:
        return [
            evaluate_condition(each, values_of=filler.facts.condition_values, fill=filler.fill)
            for each in statement.conditions
        ]
    except PolicyError as error:
        raise PolicyError(f"{statement.pointer}: {error}") from error


def _filled(variable: VariableResult) -> str:
    if variable.value is not None:
        return f"= {variable.value!r}"
    return f"{'is open' if variable.unknown else 'stays as it stands'}: {variable.problem}"


def _name(policy: int, statement: Statement, policies: Sequence[str]) -> str:
    sid = f" ({statement.sid})" if statement.sid else ""
    return f"{policies[policy]} {statement.pointer}{sid}"
