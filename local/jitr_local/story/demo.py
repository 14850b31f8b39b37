"""The demo: the main job end to end on the local stack, told as it happens, with every expectation checked.

Nothing of ours is replaced: real CDK deploy, real function code, real rule, real MQTT over mutual TLS.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from jitr_local import pki
from jitr_local.device.mqtt_attempt import Ending
from jitr_local.device.reference_device import DeviceReport, RunResult
from jitr_local.stack.local_stack import Instance, LocalStack
from jitr_local.story.after_activation import AfterActivation, connect
from jitr_local.story.expectation import SummaryLine
from jitr_local.story.factory import Factory, MadeDevice
from jitr_local.story.observations import NOT_REGISTERED, certificate_status, function_iot_calls, invoke
from jitr_local.story.policy_edit import PolicyEdit
from jitr_local.story.registration_events import RegistrationEvents, listening
from jitr_local.story.timeline import Timeline

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

_ADMITTED_WITHIN: Final = 90.0
_WATCHED_FOR: Final = 8.0


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The story on one stack, which is started unless it runs; stopping it is the caller's."""

    stack: LocalStack
    timeline: Timeline
    factory: Factory

    def run(self) -> list[SummaryLine]:
        """Tell the story and return what was expected beside what was observed."""
        instance = self._deploy()
        good, revoked = self._make("good"), self._make("revoked")
        forged = self._make("forged", signed_by=self._impostor())
        following = self._make("next")
        self._publish(instance, revoked)
        with listening(instance) as events:
            met = [
                self._good(instance, good),
                self._warm(instance, following, events),
                self._kept_out(instance, revoked, "revoked", expected_status="REVOKED"),
                self._kept_out(instance, forged, "forged", expected_status=NOT_REGISTERED),
                *self._replayed(instance, good, events),
            ]
        edit = PolicyEdit(
            stack=self.stack,
            instance=instance,
            timeline=self.timeline,
            factory=self.factory,
            folder=self.factory.folder / "policies",
        )
        met += edit.run(following)
        later = AfterActivation(instance=instance, timeline=self.timeline, factory=self.factory)
        return [*met, later.listed(following, before=[revoked]), *later.braked(good, before=[revoked, following])]

    def _deploy(self) -> Instance:
        say = self.timeline
        say.chapter("A factory's CA is made, and registered by cdk deploy")
        say.note(f"CA {self.factory.authority.ca_certificate_id[:16]}…, in the fleet file as {self.factory.ca.name!r}")
        if self.stack.instance() is None:
            # With permissions enforced: the functions' roles and the devices' policies have to be right.
            instance = self.stack.start(auth=True, cas=[self.factory.ca], progress=say.note)
        else:
            say.note("a local stack runs already; cdk deploy with the CA in its fleet file")
            instance = self.stack.deploy([self.factory.ca])
        iot: IoTClient = instance.client("iot")
        ca = iot.describe_ca_certificate(certificateId=self.factory.authority.ca_certificate_id)[
            "certificateDescription"
        ]
        say.note(
            f"registered: {ca['certificateMode']}, {ca['status']}, auto-registration {ca['autoRegistrationStatus']}"
        )
        say.note(f"function {instance.function}, MQTT {instance.mqtt_host}:{instance.mqtt_port}")
        return instance

    def _make(self, kind: str, *, signed_by: pki.CertificateAuthority | None = None) -> MadeDevice:
        # Things are named after devices, and a stack that ran before knows those of the last demo.
        return self.factory.make(f"{self.factory.name}-{kind}", signed_by=signed_by)

    def _publish(self, instance: Instance, revoked: MadeDevice) -> None:
        self.timeline.chapter("The CRL is published")
        self.factory.publish_crl(instance, [revoked])
        self.timeline.note(f"s3://{instance.crl_bucket}/{self.factory.crl_key} lists serial {revoked.serial:x}")

    def _impostor(self) -> pki.CertificateAuthority:
        """Return a CA with the same name as the factory's, and another key."""
        return pki.CertificateAuthority.create(self.factory.name)

    def _good(self, instance: Instance, device: MadeDevice) -> SummaryLine:
        self.timeline.chapter("A good device connects for the first time in its life")
        report = self._connect(instance, device, timeout=_ADMITTED_WITHIN)
        status = certificate_status(instance, device)
        dropped = report.attempts[0].ending is Ending.DROPPED
        met = dropped and report.result is RunResult.DELIVERED and status == "ACTIVE"
        return SummaryLine(
            expected="good device: dropped, activated, reconnects, publishes",
            observed=f"{report.result} at connect {len(report.attempts)}, {report.seconds:.1f} s, {status}",
            met=met,
        )

    def _warm(self, instance: Instance, device: MadeDevice, events: RegistrationEvents) -> SummaryLine:
        self.timeline.chapter("The next device meets a warm function")
        since = datetime.now(UTC)
        before = function_iot_calls(instance, since=since)
        report = self._connect(instance, device, timeout=_ADMITTED_WITHIN)
        calls = function_iot_calls(instance, since=since) - before
        status = certificate_status(instance, device)
        knocks = len(events.of(device.certificate_id))
        # AttachPolicy, UpdateCertificate and the Thing's two calls once, DescribeCertificate for each event.
        self.timeline.note(f"the function made {calls} AWS IoT calls for it (registration events: {knocks})")
        return SummaryLine(
            expected="next device: activated",
            observed=f"{report.result} at connect {len(report.attempts)}, {report.seconds:.1f} s, {status}",
            met=report.result is RunResult.DELIVERED and status == "ACTIVE",
        )

    def _kept_out(self, instance: Instance, device: MadeDevice, kind: str, *, expected_status: str) -> SummaryLine:
        why = {"revoked": "its serial is on the CRL", "forged": "the CA's name is right, the signing key is not"}[kind]
        self.timeline.chapter(f"A {kind} device tries for {_WATCHED_FOR:.0f} s: {why}")
        report = self._connect(instance, device, timeout=_WATCHED_FOR)
        status = certificate_status(instance, device)
        self.timeline.note(f"its certificate in AWS IoT: {status}")
        return SummaryLine(
            expected=f"{kind} device: never gets in, certificate {expected_status}",
            observed=f"{report.result} in {len(report.attempts)} connects, {status}",
            met=report.result is RunResult.NOT_ADMITTED and status == expected_status,
        )

    def _replayed(self, instance: Instance, device: MadeDevice, events: RegistrationEvents) -> Sequence[SummaryLine]:
        self.timeline.chapter("The operator deactivates the good device, and its first event is delivered once more")
        iot: IoTClient = instance.client("iot")
        iot.update_certificate(certificateId=device.certificate_id, newStatus="INACTIVE")
        self.timeline.note("operator: certificate INACTIVE")
        answer = invoke(instance, events.of(device.certificate_id)[0])
        self.timeline.note(f"the function, given the event again: {json.dumps(answer)}")
        status = certificate_status(instance, device)
        report = self._connect(instance, device, timeout=2.0)
        afterwards = certificate_status(instance, device)
        return (
            SummaryLine(
                expected="replayed event: decided already, certificate stays INACTIVE",
                observed=f"{answer.get('outcome')}, {status}",
                met=answer.get("outcome") == "already_decided" and status == "INACTIVE",
            ),
            SummaryLine(
                expected="deactivated device: stays out",
                observed=f"{report.result}, {afterwards}",
                met=report.result is RunResult.NOT_ADMITTED and afterwards == "INACTIVE",
            ),
        )

    def _connect(self, instance: Instance, device: MadeDevice, *, timeout: float) -> DeviceReport:
        return connect(instance, self.timeline, device, timeout=timeout)
