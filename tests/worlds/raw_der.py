"""CRLs and certificates assembled byte by byte, then signed: what no library writes, and a million entries in a second.

For tests, benchmarks and the demo. Nothing is checked; mistakes are the purpose.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from jitr_local.pki import CertificateAuthority, PrivateKey, name, new_key, now

OIDS = {
    "subjectKeyIdentifier": "551d0e",
    "keyUsage": "551d0f",
    "subjectAltName": "551d11",
    "basicConstraints": "551d13",
    "cRLNumber": "551d14",
    "reasonCode": "551d15",
    "invalidityDate": "551d18",
    "deltaCRLIndicator": "551d1b",
    "issuingDistributionPoint": "551d1c",
    "certificateIssuer": "551d1d",
    "cRLDistributionPoints": "551d1f",
    "authorityKeyIdentifier": "551d23",
    "freshestCRL": "551d2e",
    "noRevAvail": "551d38",
    "unknown": "2a0304",
}
SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")
ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_WITH_SHA1 = bytes.fromhex("300906072a8648ce3d0401")
PSS_SHA256 = bytes.fromhex(
    "304106092a864886f70d01010a3034"
    "a00f300d06096086480165030402010500"
    "a11c301a06092a864886f70d010108300d06096086480165030402010500"
    "a203020120"
)
_SHORT = 0x80


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return one DER element."""
    body = b"".join(parts)
    size = len(body)
    if size < _SHORT:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT | len(octets))) + octets + body


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE."""
    return tlv(0x30, *parts)


def integer(value: int, tag: int = 0x02) -> bytes:
    """Return an INTEGER, or another type with such content."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return tlv(tag, value.to_bytes(size, "big", signed=True))


def utc_time(moment: datetime) -> bytes:
    """Return a UTCTime."""
    return tlv(0x17, moment.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode())


def generalized_time(moment: datetime) -> bytes:
    """Return a GeneralizedTime."""
    return tlv(0x18, moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode())


def extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    """Return one extension; `kind` is a key of OIDS."""
    return sequence(tlv(0x06, bytes.fromhex(OIDS[kind])), b"\x01\x01\xff" if critical else b"", tlv(0x04, value))


def reason(code: int) -> bytes:
    """Return a reasonCode entry extension."""
    return extension("reasonCode", integer(code, tag=0x0A))


def entry(serial: int, *extensions: bytes, revoked_at: bytes | None = None) -> bytes:
    """Return one entry of a CRL; `revoked_at` is a time element."""
    listed = sequence(*extensions) if extensions else b""
    return sequence(integer(serial), revoked_at or utc_time(now() - timedelta(hours=2)), listed)


def entries(serials: Iterable[int], *extensions: bytes) -> bytes:
    """Return many entries that differ in their serial number only."""
    tail = utc_time(now() - timedelta(hours=2)) + (sequence(*extensions) if extensions else b"")
    return b"".join(sequence(integer(serial), tail) for serial in serials)


def crl(
    ca: CertificateAuthority,
    listed: bytes | None = None,
    *,
    extensions: Iterable[bytes] | None = None,
    version: bytes = b"\x02\x01\x01",
    issuer: bytes | None = None,
    this_update: bytes | None = None,
    next_update: bytes | None = None,
    algorithm: bytes | None = None,
    outer_algorithm: bytes | None = None,
    signing_key: PrivateKey | None = None,
) -> bytes:
    """Return a signed CRL; `listed` are the entries (None leaves the list out), `next_update` b"" leaves it out.

    Without `extensions` it has cRLNumber 1. `algorithm` and `outer_algorithm` are what it says of itself: it is signed
    with SHA-256, with RSASSA-PSS where `algorithm` is PSS_SHA256.
    """
    key = signing_key or ca.key
    algorithm = algorithm or (SHA256_WITH_RSA if isinstance(key, rsa.RSAPrivateKey) else ECDSA_WITH_SHA256)
    chosen = [extension("cRLNumber", integer(1))] if extensions is None else list(extensions)
    signed = sequence(
        version,
        algorithm,
        issuer if issuer is not None else ca.certificate.subject.public_bytes(),
        this_update or utc_time(now() - timedelta(hours=1)),
        utc_time(now() + timedelta(days=7)) if next_update is None else next_update,
        sequence(listed) if listed is not None else b"",
        tlv(0xA0, sequence(*chosen)) if chosen else b"",
    )
    return sequence(signed, outer_algorithm or algorithm, tlv(0x03, b"\x00", sign(key, signed, algorithm)))


def certificate(
    ca: CertificateAuthority,
    serial: int,
    *extensions: bytes,
    version: bytes = b"\xa0\x03\x02\x01\x02",
    algorithm: bytes | None = None,
    issuer: bytes | None = None,
    subject: bytes | None = None,
    validity: bytes | None = None,
    key: PrivateKey | None = None,
) -> bytes:
    """Return a device certificate (DER) with this serial number, which may be negative; version b"" is version 1.

    `issuer`, `subject` and `validity` are DER; `key` is the device's.
    """
    key = key or new_key()
    algorithm = algorithm or (SHA256_WITH_RSA if isinstance(ca.key, rsa.RSAPrivateKey) else ECDSA_WITH_SHA256)
    signed = sequence(
        version,
        integer(serial),
        algorithm,
        issuer or ca.certificate.subject.public_bytes(),
        validity or sequence(utc_time(now() - timedelta(days=1)), utc_time(now() + timedelta(days=365))),
        subject or name("device-1").public_bytes(),
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        tlv(0xA3, sequence(*extensions)) if extensions else b"",
    )
    return sequence(signed, algorithm, tlv(0x03, b"\x00", sign(ca.key, signed, algorithm)))


def sign(key: PrivateKey, message: bytes, algorithm: bytes) -> bytes:
    """Return a signature by the key's own scheme: with SHA-256, but for the algorithms above that say otherwise."""
    if not isinstance(key, rsa.RSAPrivateKey):
        digest = hashes.SHA1() if algorithm == ECDSA_WITH_SHA1 else hashes.SHA256()  # noqa: S303 - to be refused
        return key.sign(message, ec.ECDSA(digest))
    if algorithm == PSS_SHA256:
        return key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
