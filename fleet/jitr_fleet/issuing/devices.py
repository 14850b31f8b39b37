"""Making device certificates: key, request and certificate, such that the activation function takes them.

Whatever is made goes through the function's own rules before anybody gets it, so that no device made here ends as
`unusable_name`, `weak_key` or `wrong_signature` in the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from jitr import certificates
from jitr.errors import ActivationError
from jitr.policies.values import DEVICE_VALUES
from jitr.settings import ThingNameSource
from jitr_fleet.issuing.signers import (
    NotIssued,
    PrivateKey,
    authority_key_identifier,
    key_usage,
    verify_may_sign,
    verify_pair,
)

# RFC 5280 section 4.1.2.2: positive, 20 octets with the sign.
LONGEST_SERIAL_BITS = 159
# Devices and the function do not always agree on the time.
_BACKDATED = timedelta(minutes=5)
# What small devices have; AWS IoT accepts more.
DEVICE_KEY_KINDS = ("ec-p256", "rsa-2048")


@dataclass(frozen=True, kw_only=True)
class DeviceFiles:
    """What a device gets, in PEM; `chain` has the device's certificate first, then its CA's.

    `key` is None where the device made it, and the request, itself.
    """

    key: bytes | None
    request: bytes
    certificate: bytes
    chain: bytes


@dataclass(frozen=True, kw_only=True)
class IssuingCa:
    """A CA certificate and its private key, which were seen to belong together and to be allowed to issue."""

    certificate: x509.Certificate
    key: PrivateKey

    @classmethod
    def of(cls, certificate: x509.Certificate, key: object, *, at: datetime) -> IssuingCa:
        """Pair a certificate with its key; raises NotIssued. Not checked: who signed the CA, its path length."""
        verify_may_issue(certificate, at=at)
        return cls(certificate=certificate, key=verify_pair(certificate, key))

    def issue(
        self,
        request: x509.CertificateSigningRequest,
        *,
        serial: int,
        lifetime: timedelta,
        distribution_point: str | None,
        at: datetime,
    ) -> x509.Certificate:
        """Sign a device certificate with SHA-256 (RFC 5280 profile, clientAuth); raises NotIssued.

        Not checked: the serial number's uniqueness. The subject is the request's; its extensions are ignored.
        """
        begins = max(at - _BACKDATED, self.certificate.not_valid_before_utc)
        ends = at + lifetime
        if ends > self.certificate.not_valid_after_utc:
            last = self.certificate.not_valid_after_utc
            raise NotIssued(f"the CA certificate ends at {last:%Y-%m-%d}, before the device's would: give fewer --days")
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self.certificate.subject)
            .public_key(request.public_key())
            .serial_number(serial)
            .not_valid_before(begins)
            .not_valid_after(ends)
        )
        for extension, critical in self._extensions(request, distribution_point):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, hashes.SHA256())

    def _extensions(
        self, request: x509.CertificateSigningRequest, distribution_point: str | None
    ) -> list[tuple[x509.ExtensionType, bool]]:
        key = request.public_key()
        rsa_only = ["key_encipherment"] if isinstance(key, rsa.RSAPublicKey) else []
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (key_usage("digital_signature", *rsa_only), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
            (x509.SubjectKeyIdentifier.from_public_key(key), False),
            (authority_key_identifier(self.certificate), False),
        ]
        if distribution_point is not None:
            name = x509.UniformResourceIdentifier(distribution_point)
            point = x509.DistributionPoint(full_name=[name], relative_name=None, reasons=None, crl_issuer=None)
            extensions.append((x509.CRLDistributionPoints([point]), False))
        return extensions


def verify_may_issue(ca: x509.Certificate, *, at: datetime) -> None:
    """Check that a certificate is a CA's, valid now, and may sign certificates; raises NotIssued.

    basicConstraints must say cA (version 1 certificates cannot), keyUsage, where present, keyCertSign.
    """
    verify_may_sign(ca, "certificates", lambda read: read.may_sign_certificates, "keyCertSign")
    if not ca.not_valid_before_utc <= at <= ca.not_valid_after_utc:
        raise NotIssued("the CA certificate is outside its validity")


def request_for(common_name: str, key: PrivateKey) -> x509.CertificateSigningRequest:
    """Return a certificate request for a device; raises NotIssued for a name that the function would not take."""
    verify_common_name(common_name)
    return x509.CertificateSigningRequestBuilder().subject_name(_subject(common_name)).sign(key, hashes.SHA256())


def verify_common_name(common_name: str) -> None:
    """Check that a common name serves as Thing name and in a policy, as the function checks it; raises NotIssued."""
    if not 1 <= len(common_name) <= DEVICE_VALUES["device.common_name"].longest:
        raise NotIssued(f"a common name has 1 to {DEVICE_VALUES['device.common_name'].longest} characters (X.520)")
    if not common_name.isprintable():
        raise NotIssued("the common name has characters that cannot be printed")
    try:
        certificates.thing_name(_named(common_name), ThingNameSource.CN)
    except ActivationError as refusal:
        raise NotIssued(refusal.message) from refusal


def new_serial() -> int:
    """Return a random serial number of 159 bits: positive, unique without a list, 20 octets at most."""
    return x509.random_serial_number()


def verify_serial(serial: int) -> None:
    """Check a serial number that was chosen; raises NotIssued."""
    if not 0 < serial < 1 << LONGEST_SERIAL_BITS:
        raise NotIssued("a serial number is positive and has at most 20 octets")


def verify_activatable(certificate: x509.Certificate, ca: x509.Certificate, *, at: datetime) -> None:
    """Run the function's rules for a certificate (step 4) on one that was made; raises NotIssued."""
    try:
        certificates.verify_issued_by(certificate, ca)
        certificates.verify_validity(certificate, at=at)
        certificates.verify_strength(certificate)
        certificates.thing_name(certificate, ThingNameSource.CN)
    except ActivationError as refusal:
        raise NotIssued(f"the certificate would not be activated: {refusal.reason}: {refusal.message}") from refusal


def device_files(
    key: PrivateKey | None, request: x509.CertificateSigningRequest, certificate: x509.Certificate, ca: x509.Certificate
) -> DeviceFiles:
    """Return what the device gets; raises NotIssued where key, request and certificate do not belong together.

    Without a key the request stands for it.
    """
    wanted = request.public_key() if key is None else key.public_key()
    if certificate.public_key() != wanted or certificate.subject != request.subject:
        raise NotIssued("the CA returned a certificate for another key or name than the request's")
    pem = serialization.Encoding.PEM
    leaf = certificate.public_bytes(pem)
    return DeviceFiles(
        key=None
        if key is None
        else key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        request=request.public_bytes(pem),
        certificate=leaf,
        chain=leaf + ca.public_bytes(pem),
    )


def _named(common_name: str) -> x509.Certificate:
    """Return a throw-away certificate with a name, for the function's rule reads names from certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    at = datetime.now(UTC)
    name = _subject(common_name)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    return builder.serial_number(1).not_valid_before(at).not_valid_after(at).sign(key, hashes.SHA256())


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
