"""A certificate authority for the demo and the tests: every default is valid, a caller names only what is different.

Not for production: keys are made in memory, unencrypted, and `jitr ca create` is the way to a real one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from jitr_fleet.issuing import signers

PrivateKey: TypeAlias = signers.PrivateKey
DAY = timedelta(days=1)
_CURVES: dict[str, ec.EllipticCurve] = {"224": ec.SECP224R1(), "256": ec.SECP256R1(), "384": ec.SECP384R1()}


def now() -> datetime:
    """Return this second in UTC; certificates and CRLs hold no fractions."""
    return datetime.now(UTC).replace(microsecond=0)


def new_key(kind: str = "P-256") -> PrivateKey:
    """Return a fresh private key, by kind: `P-256`, `P-384`, `RSA-2048` and so on."""
    match kind.split("-"):
        case ["RSA", bits]:
            return rsa.generate_private_key(public_exponent=65537, key_size=int(bits))
        case ["P", bits]:
            return ec.generate_private_key(_CURVES[bits])
    raise ValueError(kind)


def name(common_name: str | None, organization: str = "Example Devices") -> x509.Name:
    """Return a distinguished name; `None` leaves the common name out."""
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)]
    if common_name is not None:
        attributes.append(common_name_attribute(common_name))
    return x509.Name(attributes)


def common_name_attribute(text: str) -> x509.NameAttribute[str]:
    """Return a common name of any text and length: hostile ones are wanted too."""
    with warnings.catch_warnings():
        # RFC 5280 allows 1 to 64 characters; the library warns about others and encodes them all the same.
        warnings.simplefilter("ignore", UserWarning)
        return x509.NameAttribute(NameOID.COMMON_NAME, text, _validate=False)


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def der(thing: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    """Return a certificate or CRL as DER bytes."""
    return thing.public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True)
class Device:
    """A device's certificate and private key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def certificate_id(self) -> str:
        """Return the AWS IoT certificate id: SHA-256 of the DER, in lower-case hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def key_pem(self) -> str:
        """Return the private key as unencrypted PKCS #8 PEM."""
        return private_pem(self.key)


def private_pem(key: PrivateKey) -> str:
    """Return a private key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


@dataclass(frozen=True)
class CertificateAuthority:
    """A self-signed CA that issues device certificates and CRLs."""

    certificate: x509.Certificate
    key: PrivateKey

    @classmethod
    def create(
        cls,
        common_name: str = "Factory CA 1",
        *,
        key: str | PrivateKey = "P-256",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        key_usage: x509.KeyUsage | None = None,
        path_length: int | None = 0,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] | None = None,
    ) -> Self:
        """Make a CA; `extensions` replaces the default ones (basicConstraints, keyUsage, subjectKeyIdentifier).

        With a `path_length` of 0 it signs devices and no CAs; None allows any number of CAs below it.
        """
        private = new_key(key) if isinstance(key, str) else key
        if extensions is None:
            extensions = [
                (x509.BasicConstraints(ca=True, path_length=path_length), True),
                (key_usage or ca_key_usage(), True),
                (x509.SubjectKeyIdentifier.from_public_key(private.public_key()), False),
            ]
        subject = name(common_name)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or now() - DAY)
            .not_valid_after(not_after or now() + 3650 * DAY)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return cls(certificate=builder.sign(private, hashes.SHA256()), key=private)

    @property
    def ca_certificate_id(self) -> str:
        """Return SHA-256 of the CA certificate's DER, in lower-case hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def issue(
        self,
        common_name: str | None = "device-1",
        *,
        key: str | PrivateKey = "P-256",
        serial: int | None = None,
        subject: x509.Name | None = None,
        issuer: x509.Name | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
        algorithm: hashes.HashAlgorithm | None = None,
    ) -> Device:
        """Issue a device certificate; `serial` is random, validity a year and `algorithm` SHA-256 unless given."""
        private = new_key(key) if isinstance(key, str) else key
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject or name(common_name))
            .issuer_name(issuer or self.certificate.subject)
            .public_key(private.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(not_before or now() - DAY)
            .not_valid_after(not_after or now() + 365 * DAY)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        signed = builder.sign(self.key, algorithm or hashes.SHA256())  # type: ignore[arg-type]
        return Device(certificate=signed, key=private)

    def crl(
        self,
        revoked: Iterable[int | x509.RevokedCertificate] = (),
        *,
        number: int | None = 1,
        this_update: datetime | None = None,
        next_update: datetime | None = None,
        issuer: x509.Name | None = None,
        extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
        algorithm: hashes.HashAlgorithm | None = None,
        signing_key: PrivateKey | None = None,
    ) -> bytes:
        """Sign a CRL (DER) that lists `revoked` serials; valid for a week from an hour ago unless told otherwise."""
        this_update = this_update or now() - timedelta(hours=1)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer or self.certificate.subject)
            .last_update(this_update)
            .next_update(next_update or this_update + 7 * DAY)
        )
        if number is not None:
            builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        for entry in revoked:
            builder = builder.add_revoked_certificate(revoked_entry(entry) if isinstance(entry, int) else entry)
        signing = signing_key or self.key
        return der(builder.sign(signing, algorithm or hashes.SHA256()))  # type: ignore[arg-type]


def ca_key_usage(*, crl_sign: bool = True, key_cert_sign: bool = True) -> x509.KeyUsage:
    """Return a CA's keyUsage extension."""
    asked = (("key_cert_sign", key_cert_sign), ("crl_sign", crl_sign))
    return signers.key_usage("digital_signature", *(name for name, wanted in asked if wanted))


def revoked_entry(
    serial: int,
    *,
    reason: x509.ReasonFlags | None = None,
    revoked_at: datetime | None = None,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> x509.RevokedCertificate:
    """Return a CRL entry; without a reason it carries no extension, as `openssl ca -gencrl` writes it."""
    builder = (
        x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(revoked_at or now() - timedelta(hours=2))
    )
    if reason is not None:
        builder = builder.add_extension(x509.CRLReason(reason), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.build()
