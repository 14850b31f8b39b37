"""Policy templates: deployment values are filled in, everything else stays as it is."""

from __future__ import annotations

import json

import pytest

from jitr.policy import PolicyError, render_policy

VALUES = {"account": "111122223333", "region": "eu-west-1", "partition": "aws"}


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
