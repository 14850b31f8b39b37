"""Devices whose activation reaches different calls: who knocks, at which deployment, and how it has to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from cryptography import x509

from jitr.authorities.allow_list import allowed_key
from jitr.authorities.records import CaRecords
from jitr.settings import OnExistingThing, ThingNameSource
from jitr_local import pki
from tests.faults.stories.activations import (
    CRL,
    HOLD,
    OWN_POLICY,
    SERIAL,
    Arranged,
    arranged,
    deliver,
    factory,
    key,
    knock,
    table,
)
from tests.worlds import raw_der
from tests.worlds.deployment import BUCKET, CRL_KEY, POLICY
from tests.worlds.odd_certificates import device, odd_device, pointing_device

ADDRESS = f"https://{BUCKET}.s3.us-east-1.amazonaws.com/{CRL_KEY}"


def cold_deployment() -> Arranged:
    """The first device of all: the policy is not there yet."""
    return arranged()


@cache
def knocked() -> Arranged:
    """The first device of all, and its event."""
    found = arranged()
    aws = found.begin()
    found.event = knock(aws, found.device)
    found.keep(aws)
    return found


def warm_deployment() -> Arranged:
    """Another device was activated before."""
    found = arranged()
    aws = found.begin()
    earlier = factory().issue("earlier", serial=7, key=key())
    assert deliver(aws, knock(aws, earlier)).letters == []
    found.keep(aws)
    return found


def without_thing() -> Arranged:
    """A CA whose devices have no Things."""
    found = arranged()
    found.configure(thing_name=ThingNameSource.OFF)
    found.watched = replace(found.watched, with_thing=False)
    return found


def grouped() -> Arranged:
    """A device whose Thing has a type, an attribute and two groups."""
    found = arranged()
    found.account.iot.thing_types.add("pump")
    found.account.iot.thing_groups |= {"pumps": [], "north": []}
    found.configure(thing_type="pump", thing_groups=("pumps", "north"), thing_attributes={"model": "A1"})
    return found


def listed() -> Arranged:
    """On the CRL."""
    found = arranged()
    found.publish(factory().crl([SERIAL]))
    found.expected, found.reason = ("REVOKED",), "revoked"
    return found


def odd() -> Arranged:
    """A good device whose certificate the library refuses to read."""
    found = arranged()
    found.device = odd_device("critical FALSE written out", factory(), SERIAL)
    return found


def unreadable() -> Arranged:
    """A certificate that has two readings: a byte after its end."""
    found = arranged()
    der = raw_der.certificate(factory(), SERIAL, key=key()) + b"\x00"
    found.device = device(der, SERIAL, key())
    found.expected, found.reason = ("PENDING_ACTIVATION",), "malformed_certificate"
    return found


def odd_and_listed() -> Arranged:
    """On the CRL, with an issuer in another string type than its CA's name."""
    found = listed()
    found.device = odd_device("issuer as PrintableString", factory(), SERIAL)
    return found


def on_hold() -> Arranged:
    """On the CRL, for now."""
    found = arranged()
    found.publish(factory().crl([pki.revoked_entry(SERIAL, reason=HOLD)]))
    found.expected, found.reason = ("PENDING_ACTIVATION",), "certificate_hold"
    return found


def weak() -> Arranged:
    """A key that is too short."""
    found = arranged(key="RSA-1024")
    found.expected, found.reason = ("INACTIVE",), "weak_key"
    return found


def wrong_signature() -> Arranged:
    """Signed by another key than the CA's."""
    found = arranged()
    found.device = pki.CertificateAuthority.create().issue("device-1", serial=SERIAL, key=key())
    found.expected, found.reason = ("PENDING_ACTIVATION",), "wrong_signature"
    return found


def renewed() -> Arranged:
    """A new certificate for a Thing whose old one is ACTIVE."""
    found = arranged()
    found.configure(on_existing_thing=OnExistingThing.REPLACE)
    aws = found.begin()
    old = factory().issue("device-1", serial=0x1000, key=key(), not_before=pki.now() - 5 * pki.DAY)
    assert deliver(aws, knock(aws, old)).letters == []
    found.keep(aws)
    return found


def thing_in_use() -> Arranged:
    """The Thing is another certificate's, and stays so."""
    found = renewed()
    found.configure(on_existing_thing=OnExistingThing.REFUSE)
    found.expected, found.reason = ("PENDING_ACTIVATION",), "thing_in_use"
    return found


def own_policy() -> Arranged:
    """A policy of the device's own, by a template with device values."""
    found = arranged()
    found.configuration = replace(found.configuration, policies={"default": OWN_POLICY})
    return found


def old_own_policy() -> Arranged:
    """The device's own policy is left from an earlier life, with five versions and another meaning."""
    found = own_policy()
    aws = found.begin()
    iot = aws.client("iot")
    name = found.configuration.device_policy_name("default", found.device.certificate_id)
    iot.create_policy(policyName=name, policyDocument=POLICY.replace("@{", "{"))
    for n in range(4):
        iot.create_policy_version(policyName=name, policyDocument=POLICY.replace("client/x", f"client/{n}"))
    found.keep(aws)
    return found


def adopted() -> Arranged:
    """Of a CA that an operator took under management."""
    found = arranged()
    aws = found.begin()
    CaRecords(table()).adopt(
        factory().ca_certificate_id, crl=CRL, policy="default", by="somebody", at=aws.account.clock()
    )
    found.keep(aws)
    found.configuration = replace(found.configuration, cas=())
    return found


def distribution_point() -> Arranged:
    """Its CRL is where the certificate says, in the deployment's own bucket."""
    found = arranged(extensions=[named()])
    found.configure(crl="cdp")
    return found


def named() -> tuple[x509.CRLDistributionPoints, bool]:
    """The distribution point in the deployment's own bucket."""
    points = [x509.DistributionPoint([x509.UniformResourceIdentifier(ADDRESS)], None, None, None)]
    return x509.CRLDistributionPoints(points), False


def odd_distribution_point() -> Arranged:
    """The same, beside a `cA FALSE` that makes strict readers see no extensions at all."""
    found = arranged()
    found.device = pointing_device(factory(), SERIAL, ADDRESS)
    found.configure(crl="cdp")
    return found


def allowed() -> Arranged:
    """On its CA's allow-list."""
    found = arranged()
    found.configure(allow_list=True)
    item = allowed_key(factory().ca_certificate_id, SERIAL)
    found.account.dynamodb.table.update(item, "SET allowed = :one", {":one": {"N": "1"}})
    return found


def registered_again() -> Arranged:
    """Revoked, deleted by somebody, and so registered again as if nothing had been."""
    found = listed()
    aws = found.begin()
    deliver(aws, knock(aws, found.device))
    del aws.account.iot.certificates[found.device.certificate_id]
    found.keep(aws)
    found.publish(factory().crl(number=2))
    # INACTIVE at once; REVOKED like its row when a sweep finds it.
    found.expected, found.reason = ("INACTIVE", "REVOKED"), "revoked_before"
    found.watched = replace(found.watched, revoked_before=True)
    return found


def no_crl() -> Arranged:
    """Nobody can know whether it is revoked."""
    found = arranged()
    del found.account.s3.objects[CRL]
    found.expected, found.reason = ("PENDING_ACTIVATION",), "no_crl"
    return found


Arrange = Callable[[], Arranged]
SCENARIOS: dict[str, Arrange] = {
    each.__name__: each
    for each in (
        cold_deployment,
        warm_deployment,
        without_thing,
        grouped,
        listed,
        odd,
        odd_and_listed,
        unreadable,
        on_hold,
        weak,
        wrong_signature,
        renewed,
        thing_in_use,
        own_policy,
        old_own_policy,
        adopted,
        distribution_point,
        odd_distribution_point,
        allowed,
        registered_again,
        no_crl,
    )
}
