"""What an edit of a policy does to the answers of its cases: each question is put to the document before and after.

The atoms of a diff say what the documents say; a case says what that means for one device. A case that does not say
what its answer depends on has none, and then it is not known what the edit does to that device.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jitr_fleet.policies.cases.case import Case, CaseResult, run_case
from jitr_fleet.policies.evaluation.decision import AuthDecision


@dataclass(frozen=True, kw_only=True)
class AnswerChange:
    """A case whose answer changes, or is not known: None stands for an answer that is undetermined.

    `problem` is empty, or says what the answer depends on and how a case says it.
    """

    case: Case
    before: AuthDecision | None
    after: AuthDecision | None
    problem: str = ""

    @property
    def undetermined(self) -> bool:
        """Return whether one of the two answers is not known."""
        return self.before is None or self.after is None


def changed_answers(
    cases: Iterable[Case],
    before: str | None,
    after: str | None,
    values: tuple[Mapping[str, str], Mapping[str, str]],
) -> Iterator[AnswerChange]:
    """Yield the cases that two documents answer differently, or of which an answer is undetermined, in their order.

    `before` and `after` are the JSON texts, rendered or not, None where there is no document (it allows nothing);
    `values` are what `@{account}` and so on stand for in each. Not checked: whether an answer is the right one, which
    `jitr policy test` says. Never raises for what is in them.
    """
    for case in cases:
        old, old_problem = _answer(case, before, values[0])
        new, new_problem = _answer(case, after, values[1])
        if old is not new or new is None:
            yield AnswerChange(case=case, before=old, after=new, problem=new_problem or old_problem)


def _answer(case: Case, text: str | None, values: Mapping[str, str]) -> tuple[AuthDecision | None, str]:
    if text is None:
        return AuthDecision.IMPLICIT_DENY, ""
    result: CaseResult = run_case(case, text, values, name="")
    return result.answer, result.problem if result.answer is None else ""
