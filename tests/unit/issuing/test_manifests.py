"""What factories deliver, read as allow-lists need it: signed manifests, PEM, CSV. All samples are made here."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from jitr_fleet.issuing.manifests import ManifestMistake, read_csv, read_microchip, read_pem
from jitr_local import pki
from tests.worlds import odd_certificates as odd

CA = pki.CertificateAuthority.create("Factory CA")
SIGNER = pki.CertificateAuthority.create("Manifest signer")


def encoded(data: bytes) -> str:
    """Base64url without padding, as JWS has it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def der(certificate: x509.Certificate) -> str:
    """A certificate as x5c has it."""
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


def signature(signed: bytes, key: object) -> bytes:
    """ES256: two halves of 32 octets."""
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def entry(serial: int, *, name: str = "ATECC608B", key: object = None, **header: Any) -> dict[str, Any]:
    """One chip's entry, as a Trust Platform manifest holds it: device and signer certificate at the first key."""
    device = CA.issue(name, serial=serial)
    keys = [{"kid": "0", "kty": "EC", "x5c": [der(device.certificate), der(CA.certificate)]}, {"kid": "1", "kty": "EC"}]
    payload = {"version": 1, "model": "ATECC608B", "uniqueId": f"{serial:018x}", "publicKeySet": {"keys": keys}}
    protected = encoded(json.dumps({"typ": "JWT", "alg": "ES256", **header}).encode())
    body = encoded(json.dumps(payload).encode())
    made = signature(f"{protected}.{body}".encode(), key or SIGNER.key)
    return {"protected": protected, "payload": body, "header": {"uniqueId": "x"}, "signature": encoded(made)}


def manifest(*entries: dict[str, Any]) -> bytes:
    """A manifest file."""
    return json.dumps(entries).encode()


def test_a_manifest_names_the_serial_number_of_each_chip() -> None:
    """The device's certificate, not its CA's; keys without a certificate are no matter."""
    found = read_microchip(manifest(entry(0xAB), entry(0xCD)), SIGNER.certificate)
    assert found.serials == (0xAB, 0xCD)
    assert found.shared_name == "ATECC608B"


def test_names_of_their_own_are_not_shared() -> None:
    """The usual case with `thing_name = "cn"`."""
    assert read_microchip(manifest(entry(1, name="a"), entry(2, name="b")), SIGNER.certificate).shared_name is None


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES384", "RS256", "", None])
def test_no_other_algorithm_is_taken(algorithm: str | None) -> None:
    """Whatever is signed how: the token does not choose."""
    with pytest.raises(ManifestMistake, match="entry 1: not signed with ES256"):
        read_microchip(manifest(entry(1, alg=algorithm)), SIGNER.certificate)


def test_the_signers_public_key_is_no_secret_for_hs256() -> None:
    """A MAC made with what everybody knows."""
    made = entry(1, alg="HS256")
    secret = SIGNER.certificate.public_bytes(serialization.Encoding.PEM)
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(f"{made['protected']}.{made['payload']}".encode())
    with pytest.raises(ManifestMistake, match="not signed with ES256"):
        read_microchip(manifest(made | {"signature": encoded(mac.finalize())}), SIGNER.certificate)


def test_a_key_or_chain_in_the_token_vouches_for_nothing() -> None:
    """Signed by somebody who brings the key along."""
    other = pki.CertificateAuthority.create("Somebody else")
    forged = entry(1, key=other.key, x5c=[der(other.certificate)], jwk={"kty": "EC"}, jku="https://example.com/keys")
    with pytest.raises(ManifestMistake, match="entry 2: the signature is not the signer's"):
        read_microchip(manifest(entry(2), forged), SIGNER.certificate)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"payload": encoded(b"{}")}, "the signature is not the signer's"),
        ({"signature": encoded(bytes(63))}, "has not 64 octets"),
        ({"signature": encoded(bytes(64))}, "the signature is not the signer's"),
        ({"signature": None}, "no signature in base64url"),
        ({"protected": "e30="}, "no protected header in base64url"),
        ({"protected": encoded(b'{"alg":"none","alg":"ES256"}')}, "there twice"),
    ],
)
def test_what_was_changed_is_refused(change: dict[str, Any], words: str) -> None:
    """Whatever part it is."""
    with pytest.raises(ManifestMistake, match=words):
        read_microchip(manifest(entry(1) | change), SIGNER.certificate)


def test_a_critical_extension_is_not_ignored() -> None:
    """RFC 7515 section 4.1.11."""
    with pytest.raises(ManifestMistake, match="extension that is not understood"):
        read_microchip(manifest(entry(1, crit=["exp"], exp=1)), SIGNER.certificate)


def test_a_manifest_of_another_issuers_devices_is_refused() -> None:
    """A list is one CA's."""
    other = pki.CertificateAuthority.create("Other CA").issue("x")
    with pytest.raises(ManifestMistake, match="of 2 issuers"):
        read_pem([("a", pki.pem(CA.issue("y").certificate).encode()), ("b", pki.pem(other.certificate).encode())])


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'[{"protected": 1}]', b"\xff", b"[" * 5000])
def test_what_is_no_manifest_is_said_to_be_none(data: bytes) -> None:
    """A mistake with words, never a crash."""
    with pytest.raises(ManifestMistake):
        read_microchip(data, SIGNER.certificate)


def test_a_bundle_of_devices_and_a_folder_of_chains_are_read_alike() -> None:
    """CAs in them are no devices."""
    one, two = CA.issue("one", serial=1).certificate, CA.issue("two", serial=2).certificate
    chains = [(name, (pki.pem(each) + pki.pem(CA.certificate)).encode()) for name, each in (("1", one), ("2", two))]
    bundle = [("all.pem", (pki.pem(one) + pki.pem(two)).encode())]
    assert read_pem(chains).serials == read_pem(bundle).serials == (1, 2)


def test_a_certificate_without_an_end_is_read() -> None:
    """Its end is 99991231235959Z (RFC 5280 section 4.1.2.5), as secure elements have it."""
    device = CA.issue("forever", serial=7, not_after=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert read_pem([("a", pki.pem(device.certificate).encode())]).serials == (7,)


@pytest.mark.parametrize("kind", odd.KINDS)
def test_an_odd_certificate_has_a_serial_number_like_any_other(kind: str) -> None:
    """What would be activated can be allowed."""
    device = odd.odd_device(kind, CA, 0x1234)
    assert read_pem([("a", device.certificate.public_bytes(serialization.Encoding.PEM))]).serials == (0x1234,)


def test_issuers_are_the_same_by_the_characters_of_their_names() -> None:
    """One factory writes its CA's name as another type of string than the other."""
    odd_ones = [
        odd.odd_device(f"issuer as {kind}", CA, n) for n, kind in enumerate(("PrintableString", "BMPString"), 1)
    ]
    bundle = b"".join(each.certificate.public_bytes(serialization.Encoding.PEM) for each in odd_ones)
    assert read_pem([("a", bundle)]).serials == (1, 2)


def test_a_chain_may_begin_with_its_ca() -> None:
    """As NSS exports it."""
    chain = pki.pem(CA.certificate) + pki.pem(CA.issue("x", serial=5).certificate)
    assert read_pem([("a", chain.encode())]).serials == (5,)


@pytest.mark.parametrize("kind", odd.UNREADABLE)
def test_what_nobody_can_read_is_named_by_its_file_and_byte(kind: str) -> None:
    """It would stay out, so nothing is allowed by it."""
    device = odd.unreadable_device(kind, CA)
    with pytest.raises(ManifestMistake, match=r"bundle\.pem: a certificate cannot be read: .*byte"):
        read_pem([("bundle.pem", device.certificate.public_bytes(serialization.Encoding.PEM))])


def test_a_csvs_column_is_hex_unless_it_is_said_to_be_decimal() -> None:
    """And a column that has no digit above 9 is worth a word."""
    data = b"part,serial\nx,10\nx,0B\n"
    assert read_csv(data, "serial", decimal=False).serials == (0x0B, 0x10)
    assert not read_csv(data, "serial", decimal=False).looks_decimal
    assert read_csv(b"serial\n10\n11\n", "serial", decimal=False).looks_decimal
    assert read_csv(b"serial\n10\n11\n", "serial", decimal=True).serials == (10, 11)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a,b\n1,2\n", "names no one column 'serial'"),
        (b"serial,serial\n1,2\n", "names no one column"),
        (b"serial\nxyz\n", "line 2"),
        (b"serial\n0\n", "line 2: a serial number is positive"),
        (b"serial\n", "names no serial number"),
        (b"\xff\xfe", "no CSV in UTF-8"),
    ],
)
def test_a_csv_that_is_not_right_names_the_line(data: bytes, words: str) -> None:
    """With the columns there are, where the one is missing."""
    with pytest.raises(ManifestMistake, match=words):
        read_csv(data, "serial", decimal=False)
