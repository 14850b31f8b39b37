"""Alarms: what they watch, that they are quiet without data, and that their words reach somebody."""

from __future__ import annotations

import re

import pytest

from jitr.activation.queue import LONGEST_DELAY_SECONDS
from jitr.errors import Outcome
from jitr.telemetry.metric_names import (
    BULK_JOBS_STILL,
    DEPLOYMENT_DIMENSION,
    NAMESPACE,
    OUTCOME_METRICS,
    UNDECIDED_THROTTLED,
)
from jitr_fleet.deployments.deployment import Ingestion
from tests.infra.synthesis import (
    ACCOUNT,
    ACTIVATE,
    BULK,
    CHECKOUT,
    DEAD_LETTERS,
    ENFORCE,
    ENFORCEMENT_DEAD_LETTERS,
    NAME,
    Json,
    Synthesis,
    example_deployment,
    synthesise,
    texts,
)

ALARM = "AWS::CloudWatch::Alarm"
ABOVE, BELOW = "GreaterThanThreshold", "LessThanThreshold"
QUIET, STAYS = "notBreaching", "ignore"


def alarm(stack: Synthesis, name: str) -> Json:
    """Return one alarm by the end of its name."""
    (found,) = [each for each in stack.of_type(ALARM) if each["AlarmName"] == f"jitr-{NAME}-{name}"]
    return found


def dimensions(of: Json) -> dict[str, object]:
    """Return an alarm's or metric's dimensions by name."""
    return {each["Name"]: each["Value"] for each in of["Dimensions"]}


def computed(of: Json) -> tuple[str, dict[str, tuple[str, str, str]]]:
    """Return the expression that an alarm watches, and of what: namespace, name and statistic by id."""
    (expression,) = [each["Expression"] for each in of["Metrics"] if each["ReturnData"]]
    parts = {each["Id"]: each["MetricStat"] for each in of["Metrics"] if "MetricStat" in each}
    return expression, {
        key: (part["Metric"]["Namespace"], part["Metric"]["MetricName"], part["Stat"]) for key, part in parts.items()
    }


def test_dead_letters_raise_an_alarm(stack: Synthesis) -> None:
    """One is enough, for as long as it is there."""
    found = alarm(stack, "DeadLetters")
    assert (found["Namespace"], found["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert found["Statistic"] == "Maximum"
    queue, attribute = dimensions(found)["QueueName"]["Fn::GetAtt"]  # type: ignore[index]
    assert (stack.type_of(queue), attribute) == ("AWS::SQS::Queue", "QueueName")


@pytest.mark.parametrize(
    ("name", "metric"), [("RuleFailure", "Failure"), ("RuleErrorActionFailure", "ErrorActionFailure")]
)
def test_a_failing_rule_raises_an_alarm(stack: Synthesis, name: str, metric: str) -> None:
    """AWS IoT publishes these with the rule's name and the action's type, and only so; here of any type."""
    (query,) = alarm(stack, name)["Metrics"]
    asked, _, where = query["Expression"].partition(' FROM SCHEMA("AWS/IoT", ActionType, RuleName) ')
    assert (asked, where) == (f"SELECT SUM({metric})", "WHERE RuleName = 'jitr_prod_eu_registered'")
    assert (query["Period"], query["ReturnData"]) == (300, True)


def test_undecided_outcomes_raise_an_alarm(stack: Synthesis) -> None:
    """But for those that AWS IoT throttled: in a storm they are how devices wait."""
    assert computed(alarm(stack, "Undecided")) == (
        "undecided - throttled",
        {
            "undecided": (NAMESPACE, OUTCOME_METRICS[Outcome.UNDECIDED], "Sum"),
            "throttled": (NAMESPACE, UNDECIDED_THROTTLED, "Sum"),
        },
    )


def test_events_that_are_tried_in_vain_for_an_hour_raise_an_alarm(stack: Synthesis) -> None:
    """By their own age; in periods in which such an event is tried at least once, so that the alarm stays."""
    found = alarm(stack, "EventsHeldUp")
    assert (found["Namespace"], found["MetricName"], found["Statistic"]) == (NAMESPACE, "EventAgeSeconds", "Maximum")
    assert (found["ComparisonOperator"], found["Threshold"], found["EvaluationPeriods"]) == (ABOVE, 3600, 1)
    assert found["Period"] == 1800 >= 2 * LONGEST_DELAY_SECONDS
    assert found["TreatMissingData"] == QUIET


def test_throttling_raises_an_alarm_when_it_lasts(stack: Synthesis) -> None:
    """A fifth of the requests, of more than a few, for half an hour."""
    found = alarm(stack, "Throttled")
    expression, parts = computed(found)
    assert expression == "IF(requests > 50, 100 * throttled / requests, 0)"
    assert parts == {
        "requests": (NAMESPACE, "IotRequests", "Sum"),
        "throttled": (NAMESPACE, "ThrottledRequests", "Sum"),
    }
    assert (found["ComparisonOperator"], found["Threshold"], found["EvaluationPeriods"]) == (ABOVE, 20, 6)


def test_devices_that_wait_for_an_hour_raise_an_alarm(stack: Synthesis) -> None:
    """A tenth of them, in three periods."""
    found = alarm(stack, "ActivationSlow")
    assert (found["Namespace"], found["MetricName"], found["ExtendedStatistic"]) == (
        NAMESPACE,
        "ActivationSeconds",
        "p90",
    )
    assert (found["ComparisonOperator"], found["Threshold"], found["EvaluationPeriods"]) == (ABOVE, 3600, 3)


def test_without_a_queue_lambdas_own_is_watched(stack: Synthesis) -> None:
    """Its oldest event, in seconds; and events that come while the function does not run."""
    assert computed(alarm(stack, "EventsWait")) == ("age / 1000", {"age": ("AWS/Lambda", "AsyncEventAge", "Maximum")})
    assert alarm(stack, "EventsWait")["Threshold"] == 3600
    _, parts = computed(alarm(stack, "ActivationSilent"))
    assert parts == {
        "received": ("AWS/Lambda", "AsyncEventsReceived", "Sum"),
        "invocations": ("AWS/Lambda", "Invocations", "Sum"),
    }


def test_with_a_queue_the_queue_is_watched() -> None:
    """Its age in place of Lambda's, and a crash is a crash: undecided events are no errors to Lambda there."""
    stack = synthesise(example_deployment(cas=(), ingestion=Ingestion.QUEUE, reserved_concurrency=None))
    queue = stack.id_of("AWS::SQS::Queue", QueueName=f"jitr-{NAME}-activation")
    waits = alarm(stack, "EventsWait")
    assert (waits["Namespace"], waits["MetricName"]) == ("AWS/SQS", "ApproximateAgeOfOldestMessage")
    assert dimensions(waits) == {"QueueName": {"Fn::GetAtt": [queue, "QueueName"]}}
    silent = alarm(stack, "ActivationSilent")
    expression, parts = computed(silent)
    # Lambda's poller takes messages also while the function may not run: a few of them are never visible.
    assert expression == "IF(visible + taken > 0 AND FILL(invocations, 0) < 1, 1, 0)"
    assert parts["visible"] == ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum")
    assert parts["taken"] == ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Maximum")
    assert (silent["Threshold"], silent["TreatMissingData"]) == (0, QUIET)
    assert silent["EvaluationPeriods"] * 300 > LONGEST_DELAY_SECONDS, "an event that was put off is nobody's silence"
    assert "Undecided" not in alarm(stack, "FunctionCrashes")["AlarmDescription"]
    assert {each["AlarmName"] for each in stack.of_type(ALARM)} == {
        each["AlarmName"] for each in synthesise(example_deployment(cas=())).of_type(ALARM)
    }


def test_a_function_that_reports_nothing_any_more_raises_an_alarm(stack: Synthesis) -> None:
    """Lambda's own count of errors, with no metric of ours in it that a broken function would not write."""
    found = alarm(stack, "FunctionCrashes")
    assert (found["Namespace"], found["MetricName"], found["Statistic"]) == ("AWS/Lambda", "Errors", "Sum")
    (name,) = dimensions(found).values()
    assert isinstance(name, dict)
    assert stack.type_of(name["Ref"]) == "AWS::Lambda::Function"


def test_lost_dead_letters_raise_an_alarm(stack: Synthesis) -> None:
    """Lambda could not deliver to the destination."""
    assert alarm(stack, "DestinationFailures")["MetricName"] == "DestinationDeliveryFailures"


@pytest.mark.parametrize(
    ("name", "metric", "statistic", "comparison", "threshold", "missing"),
    [
        ("BrakedDevices", "BrakedDevices", "Maximum", ABOVE, 0, STAYS),
        ("VanishedFromCrl", "VanishedFromCrl", "Sum", ABOVE, 0, QUIET),
        ("DriftedPolicies", "DriftedPolicies", "Minimum", ABOVE, 0, STAYS),
        ("KnownCertificatesLate", "KnownCertificatesAgeSeconds", "Maximum", ABOVE, 2 * 24 * 3600, STAYS),
        ("UnknownCertificatesLate", "UnknownCertificatesAgeSeconds", "Maximum", ABOVE, 7 * 24 * 3600, STAYS),
        ("BrakedAgain", "BrakedAgain", "Maximum", ABOVE, 0, STAYS),
        ("UncoveredCertificates", "UncoveredCertificates", "Maximum", ABOVE, 0, STAYS),
        ("UnreadableCertificates", "UnreadableCertificates", "Maximum", ABOVE, 0, STAYS),
    ],
)
def test_what_sweeps_report_raises_alarms(
    stack: Synthesis, name: str, metric: str, statistic: str, comparison: str, threshold: float, missing: str
) -> None:
    """What lasts stays an alarm while a CRL that became unusable reports nothing; what happens once ends by itself."""
    found = alarm(stack, name)
    assert (found["Namespace"], found["MetricName"], found["Statistic"]) == (NAMESPACE, metric, statistic)
    assert dimensions(found) == {DEPLOYMENT_DIMENSION: NAME}
    assert (found["ComparisonOperator"], found["Threshold"], found["TreatMissingData"]) == (
        comparison,
        threshold,
        missing,
    )


@pytest.mark.parametrize(
    ("name", "selected", "order", "comparison", "threshold", "missing"),
    [
        ("SweepFailed", "SUM(SweepFailed)", "SUM() DESC", ABOVE, 0, QUIET),
        ("CrlLifePassed", "MAX(CrlLifePassed)", "MAX() DESC", ABOVE, 0.75, STAYS),
        ("CaDaysLeft90", "MIN(CaDaysLeft)", "MIN() ASC", BELOW, 90, STAYS),
        ("CaDaysLeft30", "MIN(CaDaysLeft)", "MIN() ASC", BELOW, 30, STAYS),
        ("CaDaysLeft7", "MIN(CaDaysLeft)", "MIN() ASC", BELOW, 7, STAYS),
    ],
)
def test_where_a_ca_can_fail_alone_it_raises_an_alarm_of_its_own(
    stack: Synthesis, name: str, selected: str, order: str, comparison: str, threshold: float, missing: str
) -> None:
    """One alarm of which each CA is a contributor: the first bad CRL of a hundred does not hide the second."""
    found = alarm(stack, name)
    (query,) = found["Metrics"]
    assert query["Expression"] == (
        f'SELECT {selected} FROM SCHEMA("{NAMESPACE}", ca, {DEPLOYMENT_DIMENSION}) '  # noqa: S608 - CloudWatch
        f"WHERE {DEPLOYMENT_DIMENSION} = '{NAME}' GROUP BY ca ORDER BY {order}"
    )
    assert (found["ComparisonOperator"], found["Threshold"], found["TreatMissingData"]) == (
        comparison,
        threshold,
        missing,
    )


def test_when_a_pass_is_late_follows_the_fleet_file() -> None:
    """Twice, and seven times, the hours between two passes."""
    stack = synthesise(example_deployment(cas=(), reconciliation_hours=6))
    late = [alarm(stack, f"{which}CertificatesLate")["Threshold"] for which in ("Known", "Unknown")]
    assert late == [12 * 3600, 42 * 3600]


def test_one_failed_sweep_wakes_nobody(stack: Synthesis) -> None:
    """A CA's web server has hiccups; three periods in a row are none."""
    assert alarm(stack, "SweepFailed")["EvaluationPeriods"] == 3


def test_policies_that_differ_during_a_deploy_wake_nobody(stack: Synthesis) -> None:
    """The scheduled function knows the new templates before they are rolled out; three whole periods are no deploy."""
    assert alarm(stack, "DriftedPolicies")["EvaluationPeriods"] == 3


def test_enforcement_that_does_not_run_raises_an_alarm(stack: Synthesis) -> None:
    """No invocation is no data, and here no data is the alarm: all other figures would be missing just as quietly."""
    found = alarm(stack, "EnforcementSilent")
    assert (found["Namespace"], found["MetricName"], found["Statistic"]) == ("AWS/Lambda", "Invocations", "Sum")
    assert dimensions(found) == {"FunctionName": {"Ref": stack.id_of("AWS::Lambda::Function", FunctionName=ENFORCE)}}
    assert (found["ComparisonOperator"], found["Threshold"], found["EvaluationPeriods"]) == (BELOW, 1, 3)
    assert found["TreatMissingData"] == "breaching"


def test_sweeps_that_were_given_up_raise_an_alarm(stack: Synthesis) -> None:
    """The queue of enforcement, not that of activation."""
    queue = stack.id_of("AWS::SQS::Queue", QueueName=ENFORCEMENT_DEAD_LETTERS)
    assert dimensions(alarm(stack, "EnforcementDeadLetters")) == {"QueueName": {"Fn::GetAtt": [queue, "QueueName"]}}
    queue = stack.id_of("AWS::SQS::Queue", QueueName=DEAD_LETTERS)
    assert dimensions(alarm(stack, "DeadLetters")) == {"QueueName": {"Fn::GetAtt": [queue, "QueueName"]}}


@pytest.mark.parametrize(("minutes", "seconds"), [(1, 300), (5, 300), (60, 3600)])
def test_a_period_holds_a_sweep(minutes: int, seconds: int) -> None:
    """A shorter one would be without data most of the time, and three in a row would never come together."""
    stack = synthesise(example_deployment(cas=(), enforcement_minutes=minutes))
    assert alarm(stack, "EnforcementSilent")["Period"] == seconds
    for name in ("SweepFailed", "CrlLifePassed", "CaDaysLeft7"):
        assert [each["Period"] for each in alarm(stack, name)["Metrics"]] == [seconds]


def test_every_alarm_about_activation_is_quiet_without_data(stack: Synthesis) -> None:
    """No event is the normal state."""
    for name in ("DeadLetters", "RuleFailure", "RuleErrorActionFailure", "Undecided", "FunctionCrashes"):
        found = alarm(stack, name)
        assert found["TreatMissingData"] == QUIET
        assert (found["ComparisonOperator"], found["Threshold"]) == (ABOVE, 0)


def test_every_alarm_says_what_to_do(stack: Synthesis) -> None:
    """In a section of the runbook that exists."""
    runbook = (CHECKOUT / "docs" / "runbook" / "alarms.md").read_text(encoding="utf-8")
    sections = {heading.lower().replace(" ", "-") for heading in re.findall(r"^### (.+)$", runbook, re.MULTILINE)}
    alarms = stack.of_type(ALARM)
    assert len(alarms) == 30
    for each in alarms:
        (section,) = re.findall(r"What to do: docs/runbook/alarms\.md#([\w-]+)$", each["AlarmDescription"])
        assert section in sections


def test_the_docs_list_every_alarm_and_no_other(stack: Synthesis) -> None:
    """With its threshold and why."""
    page = (CHECKOUT / "docs" / "observability.md").read_text(encoding="utf-8")
    table = page.split("## Alarms")[1].split("## Logs")[0]
    listed = [
        each for row in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE) for each in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(listed) == sorted(each["AlarmName"].removeprefix(f"jitr-{NAME}-") for each in stack.of_type(ALARM))


def test_every_alarm_speaks_to_the_topic_when_it_starts_and_when_it_ends(stack: Synthesis) -> None:
    """One topic for the deployment."""
    for each in stack.of_type(ALARM):
        (topic,) = each["AlarmActions"]
        assert stack.type_of(topic["Ref"]) == "AWS::SNS::Topic"
        assert each["OKActions"] == [topic]


def test_cloudwatch_may_use_the_topics_key_and_publish(stack: Synthesis) -> None:
    """With the AWS-managed key, or without these two statements, alarms vanish without a trace."""
    key, attribute = stack.only("AWS::SNS::Topic")["KmsMasterKeyId"]["Fn::GetAtt"]
    assert (stack.type_of(key), attribute) == ("AWS::KMS::Key", "Arn")
    granted = {
        action: statement["Condition"]
        for statement in stack.statements()
        if statement.get("Principal") == {"Service": "cloudwatch.amazonaws.com"}
        for action in texts(statement["Action"])
    }
    here = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert granted == {"kms:Decrypt": here, "kms:GenerateDataKey*": here, "sns:Publish": here}


def test_the_topics_key_is_rotated(stack: Synthesis) -> None:
    """Every year, by AWS."""
    assert stack.only("AWS::KMS::Key")["EnableKeyRotation"] is True


def test_the_alarm_address_is_subscribed(stack: Synthesis) -> None:
    """AWS asks it to confirm."""
    subscription = stack.only("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "on-call@example.com")


def test_without_an_address_nobody_is_subscribed() -> None:
    """Whoever wants the alarms subscribes to the topic."""
    assert not synthesise(example_deployment(cas=(), alarm_email=None)).resources("AWS::SNS::Subscription")


def test_chains_of_messages_that_lambda_stops_raise_an_alarm(stack: Synthesis) -> None:
    """Whichever function it is; two of them send to themselves, count that, and are told so to AWS Lambda."""
    expression, parts = computed(alarm(stack, "RecursionDropped"))
    assert expression == "FILL(f0, 0) + FILL(f1, 0) + FILL(f2, 0)"
    assert set(parts.values()) == {("AWS/Lambda", "RecursiveInvocationsDropped", "Sum")}
    allowed = {each["FunctionName"] for each in stack.of_type("AWS::Lambda::Function") if "RecursiveLoop" in each}
    assert allowed == {ACTIVATE, BULK}


def test_a_job_that_does_not_move_raises_an_alarm(stack: Synthesis) -> None:
    """What does not run cannot say so: enforcement looks."""
    found = alarm(stack, "BulkJobStill")
    assert (found["MetricName"], found["Statistic"], found["Threshold"]) == (BULK_JOBS_STILL, "Maximum", 0)
