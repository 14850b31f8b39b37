"""CRLs whose enforcement reaches different calls: what was, what is published, and how every device has to end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from jitr.certificates import issuer_key
from jitr.crls.versions import CrlVersions
from jitr_local import pki
from tests.faults.machine.cloud import Cloud
from tests.faults.machine.injection import Call, Fault
from tests.faults.stories.activation_scenarios import distribution_point
from tests.faults.stories.activations import (
    CRL,
    HOLD,
    SCHEDULE,
    Arranged,
    activation_way,
    arranged,
    deliver,
    factory,
    key,
    knock,
    sweep,
    table,
)
from tests.worlds.deployment import BUCKET, CRL_KEY

PUBLISHED = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": BUCKET}, "object": {"key": CRL_KEY}},
}


@dataclass
class Swept:
    """A deployment whose new CRL is to be enforced; `expected` are statuses by device, `brake` its smallest size."""

    arranged: Arranged
    expected: dict[str, str] = field(default_factory=dict)
    event: Any = field(default_factory=lambda: PUBLISHED)
    brake: int = 100

    @property
    def published(self) -> str:
        """The SHA-256 of the CRL that is to be enforced."""
        return hashlib.sha256(self.arranged.account.s3.objects[CRL]).hexdigest()


def listing(*entries: Any, number: int) -> bytes:
    """A CRL that is newer the higher its number is."""
    return factory().crl(entries, number=number, this_update=pki.now() - timedelta(minutes=60 - number))


def held(serial: int) -> Any:
    """An entry for now."""
    return pki.revoked_entry(serial, reason=HOLD)


def activated(*serials: int, start: Callable[[], Arranged] = arranged) -> tuple[Cloud, Arranged, dict[int, pki.Device]]:
    """A deployment that activated devices, whose first CRL is enforced."""
    found = start()
    aws = found.begin()
    aws.account.s3.objects[CRL] = listing(1, number=1)
    devices = {}
    for serial in serials:
        extensions = [(each.value, False) for each in found.device.certificate.extensions]
        devices[serial] = factory().issue(f"device-{serial}", serial=serial, key=key(), extensions=extensions)
        assert deliver(aws, knock(aws, devices[serial])).letters == []
        assert aws.account.iot.status(devices[serial]) == "ACTIVE"
    sweep(aws)
    return aws, found, devices


def _swept(aws: Cloud, found: Arranged, expected: dict[pki.Device, str], **options: Any) -> Swept:
    found.keep(aws)
    return Swept(found, {device.certificate_id: status for device, status in expected.items()}, **options)


def revoked_and_held() -> Swept:
    """One revoked, one on hold, one not listed, one that was on hold and is not any more."""
    aws, found, devices = activated(11, 12, 13, 14)
    aws.account.s3.objects[CRL] = listing(1, held(14), number=2)
    sweep(aws)
    aws.account.s3.objects[CRL] = listing(1, 11, held(12), number=3)
    ends = dict(zip(devices.values(), ("REVOKED", "INACTIVE", "ACTIVE", "INACTIVE"), strict=True))
    return _swept(aws, found, ends)


def activation_under_way() -> Swept:
    """An activation was killed right after it had asked for ACTIVE, and its lease is open."""
    aws, found, _ = activated(11)
    calls_before = len(aws.faults.calls)
    way = activation_way(aws)
    event = knock(aws, found.device)
    trial = aws.account.copied()
    way.deliver(event)
    calls = aws.faults.calls[calls_before:]
    aws.account = trial
    aws.faults.plan(calls.index(Call("iot", "UpdateCertificate")) + 1, Fault.CRASH, lasting=False)
    function = activation_way(aws).cold()
    try:
        function(event, "killed")
    except BaseException as killed:  # noqa: BLE001 - the process is gone
        assert "UpdateCertificate" in str(killed)  # noqa: PT017
    aws.faults.end()
    assert aws.account.iot.status(found.device) == "ACTIVE"
    aws.account.s3.objects[CRL] = listing(1, held(found.device.certificate.serial_number), number=2)
    return _swept(aws, found, {found.device: "INACTIVE"})


def braked() -> Swept:
    """More than the brake lets through at once; one of them an operator had switched off before."""
    aws, found, devices = activated(11, 12, 13)
    aws.account.iot.certificates[devices[13].certificate_id].status = "INACTIVE"
    aws.account.s3.objects[CRL] = listing(1, 11, 12, 13, number=2)
    return _swept(aws, found, dict.fromkeys(devices.values(), "INACTIVE"), brake=1)


def confirmed() -> Swept:
    """A brake that an operator confirmed."""
    found = braked()
    aws = found.arranged.begin()
    sweep_with_brake(aws, found)
    sha = found.published
    scope = f"{issuer_key(factory().certificate)}#{CRL}"
    assert CrlVersions(table()).confirm(scope, sha, by="somebody", at=aws.account.clock())
    found.arranged.keep(aws)
    found.expected = dict.fromkeys(found.expected, "REVOKED")
    found.event = SCHEDULE
    return found


def activated_by_others() -> Swept:
    """ACTIVE since long, never seen by us, and on the CRL."""
    aws, found, _ = activated(11)
    other = factory().issue("other", serial=21, key=key())
    aws.account.s3.objects[CRL] = listing(1, 21, number=2)
    sweep(aws)
    aws.account.iot.connect(other, factory())
    certificate = aws.account.iot.certificates[other.certificate_id]
    certificate.status, certificate.policies = "ACTIVE", ["some-policy"]
    return _swept(aws, found, {other: "REVOKED"}, event=SCHEDULE)


def at_distribution_points() -> Swept:
    """A CA whose CRL is where its certificates say."""
    aws, found, devices = activated(11, start=distribution_point)
    aws.account.s3.objects[CRL] = listing(1, 11, number=2)
    return _swept(aws, found, {devices[11]: "REVOKED"})


def sweep_with_brake(aws: Cloud, swept: Swept) -> None:
    """Let the CRL be enforced under the scenario's brake."""
    from jitr.enforcement import brake

    before, brake.SMALLEST_BRAKE = brake.SMALLEST_BRAKE, swept.brake
    try:
        sweep(aws)
    finally:
        brake.SMALLEST_BRAKE = before


SCENARIOS = {
    each.__name__: each
    for each in (
        revoked_and_held,
        activation_under_way,
        braked,
        confirmed,
        activated_by_others,
        at_distribution_points,
    )
}
