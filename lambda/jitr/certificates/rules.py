"""Rules about one device certificate: really issued by the CA, valid now, strong enough, usable as a name.

Pure: certificates and a time go in; nothing comes out, or an error does. Nothing is said here about revocation (the
room of that name), nor about the CA's own state in AWS IoT. Only the fields that a rule needs are read, because some
device certificates in the field carry extensions that no strict parser accepts.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jitr.certificates.certificate import AnyCertificate, Certificate
from jitr.certificates.der import DerError
from jitr.certificates.names import COMMON_NAME, same_name, texts_of
from jitr.certificates.signature import SignatureRefused, signature_algorithm, verify_signature
from jitr.errors import Reason, Rejected, Waiting
from jitr.settings import ThingNameSource

MINIMUM_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
# Results about certificates that are kept: each device's activation asks for those of its CA again and again.
_KEPT = 64
# AWS IoT's own pattern for Thing names (API reference, CreateThing).
_THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")


def fingerprint(certificate: AnyCertificate) -> str:
    """Return SHA-256 of the DER in lower-case hex, which is AWS IoT's certificate id."""
    return Certificate.of(certificate).fingerprint


def verify_issued_by(certificate: AnyCertificate, ca: AnyCertificate) -> None:
    """Check issuer name and signature against the CA; raises Rejected (`wrong_signature`, `weak_signature`).

    Names match by their characters (RFC 5280 section 7.1), and the signature is verified over the very bytes that are
    read. Not checked: the CA's own validity, basicConstraints or chain. RFC 5280 section 6.1.3 (a)(1) and (a)(4).
    """
    try:
        device, issuer = Certificate.of(certificate), Certificate.of(ca)
        signature_algorithm(device.framed.algorithm)
        if not same_name(device.issuer, issuer.subject):
            raise Rejected(Reason.WRONG_SIGNATURE, "the certificate names another issuer than its CA")
        verify_signature(device.der, device.framed, issuer.public_key())
    except DerError as error:
        raise Rejected(Reason.WRONG_SIGNATURE, f"who issued the certificate cannot be read: {error}") from error
    except SignatureRefused as refusal:
        if refusal.reason is Reason.UNSUPPORTED_ALGORITHM:
            raise Rejected(Reason.WEAK_SIGNATURE, f"the certificate's signature: {refusal.message}") from refusal
        raise Rejected(Reason.WRONG_SIGNATURE, "the certificate was not signed by the key of its CA") from refusal


def verify_validity(certificate: AnyCertificate, *, at: datetime) -> None:
    """Check that `at` lies inside the validity period, both ends included (RFC 5280 section 4.1.2.5).

    Raises Waiting (`certificate_not_yet_valid`) or Rejected (`certificate_expired`, `malformed_certificate`).
    """
    try:
        device = Certificate.of(certificate)
        begins, ended = device.not_valid_before_utc, device.not_valid_after_utc
    except DerError as error:
        raise Rejected(Reason.MALFORMED_CERTIFICATE, f"the certificate cannot be read: {error}") from error
    if at < begins:
        raise Waiting(Reason.CERTIFICATE_NOT_YET_VALID, f"the certificate is not valid before {begins.isoformat()}")
    if at > ended:
        raise Rejected(Reason.CERTIFICATE_EXPIRED, f"the certificate's validity ended at {ended.isoformat()}")


def verify_strength(certificate: AnyCertificate) -> None:
    """Check the public key: RSA of 2,048 bits or more with a usable exponent, or ECDSA on P-256, P-384 or P-521.

    Raises Rejected (`weak_key`). Not checked: keys known to be compromised. AWS IoT, "X.509 client certificates".
    """
    try:
        key = Certificate.of(certificate).public_key()
    except (DerError, SignatureRefused) as error:
        raise Rejected(Reason.WEAK_KEY, "the certificate's public key is of no usable kind") from error
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MINIMUM_RSA_BITS:
            raise Rejected(Reason.WEAK_KEY, f"an RSA key of {key.key_size} bits; {MINIMUM_RSA_BITS} are required")
    elif not isinstance(key, ec.EllipticCurvePublicKey):
        kind = type(key).__name__.removesuffix("PublicKey")
        raise Rejected(Reason.WEAK_KEY, f"the key is {kind}, neither RSA nor ECDSA on a NIST curve")
    elif not isinstance(key.curve, _CURVES):
        raise Rejected(Reason.WEAK_KEY, f"the key is on {key.curve.name}; AWS IoT accepts P-256, P-384 and P-521")


def thing_name(certificate: AnyCertificate, source: ThingNameSource) -> str | None:
    """Return the device's Thing name, or None where Things are off.

    A serial number becomes lower-case hex. Raises Rejected (`unusable_name`) unless the text passes AWS IoT's own
    pattern as it stands: nothing is cut, replaced or escaped, because two devices must never become one name.
    """
    match source:
        case ThingNameSource.OFF:
            return None
        case ThingNameSource.CERTIFICATE_ID:
            return fingerprint(certificate)
        case ThingNameSource.SERIAL:
            return _validated_thing_name(f"{Certificate.of(certificate).serial_number:x}")
        case ThingNameSource.CN:
            return _validated_thing_name(common_name(certificate))


def common_name(certificate: AnyCertificate) -> str:
    """Return the one common name of the subject; raises Rejected (`unusable_name`) when there is none or several."""
    try:
        values = texts_of(Certificate.of(certificate).subject, COMMON_NAME)
    except DerError as error:
        raise Rejected(Reason.UNUSABLE_NAME, f"the certificate's subject cannot be read: {error}") from error
    if len(values) != 1:
        raise Rejected(Reason.UNUSABLE_NAME, f"the subject has {len(values)} common names; exactly one is required")
    return values[0]


def _validated_thing_name(text: str) -> str:
    if not _THING_NAME.fullmatch(text):
        # The text is not repeated: it comes from a certificate and may hold anything.
        raise Rejected(
            Reason.UNUSABLE_NAME,
            f"the name ({len(text)} characters) is no Thing name: 1 to 128 of A-Z a-z 0-9 : _ -",
        )
    return text


@lru_cache(maxsize=_KEPT)
def issuer_key(ca: AnyCertificate) -> str:
    """Return what identifies the issuer of certificates and CRLs: hash of its name and public key, in hex.

    AWS IoT allows several CA certificates with one subject and one key; they share serial numbers and CRLs. Both are
    hashed as the library writes them, which is how the rows of all registries were keyed; as they stand only where
    the library cannot read them.
    """
    issuer = Certificate.of(ca)
    return hashlib.sha256(
        hashlib.sha256(_library_name(issuer)).digest() + hashlib.sha256(_library_key(issuer)).digest()
    ).hexdigest()


def _library_name(issuer: Certificate) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return x509.Name.from_bytes(issuer.subject).public_bytes()
        except Exception:  # noqa: BLE001 - parsers of hostile bytes raise more kinds than they document
            return issuer.subject


def _library_key(issuer: Certificate) -> bytes:
    try:
        key = issuer.public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]
    except (SignatureRefused, ValueError):
        return issuer.public_key_info
