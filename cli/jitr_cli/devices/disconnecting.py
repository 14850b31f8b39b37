"""Ends connections of devices that a command switches off, and says what became of each."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from jitr.aws.connections import Connections
from jitr.aws.iot import IotRegistry
from jitr.aws.pacing import Pace, unpaced
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.notes import DeviceNote
from jitr.registry.row import RegistryRow
from jitr_cli.console.aws import Aws
from jitr_cli.console.output import say
from jitr_fleet.deployments.names import partition_of

# Half of the quotas of 10 a second for listing what is attached to what.
_PER_SECOND = 5.0


def disconnecting(aws: Aws, own_client_ids: Callable[[RegistryRow], frozenset[str]]) -> Disconnecting:
    """Return what ends connections, by the caller's own rights; what it does and does not do is said on stderr.

    `own_client_ids` says which ids the policy lets a row's certificates alone use (DeviceServices).
    """
    prefix = f"arn:{partition_of(aws.region)}:iot:{aws.region}:{aws.account()}:cert"
    return Disconnecting(
        connections=Connections(lambda: aws.client("iot-data")),
        registry=IotRegistry(aws.client("iot")),
        arn_of=lambda certificate_id: f"{prefix}/{certificate_id}",
        own_client_ids=own_client_ids,
        pace=Pace(_PER_SECOND, now=time.monotonic, sleep=time.sleep),
        describe_pace=unpaced,
        clock=lambda: datetime.now(UTC),
        report=_say,
    )


def _say(note: DeviceNote) -> None:
    say(f"{note.certificate_id[:12]}…: {note.message}")
