"""What factories say they have shipped: Microchip's signed manifests, certificates in PEM, a column of a CSV.

Pure: bytes in, serial numbers and names out. Nothing here says that a CA has signed the certificates; that they are all
of one issuer is checked, because a list is one CA's.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from jitr.certificates import AnyCertificate, Certificate, Unreadable, certificate_blocks, read_certificate
from jitr.certificates.der import DerError
from jitr.certificates.extensions import BASIC_CONSTRAINTS
from jitr.certificates.names import COMMON_NAME, comparable_name, same_name, texts_of
from jitr.certificates.signature import SignatureRefused
from jitr_fleet.issuing.devices import verify_serial
from jitr_fleet.issuing.revocation_lists import parse_serial
from jitr_fleet.issuing.signers import NotIssued

_ALGORITHM: Final = "ES256"
_HALF: Final = 32


class ManifestMistake(Exception):  # noqa: N818 - named for what it is
    """A file that is not what it should be, or not signed by whom it should; the message says where."""


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """Serial numbers, each once, and the common names of their certificates, where certificates were given."""

    serials: tuple[int, ...]
    common_names: tuple[str, ...] = ()
    looks_decimal: bool = False

    @property
    def shared_name(self) -> str | None:
        """Return the common name that most certificates share, if more than one has it."""
        name, count = next(iter(Counter(self.common_names).most_common(1)), ("", 0))
        return name if count > 1 else None


def read_microchip(data: bytes, signer: AnyCertificate) -> Shipped:
    """Read a Trust Platform manifest: a JSON array of JWS (RFC 7515 section 7.2.2), each signed by `signer` with ES256.

    Taken from each payload: the first certificate of each `x5c` in `publicKeySet`. No key, chain or address of the
    token's own is used to verify it (RFC 7515 sections 4.1.2 to 4.1.8), and no other algorithm accepted. Not checked:
    validity of the signer's certificate. Raises ManifestMistake. Format: Microchip, "Trust Platform manifest file".
    """
    try:
        key = Certificate.of(signer).public_key()
    except (DerError, SignatureRefused) as error:
        raise ManifestMistake(f"the signer's certificate cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ManifestMistake("the signer's certificate has no P-256 key, which ES256 needs")
    entries = _json(data, "the file")
    if not isinstance(entries, list):
        raise ManifestMistake("not a JSON array of signed entries")
    found: list[Certificate] = []
    for number, entry in enumerate(entries, start=1):
        try:
            found += _certificates_in(_verified(entry, key))
        except ManifestMistake as mistake:
            raise ManifestMistake(f"entry {number}: {mistake}") from mistake
    return shipped(found)


def read_pem(files: Iterable[tuple[str, bytes]]) -> Shipped:
    """Read certificates, as many as each file holds; CAs beside them are left out. Raises ManifestMistake."""
    found: list[Certificate] = []
    for name, data in files:
        try:
            held = [_certificate(der) for der in certificate_blocks(data)]
        except (DerError, ManifestMistake) as error:
            raise ManifestMistake(f"{name}: {error}") from error
        # In a chain the others are CAs, in whatever order; a bundle's are devices. One alone is what was meant.
        found += [each for each in held if not _is_ca(each)] or held[:1]
    return shipped(found)


def read_csv(data: bytes, column: str, *, decimal: bool) -> Shipped:
    """Read a column of serial numbers, hex unless `decimal`; raises ManifestMistake naming the line."""
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig")), strict=True)
        at = _position(column, [cell.strip() for cell in next(reader, [])])
        texts = [(reader.line_num, row[at].strip() if at < len(row) else "") for row in reader if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestMistake(f"no CSV in UTF-8: {error}") from error
    serials = {_serial(text, line, decimal=decimal): None for line, text in texts}
    if not serials:
        raise ManifestMistake("names no serial number")
    return Shipped(
        serials=tuple(sorted(serials)), looks_decimal=not decimal and all(text.isdecimal() for _, text in texts)
    )


def shipped(certificates: Sequence[Certificate]) -> Shipped:
    """Return what certificates of one issuer say; raises ManifestMistake for none, or for those of several.

    Issuers are compared as everywhere, by the characters of their names.
    """
    if not certificates:
        raise ManifestMistake("holds no certificate")
    try:
        issuers = {comparable_name(each.issuer): each.issuer_text for each in certificates}
        names = [name for each in certificates for name in texts_of(each.subject, COMMON_NAME)]
    except DerError as error:
        raise ManifestMistake(f"a name in a certificate cannot be read: {error}") from error
    if len(issuers) > 1:
        raise ManifestMistake(f"certificates of {len(issuers)} issuers: {'; '.join(sorted(issuers.values()))[:300]}")
    return Shipped(serials=tuple(sorted({each.serial_number for each in certificates})), common_names=tuple(names))


def _position(column: str, header: list[str]) -> int:
    if header.count(column) != 1:
        raise ManifestMistake(f"the first line names no one column {column!r}; it has: {', '.join(header)[:200]}")
    return header.index(column)


def _serial(text: str, line: int, *, decimal: bool) -> int:
    try:
        serial = _decimal(text) if decimal else parse_serial(text)
        verify_serial(serial)
    except (ValueError, NotIssued) as error:
        raise ManifestMistake(f"line {line}: {error}") from error
    return serial


def _decimal(text: str) -> int:
    # int() also takes signs, blanks, underscores and the digits of other scripts; 49 digits are 20 octets.
    if not re.fullmatch(r"[0-9]{1,49}", text):
        raise ValueError(f"{text[:80]!r} is no decimal serial number")
    return int(text)


def _verified(entry: object, key: ec.EllipticCurvePublicKey) -> Mapping[str, Any]:
    """Return a JWS's payload, its signature verified; raises ManifestMistake."""
    if not isinstance(entry, dict):
        raise ManifestMistake("not a JWS")
    protected, payload, signature = (entry.get(name) for name in ("protected", "payload", "signature"))
    header = _json(_unpadded(protected, "protected header"), "protected header")
    # What is said outside the protected header is not signed; only Microchip's own uniqueId stands there.
    if not isinstance(header, dict) or header.get("alg") != _ALGORITHM:
        raise ManifestMistake(f"not signed with {_ALGORITHM}, the one algorithm that is taken")
    if "crit" in header or "b64" in header:
        raise ManifestMistake("the header asks for an extension that is not understood (RFC 7515 section 4.1.11)")
    raw = _unpadded(signature, "signature")
    if len(raw) != 2 * _HALF:
        raise ManifestMistake("the signature has not 64 octets (RFC 7518 section 3.4)")
    der = encode_dss_signature(int.from_bytes(raw[:_HALF], "big"), int.from_bytes(raw[_HALF:], "big"))
    try:
        key.verify(der, f"{protected}.{payload}".encode("ascii"), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, UnicodeEncodeError) as error:
        raise ManifestMistake("the signature is not the signer's") from error
    content = _json(_unpadded(payload, "payload"), "payload")
    if not isinstance(content, dict):
        raise ManifestMistake("the payload is no JSON object")
    return content


def _certificates_in(payload: Mapping[str, Any]) -> list[Certificate]:
    keys = payload.get("publicKeySet")
    listed = keys.get("keys") if isinstance(keys, dict) else None
    chains = [each.get("x5c") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    try:
        # RFC 7517 section 4.7: base64, not base64url, the key's own certificate first.
        found = [
            _certificate(base64.b64decode(chain[0], validate=True))
            for chain in chains
            if isinstance(chain, list) and chain
        ]
    except (ValueError, TypeError, ManifestMistake) as error:
        raise ManifestMistake(f"an x5c holds no certificate{_why(error)}") from error
    if not found:
        raise ManifestMistake("no key has a certificate (x5c)")
    return found


def _unpadded(text: object, what: str) -> bytes:
    if not isinstance(text, str) or not text or "=" in text:
        raise ManifestMistake(f"no {what} in base64url")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ManifestMistake(f"no {what} in base64url") from error


def _json(data: bytes, what: str) -> object:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name that is there twice")
        return dict(pairs)

    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ManifestMistake(f"{what} is no JSON: {str(error)[:100]}") from error


def _why(error: Exception) -> str:
    return f": {error}" if isinstance(error, ManifestMistake) else ""


def _certificate(der: bytes) -> Certificate:
    """Read a certificate; raises ManifestMistake, which says which field and byte it is."""
    found = read_certificate(der)
    if isinstance(found, Unreadable):
        raise ManifestMistake(f"a certificate cannot be read: {found.why}")
    return found


def _is_ca(certificate: Certificate) -> bool:
    try:
        if certificate.extension(BASIC_CONSTRAINTS) is not None:
            return certificate.is_ca
        # A v1 certificate signed by itself is a root.
        return same_name(certificate.issuer, certificate.subject)
    except DerError:
        return False
