"""Rules about one device certificate: really issued by the CA, valid now, strong enough, usable as a name.

Pure: bytes, certificates and a time go in; nothing comes out, or an error does. Nothing is said here about revocation
(revocation.py), nor about the CA's own state in AWS IoT (certificate_authorities.py). Only the fields that a rule
needs are read, because some device certificates in the field carry extensions that no strict parser accepts.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from jitr.errors import Reason, Rejected, Undecided, Waiting
from jitr.settings import ThingNameSource

MINIMUM_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_SIGNATURE_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
# Results about certificates that are kept: each device's activation asks for those of its CA again and again.
_KEPT = 64
# AWS IoT's own pattern for Thing names (API reference, CreateThing).
_THING_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,128}")


@lru_cache(maxsize=_KEPT)
def load_certificate(pem: str) -> x509.Certificate:
    """Read the one certificate of a PEM text; raises Undecided (`malformed_certificate`) for anything else."""
    try:
        (certificate,) = x509.load_pem_x509_certificates(pem.encode("utf-8"))
    except Exception as error:
        # Parsers of hostile bytes raise more kinds than they document; whatever it is, this is no certificate.
        raise Undecided(
            Reason.MALFORMED_CERTIFICATE, f"AWS IoT returned no readable certificate: {type(error).__name__}"
        ) from error
    return certificate


def fingerprint(certificate: x509.Certificate) -> str:
    """Return SHA-256 of the DER in lower-case hex, which is AWS IoT's certificate id."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def verify_issued_by(certificate: x509.Certificate, ca: x509.Certificate) -> None:
    """Check issuer name and signature against the CA; raises Rejected (`wrong_signature`, `weak_signature`).

    Not checked: the CA's own validity, basicConstraints or chain. RFC 5280 section 6.1.3 (a)(1) and (a)(4).
    """
    algorithm = _signature_hash(certificate)
    if not isinstance(algorithm, _SIGNATURE_HASHES):
        name = algorithm.name if algorithm else "no separate hash"
        raise Rejected(Reason.WEAK_SIGNATURE, f"the certificate's signature uses {name}; SHA-256 or better is required")
    try:
        certificate.verify_directly_issued_by(ca)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise Rejected(Reason.WRONG_SIGNATURE, "the certificate was not signed by the key of its CA") from error


def _signature_hash(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    try:
        return certificate.signature_hash_algorithm
    except Exception as error:
        raise Rejected(Reason.WEAK_SIGNATURE, "the certificate's signature algorithm is unknown") from error


def verify_validity(certificate: x509.Certificate, *, at: datetime) -> None:
    """Check that `at` lies inside the validity period, both ends included (RFC 5280 section 4.1.2.5).

    Raises Waiting (`certificate_not_yet_valid`) or Rejected (`certificate_expired`).
    """
    if at < certificate.not_valid_before_utc:
        begins = certificate.not_valid_before_utc.isoformat()
        raise Waiting(Reason.CERTIFICATE_NOT_YET_VALID, f"the certificate is not valid before {begins}")
    if at > certificate.not_valid_after_utc:
        ended = certificate.not_valid_after_utc.isoformat()
        raise Rejected(Reason.CERTIFICATE_EXPIRED, f"the certificate's validity ended at {ended}")


def verify_strength(certificate: x509.Certificate) -> None:
    """Check the public key: RSA of 2,048 bits or more with a usable exponent, or ECDSA on P-256, P-384 or P-521.

    Raises Rejected (`weak_key`). Not checked: keys known to be compromised. AWS IoT, "X.509 client certificates".
    """
    try:
        key = certificate.public_key()
    except Exception as error:
        raise Rejected(Reason.WEAK_KEY, "the certificate's public key is of no usable kind") from error
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MINIMUM_RSA_BITS:
            raise Rejected(Reason.WEAK_KEY, f"an RSA key of {key.key_size} bits; {MINIMUM_RSA_BITS} are required")
    elif not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)):
        raise Rejected(Reason.WEAK_KEY, "the key is neither RSA nor ECDSA on a NIST curve that AWS IoT accepts")


def thing_name(certificate: x509.Certificate, source: ThingNameSource) -> str | None:
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
            return _validated_thing_name(f"{certificate.serial_number:x}")
        case ThingNameSource.CN:
            return _validated_thing_name(common_name(certificate))


def common_name(certificate: x509.Certificate) -> str:
    """Return the one common name of the subject; raises Rejected (`unusable_name`) when there is none or several."""
    try:
        with warnings.catch_warnings():
            # Names longer than RFC 5280 allows are refused below, with a reason; a warning in the log helps nobody.
            warnings.simplefilter("ignore", UserWarning)
            attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            values = [str(attribute.value) for attribute in attributes]
    except Exception as error:
        raise Rejected(Reason.UNUSABLE_NAME, "the certificate's subject cannot be read") from error
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
def issuer_key(ca: x509.Certificate) -> str:
    """Return what identifies the issuer of certificates and CRLs: hash of its name and public key, in hex.

    AWS IoT allows several CA certificates with one subject and one key; they share serial numbers and CRLs.
    """
    spki = ca.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(
        hashlib.sha256(ca.subject.public_bytes()).digest() + hashlib.sha256(spki).digest()
    ).hexdigest()


def distribution_points(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the URIs of the certificate's CRL distribution points; none where the extension cannot be read."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        return tuple(
            name.value
            for point in points
            for name in point.full_name or ()
            if isinstance(name, x509.UniformResourceIdentifier)
        )
    except Exception:  # noqa: BLE001 - extensions of hostile certificates fail in undocumented ways; this is a hint only
        return ()
