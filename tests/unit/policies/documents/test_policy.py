"""Policy templates: deployment and device values are filled in, everything else stays as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitr.policies.template import device_values_in, render_policy, uses_device_values
from jitr.policies.values import DEVICE_VALUES, DeviceValueError, PolicyError, longest_device_values

VALUES = {"account": "111122223333", "region": "eu-west-1", "partition": "aws"}
DEVICE = {
    "device.thing_name": "pump-1",
    "device.common_name": "pump-1.example",
    "device.serial": "1f",
    "device.certificate_id": "0f" * 32,
}
# What would be more than a name in a policy, a topic or JSON; and a `$` that `fullmatch` must not overlook.
HOSTILE = [
    "*",
    "a*",
    "?",
    "${iot:ClientId}",
    "@{account}",
    "+",
    "#",
    "a/b",
    'a"',
    "a\\",
    "a b",
    "a\n",
    "ä",
    "",
    "x" * 129,
]


def template(resource: str) -> str:
    """A policy with one resource."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Resource": resource}]}, indent=2)


def test_deployment_values_are_filled_in_and_aws_variables_stay() -> None:
    """Nothing that AWS substitutes at connect time is touched."""
    rendered = render_policy(template("arn:@{partition}:iot:@{region}:@{account}:client/${iot:ClientId}"), VALUES)
    assert (
        json.loads(rendered)["Statement"][0]["Resource"] == "arn:aws:iot:eu-west-1:111122223333:client/${iot:ClientId}"
    )


def test_a_value_is_never_read_as_a_template_again() -> None:
    """What is filled in is filled in once."""
    rendered = render_policy(template("@{region}"), {**VALUES, "region": "@{account}"})
    assert json.loads(rendered)["Statement"][0]["Resource"] == "@{account}"


def test_an_unknown_value_is_named_with_its_line() -> None:
    """A misspelt value must not reach AWS as literal text."""
    with pytest.raises(PolicyError, match=r"unknown value @\{acount\}; there are @\{account\}") as caught:
        render_policy(template("arn:aws:iot:eu-west-1:@{acount}:client/x"), VALUES)
    assert caught.value.line == 5


def test_a_syntax_error_is_named_with_its_line() -> None:
    """A comma too many on line 3."""
    with pytest.raises(PolicyError, match="column") as caught:
        render_policy('{\n "Version": "2012-10-17",\n "Statement": [],,\n}', VALUES)
    assert caught.value.line == 3


def test_2048_characters_without_white_space_are_allowed_and_no_more() -> None:
    """White space, inside strings too, does not count on AWS."""
    empty = len(render_policy(template(""), VALUES))
    assert render_policy(template("x" * (2048 - empty) + " " * 500), VALUES)
    with pytest.raises(PolicyError, match="2049 characters"):
        render_policy(template("x" * (2049 - empty)), VALUES)


@pytest.mark.parametrize("text", ["", "[]", '"text"', "null", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    """A policy is an object."""
    with pytest.raises(PolicyError):
        render_policy(text, VALUES)


@pytest.mark.parametrize("name", sorted(DEVICE_VALUES))
def test_a_device_value_is_filled_in(name: str) -> None:
    """Beside deployment values and AWS's own variables, in one text."""
    rendered = render_policy(template(f"@{{account}}/@{{{name}}}/${{iot:ClientId}}"), VALUES | DEVICE)
    resource = json.loads(rendered)["Statement"][0]["Resource"]
    assert resource == f"111122223333/{DEVICE[name]}/${{iot:ClientId}}"


@pytest.mark.parametrize("name", sorted(DEVICE_VALUES))
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_device_value_is_refused_and_not_repeated(name: str, text: str) -> None:
    """I6: no text from a certificate reaches a policy without passing a validator, nor a log line."""
    with pytest.raises(DeviceValueError) as caught:
        render_policy(template(f"@{{{name}}}"), VALUES | DEVICE | {name: text})
    assert f"@{{{name}}} ({len(text)} characters)" in str(caught.value)
    assert len(text) < 2 or text not in str(caught.value)


@given(name=st.sampled_from(sorted(DEVICE_VALUES)), text=st.text(max_size=200))
def test_whatever_a_validator_lets_through_is_plain_and_short(name: str, text: str) -> None:
    """For any text at all: refused, or nothing in it means anything to a policy."""
    try:
        rendered = render_policy(template(f"@{{{name}}}"), VALUES | DEVICE | {name: text})
    except DeviceValueError:
        return
    assert json.loads(rendered)["Statement"][0]["Resource"] == text
    assert 0 < len(text) <= DEVICE_VALUES[name].longest
    assert not set(text) & set('*?$+#/{}"\\ \n\t')
    assert text.isascii()


def test_the_longest_device_values_are_as_long_as_it_gets() -> None:
    """Each passes its validator, and no longer one does: what fits with them always fits."""
    for name, text in longest_device_values().items():
        assert DEVICE_VALUES[name].pattern.fullmatch(text)
        assert not DEVICE_VALUES[name].pattern.fullmatch(text + "f")
        assert len(text) == DEVICE_VALUES[name].longest


def test_a_template_without_device_values_is_shared() -> None:
    """AWS's variables and deployment values cost no policy of its own."""
    assert not uses_device_values(template("@{account}/${iot:Connection.Thing.ThingName}"))
    assert device_values_in(template("@{device.serial}/@{account}")) == {"device.serial"}


def test_a_device_value_behind_jsons_escapes_is_one_all_the_same() -> None:
    r"""`\u0040` is `@` once the JSON is read; an unknown value cannot hide there either."""
    hidden = template("@{device.serial}").replace("@", "\\u0040")
    assert uses_device_values(hidden)
    assert json.loads(render_policy(hidden, VALUES | DEVICE))["Statement"][0]["Resource"] == "1f"
    with pytest.raises(PolicyError, match=r"unknown value @\{nobody\}"):
        render_policy(template("@{nobody}").replace("@", "\\u0040"), VALUES)


def test_a_missing_device_value_is_an_error_of_the_template_not_of_the_device() -> None:
    """A CA without Things has no Thing names to fill in."""
    with pytest.raises(PolicyError, match=r"no value for @\{device\.thing_name\}") as caught:
        render_policy(template("@{device.thing_name}"), VALUES)
    assert not isinstance(caught.value, DeviceValueError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"@{account}": 1}', "in the name of a key is not replaced"),
        ('{"a": "@{account"}', "@{ without a } behind it"),
        ('{"a": "@{}"}', "unknown value @{}"),
        ('{"a": "@{device.nothing}"}', "unknown value @{device.nothing}; there are @{account}"),
        ('{"a": ' + "[" * 60 + "]" * 60 + "}", "nested too deeply"),
    ],
)
def test_values_where_none_can_stand_are_refused(text: str, message: str) -> None:
    """Nothing that looks like a value reaches AWS as literal text."""
    with pytest.raises(PolicyError) as caught:
        render_policy(text, VALUES | DEVICE)
    assert message in str(caught.value)
