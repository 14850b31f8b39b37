"""What an edit of a policy gives to devices and takes from them: a diff of meanings, with one of texts beside it.

Both documents are taken apart into atoms (one action, one resource, one set of conditions); wildcards in actions are
also spelled out as the actions that exist. What one other atom covers is no change. Nothing is left out that changes
rights, but a right that only several atoms together cover is listed although it stays.
"""

from __future__ import annotations

import contextlib
import difflib
import itertools
import json
import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from jitr.policies.comparison import Atom, atoms, same_meaning
from jitr.policies.document import Effect, PolicyDocument, matches, parse_document
from jitr.policies.template import MAXIMUM_CHARACTERS
from jitr.policies.values import PolicyError
from jitr_fleet.policies.authoring.answers import AnswerChange
from jitr_fleet.policies.cases.exceptions import ReviewedException
from jitr_fleet.policies.language.actions import ACTIONS, FORMER_NAMES

_RESOURCE_TYPE: Final = re.compile(r"arn:[^:*?]*:iot:[^:*?]*:[^:*?]*:([a-z]+)/")
_WILDCARD: Final = re.compile(r"[*?]")
_VARIABLE: Final = "${"
_NO_SPACE: Final = str.maketrans("", "", string.whitespace)


class DiffStatus(StrEnum):
    """How a policy compares: `rewritten` means other words for the same rights, as far as can be shown."""

    SAME = "same"
    REWRITTEN = "rewritten"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    UNREADABLE = "unreadable"


class ChangeKind(StrEnum):
    """What happens to a right; the first and the last give devices more."""

    NEWLY_ALLOWED = "newly_allowed"
    NO_LONGER_ALLOWED = "no_longer_allowed"
    NEWLY_DENIED = "newly_denied"
    NO_LONGER_DENIED = "no_longer_denied"


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of two documents to compare: what to call it, and its JSON text; None where there is none."""

    label: str
    text: str | None


@dataclass(frozen=True, kw_only=True)
class PolicyDiff:
    """How one policy differs; `text` holds the lines of a unified diff, `problem` why a document cannot be read.

    `unreadable_after`: it is the later document that cannot be read, so it is not known what it would change.
    `exceptions` are the findings of the lint that were acknowledged for the later one; `answers` are the cases that the
    documents answer differently or leave undetermined, `unread_cases` says why they could not be asked.
    """

    name: str
    before: str
    after: str
    status: DiffStatus
    changes: tuple[tuple[ChangeKind, Atom], ...] = ()
    text: tuple[str, ...] = ()
    problem: str | None = None
    unreadable_after: bool = False
    exceptions: tuple[ReviewedException, ...] = ()
    answers: tuple[AnswerChange, ...] = ()
    unread_cases: str | None = None

    @property
    def differs(self) -> bool:
        """Return whether the documents mean something else, or cannot be shown to mean the same."""
        return self.status is not DiffStatus.SAME

    @property
    def undetermined(self) -> bool:
        """Return whether it is not known what the later document changes, as a whole or for the device of a case."""
        open_answers = any(answer.undetermined for answer in self.answers)
        return self.unreadable_after or open_answers or self.unread_cases is not None

    @property
    def widens(self) -> bool:
        """Return whether devices may do something that they could not do, or this cannot be ruled out."""
        widening = (ChangeKind.NEWLY_ALLOWED, ChangeKind.NO_LONGER_DENIED)
        return self.status is DiffStatus.UNREADABLE or any(kind in widening for kind, _ in self.changes)

    @property
    def narrows(self) -> bool:
        """Return whether devices may no longer do something that they could do, or this cannot be ruled out."""
        narrowing = (ChangeKind.NO_LONGER_ALLOWED, ChangeKind.NEWLY_DENIED)
        return self.status is DiffStatus.UNREADABLE or any(kind in narrowing for kind, _ in self.changes)

    def of(self, kind: ChangeKind) -> tuple[Atom, ...]:
        """Return the changes of one kind, in order of action and resource."""
        return tuple(atom for found, atom in self.changes if found is kind)


def diff_policies(name: str, before: Side, after: Side) -> PolicyDiff:
    """Compare two documents, both rendered or both not; one that is not there allows nothing.

    Not checked: what the lint checks. A document that AWS IoT would refuse is `unreadable`, whatever the other one is.
    """
    compared = PolicyDiff(
        name=name, before=before.label, after=after.label, status=DiffStatus.UNREADABLE, text=_unified(before, after)
    )
    documents: list[PolicyDocument | None] = []
    for side in (after, before):
        try:
            documents.append(None if side.text is None else parse_document(_parsed(side.text)))
        except PolicyError as error:
            return replace(compared, problem=f"{side.label}: {error}", unreadable_after=side is after)
    new, old = documents
    changes = tuple(_changes(_Rights.of(old), _Rights.of(new)))
    if old is None or new is None:
        return replace(compared, status=DiffStatus.ADDED if old is None else DiffStatus.REMOVED, changes=changes)
    if same_meaning(old, new):
        return replace(compared, status=DiffStatus.SAME, text=())
    return replace(compared, status=DiffStatus.CHANGED if changes else DiffStatus.REWRITTEN, changes=changes)


class _Atoms:
    """Atoms of one effect, actions spelled out, in order and by action."""

    def __init__(self, found: Iterable[Atom] = ()) -> None:
        self.all = tuple(sorted(found, key=_order))
        self._of = {action: tuple(same) for action, same in itertools.groupby(self.all, key=lambda atom: atom.action)}

    def cover(self, atom: Atom) -> bool:
        # Actions are spelled out on both sides, so only one with a wildcard has to be looked for under other names.
        candidates = self.all if _WILDCARD.search(atom.action) else self._of.get(atom.action, ())
        return any(other.covers(atom) for other in candidates)


@dataclass(frozen=True, kw_only=True)
class _Rights:
    """What one document allows and denies; without a document nothing."""

    version: str | None = None
    allows: _Atoms
    denies: _Atoms

    @classmethod
    def of(cls, document: PolicyDocument | None) -> _Rights:
        if document is None:
            return cls(allows=_Atoms(), denies=_Atoms())
        found = tuple(_spelled_out(atoms(document)))
        denies = _Atoms(atom for atom in found if atom.effect is Effect.DENY)
        # What is denied as a whole is allowed to nobody, whatever is written elsewhere.
        allows = _Atoms(atom for atom in found if atom.effect is Effect.ALLOW and not denies.cover(atom))
        return cls(version=document.version, allows=allows, denies=denies)

    def denies_all_of(self, atom: Atom) -> bool:
        return self.denies.cover(atom)

    def allows_all_of(self, atom: Atom) -> bool:
        return self.allows.cover(atom) and not self.denies.cover(atom)

    def reads_alike(self, other: _Rights, atom: Atom) -> bool:
        """Return whether both versions read the atom's texts alike: before 2012 there were no variables."""
        return self.version == other.version or not any(_VARIABLE in text for text in _texts(atom))


def _changes(old: _Rights, new: _Rights) -> Iterator[tuple[ChangeKind, Atom]]:
    for kind, found in (
        (ChangeKind.NEWLY_ALLOWED, _gained(old, new)),
        (ChangeKind.NO_LONGER_ALLOWED, _gained(new, old)),
        (ChangeKind.NEWLY_DENIED, _denied(old, new)),
        (ChangeKind.NO_LONGER_DENIED, _denied(new, old)),
    ):
        yield from ((kind, atom) for atom in _widest(found))


def _gained(old: _Rights, new: _Rights) -> Iterator[Atom]:
    """Yield what `new` allows and `old` does not, also where all that happened is that a Deny went away."""
    for atom in new.allows.all:
        if not (old.allows_all_of(atom) and old.reads_alike(new, atom)):
            yield atom
    for atom in _denied(new, old):
        if new.allows_all_of(atom):
            yield replace(atom, effect=Effect.ALLOW)


def _denied(old: _Rights, new: _Rights) -> Iterator[Atom]:
    """Yield what `new` denies and `old` does not."""
    for atom in new.denies.all:
        if not (old.denies_all_of(atom) and old.reads_alike(new, atom)):
            yield atom


def _spelled_out(found: Iterable[Atom]) -> Iterator[Atom]:
    """Yield atoms, and of those with a wildcard in the action also one for each action there is."""
    for atom in found:
        yield atom
        if _WILDCARD.search(atom.action):
            for name in (*ACTIONS, *FORMER_NAMES):
                if matches(atom.action, name) and _applies(name, atom.resource):
                    yield replace(atom, action=name)


def _applies(name: str, resource: str) -> bool:
    """Return whether requests with this action can have this resource at all."""
    types = ACTIONS[FORMER_NAMES.get(name, name)].resource_types
    found = _RESOURCE_TYPE.match(resource)
    return found is None or found.group(1) in types


def _widest(found: Iterable[Atom]) -> Iterator[Atom]:
    """Yield atoms in order, without those that another one with the same action covers."""
    for _, group in itertools.groupby(sorted(set(found), key=_order), key=lambda atom: atom.action):
        left = tuple(group)
        for place, atom in enumerate(left):
            # Of two that cover each other the first one stays.
            if any(before.covers(atom) for before in left[:place]):
                continue
            if not any(behind.covers(atom) and not atom.covers(behind) for behind in left[place + 1 :]):
                yield atom


def _order(atom: Atom) -> tuple[str, str, list[tuple[str, str, tuple[str, ...]]]]:
    return atom.action, atom.resource, sorted((each.operator, each.key, each.values) for each in atom.conditions)


def _texts(atom: Atom) -> Iterator[str]:
    yield atom.resource
    for condition in atom.conditions:
        yield from (condition.key, *condition.values)


def _parsed(text: str) -> object:
    # Templates that are not rendered may be longer than what AWS IoT takes, but not by much.
    if len(text.translate(_NO_SPACE)) > 2 * MAXIMUM_CHARACTERS:
        raise PolicyError(f"far longer than the {MAXIMUM_CHARACTERS:,} characters that AWS IoT takes")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise PolicyError(f"no JSON: {error.msg} in column {error.colno}", line=error.lineno) from error
    except RecursionError as error:
        raise PolicyError("no usable JSON: nested too deeply") from error


def _unified(before: Side, after: Side) -> tuple[str, ...]:
    """Return a unified diff of the documents as they would be printed, or as they stand where they are no JSON."""
    old, new = (_pretty(side.text).splitlines() for side in (before, after))
    return tuple(difflib.unified_diff(old, new, fromfile=before.label, tofile=after.label, lineterm=""))


def _pretty(text: str | None) -> str:
    if text is None:
        return ""
    with contextlib.suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)
