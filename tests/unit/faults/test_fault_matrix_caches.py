"""What is kept, or published, is not what it should be: nobody gets in by it, and nobody stays in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import pytest

from jitr.messages.dead_letters import decode_dead_letter
from jitr_local import pki
from tests.faults.machine.cloud import Cloud
from tests.faults.machine.counting import Count
from tests.faults.machine.invariants import everything_wrong, unsettled
from tests.faults.stories.activation_scenarios import knocked
from tests.faults.stories.activations import CRL, SERIAL, activation_way, deliver, factory, key, knock, sweep
from tests.faults.stories.enforcements import PUBLISHED, Swept, held, listing, revoked_and_held


def forged(serial: int | None = None) -> bytes:
    """A CRL that somebody else signed with the CA's name."""
    other = pki.CertificateAuthority.create()
    listed = [] if serial is None else [serial]
    return other.crl(
        listed, number=50, issuer=factory().certificate.subject, this_update=pki.now() - timedelta(minutes=1)
    )


POISONS: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda _: b"garbage",
    "empty": lambda _: b"",
    "cut off": lambda good: good[: len(good) // 2],
    "one bit": lambda good: good[:-10] + bytes([good[-10] ^ 1]) + good[-9:],
    "forged": lambda _: forged(),
    "older": lambda _: listing(number=0),
    "with more behind it": lambda good: good + b"\x00",
    "past its end": lambda _: factory().crl(
        number=60, this_update=pki.now() - timedelta(days=9), next_update=pki.now() - timedelta(days=2)
    ),
}


@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize("warm", [True, False], ids=["a kept CRL", "no kept CRL"])
def test_what_is_no_usable_crl_lets_nobody_in(aws: Cloud, count: Count, poison: str, warm: bool) -> None:
    """Although the container keeps a verified one; with the next good CRL the device is in."""
    found = knocked()
    found.begin()
    way = activation_way(aws)
    container = way.cold()
    fine = listing(number=10)
    aws.account.s3.objects[CRL] = fine
    other = factory().issue("other", serial=77, key=key())
    container(knock(aws, other), "first")
    assert aws.account.iot.status(other) == "ACTIVE"
    aws.account.s3.objects[CRL] = POISONS[poison](fine)
    way.cold = (lambda: container) if warm else way.cold
    count("caches")
    assert not way.deliver(found.event)
    assert aws.account.iot.status(found.device) == "PENDING_ACTIVATION"
    aws.account.s3.objects[CRL] = listing(number=45)
    assert way.deliver(decode_dead_letter(way.letters[0]).event)
    assert aws.account.iot.status(found.device) == "ACTIVE"
    assert everything_wrong(aws.account, found.watched) == []


@pytest.mark.parametrize("listed", [SERIAL, None], ids=["the new one lists it", "the old one lists it"])
def test_a_crl_that_is_replaced_before_any_call_counts(aws: Cloud, count: Count, listed: int | None) -> None:
    """The object changes between any two calls of one activation; after the next sweep it is as the newest says."""
    found = knocked()
    before, after = (
        (listing(number=10), listing(SERIAL, number=20))
        if listed
        else (
            listing(held(SERIAL), number=10),
            listing(number=20),
        )
    )
    for at in range(1, 30):
        found.begin()
        aws.account.s3.objects[CRL] = before
        aws.faults.interrupt(at, lambda: aws.account.s3.objects.update({CRL: after}))
        deliver(aws, found.event)
        came = aws.faults.interrupted
        aws.faults.end()
        if not came:
            break
        count("caches")
        aws.account.clock.advance(minutes=17)
        if aws.account.iot.status(found.device) == "PENDING_ACTIVATION":
            deliver(aws, knock(aws, found.device))
        sweep(aws)
        expected = ("REVOKED",) if listed else ("ACTIVE",)
        assert aws.account.iot.status(found.device) in expected, f"before call {at}"
        assert list(unsettled(aws.account)) == []
    assert at > 5


@cache
def swept() -> Swept:
    """A CRL that is to be enforced, with one before it."""
    return revoked_and_held()


COPIES: dict[str, Callable[[bytes], bytes | None]] = {
    "gone": lambda _: None,
    "one bit": lambda copy: copy[:-10] + bytes([copy[-10] ^ 1]) + copy[-9:],
    "the new one": lambda _: swept().arranged.account.s3.objects[CRL],
    "forged, and lists the device": lambda _: forged(11),
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_corrupted_copy_of_the_enforced_crl_hides_nobody(aws: Cloud, count: Count, copy: str) -> None:
    """What is compared with must be the very CRL that was enforced; else everything is looked at again."""
    given = swept()
    given.arranged.begin()
    objects = aws.account.s3.objects
    copies = [each for each in objects if each != CRL]
    assert copies
    for each in copies:
        if (changed := COPIES[copy](objects[each])) is None:
            del objects[each]
        else:
            objects[each] = changed
    count("caches")
    sweep(aws, PUBLISHED)
    assert {each: aws.account.iot.certificates[each].status for each in given.expected} == given.expected
