"""What belongs together: actions that do nothing without another one that the policy does not allow.

Source: developer guide, iot-policy-actions and retained-message-policy-examples. A device may have several policies;
then the other action may stand in another one, which is why these are warnings.
"""

from __future__ import annotations

from collections.abc import Iterable

from jitr.policies.document import matches
from jitr_fleet.policies.rules.reading.report import LintReport
from jitr_fleet.policies.rules.reading.written import WrittenStatement

_OVER_MQTT = ("iot:Publish", "iot:RetainPublish", "iot:Subscribe")


def check_pairs(statements: Iterable[WrittenStatement], report: LintReport) -> None:
    """Report retained messages without messages, subscriptions without delivery, and MQTT without a connection."""
    allowed = [(action.text, action.pointer) for each in statements if each.allows for action in each.actions]
    for name, needed, rule, message in (
        (
            "iot:RetainPublish",
            "iot:Publish",
            "retain-without-publish",
            "no statement allows iot:Publish; a message with the RETAIN flag needs both on its topic",
        ),
        (
            "iot:Subscribe",
            "iot:Receive",
            "subscribe-without-receive",
            "no statement allows iot:Receive, so nothing comes through; allow it on the topics that devices may hear",
        ),
    ):
        places = [pointer for action, pointer in allowed if action == name]
        if places and not _allows(needed, allowed):
            report.add(rule, places[0], message)
    if not _allows("iot:Connect", allowed):
        for action, pointer in allowed:
            if action in _OVER_MQTT:
                message = f"no statement allows iot:Connect, so {action} is for HTTPS only, or for nobody; allow it too"
                report.add("no-connect", pointer, message)
                return


def _allows(name: str, allowed: Iterable[tuple[str, str]]) -> bool:
    return any(matches(action.lower(), name.lower()) for action, _ in allowed)
