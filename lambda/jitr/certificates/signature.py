"""Verifying a signature over bytes in place, with the algorithms that AWS IoT and AWS Private CA use.

The hash runs once over the bytes as they were received: nothing is serialised again, so what is verified is what is
read. SHA-1, MD5 and everything unknown is refused by name, apart from a signature that does not fit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from jitr.certificates.der import (
    BIT_STRING,
    INTEGER,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    DerError,
    Tlv,
    bit_string_octets,
    content,
    dotted,
    elements,
    expect,
    integer,
    only,
    read,
    whole,
)
from jitr.errors import Reason

_SHA2: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# Object identifiers by their content octets: PKCS #1 (RFC 8017 appendix C), X9.62 (RFC 5758), NIST hashes.
_RSA = {
    bytes.fromhex("2a864886f70d01010b"): "sha256",
    bytes.fromhex("2a864886f70d01010c"): "sha384",
    bytes.fromhex("2a864886f70d01010d"): "sha512",
}
_ECDSA = {
    bytes.fromhex("2a8648ce3d040302"): "sha256",
    bytes.fromhex("2a8648ce3d040303"): "sha384",
    bytes.fromhex("2a8648ce3d040304"): "sha512",
}
_PSS = bytes.fromhex("2a864886f70d01010a")
_MGF1 = bytes.fromhex("2a864886f70d010108")
_HASHES = {
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_NULL = b"\x05\x00"

_NAMES = {
    bytes.fromhex("2a864886f70d010104"): "RSA with MD5",
    bytes.fromhex("2a864886f70d010105"): "RSA with SHA1",
    bytes.fromhex("2a864886f70d01010e"): "RSA with SHA224",
    bytes.fromhex("2a8648ce3d0401"): "ECDSA with SHA1",
    bytes.fromhex("2a8648ce3d040301"): "ECDSA with SHA224",
    bytes.fromhex("2b6570"): "Ed25519",
    bytes.fromhex("2b6571"): "Ed448",
    bytes.fromhex("608648016503040311"): "ML-DSA-44",
    bytes.fromhex("608648016503040312"): "ML-DSA-65",
    bytes.fromhex("608648016503040313"): "ML-DSA-87",
}
ACCEPTED = "RSA or ECDSA with SHA-256, SHA-384 or SHA-512"


class SignatureRefused(Exception):  # noqa: N818 - an answer about one signature, not a defect
    """A signature that proves nothing here: `reason` is `unsupported_algorithm` or `bad_signature`."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, kw_only=True)
class SignedFrame:
    """The three parts of anything signed in X.509: what is signed, with which algorithm, the signature."""

    signed: Tlv
    algorithm: bytes
    signature: bytes


@dataclass(frozen=True, kw_only=True)
class SignatureAlgorithm:
    """A signature algorithm that is supported; `salt_length` is None unless it is RSASSA-PSS."""

    family: str
    hash_name: str
    salt_length: int | None = None

    def __str__(self) -> str:
        """Return the name that people know it by."""
        return f"{self.family} with {self.hash_name.upper()}"


def frame(data: bytes) -> SignedFrame:
    """Return the parts of a certificate or CRL that fills `data`; raises DerError."""
    outer = only(data, 0, len(data), SEQUENCE)
    signed = expect(data, outer.body, outer.end, SEQUENCE)
    algorithm = expect(data, signed.end, outer.end, SEQUENCE)
    signature = only(data, algorithm.end, outer.end, BIT_STRING)
    return SignedFrame(signed=signed, algorithm=whole(data, algorithm), signature=bit_string_octets(data, signature))


def signature_algorithm(der: bytes) -> SignatureAlgorithm:
    """Return what an AlgorithmIdentifier names; raises SignatureRefused (`unsupported_algorithm`) or DerError.

    RSA (PKCS #1 v1.5 and PSS) and ECDSA, each with SHA-256, SHA-384 or SHA-512. RFC 4055, RFC 5758. The NULL that
    Mbed TLS writes as ECDSA's parameters says nothing and is accepted, as OpenSSL does.
    """
    identifier, parameters = _identifier(der)
    if (hash_name := _RSA.get(identifier)) and parameters in (_NULL, b""):
        return SignatureAlgorithm(family="RSA", hash_name=hash_name)
    if (hash_name := _ECDSA.get(identifier)) and parameters in (_NULL, b""):
        return SignatureAlgorithm(family="ECDSA", hash_name=hash_name)
    if identifier == _PSS:
        return _pss(parameters)
    name = _NAMES.get(identifier, f"algorithm {dotted(identifier)}")
    raise SignatureRefused(
        Reason.UNSUPPORTED_ALGORITHM, f"it is signed with {name}, which is not accepted; {ACCEPTED} is"
    )


def verify_signature(data: bytes, framed: SignedFrame, key: object) -> None:
    """Check the signature of `framed` (inside `data`) with a public key.

    Raises SignatureRefused (`unsupported_algorithm`, `bad_signature`) or DerError. Not checked: whose key it is.
    """
    algorithm = signature_algorithm(framed.algorithm)
    digest = hashlib.new(algorithm.hash_name, memoryview(data)[framed.signed.start : framed.signed.end]).digest()
    prehashed = Prehashed(_SHA2[algorithm.hash_name])
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm.family != "ECDSA":
            key.verify(framed.signature, digest, _padding(algorithm), prehashed)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm.family == "ECDSA":
            _check_curve(key)
            key.verify(framed.signature, digest, ec.ECDSA(prehashed))
        else:
            raise SignatureRefused(
                Reason.BAD_SIGNATURE, f"it is signed with {algorithm}, which is not the CA key's kind"
            )
    except (InvalidSignature, ValueError) as error:
        raise SignatureRefused(
            Reason.BAD_SIGNATURE, "it was not signed by the CA's key, or changed afterwards"
        ) from error


def load_public_key(info: bytes) -> object:
    """Return the key of a SubjectPublicKeyInfo; raises SignatureRefused (`unsupported_algorithm`) if it is unusable."""
    try:
        return serialization.load_der_public_key(info)
    except (UnsupportedAlgorithm, ValueError, TypeError) as error:
        raise SignatureRefused(Reason.UNSUPPORTED_ALGORITHM, "the CA's public key is of no usable kind") from error


def _check_curve(key: ec.EllipticCurvePublicKey) -> None:
    if not isinstance(key.curve, _CURVES):
        raise SignatureRefused(Reason.UNSUPPORTED_ALGORITHM, "the CA's key is on a curve that is not accepted")


def _padding(algorithm: SignatureAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.salt_length is None:
        return padding.PKCS1v15()
    return padding.PSS(mgf=padding.MGF1(_SHA2[algorithm.hash_name]), salt_length=algorithm.salt_length)


def _identifier(der: bytes) -> tuple[bytes, bytes]:
    """Return the content of an AlgorithmIdentifier's object identifier, and its parameters as they stand."""
    outer = only(der, 0, len(der), SEQUENCE)
    identifier = expect(der, outer.body, outer.end, OBJECT_IDENTIFIER)
    parameters = der[identifier.end : outer.end]
    if parameters and read(der, identifier.end, outer.end).end != outer.end:
        raise DerError("more than one parameter of an algorithm")
    return content(der, identifier), parameters


def _pss(parameters: bytes) -> SignatureAlgorithm:
    """Read RSASSA-PSS parameters (RFC 4055 section 3.1): one SHA-2 hash for message and mask, the usual trailer."""
    refused = SignatureRefused(
        Reason.UNSUPPORTED_ALGORITHM, "it is signed with RSASSA-PSS whose parameters are not one SHA-2 hash throughout"
    )
    if not parameters:
        raise refused
    outer = only(parameters, 0, len(parameters), SEQUENCE)
    fields = {each.tag: content(parameters, each) for each in elements(parameters, outer.body, outer.end)}
    if set(fields) not in ({0xA0, 0xA1, 0xA2}, {0xA0, 0xA1}):
        raise refused
    hash_name = _hash_name(fields[0xA0])
    mask, mask_hash = _identifier(fields[0xA1])
    if hash_name is None or mask != _MGF1 or not mask_hash or _hash_name(mask_hash) != hash_name:
        raise refused
    salt = fields.get(0xA2, bytes((INTEGER, 1, 20)))
    salt_length = integer(salt, only(salt, 0, len(salt), INTEGER))
    if salt_length < 0:
        raise refused
    return SignatureAlgorithm(family="RSASSA-PSS", hash_name=hash_name, salt_length=salt_length)


def _hash_name(der: bytes) -> str | None:
    identifier, parameters = _identifier(der)
    return _HASHES.get(identifier) if parameters in (_NULL, b"") else None
