"""What is wrong with a policy template stops the synth: an error of the lint, a failing case, no cases at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jitr_fleet.fleet_file.reader import read_fleet
from tests.worlds.fleet_folder import CA_TABLE, DEPLOYMENT_TABLE, FleetFolder, with_ca_key

FLEET = DEPLOYMENT_TABLE + CA_TABLE
TEMPLATE = """{
  "Version": "2012-10-17",
  "Statement": {
    "Effect": "Allow",
    "Action": "iot:Publish",
    "Resource": "arn:@{partition}:iot:@{region}:@{account}:topic/own/${iot:Certificate.SerialNumber}"
  }
}
"""
CASES = """[devices.sensor]
certificate = { serial_number = "0a" }

[[cases]]
why = "It sends below its serial number."
device = "sensor"
action = "iot:Publish"
resource = "topic/own/10"
expect = "allowed"
"""


@pytest.fixture
def fleet(tmp_path: Path) -> FleetFolder:
    """A folder for a fleet file with the shipped policies, and one more with its cases."""
    folder = FleetFolder(tmp_path)
    put(folder, "gateway.json", TEMPLATE)
    put(folder, "gateway.cases.toml", CASES)
    return folder


def put(fleet: FleetFolder, name: str, text: str) -> Path:
    """Write a file of the policies' folder."""
    file = fleet.folder / "policies" / name
    file.write_text(text, encoding="utf-8")
    return file


def test_right_templates_with_right_cases_are_read(fleet: FleetFolder) -> None:
    """Under their names, as they are written."""
    assert fleet.read(FLEET).policies["gateway"] == TEMPLATE


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('{\n  "Statement": [,]\n}', 2, "[json-syntax]"),
        ("[]", 1, "[not-an-object]"),
        (TEMPLATE.replace("@{account}", "@{acount}"), 6, "[unknown-value]"),
        (TEMPLATE.replace("iot:Publish", "iot:Publsh"), 5, "did you mean iot:Publish?"),
        (TEMPLATE.replace("@{account}", "444455556666"), 6, "444455556666"),
        (TEMPLATE.replace("own/", "x" * 2048), 1, "2,048"),
    ],
    ids=["syntax", "no object", "unknown value", "unknown action", "other account", "too long"],
)
def test_an_error_of_the_lint_is_named_with_file_line_and_rule(
    fleet: FleetFolder, text: str, line: int, words: str
) -> None:
    """And nothing is said of the cases: they would all fail."""
    file = put(fleet, "gateway.json", text)
    mistakes = fleet.mistakes(FLEET)
    assert any(mistake.startswith(f"{file}:{line}: ") and words in mistake for mistake in mistakes), mistakes
    assert not any("cases.toml" in mistake for mistake in mistakes)


def test_a_failing_case_is_named_with_file_line_and_question(fleet: FleetFolder) -> None:
    """The template was changed, and a right is gone that somebody counts on."""
    put(fleet, "gateway.json", TEMPLATE.replace("topic/own", "topic/new"))
    assert fleet.mistake(FLEET).startswith(
        f"{fleet.folder}/policies/gateway.cases.toml:4: gateway.json fails a case: It sends below its serial number. "
        "(sensor iot:Publish topic/own/10): expected allowed, got implicit_deny; mend the template, or the case"
    )


def test_the_questions_of_one_case_are_told_together(fleet: FleetFolder) -> None:
    """One case of several questions, one mistake."""
    put(
        fleet,
        "gateway.cases.toml",
        CASES.replace('"topic/own/10"', '["topic/a", "topic/own/10", "topic/b", "topic/c"]'),
    )
    told = fleet.mistake(FLEET)
    assert (
        "(sensor iot:Publish topic/a): expected allowed, got implicit_deny, and 2 more of its questions; mend" in told
    )


def test_a_template_without_cases_is_refused(fleet: FleetFolder) -> None:
    """Nobody would notice what its next edit takes or gives."""
    (fleet.folder / "policies" / "gateway.cases.toml").unlink()
    assert "gateway.json: has no cases: there is no gateway.cases.toml beside it; write" in fleet.mistake(FLEET)


def test_cases_without_a_template_are_refused(fleet: FleetFolder) -> None:
    """A template was renamed, its cases were not."""
    (fleet.folder / "policies" / "gateway.json").unlink()
    assert "gateway.cases.toml: there is no template gateway.json beside it" in fleet.mistake(FLEET)


def test_a_mistake_in_the_cases_is_named_with_line_and_key(fleet: FleetFolder) -> None:
    """As in the fleet file."""
    put(fleet, "gateway.cases.toml", CASES.replace("device =", "devices ="))
    first, second = fleet.mistakes(FLEET)
    assert "gateway.cases.toml:6: cases[0].devices: unknown key; did you mean device?" in first
    assert "gateway.cases.toml:4: cases[0].device: missing" in second


def test_cases_are_asked_with_the_deployments_own_values(fleet: FleetFolder) -> None:
    """A case may name them too."""
    resource = "arn:@{partition}:iot:@{region}:111122223333:topic/own/10"
    put(fleet, "gateway.cases.toml", CASES.replace("topic/own/10", resource))
    assert fleet.read(FLEET).policies["gateway"] == TEMPLATE
    elsewhere = fleet.mistake(FLEET.replace("111122223333", "444455556666"))
    assert "expected allowed, got implicit_deny" in elsewhere


def test_a_policy_of_things_is_refused_for_a_ca_without_things(fleet: FleetFolder) -> None:
    """Its devices could not connect."""
    mistakes = fleet.mistakes(with_ca_key('thing_name = "off"'))
    assert any("policies/default.json:" in mistake and "factory-1" in mistake for mistake in mistakes), mistakes
    assert fleet.read_ca(with_ca_key('thing_name = "off"') + '\npolicy = "gateway"').policy == "gateway"


def test_a_shared_mistake_is_told_once(fleet: FleetFolder) -> None:
    """However many deployments use the folder."""
    put(fleet, "gateway.json", TEMPLATE.replace("topic/own", "topic/new"))
    assert len(fleet.mistakes(FLEET + FLEET.replace("prod-eu", "test").replace("111122223333", "444455556666"))) == 1


def test_white_space_does_not_count(fleet: FleetFolder) -> None:
    """AWS IoT counts characters without it."""
    spacious = json.dumps(json.loads(TEMPLATE), indent=1000)
    put(fleet, "gateway.json", spacious)
    assert fleet.read(FLEET).policies["gateway"] == spacious


def test_a_template_whose_name_aws_iot_refuses_is_refused(fleet: FleetFolder) -> None:
    """The file's name becomes part of the policy's."""
    put(fleet, "for all.json", TEMPLATE)
    put(fleet, "for all.cases.toml", CASES)
    assert "the name 'for all'" in fleet.mistake(DEPLOYMENT_TABLE)


def test_a_template_that_is_no_text_is_refused(fleet: FleetFolder) -> None:
    """Binary files are named, not decoded."""
    (fleet.folder / "policies" / "gateway.json").write_bytes(b"\xff\xfe{}")
    assert "gateway.json:1: not UTF-8" in fleet.mistake(DEPLOYMENT_TABLE)


def test_commands_that_look_at_templates_get_them_with_their_mistakes(fleet: FleetFolder) -> None:
    """They say themselves what is wrong."""
    put(fleet, "gateway.json", "nonsense")
    fleet.file.write_text(FLEET, encoding="utf-8")
    (deployment,) = read_fleet(fleet.file, check_policies=False).deployments
    assert deployment.policies["gateway"] == "nonsense"
