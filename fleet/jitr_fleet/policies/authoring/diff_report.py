"""A policy diff for those who read it: as data for JSON, as rows of a table, and as Markdown for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final

from jitr.policies.comparison import Atom
from jitr_fleet.policies.authoring.answers import AnswerChange
from jitr_fleet.policies.authoring.diff import ChangeKind, DiffStatus, PolicyDiff
from jitr_fleet.policies.evaluation.decision import AuthDecision

COLUMNS: Final = ("change", "action", "resource", "condition")
ANSWER_COLUMNS: Final = ("case", "device", "action", "resource", "before", "after")
WORDS: Final = {
    ChangeKind.NEWLY_ALLOWED: "newly allowed",
    ChangeKind.NO_LONGER_ALLOWED: "no longer allowed",
    ChangeKind.NEWLY_DENIED: "newly denied",
    ChangeKind.NO_LONGER_DENIED: "no longer denied",
}
_ARN: Final = re.compile(r"arn:[^:]*:[^:]*:[^:]*:[^:]*:")
_PLAIN: Final = re.compile(r"[^a-zA-Z0-9 /:.,=-]")
_FENCE: Final = re.compile(r"`{3,}")
_SHORTEST_FENCE: Final = 3


def summary(diff: PolicyDiff) -> str:
    """Return in one sentence what has happened to a policy."""
    match diff.status:
        case DiffStatus.SAME:
            return "no difference"
        case DiffStatus.REWRITTEN:
            return "written differently, the same rights; a deploy makes a new version"
        case DiffStatus.ADDED:
            return "a new policy"
        case DiffStatus.REMOVED:
            return "there is no such template any more; what is deployed stays"
        case DiffStatus.UNREADABLE:
            return f"cannot be compared: {diff.problem}"
        case DiffStatus.CHANGED:
            words = ("gives devices more",) * diff.widens + ("takes rights from devices",) * diff.narrows
            return " and ".join(words)


def acknowledged(diff: PolicyDiff, *, today: date) -> list[str]:
    """Return the reviewed exceptions of the later document, a sentence each; those that ran out say so."""
    return [f"{each.rule} at {each.path}: {each.on(today)}" for each in diff.exceptions]


def as_data(diff: PolicyDiff) -> dict[str, Any]:
    """Return a diff as JSON shows it: full ARNs, every condition."""
    return {
        "name": diff.name,
        "before": diff.before,
        "after": diff.after,
        "status": diff.status.value,
        "widens": diff.widens,
        "narrows": diff.narrows,
        "problem": diff.problem,
        **{kind.value: [_atom_data(atom) for atom in diff.of(kind)] for kind in ChangeKind},
        "text_diff": "\n".join(diff.text),
        "exceptions": [each.as_data() for each in diff.exceptions],
        "answers": [_answer_data(each) for each in diff.answers],
        "unread_cases": diff.unread_cases,
    }


def rows(diff: PolicyDiff) -> list[tuple[str, str, str, str]]:
    """Return the changes as rows; the ARN's beginning is left out where it is the same everywhere."""
    beginnings = {_ARN.match(atom.resource) for _, atom in diff.changes}
    common = {found.group() for found in beginnings if found is not None}
    cut = common.pop() if len(common) == 1 else ""
    return [
        (WORDS[kind], atom.action, atom.resource.removeprefix(cut), _conditions(atom)) for kind, atom in diff.changes
    ]


def answer_rows(diff: PolicyDiff) -> list[tuple[str, str, str, str, str, str]]:
    """Return the cases that are answered differently, or not for certain, as rows."""
    return [
        (
            f"{each.case.file.name}:{each.case.line}",
            each.case.device,
            each.case.action,
            each.case.resource or "",
            _word(each.before),
            _word(each.after),
        )
        for each in diff.answers
    ]


def open_questions(diff: PolicyDiff) -> list[str]:
    """Return what it would take to know the answers that are undetermined, a sentence each."""
    told = [
        f"{each.case.file.name}:{each.case.line}: {each.case.question}: {each.problem}"
        for each in diff.answers
        if each.undetermined
    ]
    return [*told, *([] if diff.unread_cases is None else [f"its cases were not asked: {diff.unread_cases}"])]


def markdown(diffs: Sequence[PolicyDiff], *, title: str, today: date) -> str:
    """Return a comment for a pull request; nothing in a policy can become markup, a mention or a link."""
    lines = [f"### {_escaped(title)}", ""]
    for diff in diffs:
        lines += [f"**{_code(diff.name)}**: {_escaped(summary(diff))}", ""]
        if diff.changes:
            lines += _table(COLUMNS, rows(diff))
        if diff.answers:
            lines += ["Cases whose answer changes or is undetermined:", "", *_table(ANSWER_COLUMNS, answer_rows(diff))]
        if told := open_questions(diff):
            lines += [*(f"- {_escaped(each)}" for each in told), ""]
        lines += [f"- {_escaped(each)}" for each in acknowledged(diff, today=today)] + [""] * bool(diff.exceptions)
        if diff.text:
            lines += _details(diff.text)
    lines.append("_AWS IoT takes 6 to 8 minutes to apply what is deployed._")
    return "\n".join(lines)


def _atom_data(atom: Atom) -> dict[str, Any]:
    conditions = sorted((each.operator, each.key, each.values) for each in atom.conditions)
    return {
        "action": atom.action,
        "resource": atom.resource,
        "conditions": [
            {"operator": operator, "key": key, "values": list(values)} for operator, key, values in conditions
        ],
    }


def _conditions(atom: Atom) -> str:
    found = sorted((each.operator, each.key, each.values) for each in atom.conditions)
    return "; ".join(f"{operator} {key} = {', '.join(values)}" for operator, key, values in found)


def _word(answer: AuthDecision | None) -> str:
    return "undetermined" if answer is None else answer.value.replace("_", " ")


def _answer_data(answer: AnswerChange) -> dict[str, Any]:
    case = answer.case
    return {
        "file": str(case.file),
        "line": case.line,
        "why": case.why,
        "device": case.device,
        "action": case.action,
        "resource": case.resource,
        "before": None if answer.before is None else answer.before.value,
        "after": None if answer.after is None else answer.after.value,
        "problem": answer.problem or None,
    }


def _table(columns: Sequence[str], found: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for first, *cells in found:
        yield f"| {_escaped(first)} | {' | '.join(_code(cell) for cell in cells)} |"
    yield ""


def _details(text: Sequence[str]) -> Iterator[str]:
    longest = max((len(run) for line in text for run in _FENCE.findall(line)), default=0)
    fence = "`" * max(_SHORTEST_FENCE, longest + 1)
    yield from ("<details><summary>as text</summary>", "", f"{fence}diff", *text, fence, "", "</details>", "")


def _code(text: str) -> str:
    return f"<code>{_escaped(text)}</code>" if text else ""


def _escaped(text: str) -> str:
    """Return text in which every sign that Markdown, HTML or a table could take for its own is a number."""
    return _PLAIN.sub(lambda found: f"&#{ord(found.group())};", text)
