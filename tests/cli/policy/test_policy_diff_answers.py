"""`jitr policy diff`: which cases an edit answers otherwise, and what it takes to know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jitr_fleet.policies.authoring.diff import Side, diff_policies
from tests.cli.conftest import Jitr
from tests.worlds.deployment import TestDeployment

ACCOUNT = "123456789012"
REGION = "us-east-1"
CASES = """
[devices.a]
client_id = "a"

[[cases]]
why = "what it is for"
device = "a"
action = "iot:Publish"
resource = ["topic/a", "topic/b"]
expect = "allowed"
"""


def policy(*topics: str, condition: object = None) -> str:
    """Return a template that allows to publish to these topics."""
    resources = [f"arn:@{{partition}}:iot:@{{region}}:@{{account}}:topic/{topic}" for topic in topics]
    statement = {"Effect": "Allow", "Action": "iot:Publish", "Resource": resources}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}
    )


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a template and two questions, and beside it the file as it was."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "default.json").write_text(policy("a", "b"))
    (tmp_path / "policies" / "default.cases.toml").write_text(CASES)
    (tmp_path / "fleet.toml").write_text(f'[deployments.test]\naccount = "{ACCOUNT}"\nregion = "{REGION}"\n')
    (tmp_path / "default.json").write_text(policy("a"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITR_FLEET", raising=False)
    return tmp_path


def test_a_case_that_is_answered_otherwise_is_listed_with_both_answers(fleet: Path, jitr: Jitr) -> None:
    """Only the one whose answer changes."""
    answer = jitr("policy", "diff", "--against", "default.json")
    assert answer.exit_code == 1, answer.err
    rows = [line.split() for line in answer.out.splitlines() if line.strip().startswith("default.cases.toml")]
    assert rows == [["default.cases.toml:5", "a", "iot:Publish", "topic/b", "implicit", "deny", "allowed"]]
    (found,) = jitr("policy", "diff", "--against", "default.json", "--json").json["policies"]
    (told,) = found["answers"]
    assert (told["resource"], told["before"], told["after"], told["problem"]) == (
        "topic/b",
        "implicit_deny",
        "allowed",
        None,
    )


def test_an_answer_that_depends_on_what_no_case_says_leaves_the_edit_undetermined(fleet: Path, jitr: Jitr) -> None:
    """Where a device may publish from is nobody's guess; the key that says it is named."""
    condition = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    (fleet / "policies" / "default.json").write_text(policy("a", "b", condition=condition))
    answer = jitr("policy", "diff", "--against", "default.json")
    assert answer.exit_code == 2
    assert "undetermined" in answer.out
    assert "source_ip" in answer.err
    found = jitr("policy", "diff", "--against", "default.json", "--json")
    told = found.json["policies"][0]["answers"]
    assert (found.exit_code, [each["after"] for each in told]) == (2, [None, None])
    # With what was missing the same edit is known, and only what it changes is listed.
    (fleet / "policies" / "default.cases.toml").write_text(CASES.replace("\n\n", '\nsource_ip = "198.51.100.7"\n\n', 1))
    answer = jitr("policy", "diff", "--against", "default.json", "--json")
    told = answer.json["policies"][0]["answers"]
    assert answer.exit_code == 1
    assert [(each["resource"], each["before"], each["after"]) for each in told] == [
        ("topic/a", "allowed", "implicit_deny")
    ]


def test_cases_that_cannot_be_read_leave_it_undetermined_too(fleet: Path, jitr: Jitr) -> None:
    """What cannot be asked is not answered as before."""
    (fleet / "policies" / "default.cases.toml").write_text("[[cases]]\nwhy = 1\n")
    answer = jitr("policy", "diff", "--against", "default.json")
    assert answer.exit_code == 2
    assert "its cases were not asked" in answer.err
    assert "default.cases.toml" in answer.err


def test_a_policy_that_means_the_same_is_not_asked(fleet: Path, jitr: Jitr) -> None:
    """Nothing changes, whatever a case leaves open."""
    condition = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    (fleet / "policies" / "default.json").write_text(policy("a", "b", condition=condition))
    (fleet / "default.json").write_text(policy("b", "a", condition=condition))
    assert jitr("policy", "diff", "--against", "default.json").exit_code == 0


def test_the_comment_of_a_pull_request_has_the_answers(fleet: Path, jitr: Jitr) -> None:
    """For those who review it: a device of a case, before and after."""
    answer = jitr("policy", "diff", "--against", "default.json", "--markdown")
    row = "| default.cases.toml:5 | <code>a</code> | <code>iot:Publish</code> | <code>topic/b</code> |"
    assert f"{row} <code>implicit deny</code> | <code>allowed</code> |" in answer.out.replace("&#58;", ":")


def test_a_new_policy_is_asked_beside_none(stack: TestDeployment, fleet: Path, jitr: Jitr) -> None:
    """What is not deployed yet allows nothing."""
    (found,) = jitr("policy", "diff", "--json").json["policies"]
    assert [(each["before"], each["after"]) for each in found["answers"]] == [("implicit_deny", "allowed")] * 2


def test_an_unreadable_document_asks_nothing() -> None:
    """The document is the problem, not its cases."""
    found = diff_policies("x", Side(label="before", text="{}"), Side(label="after", text="{"))
    assert (found.undetermined, found.answers) == (True, ())
