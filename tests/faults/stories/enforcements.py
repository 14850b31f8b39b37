"""CRLs whose enforcement reaches different calls: what was, what is published, and how every device has to end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from jitr.certificates import issuer_key
from jitr.crls.versions import CrlVersions
from jitr.settings import ThingNameSource
from jitr_local import pki
from tests.faults.machine.cloud import Cloud
from tests.faults.machine.injection import Call, Fault
from tests.faults.stories.activation_scenarios import ADDRESS, distribution_point
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
from tests.worlds.odd_certificates import REPRESENTATIVES, odd_device, pointing_device

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


def plain(serial: int) -> pki.Device:
    """A device with a certificate as everybody writes it."""
    return factory().issue(f"device-{serial}", serial=serial, key=key())


def each_its_own(serial: int) -> pki.Device:
    """A device whose certificate is odd in another way than its neighbours'; the first of ten is not."""
    kinds = (None, *REPRESENTATIVES)
    kind = kinds[serial % 10 % len(kinds)]
    return plain(serial) if kind is None else odd_device(kind, factory(), serial)


def by_serial() -> Arranged:
    """Things are named by serial number: the subjects of odd certificates are alike."""
    found = arranged()
    found.configure(thing_name=ThingNameSource.SERIAL)
    return found


def activated(
    *serials: int, start: Callable[[], Arranged] = arranged, issue: Callable[[int], pki.Device] = plain
) -> tuple[Cloud, Arranged, dict[int, pki.Device]]:
    """A deployment that activated devices, whose first CRL is enforced."""
    found = start()
    aws = found.begin()
    aws.account.s3.objects[CRL] = listing(1, number=1)
    devices = {}
    for serial in serials:
        devices[serial] = issue(serial)
        assert deliver(aws, knock(aws, devices[serial])).letters == []
        assert aws.account.iot.status(devices[serial]) == "ACTIVE"
    sweep(aws)
    return aws, found, devices


def _swept(aws: Cloud, found: Arranged, expected: dict[pki.Device, str], **options: Any) -> Swept:
    found.keep(aws)
    return Swept(found, {device.certificate_id: status for device, status in expected.items()}, **options)


def revoked_and_held() -> Swept:
    """One revoked, one on hold, one not listed, one that was on hold and is not any more; each odd in its own way."""
    aws, found, devices = activated(11, 12, 13, 14, start=by_serial, issue=each_its_own)
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
    """ACTIVE since long, never seen by us, odd, and on the CRL."""
    aws, found, _ = activated(11)
    other = each_its_own(22)
    aws.account.s3.objects[CRL] = listing(1, 22, number=2)
    sweep(aws)
    by_hand(aws, other)
    return _swept(aws, found, {other: "REVOKED"}, event=SCHEDULE)


def by_hand(aws: Cloud, device: pki.Device) -> None:
    """Register a device's certificate as ACTIVE, past us."""
    aws.account.iot.connect(device, factory())
    certificate = aws.account.iot.certificates[device.certificate_id]
    certificate.status, certificate.policies = "ACTIVE", ["some-policy"]


def at_distribution_points() -> Swept:
    """A CA whose CRL is where its certificates say, beside a `cA FALSE` that is written out."""
    issue = partial(pointing_device, factory(), url=ADDRESS)
    aws, found, devices = activated(11, start=distribution_point, issue=issue)
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
