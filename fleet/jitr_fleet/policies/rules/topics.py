"""Topics that AWS IoT itself refuses, whatever a policy allows.

Source: developer guide, reserved-topics; AWS IoT Core endpoints and quotas, message broker (topic levels).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from jitr_fleet.files.tables import show
from jitr_fleet.policies.language.actions import TOPIC, TOPIC_FILTER
from jitr_fleet.policies.rules.reading.arns import Arn, iot_arns
from jitr_fleet.policies.rules.reading.report import LintReport
from jitr_fleet.policies.rules.reading.written import WrittenStatement

MOST_SLASHES = 7
_EVENTS = "$aws/events/"
_PUBLISHING = frozenset({"iot:Publish", "iot:RetainPublish"})
# Three more slashes are allowed for basic ingest, and as many belong to AWS's own topics and to shared subscriptions.
_NOT_COUNTED = re.compile(r"\$(aws/[^/]*/[^/]*|share/[^/]*)/")


def check_topics(statements: Iterable[WrittenStatement], report: LintReport) -> None:
    """Report Allow statements about topics that no message of a device can have."""
    for statement in statements:
        if not statement.allows:
            continue
        names = {action.text for action in statement.actions}
        for arn in iot_arns(statement):
            if arn.type == TOPIC and names & _PUBLISHING and arn.name.startswith(_EVENTS):
                message = (
                    f"only AWS IoT publishes to {show(arn.name)}; allow iot:Subscribe and iot:Receive there at most"
                )
                report.add("reserved-topic", arn.pointer, message)
            if arn.type in (TOPIC, TOPIC_FILTER) and _slashes(arn) > MOST_SLASHES:
                message = (
                    f"{show(arn.name)} has {_slashes(arn)} slashes; AWS IoT takes {MOST_SLASHES} at most: shorten it"
                )
                report.add("too-many-levels", arn.pointer, message)


def _slashes(arn: Arn) -> int:
    return _NOT_COUNTED.sub("", arn.opaque_name, count=1).count("/")
