"""Policy variables: which there are, and how their names are read."""

from __future__ import annotations

import pytest

from jitr_fleet.policies.language.variables import VARIABLES, VariableUse, split_at_variables, variables_in

COMMON_NAME = "iot:Certificate.Subject.CommonName"


def test_there_are_as_many_as_aws_documents() -> None:
    """Three of the connection, four of the Thing, id, serial number and keys, and twice thirteen and five of names."""
    assert len(VARIABLES) == 3 + 4 + 3 + 2 * (13 + 5)
    assert {variable.kind for variable in VARIABLES.values()} == {"connection", "thing", "certificate"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iot:ClientId", VariableUse("iot:ClientId", "iot:ClientId")),
        (f"{COMMON_NAME}.1", VariableUse(f"{COMMON_NAME}.1", COMMON_NAME, index=1)),
        (f"{COMMON_NAME}.List", VariableUse(f"{COMMON_NAME}.List", COMMON_NAME, is_list=True)),
        (
            "iot:Connection.Thing.Attributes[a.1]",
            VariableUse("iot:Connection.Thing.Attributes[a.1]", "iot:Connection.Thing.Attributes", attribute="a.1"),
        ),
    ],
)
def test_a_name_says_which_value_is_meant(name: str, expected: VariableUse) -> None:
    """The first, a later one, all, or an attribute."""
    assert VariableUse.parse(name) == expected
    assert expected.variable is not None


@pytest.mark.parametrize(
    "name",
    [
        "iot:clientid",
        "iot:ClientId.1",
        "iot:ClientId.List",
        f"{COMMON_NAME}.first",
        f"{COMMON_NAME}.",
        f"{COMMON_NAME}.-1",
        f"{COMMON_NAME}.List.1",
        "iot:Connection.Thing.Attributes",
        "iot:Connection.Thing.Attributes[]",
        "iot:Connection.Thing.Attributes[a].List",
        "",
        ".List",
        " iot:ClientId",
    ],
)
def test_what_aws_does_not_document_is_no_variable(name: str) -> None:
    """Names are compared as they stand, and only variables with several values have later ones."""
    assert VariableUse.parse(name).variable is None


def test_an_index_of_a_thousand_digits_is_read_at_once() -> None:
    """And there is no such value."""
    assert VariableUse.parse(f"{COMMON_NAME}." + "9" * 5000).index == 999_999


def test_a_text_is_cut_at_its_variables() -> None:
    """`${*}` and its like are characters."""
    text = f"topic/${{iot:ClientId}}/${{*}}/${{{COMMON_NAME}.1}}$x{{}}"
    assert [use.name for use in variables_in(text)] == ["iot:ClientId", f"{COMMON_NAME}.1"]
    parts = [part if isinstance(part, str) else f"<{part.name}>" for part in split_at_variables(text)]
    assert parts == ["topic/", "<iot:ClientId>", "/", "<*>", "/", f"<{COMMON_NAME}.1>", "$x{}"]
