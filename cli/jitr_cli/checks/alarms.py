"""Whether alarms reach a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jitr_cli.diagnosis.deployed import Deployed
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, warning
from jitr_fleet.deployments.runbook import ALARMS

_TYPE = "AWS::CloudWatch::Alarm"
# The most names that one DescribeAlarms takes.
_AT_ONCE = 100
_PENDING = "PendingConfirmation"
_DELETED = "Deleted"


def _names(deployed: Deployed) -> list[str]:
    """Return the names of the alarms that the stack made, as CloudFormation knows them; some may be deleted since."""
    pages = (
        deployed.aws.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=deployed.stack.deployment)
    )
    return [
        each["PhysicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] == _TYPE and each.get("PhysicalResourceId")
    ]


def _read(deployed: Deployed) -> tuple[list[str], dict[str, Mapping[str, Any]]]:
    names = _names(deployed)
    client = deployed.aws.client("cloudwatch")
    found: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(names), _AT_ONCE):
        answer = client.describe_alarms(AlarmNames=names[start : start + _AT_ONCE], MaxRecords=_AT_ONCE)
        found |= {each["AlarmName"]: each for each in answer["MetricAlarms"]}
    return names, found


def _alarms(deployed: Deployed) -> tuple[list[str], dict[str, Mapping[str, Any]]]:
    return deployed.once("alarms", lambda: _read(deployed))


def wired(deployed: Deployed) -> Iterator[Finding]:
    """Find out whether every alarm is there and speaks to the topic."""
    names, found = _alarms(deployed)
    yield from judge_wiring(names, found, topic=deployed.stack.alarm_topic, restore=deployed.restore)


def judge_wiring(
    names: Sequence[str], found: Mapping[str, Mapping[str, Any]], *, topic: str, restore: str
) -> Iterator[Finding]:
    """Judge alarms by the names that the stack gave them."""
    missing = sorted(set(names) - set(found))
    mute = sorted(name for name, each in found.items() if not each.get("ActionsEnabled", True))
    unwired = sorted(name for name, each in found.items() if topic not in each.get("AlarmActions", ()))
    if missing:
        yield error(f"alarms are gone: {', '.join(missing)}", fix=restore)
    if mute:
        names_of = " ".join(mute)
        yield error(
            f"alarms tell nobody, their actions are off: {', '.join(mute)}",
            fix=f"aws cloudwatch enable-alarm-actions --alarm-names {names_of}",
        )
    if unwired:
        yield error(f"alarms do not speak to the deployment's topic: {', '.join(unwired)}", fix=restore)
    if not (missing or mute or unwired):
        yield ok(f"{len(found)} alarms are there and speak to the topic")


def states(deployed: Deployed) -> Iterator[Finding]:
    """Look for alarms that are on."""
    _, found = _alarms(deployed)
    loud = [each for each in found.values() if each.get("StateValue") == "ALARM"]
    for each in loud:
        words = str(each.get("AlarmDescription") or each["AlarmName"])
        yield error(f"{each['AlarmName']} is on: {words.partition(' What to do: ')[0]}", fix=_section(words))
    if not loud:
        yield ok("no alarm is on")


def _section(words: str) -> str:
    return words.partition(" What to do: ")[2] or ALARMS


def subscriptions(deployed: Deployed) -> Iterator[Finding]:
    """Find out whether the topic has confirmed subscribers."""
    pages = (
        deployed.aws.client("sns")
        .get_paginator("list_subscriptions_by_topic")
        .paginate(TopicArn=deployed.stack.alarm_topic)
    )
    yield from judge_subscriptions(
        (each for page in pages for each in page["Subscriptions"]), topic=deployed.stack.alarm_topic
    )


def judge_subscriptions(subscribed: Iterable[Mapping[str, str]], *, topic: str) -> Iterator[Finding]:
    """Judge who subscribed to the topic; an address that did not confirm hears nothing."""
    waiting, confirmed = [], 0
    for each in subscribed:
        if each["SubscriptionArn"] == _PENDING:
            waiting.append(each["Endpoint"])
        elif each["SubscriptionArn"] != _DELETED:
            confirmed += 1
    for address in waiting:
        yield warning(
            f"{address} has not confirmed its subscription, and hears nothing",
            fix="confirm by the link in AWS's e-mail; after three days subscribe again",
        )
    if confirmed:
        yield ok(f"{confirmed} subscribers hear the alarms")
    else:
        yield error(
            "nobody hears the alarms",
            fix=f"alarm_email in the fleet file and a deploy, or aws sns subscribe --topic-arn {topic}",
        )


CHECKS = (
    Check("alarms_wired", "every alarm is there and speaks to the topic", wired),
    Check("alarms_quiet", "no alarm is on", states),
    Check("alarms_heard", "somebody hears them, and has confirmed so", subscriptions),
)
