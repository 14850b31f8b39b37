"""Making a CA with a key of one's own: a root, or an intermediate that a given CA signs (RFC 5280 section 4.2.1).

For development, tests and small fleets. The CA that AWS IoT needs is the one that signs the devices, so that
pathLenConstraint 0 is what comes out unless a root is to sign intermediates.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from jitr.certificates import AnyCertificate, Certificate
from jitr.certificates.der import DerError
from jitr.certificates.names import same_name
from jitr_fleet.issuing.signers import NotIssued, PrivateKey, authority_key_identifier, key_usage

KEY_KINDS = ("ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096")
_CURVES: dict[str, ec.EllipticCurve] = {"ec-p256": ec.SECP256R1(), "ec-p384": ec.SECP384R1()}
_PUBLIC_EXPONENT = 65537
_CLOCK_SKEW = timedelta(minutes=5)  # a CA made here must be valid where clocks are a little behind
_LONGEST_NAME = 64  # RFC 5280 appendix A.1, ub-common-name and ub-organization-name


@dataclass(frozen=True, kw_only=True)
class CaRequest:
    """What a CA is to be; `path_length` is how many CAs may stand below it, 0 for one that signs devices."""

    common_name: str
    organization: str | None
    days: int
    path_length: int = 0

    def subject(self) -> x509.Name:
        """Return the subject; raises NotIssued for texts that do not fit into a name."""
        texts = [(NameOID.ORGANIZATION_NAME, self.organization), (NameOID.COMMON_NAME, self.common_name)]
        for _, text in texts:
            if text is not None and not (1 <= len(text) <= _LONGEST_NAME and text.isprintable()):
                raise NotIssued(f"names have 1 to {_LONGEST_NAME} printable characters")
        return x509.Name([x509.NameAttribute(kind, text) for kind, text in texts if text is not None])


def new_private_key(kind: str) -> PrivateKey:
    """Make a private key of one of KEY_KINDS."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind])
    return rsa.generate_private_key(public_exponent=_PUBLIC_EXPONENT, key_size=int(kind.removeprefix("rsa-")))


def sign_root(request: CaRequest, key: PrivateKey, *, at: datetime) -> x509.Certificate:
    """Return a self-signed CA that is valid from five minutes before `at` on; raises NotIssued."""
    subject = request.subject()
    builder = _builder(request, key, start=_start(at)).issuer_name(subject)
    return builder.not_valid_after(_end(request, at)).sign(key, hashes.SHA256())


def sign_intermediate(
    request: CaRequest, key: PrivateKey, *, issuer: x509.Certificate, issuer_key: PrivateKey, at: datetime
) -> x509.Certificate:
    """Return a CA below `issuer`, which it does not outlive; raises NotIssued where the issuer may not sign it."""
    verify_may_sign_ca(issuer, path_length=request.path_length, at=at)
    if request.subject() == issuer.subject:
        raise NotIssued("the new CA has its issuer's name; who checks a chain could not tell them apart")
    builder = (
        _builder(request, key, start=max(_start(at), issuer.not_valid_before_utc))
        .issuer_name(issuer.subject)
        .not_valid_after(min(_end(request, at), issuer.not_valid_after_utc))
        .add_extension(authority_key_identifier(issuer), critical=False)
    )
    certificate = builder.sign(issuer_key, hashes.SHA256())
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError) as error:
        raise NotIssued("the issuer's key does not belong to its certificate") from error
    return certificate


def verify_may_sign_ca(issuer: x509.Certificate, *, path_length: int, at: datetime) -> None:
    """Check that a CA may stand below `issuer` now: basicConstraints, keyUsage, validity; raises NotIssued."""
    try:
        read = Certificate.of(issuer)
        is_ca, allowed, may_sign = read.is_ca, read.path_length, read.may_sign_certificates
    except DerError as error:
        raise NotIssued(f"the issuer's certificate cannot be read: {error}") from error
    if not is_ca:
        raise NotIssued("the issuer is no CA (basicConstraints does not say CA:TRUE)")
    if allowed is not None and allowed <= path_length:
        raise NotIssued(
            f"the issuer's pathLenConstraint is {allowed}: a CA with {path_length} may not stand below "
            "it; make the issuer with --path-length"
        )
    if not may_sign:
        raise NotIssued("the issuer's keyUsage does not allow to sign certificates (keyCertSign)")
    if not issuer.not_valid_before_utc <= at <= issuer.not_valid_after_utc:
        raise NotIssued("the issuer is outside its validity")


def is_root_for_cas(ca: AnyCertificate) -> bool:
    """Return whether a CA is self-signed and allows CAs below it: one of those may be what signs the devices."""
    read = Certificate.of(ca)
    return same_name(read.subject, read.issuer) and read.is_ca and read.path_length != 0


def _builder(request: CaRequest, key: PrivateKey, *, start: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(request.subject())
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .add_extension(x509.BasicConstraints(ca=True, path_length=request.path_length), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _start(at: datetime) -> datetime:
    return at.replace(microsecond=0) - _CLOCK_SKEW


def _end(request: CaRequest, at: datetime) -> datetime:
    return at.replace(microsecond=0) + timedelta(days=request.days)
