"""Several CRLs at once: which one decides, that order never matters, and what a delta or a stranger's CRL changes."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from cryptography import x509

from jitr.errors import Reason
from jitr.revocation import RevocationStatus, RevocationVerdict, VerifiedCrl, decide, verify_crl
from jitr_local import pki
from tests.worlds import raw_der

CA, OTHER = pki.CertificateAuthority.create(), pki.CertificateAuthority.create("Factory CA 2")
DEVICE = CA.issue().certificate
SERIAL = DEVICE.serial_number
AT = pki.now()
HOUR = timedelta(hours=1)
GOOD, REVOKED, UNDETERMINED = RevocationStatus.GOOD, RevocationStatus.REVOKED, RevocationStatus.UNDETERMINED
DELTA = (x509.DeltaCRLIndicator(1), True)


def decided(*crls: bytes | VerifiedCrl) -> RevocationVerdict:
    """Return the verdict, which must be the same for every order and with every CRL given twice."""
    verdicts = [decide(DEVICE, CA.certificate, order, at=AT) for order in itertools.permutations(crls)]
    verdicts.append(decide(DEVICE, CA.certificate, [*crls, *crls], at=AT))
    answers = {(each.status, each.reason, each.crl.sha256 if each.crl else None) for each in verdicts}
    assert len(answers) == 1
    return verdicts[0]


OLD_GOOD, OLD_BAD = CA.crl(number=4), CA.crl([SERIAL], number=4)
NEW_GOOD, NEW_BAD = CA.crl(number=5), CA.crl([SERIAL], number=5)
CHOICES = [
    ("an older good and a newer bad one", [OLD_GOOD, NEW_BAD], REVOKED),
    ("an older bad and a newer good one", [OLD_BAD, NEW_GOOD], GOOD),
    ("numbers count before dates", [CA.crl(number=10, this_update=AT - 3 * HOUR), CA.crl([SERIAL], number=9)], GOOD),
    ("numbers are no text", [CA.crl(number=10), CA.crl([SERIAL], number=9)], GOOD),
    ("one number, two dates", [CA.crl(this_update=AT - 3 * HOUR), CA.crl([SERIAL])], REVOKED),
    ("no numbers, two dates", [CA.crl(number=None, this_update=AT - 3 * HOUR), CA.crl([SERIAL], number=None)], REVOKED),
    ("one without a number is newer", [CA.crl(number=9, this_update=AT - 3 * HOUR), CA.crl([SERIAL], number=None)],
     REVOKED),
    ("one number, one date, two contents", [NEW_GOOD, NEW_BAD], REVOKED),
    ("an expired one that is newer", [CA.crl([SERIAL], number=9, this_update=AT - 2 * HOUR, next_update=AT - HOUR),
                                      OLD_GOOD], GOOD),
    ("an expired beside a fresh one that lists", [CA.crl(this_update=AT - 2 * HOUR, next_update=AT - HOUR), OLD_BAD],
     REVOKED),
    ("a forged newer one", [CA.crl(number=99, signing_key=pki.new_key()), OLD_BAD], REVOKED),
]  # fmt: skip


@pytest.mark.parametrize(("case", "crls", "status"), CHOICES, ids=[case for case, _, _ in CHOICES])
def test_the_newest_usable_crl_decides(case: str, crls: list[bytes], status: RevocationStatus) -> None:
    """Highest number, then latest thisUpdate; never the first that comes along."""
    assert decided(*crls).status is status


def test_a_crl_of_another_issuer_changes_nothing() -> None:
    """Also when it lists the serial, has a higher number, or is a delta."""
    for stranger in (OTHER.crl([SERIAL], number=99), OTHER.crl(number=99, extensions=[DELTA]), OTHER.crl(number=99)):
        assert decided(OLD_GOOD, stranger).status is GOOD
        assert decided(OLD_BAD, stranger).status is REVOKED
        assert decided(stranger).status is UNDETERMINED


def test_a_delta_beside_its_base_leaves_the_answer_open_unless_the_base_lists() -> None:
    """What the delta adds is not read, so silence of the base is no longer an answer."""
    delta = CA.crl([SERIAL], number=6, extensions=[DELTA])
    assert (decided(NEW_GOOD, delta).status, decided(NEW_GOOD, delta).reason) == (UNDETERMINED, Reason.DELTA)
    assert decided(NEW_BAD, delta).status is REVOKED


def test_a_forged_delta_changes_nothing() -> None:
    """Only the CA can make its own CRL insufficient."""
    forged = CA.crl(number=6, extensions=[DELTA], signing_key=pki.new_key())
    assert decided(NEW_GOOD, forged).status is GOOD


def test_a_listing_in_either_of_two_scopes_revokes() -> None:
    """Numbers of different scopes are not one sequence."""
    users = raw_der.extension("issuingDistributionPoint", raw_der.sequence(b"\x81\x01\xff"), critical=True)
    number = raw_der.extension("cRLNumber", raw_der.integer(99))
    assert decided(OLD_BAD, raw_der.crl(CA, extensions=[number, users])).status is REVOKED
    assert decided(OLD_GOOD, raw_der.crl(CA, raw_der.entry(SERIAL), extensions=[number, users])).status is REVOKED


def test_the_reason_that_came_closest_to_an_answer_is_reported() -> None:
    """Whatever the order."""
    expired = CA.crl(this_update=AT - 2 * HOUR, next_update=AT - HOUR)
    assert decided(b"nonsense", expired, OTHER.crl()).reason is Reason.EXPIRED
    assert decided(b"nonsense", CA.crl(signing_key=pki.new_key()), OTHER.crl()).reason is Reason.BAD_SIGNATURE


def test_a_crl_that_was_verified_for_another_ca_is_not_used() -> None:
    """Not even when the name is the same."""
    twin = pki.CertificateAuthority.create()
    kept = verify_crl(twin.crl(), twin.certificate, at=AT)
    assert decided(kept).reason is Reason.ISSUER_MISMATCH
    assert decided(verify_crl(NEW_BAD, CA.certificate, at=AT), OLD_GOOD).status is REVOKED
