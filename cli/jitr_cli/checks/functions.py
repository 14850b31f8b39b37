"""Whether the functions run: their state, their errors, what starts them and where failed events go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from jitr_cli.checks.event_sources import event_sources, queue_destinations
from jitr_cli.diagnosis.deployed import Deployed, found_or_none
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, warning

_RECENT = timedelta(hours=1)


def function_state(deployed: Deployed) -> Iterator[Finding]:
    """Look at each function: there, ready, not throttled to nothing, and of the same deploy as the others."""
    bundles = set()
    for kind, name in deployed.functions.items():
        found = deployed.function(name)
        if found is None:
            yield error(f"the {kind} function {name} is gone", fix=deployed.restore)
            continue
        bundles.add(found.get("CodeSha256"))
        reserved = deployed.aws.client("lambda").get_function_concurrency(FunctionName=name)
        state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
        if reserved.get("ReservedConcurrentExecutions") == 0:
            yield error(
                f"the {kind} function {name} has a concurrency of 0: somebody stopped it",
                fix=f"ask who; then aws lambda delete-function-concurrency --function-name {name}, and deploy again",
            )
        elif state in ("Active", "Inactive") and update == "Successful":
            yield ok(f"the {kind} function {name} is ready")
        else:
            words = found.get("StateReason") or found.get("LastUpdateStatusReason") or ""
            yield error(
                f"the {kind} function {name} is {state}, its last update {update}: {words}", fix=deployed.restore
            )
    if len(bundles) > 1:
        yield error("the functions run different bundles: one of them was changed by hand", fix=deployed.restore)


def function_errors(deployed: Deployed) -> Iterator[Finding]:
    """Count the errors of each function in the last hour; an undecided event is one too."""
    for kind, name in deployed.functions.items():
        errors = deployed.figure("AWS/Lambda", "Errors", {"FunctionName": name}, "Sum", within=_RECENT)
        if errors:
            yield warning(
                f"the {kind} function ended {errors:.0f} times with an error within an hour",
                fix=f"aws logs tail /aws/lambda/{name} --since 1h; docs/runbook/alarms.md#function-crashes",
            )
        else:
            yield ok(f"the {kind} function had no errors within an hour")


def destinations(deployed: Deployed) -> Iterator[Finding]:
    """Find out where events end that a function gives up, and messages that it never answered for."""
    for kind, function, url in (
        ("activation", deployed.stack.function, deployed.stack.dead_letter_queue),
        ("enforcement", deployed.stack.enforcement_function, deployed.stack.enforcement_dead_letter_queue),
    ):
        lambda_ = deployed.aws.client("lambda")
        # Named as the template names it: what is asked for without a qualifier may be kept apart.
        settings = (
            found_or_none(lambda_.get_function_event_invoke_config, FunctionName=function, Qualifier="$LATEST") or {}
        )
        destination = settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if destination == deployed.queue(url)["QueueArn"]:
            yield ok(f"what the {kind} function gives up goes to its dead-letter queue")
        else:
            yield error(f"what the {kind} function gives up is lost: it has no destination", fix=deployed.restore)
    yield from queue_destinations(deployed)


def schedules(deployed: Deployed) -> Iterator[Finding]:
    """Look at what starts enforcement: the schedule, and the announcement of a new CRL."""
    events, wanted = deployed.aws.client("events"), deployed.present_function(deployed.stack.enforcement_function)
    for name, what in (("sweep", "the schedule"), ("crl-published", "the announcement of a new CRL")):
        rule = f"jitr-{deployed.stack.deployment}-{name}"
        found = found_or_none(events.describe_rule, Name=rule)
        if found is None:
            yield error(f"{what} ({rule}) is gone: revoked devices stay ACTIVE", fix=deployed.restore)
        elif found.get("State") != "ENABLED":
            yield error(
                f"{what} ({rule}) is {found.get('State')}: revoked devices stay ACTIVE",
                fix=f"aws events enable-rule --name {rule}",
            )
        elif wanted["FunctionArn"] not in [each["Arn"] for each in events.list_targets_by_rule(Rule=rule)["Targets"]]:
            yield error(f"{what} ({rule}) does not start the enforcement function", fix=deployed.restore)
        else:
            yield ok(f"{what} starts the enforcement function")


def log_groups(deployed: Deployed) -> Iterator[Finding]:
    """Look at where each function logs, and for how long that is kept."""
    for kind, name in deployed.functions.items():
        group = deployed.present_function(name).get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
        answer = deployed.aws.client("logs").describe_log_groups(logGroupNamePrefix=group)
        found = next((each for each in answer.get("logGroups", []) if each["logGroupName"] == group), None)
        if found is None:
            yield error(f"the log group {group} is gone: nobody can say what became of a device", fix=deployed.restore)
        elif "retentionInDays" not in found:
            yield warning(f"the log of the {kind} function is kept for ever", fix=deployed.restore)
        else:
            yield ok(f"the log of the {kind} function is kept for {found['retentionInDays']} days")


CHECKS = (
    Check("function_state", "the functions are ready, and of one deploy", function_state),
    Check("function_errors", "they had no errors within an hour", function_errors),
    Check("event_sources", "messages of the queues are handed to them, and come back when they fail", event_sources),
    Check("destinations", "what they give up goes to a dead-letter queue", destinations),
    Check("schedules", "enforcement is started by a schedule and by new CRLs", schedules),
    Check("log_groups", "their logs are there, and kept for a time", log_groups),
)
