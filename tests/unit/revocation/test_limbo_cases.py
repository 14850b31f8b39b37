"""The eight CRL cases of x509-limbo, rebuilt from their descriptions; docs/decisions says where we differ from it.

https://x509-limbo.com, namespace `rfc5280::crl`. A verdict of undetermined is limbo's failure: nothing is activated.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509

from jitr.errors import Reason
from jitr.revocation import Options, RevocationStatus, RevocationVerdict, decide
from jitr_local import pki
from tests.worlds import raw_der

AT = datetime.now(UTC)
BASIC = (x509.BasicConstraints(ca=True, path_length=0), True)
GOOD, REVOKED, UNDETERMINED = RevocationStatus.GOOD, RevocationStatus.REVOKED, RevocationStatus.UNDETERMINED


@pytest.fixture(scope="module")
def ca() -> pki.CertificateAuthority:
    """An issuer with keyCertSign and cRLSign."""
    return pki.CertificateAuthority.create()


@pytest.fixture(scope="module")
def device(ca: pki.CertificateAuthority) -> x509.Certificate:
    """Its end entity."""
    return ca.issue(serial=0x5EED).certificate


def verdict(
    ca: pki.CertificateAuthority, device: x509.Certificate, *crls: bytes, strict: bool = False
) -> RevocationVerdict:
    """Return what the CRLs say."""
    return decide(device, ca.certificate, crls, at=AT, options=Options(require_number=strict, require_crl_sign=strict))


def test_a_revoked_certificate(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """Limbo: fails. We: revoked."""
    assert verdict(ca, device, ca.crl([device.serial_number])).status is REVOKED


def test_a_crl_whose_number_is_missing(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """Limbo: fails. We: a warning, and a failure where the number is required."""
    answer = verdict(ca, device, ca.crl(number=None))
    assert (answer.status, len(answer.warnings)) == (GOOD, 1)
    assert verdict(ca, device, ca.crl(number=None), strict=True).reason is Reason.MALFORMED


def test_a_certificate_that_is_not_listed(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """Limbo: succeeds. We: good."""
    assert verdict(ca, device, ca.crl([device.serial_number + 1])).status is GOOD


def test_a_serial_number_that_is_listed_under_another_issuer(
    ca: pki.CertificateAuthority, device: x509.Certificate
) -> None:
    """Limbo: succeeds, with the issuer's own CRL beside it. We: good, and without that one nothing is known."""
    foreign = pki.CertificateAuthority.create("Other CA").crl([device.serial_number])
    assert verdict(ca, device, foreign, ca.crl()).status is GOOD
    answer = verdict(ca, device, foreign)
    assert (answer.status, answer.reason) == (UNDETERMINED, Reason.ISSUER_MISMATCH)


def test_a_crl_whose_number_is_critical(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """Limbo: fails. We: malformed."""
    number = raw_der.extension("cRLNumber", raw_der.integer(1), critical=True)
    assert verdict(ca, device, raw_der.crl(ca, extensions=[number])).reason is Reason.MALFORMED


def issuer(*extensions: tuple[x509.ExtensionType, bool]) -> pki.CertificateAuthority:
    """Return an issuer with basicConstraints and these extensions."""
    return pki.CertificateAuthority.create(extensions=[BASIC, *extensions])


def test_an_issuer_without_crl_sign() -> None:
    """Limbo: fails. We: no signer of CRLs."""
    ca = issuer((pki.ca_key_usage(crl_sign=False), True))
    assert verdict(ca, ca.issue().certificate, ca.crl()).reason is Reason.NOT_CRL_SIGNER


def test_an_issuer_without_key_usage() -> None:
    """Limbo: succeeds. We: good with a warning, and a failure with `crl_sign = "required"`, as RFC 10007 asks."""
    ca = issuer()
    device = ca.issue().certificate
    answer = verdict(ca, device, ca.crl())
    assert (answer.status, len(answer.warnings)) == (GOOD, 1)
    assert verdict(ca, device, ca.crl(), strict=True).reason is Reason.NOT_CRL_SIGNER


def test_an_issuer_with_both() -> None:
    """Limbo: succeeds. We: good, and nothing to warn of."""
    ca = issuer((pki.ca_key_usage(), True))
    answer = verdict(ca, ca.issue().certificate, ca.crl(), strict=True)
    assert (answer.status, answer.warnings) == (GOOD, ())
