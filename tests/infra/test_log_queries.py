"""Saved queries: over logs that exist, and of fields that the functions write."""

from __future__ import annotations

import re

import pytest

from tests.aws.emf import everything, logged
from tests.infra.synthesis import ACTIVATE, BULK, ENFORCE, NAME, Synthesis

QUERY = "AWS::Logs::QueryDefinition"


def test_they_search_the_logs_in_which_devices_are(stack: Synthesis) -> None:
    """Those of the three functions that do something to devices."""
    groups = {each["LogGroupName"] for each in stack.of_type("AWS::Logs::LogGroup")}
    for query in stack.of_type(QUERY):
        found = {stack.text(each) for each in query["LogGroupNames"]}
        assert found == {f"/aws/lambda/{name}" for name in (ACTIVATE, ENFORCE, BULK)}
        assert found <= groups
        assert query["Name"].startswith(f"jitr/{NAME}/")


def test_their_fields_are_written(
    stack: Synthesis, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field that nobody writes finds nothing, and says nothing."""
    written = {name for line in logged(everything(capsys, monkeypatch)) for name in line} | {"throttled"}
    words = {"filter", "fields", "stats", "sort", "limit", "by", "as", "asc", "desc", "or", "count", "sum", "bin"}
    words |= {"count_distinct", "ispresent", "latest", "m"}
    for query in stack.of_type(QUERY):
        text = re.sub(r'"[^"]*"', "", query["QueryString"])
        named = set(re.findall(r"\bas (\w+)", text))
        used = set(re.findall(r"(?<![@.\w])([A-Za-z_]+)\b", text)) - words - named
        assert used
        assert used <= written, query["Name"]


def test_outcomes_that_are_searched_for_exist(stack: Synthesis) -> None:
    """As the functions spell them."""
    searched = {
        each for query in stack.of_type(QUERY) for each in re.findall(r'outcome = "(\w+)"', query["QueryString"])
    }
    assert searched == {"undecided", "activated"}
