"""The demo's scenes after activation: a device gets onto the CRL, and a CRL that lists everything is undone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jitr.enforcement.brake import SMALLEST_BRAKE
from jitr.telemetry.metric_names import BRAKED_DEVICES
from jitr_local.device.mqtt_attempt import Message
from jitr_local.device.reference_device import Attempt, DeviceReport, RunResult
from jitr_local.stack.local_stack import Instance
from jitr_local.story.expectation import SummaryLine
from jitr_local.story.factory import Factory, MadeDevice
from jitr_local.story.jitr_command import told_jitr
from jitr_local.story.observations import certificate_status, eventually, metric_values, outputs, statuses
from jitr_local.story.timeline import Timeline

# Bounds for a busy computer; the figures that are printed are measured.
_OFF_WITHIN: Final = 60.0
_ADMITTED_WITHIN: Final = 90.0
_KEPT_OUT_FOR: Final = 3.0
_FLEET_SIZE: Final = SMALLEST_BRAKE + 1


@dataclass(frozen=True, kw_only=True)
class AfterActivation:
    """The scenes on a running stack, whose factory's CRL has number 1 when they begin."""

    instance: Instance
    timeline: Timeline
    factory: Factory

    def listed(self, device: MadeDevice, *, before: Sequence[MadeDevice]) -> SummaryLine:
        """Put an ACTIVE device on the CRL (beside those `before`) and only watch what happens."""
        self.timeline.chapter("The active device is put on the CRL; nobody tells AWS IoT")
        was = certificate_status(self.instance, device)
        uploaded = time.monotonic()
        self.factory.publish_crl(self.instance, [*before, device], number=2)
        self.timeline.note(f"CRL number 2 uploaded; its certificate is {was}")
        status = eventually(
            lambda: certificate_status(self.instance, device), within=_OFF_WITHIN, wanted=lambda s: s != "ACTIVE"
        )
        seconds = time.monotonic() - uploaded
        self.timeline.note(f"{status} {seconds:.1f} s after the upload")
        report = connect(self.instance, self.timeline, device, timeout=_KEPT_OUT_FOR)
        return SummaryLine(
            expected="active device, put on the CRL: REVOKED within a minute, stays out",
            observed=f"{was}, {status} after {seconds:.1f} s, {report.result}",
            met=was == "ACTIVE" and status == "REVOKED" and report.result is RunResult.NOT_ADMITTED,
        )

    def braked(self, deactivated: MadeDevice, *, before: Sequence[MadeDevice]) -> Sequence[SummaryLine]:
        """Publish a CRL that lists everything, undo it, and publish a right one.

        `deactivated` was switched off by an operator and must stay so; `before` are rightly revoked.
        """
        fleet = self._grow()
        return (
            self._everything(fleet, [*before, deactivated]),
            self._rejected(fleet, deactivated),
            self._corrected(before),
        )

    def _grow(self) -> Sequence[MadeDevice]:
        say = self.timeline
        say.chapter(f"{_FLEET_SIZE} devices that another system registered are imported")
        names = (f"{self.factory.name}-fleet-{number}" for number in range(1, _FLEET_SIZE + 1))
        fleet = self.factory.register_elsewhere(self.instance, names)
        say.note(f"RegisterCertificate: {_listing(self._statuses(fleet))}")
        self._operator("device", "import", *self._ca, "--rate", "100", "--yes")
        return fleet

    def _everything(self, fleet: Sequence[MadeDevice], others: Sequence[MadeDevice]) -> SummaryLine:
        self.timeline.chapter("By mistake a CRL that lists everything is published, rightly signed")
        uploaded = time.monotonic()
        self.factory.publish_crl(self.instance, [*others, *fleet], number=3)
        seen = eventually(lambda: self._statuses(fleet), within=_OFF_WITHIN, wanted=lambda s: not s["ACTIVE"])
        seconds = time.monotonic() - uploaded
        self.timeline.note(f"{seconds:.1f} s after the upload: {_listing(seen)}")
        braked = eventually(self._braked_devices, within=_OFF_WITHIN, wanted=lambda devices: devices > 0)
        self.timeline.note(f"metric {BRAKED_DEVICES} is {braked}; above 0 it raises the alarm {self._alarm()}")
        return SummaryLine(
            expected=f"CRL that lists everything: the {_FLEET_SIZE} go INACTIVE, none REVOKED, alarm",
            observed=f"{_listing(seen)} after {seconds:.1f} s, {BRAKED_DEVICES} {braked}",
            met=seen == {"INACTIVE": len(fleet)} and braked >= len(fleet),
        )

    def _rejected(self, fleet: Sequence[MadeDevice], deactivated: MadeDevice) -> SummaryLine:
        self.timeline.chapter("The operator rejects that CRL")
        done = self._operator("crl", "reject", *self._ca, "--rate", "100", "--yes")
        seen = eventually(lambda: self._statuses(fleet), within=_OFF_WITHIN, wanted=lambda s: s["ACTIVE"] == len(fleet))
        untouched = certificate_status(self.instance, deactivated)
        self.timeline.note(f"{_listing(seen)}; the device that the operator deactivated: {untouched}")
        return SummaryLine(
            expected="rejected: all of them ACTIVE again, what an operator deactivated stays INACTIVE",
            observed=f"{_listing(seen)}, {untouched}",
            met=done and seen == {"ACTIVE": len(fleet)} and untouched == "INACTIVE",
        )

    def _corrected(self, before: Sequence[MadeDevice]) -> SummaryLine:
        self.timeline.chapter("A corrected CRL is published, and the next device connects")
        self.factory.publish_crl(self.instance, before, number=4)
        device = self.factory.make(f"{self.factory.name}-last")
        report = connect(self.instance, self.timeline, device, timeout=_ADMITTED_WITHIN)
        status = certificate_status(self.instance, device)
        return SummaryLine(
            expected="corrected CRL: the next device is activated",
            observed=f"{report.result} at connect {len(report.attempts)}, {report.seconds:.1f} s, {status}",
            met=report.result is RunResult.DELIVERED and status == "ACTIVE",
        )

    @property
    def _ca(self) -> tuple[str, str]:
        """Return the option that names the factory's CA."""
        return "--ca-certificate-id", self.factory.authority.ca_certificate_id

    def _statuses(self, fleet: Sequence[MadeDevice]) -> dict[str, int]:
        return statuses(self.instance, self.factory.authority.ca_certificate_id, fleet)

    def _braked_devices(self) -> int:
        return int(
            max(metric_values(self.instance, outputs(self.instance).enforcement_function, BRAKED_DEVICES), default=0)
        )

    def _alarm(self) -> str:
        """Return the name of the alarm that watches the metric (the emulator reads no metrics out of logs)."""
        found = self.instance.client("cloudwatch").describe_alarms()["MetricAlarms"]
        return ", ".join(each["AlarmName"] for each in found if each.get("MetricName") == BRAKED_DEVICES) or "none"

    def _operator(self, *arguments: str) -> bool:
        """Run a `jitr` command as an operator would, and return whether its exit code was 0."""
        return told_jitr(self.instance, self.timeline, *arguments).returncode == 0


def connect(instance: Instance, timeline: Timeline, device: MadeDevice, *, timeout: float) -> DeviceReport:
    """Let a device connect and publish under its own name, told as it happens."""
    reference = device.at(instance)
    message = Message(topic=f"devices/{reference.client_id}/up", payload=b'{"hello": "world"}')

    def tell(attempt: Attempt) -> None:
        timeline.attempt(reference.client_id, attempt)

    return reference.run(message, timeout=timeout, observe=tell)


def _listing(seen: dict[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(seen.items()))
