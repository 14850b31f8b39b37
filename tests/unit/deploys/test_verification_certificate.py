"""Verification certificates: what proves the key of a CA to AWS IoT, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from jitr.authorities.verification_certificate import (
    NotVerifying,
    new_key,
    request_verification,
    sign_verification,
    verify_verification,
)
from jitr_local import pki

CODE, OTHER_CODE = "5a" * 32, "b7" * 32
CA = pki.CertificateAuthority.create()
RSA_CA = pki.CertificateAuthority.create(key="RSA-2048")


def cn(*texts: str) -> x509.Name:
    """Return a subject with these common names."""
    return x509.Name([pki.common_name_attribute(text) for text in texts])


def verify(certificate: x509.Certificate, ca: pki.CertificateAuthority = CA) -> None:
    """Check a certificate for the code, now."""
    verify_verification(certificate, ca=ca.certificate, code=CODE, at=pki.now())


@pytest.mark.parametrize("ca", [CA, RSA_CA], ids=["EC", "RSA"])
def test_what_the_cas_key_signs_for_the_code_verifies(ca: pki.CertificateAuthority) -> None:
    """For both kinds of keys, and not longer than a day."""
    made = sign_verification(CODE, ca=ca.certificate, ca_key=ca.key, at=pki.now())
    verify(made, ca)
    assert made.not_valid_after_utc - made.not_valid_before_utc <= timedelta(days=1)


def test_it_does_not_outlive_its_ca() -> None:
    """Even where the CA ends within the day, or began this minute."""
    ca = pki.CertificateAuthority.create(not_before=pki.now(), not_after=pki.now() + timedelta(hours=2))
    made = sign_verification(CODE, ca=ca.certificate, ca_key=ca.key, at=pki.now())
    verify(made, ca)
    assert made.not_valid_before_utc >= ca.certificate.not_valid_before_utc
    assert made.not_valid_after_utc <= ca.certificate.not_valid_after_utc


def test_the_request_names_the_code_and_nothing_else() -> None:
    """And proves that its key exists."""
    csr = request_verification(CODE, new_key())
    assert csr.is_signature_valid
    assert [(each.oid, each.value) for each in csr.subject] == [(NameOID.COMMON_NAME, CODE)]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: CA.issue(subject=cn(OTHER_CODE)), "another registration code: that of another account or Region"),
        (lambda: CA.issue(subject=cn("device-1")), "its common name is not the registration code"),
        (lambda: CA.issue(subject=cn(CODE, CODE)), "2 common names"),
        (lambda: CA.issue(subject=pki.name(None)), "0 common names"),
        (lambda: CA.issue(subject=cn(CODE.upper())), "another registration code"),
        (lambda: RSA_CA.issue(subject=cn(CODE)), "was not signed by the key of this CA"),
        (lambda: RSA_CA.issue(subject=cn(CODE), issuer=CA.certificate.subject), "was not signed by the key of this CA"),
        (lambda: CA.issue(subject=cn(CODE), not_after=pki.now() - timedelta(hours=1)), "it expired at"),
        (lambda: CA.issue(subject=cn(CODE), not_before=pki.now() + timedelta(hours=1)), "it is not valid before"),
    ],
    ids=[
        "code of another account",
        "a device",
        "two names",
        "no name",
        "capitals",
        "another CA",
        "forged",
        "expired",
        "from tomorrow",
    ],
)
def test_what_aws_would_refuse_is_refused_here(make: Callable[[], pki.Device], complaint: str) -> None:
    """Each with the sentence that says what to mend."""
    with pytest.raises(NotVerifying, match=complaint):
        verify(make().certificate)
