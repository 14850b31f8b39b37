"""The reader of certificates: what it reads of odd ones, beside what OpenSSL says, and what it refuses to activate."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization

from jitr.certificates import (
    Certificate,
    Unreadable,
    common_name,
    distribution_points,
    issuer_key,
    load_registered,
    read_certificate,
    verify_issued_by,
    verify_one_reading,
    verify_strength,
    verify_validity,
)
from jitr.errors import Reason, Rejected, Undecided
from jitr_local import pki
from tests.worlds import odd_certificates as odd
from tests.worlds import raw_der

CA = pki.CertificateAuthority.create()
FOLDER = Path(__file__).parents[2] / "cases" / "odd-certificates"
SERIAL = 0x1234


def openssl_verifies(device: Path, ca: Path, *options: str) -> bool:
    """Return OpenSSL's verdict on names, signature and validity."""
    command = ["openssl", "verify", *options, "-CAfile", str(ca), str(device)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("kind", odd.KINDS)
def test_what_openssl_verifies_is_activated(kind: str, tmp_path: Path) -> None:
    """Names, signature, fields: the verdict is OpenSSL's for every harmless kind."""
    device = odd.odd_device(kind, CA, SERIAL)
    (tmp_path / "device.pem").write_text(pki.pem(device.certificate))
    (tmp_path / "ca.pem").write_text(pki.pem(CA.certificate))
    # OpenSSL 3.0 does not know noRevAvail, which RFC 9608 forbids to be critical, and verifies names and signature
    # of a certificate whose times have no seconds only where it need not look at them.
    options = {"noRevAvail marked critical": ("-ignore_critical",), "times without seconds": ("-no_check_time",)}
    assert openssl_verifies(tmp_path / "device.pem", tmp_path / "ca.pem", *options.get(kind, ()))
    certificate = Certificate.of(device.certificate)
    verify_issued_by(certificate, CA.certificate)
    verify_one_reading(certificate)
    verify_validity(certificate, at=pki.now())
    verify_strength(certificate)
    assert certificate.serial_number == SERIAL
    assert common_name(certificate) in ("device-1", "device_1")
    assert certificate.fingerprint == device.certificate_id


@pytest.mark.parametrize(
    "issuer",
    [
        odd.distinguished_name("Factory CA 2"),
        odd.distinguished_name("Factory CA 1", organization="Example"),
        b"\x30\x00",
    ],
)
def test_another_name_is_another_issuer(issuer: bytes, tmp_path: Path) -> None:
    """As OpenSSL says; the key alone does not make an issuer."""
    der = raw_der.certificate(CA, SERIAL, issuer=issuer)
    (tmp_path / "device.pem").write_text(odd.Written(der, SERIAL).public_bytes(serialization.Encoding.PEM).decode())
    (tmp_path / "ca.pem").write_text(pki.pem(CA.certificate))
    assert not openssl_verifies(tmp_path / "device.pem", tmp_path / "ca.pem")
    with pytest.raises(Rejected) as refusal:
        verify_issued_by(Certificate.from_der(der), CA.certificate)
    assert refusal.value.reason is Reason.WRONG_SIGNATURE


def test_a_changed_byte_of_what_is_signed_breaks_the_signature() -> None:
    """The signature is verified over the bytes that are read, also where the certificate is read in a repaired copy."""
    der = odd.KINDS["critical FALSE written out"](CA, SERIAL, pki.new_key())
    for position in range(20, len(der) - 80, 7):
        changed = bytearray(der)
        changed[position] ^= 1
        found = read_certificate(bytes(changed))
        if isinstance(found, Unreadable):
            continue
        with pytest.raises(Rejected):
            verify_issued_by(found, CA.certificate)


TWICE = raw_der.extension("keyUsage", b"\x03\x02\x07\x80")
ONE = raw_der.certificate(CA, SERIAL)


def test_a_duplicate_extension_is_refused_and_named() -> None:
    """Two key usages are two readings."""
    with pytest.raises(Rejected, match="keyUsage is there twice") as refusal:
        verify_one_reading(Certificate.from_der(raw_der.certificate(CA, SERIAL, TWICE, TWICE)))
    assert refusal.value.reason is Reason.MALFORMED_CERTIFICATE


@pytest.mark.parametrize(
    ("der", "words"),
    [
        (ONE + b"\x00", "bytes after the element"),
        (b"\x30\x83\x00" + ONE[2:4] + ONE[4:], "longer than it needs to be"),
        (ONE[:-40], "longer than what holds it"),
    ],
    ids=["trailing bytes", "a long length", "cut off"],
)
def test_what_is_no_der_is_no_certificate_but_has_a_serial_number(der: bytes, words: str) -> None:
    """The reader names the field and the byte; to switch it off, its serial number is known all the same."""
    found = read_certificate(der)
    assert isinstance(found, Unreadable)
    assert words in found.why
    assert "byte" in found.why
    assert found.serial_number == SERIAL


def test_bytes_that_hold_nothing_have_no_serial_number() -> None:
    """Whatever they are."""
    for der in (b"", b"\x30", b"\x30\x80", b"\x30\x03\x02\x01\x05", b"\x31\x00" * 40, bytes(100)):
        found = read_certificate(der)
        assert isinstance(found, Unreadable)
        assert found.serial_number is None


def test_an_unknown_critical_extension_has_a_reason_of_its_own() -> None:
    """RFC 5280 section 4.2: whoever does not understand it must refuse the certificate."""
    der = raw_der.certificate(CA, SERIAL, raw_der.extension("unknown", b"\x05\x00", critical=True))
    with pytest.raises(Rejected, match=r"1\.2\.3\.4") as refusal:
        verify_one_reading(Certificate.from_der(der))
    assert refusal.value.reason is Reason.UNKNOWN_CRITICAL_EXTENSION


def test_what_a_strict_reader_refuses_for_another_reason_is_not_activated() -> None:
    """A validity of three times is no harmless oddity."""
    moment = raw_der.utc_time(pki.now())
    der = raw_der.certificate(CA, SERIAL, validity=raw_der.sequence(moment, moment, moment))
    with pytest.raises(Rejected, match="validity") as refusal:
        verify_one_reading(Certificate.from_der(der))
    assert refusal.value.reason is Reason.MALFORMED_CERTIFICATE


def test_bytes_of_the_id_are_final_and_others_are_tried_again() -> None:
    """A certificate's bytes never change; what else AWS IoT returned may."""
    broken = odd.Written(ONE + b"\x00", SERIAL)
    pem = broken.public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(Rejected):
        load_registered(pem, broken.fingerprint(hashes.SHA256()).hex())
    with pytest.raises(Undecided, match="neither DER nor PEM"):
        load_registered("nothing", "00" * 32)


def test_a_written_out_ca_false_hides_no_distribution_point() -> None:
    """The certificate of the field that has both."""
    found = Certificate.from_der(pem_bytes(FOLDER / "c02_cA_FALSE.pem"))
    assert distribution_points(found)
    assert not found.is_ca


def pem_bytes(path: Path) -> bytes:
    """Return the DER of a PEM file."""
    command = ["openssl", "x509", "-in", str(path), "-outform", "DER"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_distribution_points_are_read_one_by_one() -> None:
    """One that cannot be read hides no other."""
    broken = raw_der.sequence(raw_der.tlv(0xA0, raw_der.tlv(0xA0, b"\x86\x7f")))
    good = odd.point("HTTPS://crl.example.com/1.crl", "http://[crl-host]/x")
    inside = good[good.index(b"\x30", 8) :]
    value = raw_der.sequence(broken + inside[2:])
    der = raw_der.certificate(CA, SERIAL, raw_der.extension("cRLDistributionPoints", value))
    assert distribution_points(Certificate.from_der(der)) == ("HTTPS://crl.example.com/1.crl", "http://[crl-host]/x")


# What the registries of deployments in use are keyed by: computed with the version before there was one reader.
KEYS = {
    "c01_ca.pem": "ef692265fe2637a605320f370e5a3b8dff0aaed91d03cd3e9416685e9d7fc2fb",
    "c02_ca.pem": "367e642061b7514637b7c38420e0a1ddba9ddc7255c2e3131bb599894dadc3a1",
}


@pytest.mark.parametrize("file", KEYS)
def test_registry_keys_of_existing_rows_stay(file: str) -> None:
    """Byte for byte."""
    ca = Certificate.from_der(pem_bytes(FOLDER / file))
    assert issuer_key(ca) == KEYS[file]


def test_a_ca_that_the_library_cannot_read_has_a_key_too() -> None:
    """Latin-1 in a TeletexString ended whole runs with a ValueError."""
    ca = odd.odd_ca(odd.distinguished_name("Müller CA", odd.TELETEX))
    assert issuer_key(ca.certificate) == issuer_key(Certificate.of(ca.certificate))
    device = raw_der.certificate(ca, SERIAL, issuer=odd.distinguished_name("MÜLLER CA"))
    verify_issued_by(Certificate.from_der(device), ca.certificate)
