"""The JSON Schema for editors says what the lint says, as far as a schema can."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.jsonschema import StandardValidator  # type: ignore[import-untyped] # a development requirement

from jitr_fleet.policies.authoring.editor_schema import schema_text
from jitr_fleet.policies.language.actions import ACTIONS, FORMER_NAMES

ROOT = Path(__file__).parents[4]
FILE = ROOT / "schemas" / "policy.schema.json"
SCHEMA = json.loads(FILE.read_text(encoding="utf-8"))
TEMPLATES = [*sorted((ROOT / "policies").glob("*.json")), *sorted((ROOT / "docs" / "cookbook").glob("*.json"))]
PAGE = (ROOT / "docs" / "policy-lint.md").read_text(encoding="utf-8")
# What can be seen without knowing what a text means.
SEEN = {
    "not-an-object", "policy-version", "no-statement", "missing-key", "unknown-key", "wrong-type", "unknown-effect",
    "negated-element", "principal", "unknown-action", "control-plane-action", "wildcard-action", "value-in-action",
    "malformed-arn", "resource-type", "unknown-operator", "unknown-condition-key",
}  # fmt: skip
KEY = "iot:Certificate.Subject.CommonName"
ATTACHED = "iot:Connection.Thing.IsAttached"


def examples(kind: str) -> dict[str, Any]:
    """Return the examples of the lint's page that are JSON, by rule."""
    found = {}
    for rule, section in re.findall(r"^### ([\w-]+)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE):
        match = re.search(rf"^{kind}:\n\n```json([\w ]*)\n(.*?)\n```$", section, re.DOTALL | re.MULTILINE)
        if match is not None and rule != "json-syntax":
            value = json.loads(match[2])
            found[rule] = {"Version": "2012-10-17", "Statement": [value]} if "statement" in match[1] else value
    return found


def is_valid(document: object) -> bool:
    """Say whether an editor would find nothing."""
    return not list(StandardValidator(SCHEMA).iter_errors(document))


def test_the_file_is_what_the_code_makes() -> None:
    """`from jitr_fleet.policies.authoring.editor_schema import schema_text; print(schema_text(), end="")` writes it."""
    assert FILE.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_template_here_is_valid(file: Path) -> None:
    """And none names the schema itself: AWS IoT takes no such key."""
    document = json.loads(file.read_text(encoding="utf-8"))
    assert is_valid(document)
    assert "$schema" not in document


def test_every_good_example_is_valid() -> None:
    """An editor marks nothing that the lint accepts."""
    good = examples("Good")
    assert [rule for rule, document in good.items() if not is_valid(document)] == []
    assert len(good) > len(SEEN)


def test_a_bad_example_is_marked_where_a_schema_can_see_it() -> None:
    """These rules and no others."""
    assert {rule for rule, document in examples("Bad").items() if not is_valid(document)} == SEEN


@pytest.mark.parametrize(
    "operator", ["Bool", "BoolIfExists", "ForAnyValue:StringLike", "ForAllValues:StringEqualsIfExists"]
)
@pytest.mark.parametrize("key", [ATTACHED, KEY, f"{KEY}.1", f"{KEY}.List", "iot:Connection.Thing.Attributes[site]"])
def test_every_form_of_operators_and_keys_is_valid(operator: str, key: str) -> None:
    """In conditions."""
    statement = {"Effect": "Allow", "Action": "iot:Receive", "Resource": "*", "Condition": {operator: {key: "x"}}}
    assert is_valid({"Version": "2012-10-17", "Statement": statement})


@pytest.mark.parametrize("key", ["iot:Connection.Thing.Attributes", f"{ATTACHED}.List", f"{KEY}.first", "iot:Nothing"])
def test_keys_that_do_not_exist_are_marked(key: str) -> None:
    """Forms that a key does not have too."""
    statement = {"Effect": "Allow", "Action": "iot:Receive", "Resource": "*", "Condition": {"Bool": {key: "x"}}}
    assert not is_valid({"Version": "2012-10-17", "Statement": statement})


def test_every_action_is_offered_with_what_it_does() -> None:
    """In Action, one or many."""
    for one in SCHEMA["definitions"]["statement"]["properties"]["Action"]["anyOf"]:
        choices = one.get("items", one)
        assert choices["enum"] == [*ACTIONS, *FORMER_NAMES]
        assert len(choices["enumDescriptions"]) == len(ACTIONS) + len(FORMER_NAMES)


def test_an_editor_offers_what_the_tables_have_and_marks_what_they_lack() -> None:
    """Set operators, lists and the request's keys; each variable inside a resource; no Thing where there is none."""
    conditions = SCHEMA["definitions"]["statement"]["properties"]["Condition"]["properties"]
    assert {"ForAnyValue:StringEquals", "ForAllValues:StringEquals"} <= set(conditions)
    assert f"{KEY}.List" in SCHEMA["definitions"]["keys_of_sets"]["properties"]
    assert "iot:LastWillTopic" in SCHEMA["definitions"]["keys"]["properties"]
    resources = SCHEMA["definitions"]["statement"]["properties"]["Resource"]["anyOf"][0]["examples"]
    assert any("${iot:Certificate.Issuer.Country}" in each for each in resources)
    assert not any(":thing/${iot:Connection" in each for each in resources)
    base = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}
    empty: dict[str, Any] = {"ForAllValues:StringEquals": {"iot:ConnectAttributes": []}}
    for change, valid in (
        ({"Condition": empty}, True),
        ({"Action": "iot:UpdateJobExecution"}, True),
        ({"Action": "greengrass:GetConnectivityInfo"}, True),
        ({"Condition": {"NullIfExists": {KEY: "true"}}}, False),
        ({"Condition": {"ForAnyValue:Null": {KEY: "true"}}}, False),
        ({"Resource": "arn:aws:iot:eu-west-1:111122223333:sensor-1"}, False),
        ({"Resource": "arn:aws:greengrass:eu-west-1:111122223333:components:a:versions:1"}, True),
    ):
        assert is_valid({"Version": "2012-10-17", "Statement": {**base, **change}}) is valid, change


def test_the_editors_settings_name_the_schema_for_every_template() -> None:
    """Visual Studio Code reads them; the patterns match the files."""
    settings = json.loads((ROOT / ".vscode" / "settings.json").read_text(encoding="utf-8"))
    (entry,) = settings["json.schemas"]
    assert (ROOT / entry["url"]).resolve() == FILE
    matched = {file for pattern in entry["fileMatch"] for file in ROOT.glob(pattern.removeprefix("/"))}
    assert matched == set(TEMPLATES)
