"""More devices than AWS IoT's quota lets in at once: throttled, delivered again, and none lost."""

from __future__ import annotations

from collections import Counter

from jitr.errors import Reason, Undecided
from jitr_local import pki
from tests.worlds.deployment import TestDeployment


def throttles(deployment: TestDeployment, event: object, owner: str) -> bool:
    """Deliver an event, and say whether AWS IoT throttled it."""
    try:
        deployment.deliver(event, owner=owner)
    except Undecided as error:
        return error.reason is Reason.THROTTLED
    return False


def test_devices_beyond_the_quota_are_throttled_and_none_is_lost(deployment: TestDeployment) -> None:
    """Thirty devices at ten calls a second each: what is throttled is delivered again, and all end ACTIVE."""
    seconds: Counter[tuple[str, int]] = Counter()

    def ten_a_second(operation: str) -> bool:
        second = (operation, int(deployment.clock().timestamp()))
        seconds[second] += 1
        return seconds[second] <= 10

    deployment.iot.quota = ten_a_second
    devices = [deployment.ca.issue(f"device-{n}", key=key) for n, key in enumerate([pki.new_key()] * 30)]
    waiting = [(f"event-{n}", deployment.iot.connect(each, deployment.ca)) for n, each in enumerate(devices)]
    throttled = 0
    while waiting:
        deployment.clock.advance(minutes=1)
        still_waiting = []
        for owner, event in waiting:
            if throttles(deployment, event, owner):
                still_waiting.append((owner, event))
        throttled += len(still_waiting)
        assert len(still_waiting) < len(waiting)
        waiting = still_waiting
    assert throttled > 0
    assert {deployment.iot.status(device) for device in devices} == {"ACTIVE"}
