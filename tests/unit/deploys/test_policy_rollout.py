"""Rolling policies out: what means the same stays, what does not becomes a new version, whatever is interrupted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from jitr.aws.iot import IotRegistry
from jitr.errors import Reason, Undecided
from jitr.policies.rollout import Change, PolicyRollout, shared_policies
from jitr.settings import Configuration
from tests.aws.aws_faults import CallLog, Killed, failing
from tests.aws.fake_iot import FakeIot
from tests.aws.fake_iot_policies import MAXIMUM_VERSIONS

NAME = "jitr-test_default"
VALUES = {"account": "111122223333", "region": "eu-west-1", "partition": "aws"}
MORE_THAN_ENOUGH = 20


def policy(*topics: str, indent: int | None = None, sid: str | None = None) -> str:
    """A document that allows publishing to topics."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": "iot:Publish", "Resource": list(topics)}
    if sid:
        statement["Sid"] = sid
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=indent)


@dataclass
class Account:
    """An AWS account and a roll-out in it; `log` counts the calls of all roll-outs."""

    iot: FakeIot = field(default_factory=FakeIot)

    def __post_init__(self) -> None:
        self.client = self.iot.client()
        self.log = CallLog(self.client)
        self.rollout = PolicyRollout(registry=IotRegistry(self.client))

    def history(self, *documents: str) -> None:
        """Let these documents have been rolled out one after the other."""
        for document in documents:
            self.rollout.bring_up_to_date(NAME, document)
        self.log.calls.clear()

    def versions(self) -> dict[str, str]:
        """The policy's documents by version id."""
        return self.iot.policies[NAME].versions

    def meaning(self) -> str:
        """The document that counts."""
        return self.iot.policies[NAME].document


@pytest.fixture
def account() -> Account:
    """An account without policies."""
    return Account()


def test_a_missing_policy_is_created(account: Account) -> None:
    """So that an activation need not."""
    assert account.rollout.bring_up_to_date(NAME, policy("a")) is Change.CREATED
    assert account.meaning() == policy("a")


def test_an_edit_becomes_the_new_default_version(account: Account) -> None:
    """The policy, its name and what it is attached to stay; the old version is kept."""
    account.history(policy("a"))
    assert account.rollout.bring_up_to_date(NAME, policy("b")) is Change.UPDATED
    assert account.meaning() == policy("b")
    assert account.versions() == {"1": policy("a"), "2": policy("b")}


@pytest.mark.parametrize(
    "same",
    [policy("a", "b"), policy("a", "b", indent=4), policy("b", "a"), policy("b", "a", "b", sid="Renamed")],
    ids=["equal text", "formatted", "reordered", "renamed and repeated"],
)
def test_what_means_the_same_makes_no_version(account: Account, same: str) -> None:
    """One call that reads, none that writes."""
    account.history(policy("a", "b"))
    assert account.rollout.bring_up_to_date(NAME, same) is Change.UNCHANGED
    assert account.log.calls == ["GetPolicy"]


def test_the_oldest_version_that_is_not_the_default_makes_room(account: Account) -> None:
    """AWS keeps five; two of those were made by hand, and the default is an old one."""
    account.history(*(policy(topic) for topic in "abcde"))
    account.iot.policies[NAME].default = "1"
    assert account.rollout.bring_up_to_date(NAME, policy("f")) is Change.UPDATED
    assert sorted(account.versions()) == ["1", "3", "4", "5", "6"]
    assert account.meaning() == policy("f")


def test_versions_are_as_old_as_their_numbers_say(account: Account) -> None:
    """9 is older than 10, although its text is not."""
    account.history(*(policy(str(topic)) for topic in range(11)))
    assert sorted(account.versions(), key=int) == ["7", "8", "9", "10", "11"]
    account.history(policy("x"), policy("y"), policy("z"))
    assert sorted(account.versions(), key=int) == ["10", "11", "12", "13", "14"]


def test_any_number_of_edits_can_be_rolled_out(account: Account) -> None:
    """And there are never more versions than AWS allows."""
    for topic in range(4 * MAXIMUM_VERSIONS):
        assert account.rollout.bring_up_to_date(NAME, policy(str(topic))) is not Change.UNCHANGED
        assert account.meaning() == policy(str(topic))
        assert len(account.versions()) <= MAXIMUM_VERSIONS


def test_going_back_brings_the_old_meaning_back(account: Account) -> None:
    """As `git revert` and a deploy do."""
    account.history(policy("a"), policy("b"))
    assert account.rollout.bring_up_to_date(NAME, policy("a")) is Change.UPDATED
    assert account.meaning() == policy("a")


def test_a_malformed_document_is_refused_with_awss_reason(account: Account) -> None:
    """And what was deployed stays."""
    account.history(policy("a"))
    wrong = policy("b").replace("Allow", "Permit")
    with pytest.raises(Undecided) as caught:
        account.rollout.bring_up_to_date(NAME, wrong)
    assert caught.value.reason is Reason.POLICY_UNUSABLE
    assert caught.value.message == (
        f"AWS IoT refuses policy {NAME}: MalformedPolicyException: Policy document is Malformed"
    )
    assert account.versions() == {"1": policy("a")}


def test_a_deployed_document_that_cannot_be_read_is_replaced(account: Account) -> None:
    """Made by hand, with what AWS accepts and our comparison does not."""
    account.history(policy("a"))
    account.iot.policies[NAME].versions["1"] = '{"Version": "1999", "Statement": []}'
    assert account.rollout.bring_up_to_date(NAME, policy("a")) is Change.UPDATED
    assert account.meaning() == policy("a")


def test_an_activation_that_creates_the_policy_first_changes_nothing(account: Account) -> None:
    """It may have known an older template: the document is compared all the same."""

    def create_meanwhile(**_: Any) -> None:
        account.client.meta.events.unregister("before-call.iot.CreatePolicy", create_meanwhile)
        account.client.create_policy(policyName=NAME, policyDocument=policy("old"))

    account.client.meta.events.register_first("before-call.iot.CreatePolicy", create_meanwhile)
    assert account.rollout.bring_up_to_date(NAME, policy("new")) is Change.UPDATED
    assert account.meaning() == policy("new")


def test_a_version_that_somebody_else_deletes_meanwhile_is_gone_too(account: Account) -> None:
    """Two roll-outs at once make room twice."""
    account.history(*(policy(topic) for topic in "abcde"))

    def delete_meanwhile(**_: Any) -> None:
        account.iot.policies[NAME].versions.pop("1")

    account.client.meta.events.register_first("before-call.iot.DeletePolicyVersion", delete_meanwhile)
    assert account.rollout.bring_up_to_date(NAME, policy("f")) is Change.UPDATED


@pytest.mark.parametrize("before", [0, 1, 5])
def test_killed_after_any_call_and_tried_again_it_ends_in_the_same_state(before: int) -> None:
    """Killed after call 1, 2, 3, …; whoever repeats it ends with the document as the default version."""
    kills = 0
    for kill_after in range(1, MORE_THAN_ENOUGH):
        account = Account()
        account.history(*(policy(str(n)) for n in range(before)))
        account.log.kill_after = kill_after
        try:
            account.rollout.bring_up_to_date(NAME, policy("new"))
        except Killed:
            kills += 1
        else:
            break
        account.log.kill_after = None
        account.rollout.bring_up_to_date(NAME, policy("new"))
        assert account.meaning() == policy("new")
        assert len(account.versions()) <= MAXIMUM_VERSIONS
        assert sum(document == policy("new") for document in account.versions().values()) == 1
    assert kills == {0: 2, 1: 2, 5: 5}[before]


def test_every_call_waits_for_its_turn() -> None:
    """The pace is asked once for each call, also for those that make room."""
    account, turns = Account(), []
    account.history(*(policy(topic) for topic in "abcde"))
    paced = PolicyRollout(registry=IotRegistry(account.client), pace=lambda: turns.append(len(account.log.calls)))
    paced.bring_up_to_date(NAME, policy("f"))
    assert account.log.calls == [
        "GetPolicy",
        "CreatePolicyVersion",
        "ListPolicyVersions",
        "DeletePolicyVersion",
        "CreatePolicyVersion",
    ]
    assert turns == [0, 1, 2, 3, 4]


def test_a_policy_that_was_changed_by_hand_has_drifted(account: Account) -> None:
    """One that only looks different has not, nor one that does not exist."""
    account.history(policy("a"))
    account.rollout.bring_up_to_date("jitr-test_other", policy("b", indent=2))
    wanted = {NAME: policy("a"), "jitr-test_other": policy("b"), "jitr-test_missing": policy("c")}
    assert account.rollout.drifted(wanted) == ()
    account.client.create_policy_version(policyName=NAME, policyDocument=policy("a", "*"), setAsDefault=True)
    assert account.rollout.drifted(wanted) == (NAME,)


def test_a_version_that_is_not_the_default_is_no_drift(account: Account) -> None:
    """It does not count until somebody makes it the default."""
    account.history(policy("a"))
    account.client.create_policy_version(policyName=NAME, policyDocument=policy("*"), setAsDefault=False)
    assert account.rollout.drifted({NAME: policy("a")}) == ()


def test_looking_for_drift_only_reads(account: Account) -> None:
    """Whoever restricts a policy by hand in an emergency is not overruled."""
    account.history(policy("a"))
    account.rollout.drifted({NAME: policy("b")})
    assert account.log.calls == ["GetPolicy"]


def test_an_aws_failure_is_told_apart_from_drift(account: Account) -> None:
    """Throttled is not drifted."""
    with failing(account.client, "GetPolicy", "ThrottlingException"), pytest.raises(Undecided) as caught:
        account.rollout.drifted({NAME: policy("a")})
    assert caught.value.reason is Reason.THROTTLED


def test_templates_with_device_values_are_not_shared() -> None:
    """Each device gets a policy of its own from them; the others are rendered, in the order of their names."""
    templates = {
        "b": policy("arn:@{partition}:iot:@{region}:@{account}:topic/b"),
        "a": policy("a/${iot:ClientId}"),
        "own": policy("@{device.serial}"),
    }
    found = shared_policies(Configuration(deployment="test", policies=templates), VALUES)
    assert list(found) == ["jitr-test_a", "jitr-test_b"]
    assert json.loads(found["jitr-test_a"]) == json.loads(policy("a/${iot:ClientId}"))
    assert "arn:aws:iot:eu-west-1:111122223333:topic/b" in found["jitr-test_b"]
