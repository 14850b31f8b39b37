"""The dashboard: valid for CloudWatch, nothing over anything else, and no metric on it that nobody writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from jitr_fleet.deployments.deployment import Ingestion
from tests.aws.emf import Metric, everything, metrics
from tests.infra.synthesis import (
    ACTIVATE,
    BULK_DEAD_LETTERS,
    BULK_WORK,
    DEAD_LETTERS,
    ENFORCEMENT_DEAD_LETTERS,
    NAME,
    Json,
    Synthesis,
    example_deployment,
    synthesise,
)

DASHBOARD, ALARM = "AWS::CloudWatch::Dashboard", "AWS::CloudWatch::Alarm"
ACTIVATION_QUEUE = f"jitr-{NAME}-activation"


@pytest.fixture(scope="module")
def queued() -> Synthesis:
    """The example deployment with its events in a queue."""
    return synthesise(example_deployment(cas=(), ingestion=Ingestion.QUEUE, reserved_concurrency=None))


def body(stack: Synthesis) -> Json:
    """Return the dashboard as CloudWatch gets it."""
    found: Json = json.loads(stack.text(stack.only(DASHBOARD)["DashboardBody"]))
    return found


def graphs(stack: Synthesis) -> list[Json]:
    """Return the widgets that show metrics."""
    return [each["properties"] for each in body(stack)["widgets"] if each["type"] == "metric"]


def shown(stack: Synthesis) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield namespace, name and dimensions of every metric on the dashboard; expressions are left out."""
    for graph in graphs(stack):
        for row in graph["metrics"]:
            named = [each for each in row if isinstance(each, str)]
            if named:
                yield named[0], named[1], dict(zip(named[2::2], named[3::2], strict=True))


def expressions(stack: Synthesis) -> Iterator[tuple[str, set[str]]]:
    """Yield every expression on the dashboard, with the ids of the metrics that stand beside it."""
    for graph in graphs(stack):
        options = [each for row in graph["metrics"] for each in row if isinstance(each, dict)]
        ids = {each["id"] for each in options if "id" in each}
        yield from ((each["expression"], ids) for each in options if "expression" in each)


def alarmed(stack: Synthesis) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield namespace, name and dimensions of every metric that an alarm watches."""
    for alarm in stack.of_type(ALARM):
        watched = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        for each in watched or ([alarm] if "MetricName" in alarm else []):
            yield each["Namespace"], each["MetricName"], {d["Name"]: d["Value"] for d in each["Dimensions"]}


def searched(stack: Synthesis) -> set[Metric]:
    """Return the metrics that the dashboard searches for."""
    found = set()
    for expression, _ in expressions(stack):
        if expression.startswith("SEARCH"):
            matched = re.fullmatch(
                r"SEARCH\('\{([\w,]+)\} MetricName=\"(\w+)\" deployment=\"(.+)\"', '\w+', (\d+)\)", expression
            )
            assert matched, expression
            namespace, *dimensions = matched[1].split(",")
            assert matched[3] == NAME
            found.add(Metric(namespace, matched[2], frozenset(dimensions)))
    return found


@pytest.mark.parametrize("mode", ["stack", "queued"])
def test_every_metric_of_ours_is_one_that_the_functions_write(
    request: pytest.FixtureRequest, mode: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and dimensions, on the dashboard and in the alarms, compared with what the real telemetry writes."""
    stack = request.getfixturevalue(mode)
    lines = everything(capsys, monkeypatch)
    looked_at = {Metric(namespace, name, frozenset(d)) for namespace, name, d in (*shown(stack), *alarmed(stack))}
    ours = {each for each in looked_at if each.namespace == "jitr"} | searched(stack)
    assert len(ours) > 15
    assert ours <= set(metrics(lines))
    assert {d["deployment"] for n, _, d in (*shown(stack), *alarmed(stack)) if n == "jitr"} == {NAME}


@pytest.mark.parametrize("mode", ["stack", "queued"])
def test_metrics_of_awss_are_of_what_the_stack_has(request: pytest.FixtureRequest, mode: str) -> None:
    """Functions and queues by names that are in the template."""
    stack = request.getfixturevalue(mode)
    functions = {each["FunctionName"] for each in stack.of_type("AWS::Lambda::Function") if "FunctionName" in each}
    queues = {each["QueueName"] for each in stack.of_type("AWS::SQS::Queue")}
    for namespace, _, dimensions in shown(stack):
        if namespace == "AWS/Lambda":
            assert set(dimensions.values()) <= functions
        if namespace == "AWS/SQS":
            assert set(dimensions.values()) <= queues


def test_nothing_lies_over_anything_else_and_all_is_on_the_page(stack: Synthesis) -> None:
    """24 columns, every widget with a place of its own, and no gap in a row."""
    widgets = body(stack)["widgets"]
    cells = [
        {(x, y) for x in range(w["x"], w["x"] + w["width"]) for y in range(w["y"], w["y"] + w["height"])}
        for w in widgets
    ]
    assert all(not one & other for one, other in combinations(cells, 2))
    everywhere = set().union(*cells)
    height = max(w["y"] + w["height"] for w in widgets)
    assert everywhere == {(x, y) for x in range(24) for y in range(height)}


@pytest.mark.parametrize("mode", ["stack", "queued"])
def test_the_body_is_within_cloudwatchs_limits(request: pytest.FixtureRequest, mode: str) -> None:
    """CloudWatch API reference, "Dashboard body structure and syntax", and the service's quotas."""
    stack = request.getfixturevalue(mode)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", stack.only(DASHBOARD)["DashboardName"])
    widgets = body(stack)["widgets"]
    assert len(widgets) <= 500
    for widget in widgets:
        assert 1 <= widget["width"] <= 24
        assert 1 <= widget["height"] <= 1000
        assert 0 <= widget["x"] <= 23
    alarms = [each for each in widgets if each["type"] == "alarm"]
    assert all(len(each["properties"]["alarms"]) <= 100 for each in alarms)
    assert all(len(each["metrics"]) <= 100 and each["title"] for each in graphs(stack))
    for expression, ids in expressions(stack):
        if not expression.startswith("SEARCH"):
            assert set(re.findall(r"\b[a-z]\w*\b", expression)) <= ids, expression


def test_every_alarm_of_the_stack_is_on_it(stack: Synthesis) -> None:
    """Also those that are added later."""
    (row,) = [each for each in body(stack)["widgets"] if each["type"] == "alarm"]
    assert sorted(row["properties"]["alarms"]) == sorted(each["AlarmName"] for each in stack.of_type(ALARM))


def test_every_queue_of_dead_letters_is_on_it(stack: Synthesis) -> None:
    """Activation's, enforcement's and bulk work's, and the work that waits."""
    queues = {dimensions["QueueName"] for namespace, _, dimensions in shown(stack) if namespace == "AWS/SQS"}
    assert queues == {DEAD_LETTERS, ENFORCEMENT_DEAD_LETTERS, BULK_DEAD_LETTERS, BULK_WORK}


def test_without_a_queue_lambdas_own_is_shown(stack: Synthesis) -> None:
    """How old its oldest event is, in seconds like the queue's."""
    names = {(name, dimensions.get("FunctionName")) for _, name, dimensions in shown(stack)}
    assert {("AsyncEventsReceived", ACTIVATE), ("AsyncEventAge", ACTIVATE)} <= names
    assert "age / 1000" in {expression for expression, _ in expressions(stack)}


def test_with_a_queue_its_depth_and_age_are_shown(queued: Synthesis) -> None:
    """And what went back to it untried."""
    of_queue = {name for _, name, dimensions in shown(queued) if dimensions.get("QueueName") == ACTIVATION_QUEUE}
    assert of_queue == {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateAgeOfOldestMessage",
    }
    assert "PutBack" in {name for _, name, _ in shown(queued)}
    assert not [name for _, name, _ in shown(queued) if name.startswith("Async")]


def test_a_slow_schedule_has_long_periods() -> None:
    """A shorter one would show gaps where there are none."""
    stack = synthesise(example_deployment(cas=(), enforcement_minutes=60))
    ages = [each for each, _ in expressions(stack) if "CrlAgeSeconds" in each]
    assert ages
    assert all(each.endswith(", 3600)") for each in ages)


def test_both_stated_times_of_the_comparison_are_on_it(stack: Synthesis) -> None:
    """With the line at which an alarm says that one is late."""
    shown_searches = [each for each, _ in expressions(stack)]
    for name in ("KnownCertificatesAgeSeconds", "UnknownCertificatesAgeSeconds"):
        assert any(f'MetricName="{name}"' in each for each in shown_searches)
    lines = [each["value"] for graph in graphs(stack) for each in graph.get("annotations", {}).get("horizontal", [])]
    assert {2 * 24 * 3600, 7 * 24 * 3600} <= set(lines)
