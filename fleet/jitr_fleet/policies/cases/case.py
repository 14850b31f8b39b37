"""The cases of a policy: for each a question, the right answer and the reason, run against the template.

Read from `policies/<name>.cases.toml` by policy_case_file.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jitr.policies.document import PolicyDocument, parse_document
from jitr.policies.template import render_policy
from jitr.policies.values import PolicyError
from jitr_fleet.policies.evaluation.decision import AuthDecision, Decision, evaluate
from jitr_fleet.policies.evaluation.facts import DeviceFacts
from jitr_fleet.policies.evaluation.request import AccessRequest


class Expectation(StrEnum):
    """The right answer of a case; DENIED leaves open by what."""

    ALLOWED = "allowed"
    DENIED = "denied"
    EXPLICIT_DENY = "explicit_deny"
    IMPLICIT_DENY = "implicit_deny"

    def met_by(self, answer: AuthDecision) -> bool:
        """Return whether an answer is the right one."""
        if self is Expectation.DENIED:
            return answer is not AuthDecision.ALLOWED
        return self.value == answer.value


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question to a policy and its right answer; `resource` is as written, None for a connection."""

    file: Path
    line: int
    why: str
    device: str
    facts: DeviceFacts
    action: str
    resource: str | None
    expect: Expectation

    @property
    def question(self) -> str:
        """What is asked, in a few words."""
        return " ".join(filter(None, (self.device, self.action, self.resource)))


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """How a case went: the decision, or the problem that left none; `explanation` has a sentence a line."""

    case: Case
    decision: Decision | None
    problem: str
    explanation: tuple[str, ...]

    @property
    def answer(self) -> AuthDecision | None:
        """The answer; None where there is none."""
        return None if self.decision is None else self.decision.decision

    @property
    def undetermined(self) -> bool:
        """Whether the answer depends on what the case does not say."""
        return self.decision is not None and self.decision.decision is None

    @property
    def passed(self) -> bool:
        """Whether the answer was the right one."""
        return self.answer is not None and self.case.expect.met_by(self.answer)

    @property
    def summary(self) -> str:
        """What was expected and what came, in one sentence."""
        came = self.problem if self.answer is None else f"got {self.answer}"
        return f"expected {self.case.expect}, {came}"


def policy_of(template: str, values: Mapping[str, str], facts: DeviceFacts) -> PolicyDocument:
    """Return the policy that this device gets from a template, `values` being the deployment's.

    Raises PolicyError where the template cannot be rendered, or is no policy that AWS IoT takes.
    """
    return parse_document(json.loads(render_policy(template, {**values, **facts.device_values()})))


def run_case(case: Case, template: str, values: Mapping[str, str], *, name: str) -> CaseResult:
    """Ask the template one case's question; `name` is what explanations call it. Never raises for what is in either."""
    try:
        request = AccessRequest.of(case.action, case.resource, case.facts, values)
        decision = evaluate([policy_of(template, values, case.facts)], request)
    except PolicyError as error:
        return CaseResult(case=case, decision=None, problem=str(error), explanation=(str(error),))
    explanation = tuple(decision.explanation([name]))
    return CaseResult(case=case, decision=decision, problem=decision.problem, explanation=explanation)
