"""The facts that a device certificate itself tells: what AWS IoT makes of it when it fills policy variables."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography import x509

from jitr.certificates import fingerprint
from jitr_fleet.policies.evaluation.facts import NAME_SIDES, CertificateFacts
from jitr_fleet.policies.language.variables import NAME_FIELDS

_MAXIMUM_BYTES = 1024 * 1024
_FIELDS = {oid: name for name, oid in NAME_FIELDS.items()}


def facts_from_certificate(certificate: x509.Certificate) -> CertificateFacts:
    """Return id, serial number, and the values of subject, issuer and alternative names, each in its order.

    Not checked: who signed the certificate, and whether it is valid. Raises ValueError where names cannot be read.
    """
    try:
        with warnings.catch_warnings():
            # Longer names than RFC 5280 allows are facts too.
            warnings.simplefilter("ignore", UserWarning)
            pairs = list(_names(certificate))
    except Exception as error:
        # Parsers of hostile bytes raise more kinds than they document.
        raise ValueError(f"the certificate's names cannot be read: {type(error).__name__}") from error
    names: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        names[name] = (*names.get(name, ()), value)
    return CertificateFacts(
        certificate_id=fingerprint(certificate),
        serial_number=certificate.serial_number,
        names=names,
        said=frozenset(NAME_SIDES),
    )


class CertificateFileError(Exception):
    """A file that gives no facts of a certificate; the message says why."""


def facts_from_file(file: Path) -> CertificateFacts:
    """Return the facts of the certificate in a file, the first one in PEM; raises CertificateFileError."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAXIMUM_BYTES)
    except OSError as error:
        raise CertificateFileError(f"{file} cannot be read: {error.strerror}") from error
    try:
        with warnings.catch_warnings():
            # Serial numbers of zero or less are facts too.
            warnings.simplefilter("ignore")
            load = x509.load_der_x509_certificate if data[:1] == b"\x30" else x509.load_pem_x509_certificate
            return facts_from_certificate(load(data))
    except Exception as error:
        # Parsers of hostile bytes raise more kinds than they document.
        raise CertificateFileError(f"{file} holds no readable certificate") from error


def _names(certificate: x509.Certificate) -> Iterator[tuple[str, str]]:
    for side, name in (("Subject", certificate.subject), ("Issuer", certificate.issuer)):
        for attribute in name:
            if (part := _FIELDS.get(attribute.oid.dotted_string)) is not None:
                yield f"{side}.{part}", str(attribute.value)
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            yield from _alternative_names("Subject", extension.value)
        elif isinstance(extension.value, x509.IssuerAlternativeName):
            yield from _alternative_names("Issuer", extension.value)


def _alternative_names(side: str, names: Iterable[x509.GeneralName]) -> Iterator[tuple[str, str]]:
    for name in names:
        match name:
            case x509.RFC822Name(value=text):
                yield f"{side}.AlternativeName.RFC822Name", text
            case x509.DNSName(value=text):
                yield f"{side}.AlternativeName.DNSName", text
            case x509.UniformResourceIdentifier(value=text):
                yield f"{side}.AlternativeName.UniformResourceIdentifier", text
            case x509.IPAddress(value=address):
                yield f"{side}.AlternativeName.IPAddress", str(address)
            case x509.DirectoryName(value=directory):
                yield f"{side}.AlternativeName.DirectoryName", directory.rfc4514_string()
