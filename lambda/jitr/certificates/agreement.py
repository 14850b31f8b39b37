"""Strict for on: before a certificate is activated, every field that decides has exactly one reading.

Ours and that of the library (pyca/cryptography) have to agree. A certificate that the library refuses is read by it in
a repaired copy, and only where the difference is one of the harmless kinds of repairs.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import datetime

from cryptography import x509

from jitr.certificates import extensions as ext
from jitr.certificates.certificate import Certificate
from jitr.certificates.der import DerError
from jitr.certificates.names import COMMON_NAME, comparable_name, texts_of
from jitr.certificates.repairs import Repaired, repaired
from jitr.errors import Reason, Rejected

_LONGEST_WORDS = 300
# What RFC 5280 section 4.2.1 defines, what RFC 9608 adds, and Netscape's certificate type, which OpenSSL knows too.
# noRevAvail never makes the CRL superfluous here: who is listed is revoked.
KNOWN = frozenset(
    {
        *(bytes((0x55, 0x1D, number)) for number in (9, 14, 15, 17, 18, 19, 30, 31, 32, 33, 35, 36, 37, 46, 54, 56)),
        bytes.fromhex("2b06010505070101"),  # authorityInfoAccess
        bytes.fromhex("2b0601050507010b"),  # subjectInfoAccess
        bytes.fromhex("6086480186f8420101"),  # netscape-cert-type
    }
)


def verify_one_reading(certificate: Certificate) -> tuple[str, ...]:
    """Check that the library reads of a certificate what we read; returns the harmless oddities that it has.

    Raises Rejected (`malformed_certificate`, `unknown_critical_extension`). Not checked: what the fields say.
    """
    try:
        extensions = certificate.extensions
        certificate.is_ca  # noqa: B018 - reads it
        copy = repaired(certificate)
    except DerError as error:
        raise Rejected(Reason.MALFORMED_CERTIFICATE, f"the certificate cannot be read: {error}") from error
    if unknown := ext.critical_beside(extensions, KNOWN):
        raise Rejected(
            Reason.UNKNOWN_CRITICAL_EXTENSION, f"the certificate has an unknown critical extension ({unknown})"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd names and serial numbers are for the rules to judge
        _verify_same(certificate, copy)
    return copy.oddities


def _verify_same(certificate: Certificate, copy: Repaired) -> None:
    ours: Certificate | None = None
    try:
        ours = Certificate.from_der(copy.der) if copy.oddities else certificate
        library = x509.load_der_x509_certificate(ours.der)
        differing = [field for field, one, other in _fields(ours, library) if one != other]
        # What the repair leaves alone, it has to leave alone.
        differing += [field for field, one, other in _kept(certificate, ours) if one != other]
    except Exception as error:
        # Parsers of hostile bytes raise more kinds than they document; whatever it is, there is no second reading.
        words = str(error)[:_LONGEST_WORDS] or type(error).__name__
        raise Rejected(Reason.MALFORMED_CERTIFICATE, f"a strict reader refuses the certificate: {words}") from error
    if differing:
        raise Rejected(
            Reason.MALFORMED_CERTIFICATE, f"the certificate has two readings: of {', '.join(sorted(set(differing)))}"
        )


def _fields(ours: Certificate, library: x509.Certificate) -> Iterator[tuple[str, object, object]]:
    subject = library.subject.public_bytes()
    yield "what is signed", ours.der[ours.framed.signed.start : ours.framed.signed.end], library.tbs_certificate_bytes
    yield "the serial number", ours.serial_number, library.serial_number
    yield "the issuer", comparable_name(ours.issuer), comparable_name(library.issuer.public_bytes())
    yield "the subject", comparable_name(ours.subject), comparable_name(subject)
    yield "the common name", texts_of(ours.subject, COMMON_NAME), texts_of(subject, COMMON_NAME)
    yield "the validity", _moments(ours), (library.not_valid_before_utc, library.not_valid_after_utc)
    yield "the signature", ours.framed.signature, library.signature


def _kept(certificate: Certificate, ours: Certificate) -> Iterator[tuple[str, object, object]]:
    yield "the serial number", certificate.serial_number, ours.serial_number
    yield "the issuer", comparable_name(certificate.issuer), comparable_name(ours.issuer)
    yield "the subject", comparable_name(certificate.subject), comparable_name(ours.subject)
    yield "the validity", _moments(certificate), _moments(ours)
    yield "the public key", certificate.public_key_info, ours.public_key_info
    yield "the extensions", certificate.extensions, ours.extensions


def _moments(certificate: Certificate) -> tuple[datetime, datetime]:
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc
