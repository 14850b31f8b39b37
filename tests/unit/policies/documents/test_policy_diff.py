"""The diff of meanings: what an edit gives to devices, and what it takes from them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitr.policies.comparison import Atom
from jitr.policies.document import matches
from jitr_fleet.policies.authoring.diff import ChangeKind, DiffStatus, PolicyDiff, Side, diff_policies

ARN = "arn:aws:iot:eu-west-1:111122223333:"
Statement = Mapping[str, Any]


def statement(effect: str, action: str | list[str], resource: str | list[str], **condition: Any) -> Statement:
    """Return one statement; resources without the ARN's beginning."""
    resources = [resource] if isinstance(resource, str) else resource
    full = [each if each.startswith("*") else ARN + each for each in resources]
    return {"Effect": effect, "Action": action, "Resource": full, **({"Condition": condition} if condition else {})}


def allow(action: str | list[str], resource: str | list[str], **condition: Any) -> Statement:
    """Return a statement that allows."""
    return statement("Allow", action, resource, **condition)


def deny(action: str | list[str], resource: str | list[str], **condition: Any) -> Statement:
    """Return a statement that denies."""
    return statement("Deny", action, resource, **condition)


def document(*statements: Statement, version: str = "2012-10-17") -> str:
    """Return a document's text."""
    return json.dumps({"Version": version, "Statement": list(statements)})


def diff(before: str | None, after: str | None) -> PolicyDiff:
    """Compare two texts."""
    return diff_policies("default", Side(label="deployed", text=before), Side(label="template", text=after))


def seen(found: PolicyDiff) -> dict[str, list[str]]:
    """Return the changes as `action resource`, without the ARN's beginning, by kind."""
    return {
        kind.value: [f"{atom.action} {atom.resource.removeprefix(ARN)}" for atom in found.of(kind)]
        for kind in ChangeKind
        if found.of(kind)
    }


def test_a_right_that_is_added_or_taken_away_is_listed_by_action_and_resource() -> None:
    """The everyday edit: another topic, and one less."""
    before = document(allow(["iot:Publish", "iot:Receive"], ["topic/a/*", "topic/b"]))
    after = document(allow(["iot:Publish", "iot:Receive"], ["topic/a/*"]), allow("iot:Publish", "topic/c"))
    found = diff(before, after)
    assert found.status is DiffStatus.CHANGED
    assert seen(found) == {
        "newly_allowed": ["iot:Publish topic/c"],
        "no_longer_allowed": ["iot:Publish topic/b", "iot:Receive topic/b"],
    }
    assert (found.widens, found.narrows) == (True, True)


def test_what_is_only_taken_away_does_not_widen() -> None:
    """A reviewer looks harder at what gives devices more."""
    found = diff(document(allow("iot:Publish", ["topic/a", "topic/b"])), document(allow("iot:Publish", "topic/a")))
    assert (found.differs, found.widens, found.narrows) == (True, False, True)


def test_another_order_is_no_difference() -> None:
    """Nor is the text shown then."""
    before = document(allow("iot:Publish", "topic/a"), allow("iot:Connect", "client/x"))
    after = document(allow("iot:Connect", "client/x"), allow(["iot:Publish"], "topic/a"))
    assert (diff(before, after).status, diff(before, after).text) == (DiffStatus.SAME, ())


def test_a_right_that_a_wider_one_covers_is_no_change() -> None:
    """But the document is another one, and a deploy makes a new version of it."""
    before = document(allow("iot:Publish", ["topic/a/*", "topic/a/b"]))
    found = diff(before, document(allow("iot:Publish", "topic/a/*")))
    assert (found.status, found.changes) == (DiffStatus.REWRITTEN, ())
    assert found.text


def test_a_wildcard_in_an_action_is_spelled_out_as_the_actions_that_fit_the_resource() -> None:
    """And listed itself, for what AWS may add some day."""
    found = diff(document(allow("iot:Publish", "topic/a")), document(allow("iot:*", "topic/a")))
    assert seen(found) == {
        "newly_allowed": [
            "iot:* topic/a",
            "iot:GetRetainedMessage topic/a",
            "iot:Receive topic/a",
            "iot:RetainPublish topic/a",
        ]
    }


def test_a_new_deny_takes_what_was_allowed() -> None:
    """Both are said: what is denied, and which right that ends."""
    before = document(allow("iot:Publish", "topic/a/*"))
    found = diff(before, document(allow("iot:Publish", "topic/a/*"), deny("iot:Publish", "topic/a/secret")))
    assert seen(found) == {
        "no_longer_allowed": ["iot:Publish topic/a/secret"],
        "newly_denied": ["iot:Publish topic/a/secret"],
    }


def test_a_deny_that_goes_away_gives_what_is_allowed_elsewhere() -> None:
    """Nothing was added, and devices may do more all the same."""
    before = document(allow("iot:Publish", "topic/a/*"), deny("iot:Publish", "topic/a/secret"))
    found = diff(before, document(allow("iot:Publish", "topic/a/*")))
    assert seen(found) == {
        "newly_allowed": ["iot:Publish topic/a/secret"],
        "no_longer_denied": ["iot:Publish topic/a/secret"],
    }
    assert found.widens


def test_an_allow_that_is_denied_as_a_whole_gives_nothing() -> None:
    """An explicit deny wins."""
    before = document(allow("iot:Connect", "client/x"), deny("iot:Publish", "topic/*"))
    after = document(allow("iot:Connect", "client/x"), deny("iot:Publish", "topic/*"), allow("iot:Publish", "topic/a"))
    assert diff(before, after).status is DiffStatus.REWRITTEN


def test_a_deny_only_under_a_condition_does_not_undo_an_allow_without() -> None:
    """What is denied to some is allowed to the others."""
    conditional = deny("iot:Publish", "topic/*", Bool={"iot:Connection.Thing.IsAttached": "false"})
    found = diff(document(conditional), document(conditional, allow("iot:Publish", "topic/a")))
    assert seen(found) == {"newly_allowed": ["iot:Publish topic/a"]}


def test_a_condition_that_is_dropped_gives_more() -> None:
    """The same action and resource, to everybody now."""
    attached = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}
    before = document(allow("iot:Connect", "client/*", **attached))
    found = diff(before, document(allow("iot:Connect", "client/*")))
    assert seen(found) == {"newly_allowed": ["iot:Connect client/*"]}
    back = diff(document(allow("iot:Connect", "client/*")), before)
    assert seen(back) == {"no_longer_allowed": ["iot:Connect client/*"]}


def test_under_another_version_a_variable_is_another_text() -> None:
    """In 2008 there were no variables."""
    template = allow("iot:Publish", ["topic/${iot:ClientId}", "topic/a"])
    found = diff(document(template, version="2008-10-17"), document(template))
    assert seen(found) == {
        "newly_allowed": ["iot:Publish topic/${iot:ClientId}"],
        "no_longer_allowed": ["iot:Publish topic/${iot:ClientId}"],
    }


def test_a_policy_that_is_new_or_gone_is_said_to_be() -> None:
    """Everything in it is a change."""
    text = document(allow("iot:Publish", "topic/a"))
    assert (diff(None, text).status, seen(diff(None, text))) == (
        DiffStatus.ADDED,
        {"newly_allowed": ["iot:Publish topic/a"]},
    )
    assert (diff(text, None).status, seen(diff(text, None))) == (
        DiffStatus.REMOVED,
        {"no_longer_allowed": ["iot:Publish topic/a"]},
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "far longer"),
        ("[" * 4_000, "nested too deeply"),
        ('{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "iot:Connect"}]}', "NotAction"),
        (document(*[allow("iot:Publish", f"topic/{number}") for number in range(100)]), "far longer"),
    ],
    ids=["no-json", "huge", "deep", "not-action", "long"],
)
def test_a_document_that_cannot_be_read_is_never_called_the_same(text: str, problem: str) -> None:
    """Even beside itself: nobody knows what it means."""
    found = diff(text, text)
    assert (found.status, found.differs, found.widens) == (DiffStatus.UNREADABLE, True, True)
    assert problem in (found.problem or "")


def test_characters_that_deceive_a_reader_are_spelled_out_in_the_text() -> None:
    """A right-to-left override would show another topic than the one that is meant."""
    found = diff(document(allow("iot:Publish", "topic/a")), document(allow("iot:Publish", "topic/a\u202e")))
    assert any("\\u202e" in line for line in found.text)
    assert not any("\u202e" in line for line in found.text)


def test_the_diff_is_done_in_time_for_the_widest_documents() -> None:
    """As many patterns as fit, every action, nothing in common."""
    texts = [document(allow("*", [f"*{letter}{number}*" for number in range(60)])) for letter in "ab"]
    begin = time.process_time()
    assert diff(*texts).status is DiffStatus.CHANGED
    assert time.process_time() - begin < 30


ACTIONS = ["iot:Publish", "iot:Receive", "iot:Connect"]
RESOURCES = ["topic/", "topic/a", "topic/b", "topic/ab", "topic/ba", "client/a"]
STATEMENTS = st.builds(
    statement,
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.lists(st.sampled_from([*ACTIONS, "iot:*", "iot:Rec*", "*"]), min_size=1, max_size=2),
    st.lists(st.sampled_from([*RESOURCES, "topic/*", "topic/a*", "topic/?", "*"]), min_size=1, max_size=2),
)
DOCUMENTS = st.lists(STATEMENTS, min_size=1, max_size=4).map(lambda statements: document(*statements))


def decides(text: str, action: str, resource: str) -> bool:
    """Whether a document allows a request: read naively, statement by statement."""
    effects = {
        each["Effect"]
        for each in json.loads(text)["Statement"]
        if any(matches(pattern, action) for pattern in each["Action"])
        and any(matches(pattern, resource) for pattern in each["Resource"])
    }
    return effects == {"Allow"}


def tells(atoms: tuple[Atom, ...], action: str, resource: str) -> bool:
    """Whether a reader of these changes learns of the request."""
    return any(matches(atom.action, action) and matches(atom.resource, resource) for atom in atoms)


@given(DOCUMENTS, DOCUMENTS)
def test_no_request_changes_its_answer_without_being_listed(before: str, after: str) -> None:
    """Whatever devices gain or lose, a reviewer of the list sees it."""
    found = diff(before, after)
    for action in ACTIONS:
        for resource in (ARN + each for each in RESOURCES):
            was, will_be = decides(before, action, resource), decides(after, action, resource)
            if will_be and not was:
                assert tells(
                    found.of(ChangeKind.NEWLY_ALLOWED) + found.of(ChangeKind.NO_LONGER_DENIED), action, resource
                )
            if was and not will_be:
                assert tells(
                    found.of(ChangeKind.NO_LONGER_ALLOWED) + found.of(ChangeKind.NEWLY_DENIED), action, resource
                )


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_itself(text: str) -> None:
    """No false alarm."""
    assert diff(text, text).status is DiffStatus.SAME
