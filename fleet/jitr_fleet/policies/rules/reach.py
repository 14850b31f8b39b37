"""Statements that change nothing: covered by another one, or taken back in full by a Deny."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jitr.policies.comparison import Atom
from jitr.policies.document import Condition, Effect
from jitr_fleet.files.tables import show
from jitr_fleet.policies.rules.reading.report import LintReport
from jitr_fleet.policies.rules.reading.written import WrittenCondition, WrittenStatement

# A policy that AWS IoT takes has far fewer; what is larger has been reported as too long.
_MOST_ATOMS = 500


@dataclass(frozen=True)
class _Placed:
    """One action on one resource, the statement it stands in and the places of both."""

    atom: Atom
    statement: int
    action: str
    resource: str


def check_reach(statements: tuple[WrittenStatement, ...], report: LintReport) -> None:
    """Report entries that another entry covers, and each Allow that a Deny without conditions takes back."""
    placed = list(_placed(statements))
    if len(placed) > _MOST_ATOMS:
        return
    covering = {id(each): cover for each in placed if (cover := _cover(each, placed)) is not None}
    for index, statement in enumerate(statements):
        own = [each for each in placed if each.statement == index]
        _report_redundant(statement, own, covering, statements, report)
        _report_denied(statement, own, placed, statements, report)


def _placed(statements: tuple[WrittenStatement, ...]) -> Iterator[_Placed]:
    for index, statement in enumerate(statements):
        if statement.effect is None:
            continue
        conditions = frozenset(_condition(each) for each in statement.conditions)
        for action in statement.actions:
            for resource in statement.resources:
                atom = Atom(statement.effect, action.text, resource.text, conditions)
                yield _Placed(atom, index, action.pointer, resource.pointer)


def _condition(written: WrittenCondition) -> Condition:
    return Condition(written.operator, written.key, tuple(sorted({value.text for value in written.values})))


def _cover(each: _Placed, placed: list[_Placed]) -> _Placed | None:
    """Return another entry that says the same and more; of two that say the same, the later one is covered."""
    for position, other in enumerate(placed):
        if other is each or other.atom.effect is not each.atom.effect or not other.atom.covers(each.atom):
            continue
        if not each.atom.covers(other.atom) or position < placed.index(each):
            return other
    return None


def _report_redundant(
    statement: WrittenStatement,
    own: list[_Placed],
    covering: dict[int, _Placed],
    statements: tuple[WrittenStatement, ...],
    report: LintReport,
) -> None:
    if own and all(id(each) in covering for each in own):
        places = _lines((statements[covering[id(each)].statement].pointer for each in own), report)
        message = f"everything here is said on {places} too; remove it, or narrow the other"
        report.add("redundant-statement", statement.pointer, message)
        return
    for side in ("resource", "action"):
        for pointer in dict.fromkeys(getattr(each, side) for each in own):
            here = [each for each in own if getattr(each, side) == pointer]
            if all(id(each) in covering for each in here):
                text = getattr(here[0].atom, side)
                places = _lines((getattr(covering[id(each)], side) for each in here), report)
                message = f"{show(text)} is covered by {places}; remove it, or narrow the other"
                report.add("redundant-statement", pointer, message)


def _report_denied(
    statement: WrittenStatement,
    own: list[_Placed],
    placed: list[_Placed],
    statements: tuple[WrittenStatement, ...],
    report: LintReport,
) -> None:
    denies = [each for each in placed if each.atom.effect is Effect.DENY and not each.atom.conditions]
    found: list[_Placed] = []
    for each in own:
        if each.atom.effect is Effect.ALLOW:
            found.extend([deny for deny in denies if deny.atom.covers(each.atom)][:1])
    if statement.allows and own and len(found) == len(own):
        places = _lines((statements[deny.statement].pointer for deny in found), report)
        report.add("denied-statement", statement.pointer, f"denied in full by {places}; remove one of the two")


def _lines(pointers: Iterable[str], report: LintReport) -> str:
    """Return where the other statements or entries are, for people: lines, and the first one's JSON Pointer."""
    places = sorted({(report.line_of(pointer), pointer) for pointer in pointers})
    lines = sorted({line for line, _ in places})
    word = "line" if len(lines) == 1 else "lines"
    return f"{word} {', '.join(map(str, lines))} ({places[0][1]})"
