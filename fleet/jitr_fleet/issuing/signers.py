"""What signs: a CA's certificate and key that belong together and may sign, and the extensions that all CAs write."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from jitr.certificates import MINIMUM_RSA_BITS, AnyCertificate, Certificate
from jitr.certificates.der import DerError
from jitr.certificates.signature import SignatureRefused

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
# What a signature on a certificate or a CRL is verified with (jitr.certificates.signature).
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class NotIssued(ValueError):  # noqa: N818 - a refusal, not a defect
    """What must not be made like this: a CA, a certificate, a CRL; the message is one sentence for whoever asked."""


def verify_pair(certificate: AnyCertificate, key: object) -> PrivateKey:
    """Return the key if it is the certificate's and of a kind that may sign; raises NotIssued."""
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise NotIssued("the CA's key is neither RSA nor ECDSA")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MINIMUM_RSA_BITS:
        raise NotIssued(f"the CA's RSA key has {key.key_size} bits; {MINIMUM_RSA_BITS} are required")
    if isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(key.curve, _CURVES):
        raise NotIssued("the CA's key is on a curve that is not accepted; P-256, P-384 and P-521 are")
    if key.public_key() != _public_key(certificate):
        raise NotIssued("the key does not belong to the CA certificate")
    return key


def verify_may_sign(certificate: AnyCertificate, what: str, allows: Callable[[Certificate], bool], bit: str) -> None:
    """Check that a certificate is a CA's whose keyUsage, where present, has the `bit` that `allows` reads.

    basicConstraints must say cA, which version 1 certificates cannot (RFC 5280 section 4.2.1.9). Not checked: validity,
    who signed it. Raises NotIssued, which says that it may not sign `what`.
    """
    try:
        ca = Certificate.of(certificate)
        is_ca, allowed = ca.is_ca or ca.version < 3, allows(ca)  # noqa: PLR2004 - X.509 version
    except DerError as error:
        raise NotIssued(f"the CA certificate cannot be read: {error}") from error
    _public_key(ca)
    if not is_ca:
        raise NotIssued("the certificate is no CA (basicConstraints does not say CA:TRUE)")
    if not allowed:
        raise NotIssued(f"the CA certificate's keyUsage does not allow to sign {what} ({bit})")


def key_usage(*usages: str) -> x509.KeyUsage:
    """Return a keyUsage extension with these, as x509.KeyUsage names them, and no others."""
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: name in usages for name in names.split()})


def authority_key_identifier(ca: AnyCertificate) -> x509.AuthorityKeyIdentifier:
    """Return what names a CA's key in what it signs: its own identifier, or the SHA-1 of the key."""
    known = Certificate.of(ca).subject_key_identifier
    if known is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier(known, None, None)


def _public_key(certificate: AnyCertificate) -> object:
    try:
        return Certificate.of(certificate).public_key()
    except (DerError, SignatureRefused) as error:
        raise NotIssued(f"the CA certificate cannot be read: {error}") from error
