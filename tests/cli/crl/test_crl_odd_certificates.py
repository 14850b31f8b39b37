"""Odd certificates through the commands about CRLs: the same answer as the functions, or the reader's own words."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from jitr_local import pki
from tests.cli.conftest import Jitr
from tests.cli.worlds.ca_files import CaFiles, write_ca
from tests.worlds import odd_certificates as odd

SERIAL = 0x1234
CASES = Path(__file__).parents[2] / "cases" / "odd-certificates"


@pytest.fixture
def files(tmp_path: Path) -> CaFiles:
    """A CA in files, with a CRL that lists one serial number."""
    files = write_ca(tmp_path, pki.CertificateAuthority.create())
    files.out.write_bytes(files.ca.crl([SERIAL], number=4))
    return files


def put(device: pki.Device, folder: Path) -> Path:
    """A device's certificate in a file."""
    file = folder / "device.der"
    file.write_bytes(device.certificate.public_bytes(Encoding.DER))
    return file


@pytest.mark.parametrize(("serial", "exit_code"), [(SERIAL, 1), (SERIAL + 1, 0)])
@pytest.mark.parametrize("kind", odd.KINDS)
def test_check_says_what_the_functions_do(jitr: Jitr, files: CaFiles, kind: str, serial: int, exit_code: int) -> None:
    """Listed is revoked, and what is not is good."""
    device = put(odd.odd_device(kind, files.ca, serial), files.folder)
    answer = jitr("crl", "check", "--certificate", device, "--issuer", files.issuer, "--crl", files.out, "--json")
    assert answer.exit_code == exit_code, answer.out + answer.err


@pytest.mark.parametrize("kind", odd.UNREADABLE)
def test_check_says_what_cannot_be_read(jitr: Jitr, files: CaFiles, kind: str) -> None:
    """Undetermined, with the byte."""
    device = put(odd.unreadable_device(kind, files.ca), files.folder)
    answer = jitr("crl", "check", "--certificate", device, "--issuer", files.issuer, "--crl", files.out)
    assert (answer.exit_code, "byte" in answer.out) == (2, True), answer.out


@pytest.mark.parametrize("kind", odd.KINDS)
def test_revoke_takes_an_odd_certificate(jitr: Jitr, files: CaFiles, kind: str) -> None:
    """By its file."""
    device = put(odd.odd_device(kind, files.ca, 0x777), files.folder)
    answer = jitr("crl", "revoke", "--crl", files.out, *files.options, "--certificate", device)
    assert answer.exit_code == 0, answer.err
    assert 0x777 in files.listed()


@pytest.mark.parametrize("kind", odd.UNREADABLE)
def test_revoke_says_what_cannot_be_read_and_what_to_give_instead(jitr: Jitr, files: CaFiles, kind: str) -> None:
    """Where the serial number can be read, that one; to list is to switch off."""
    device = put(odd.unreadable_device(kind, files.ca), files.folder)
    answer = jitr("crl", "revoke", "--crl", files.out, *files.options, "--certificate", device)
    assert (answer.exit_code, "byte" in answer.err) == (64, True), answer.err
    offered = f"--serial {odd.UNREADABLE_SERIAL:x}" in answer.err
    assert offered is (kind != odd.WITHOUT_SERIAL)


@pytest.mark.parametrize(
    ("certificate", "issuer", "crl"),
    [
        ("c01_dev.pem", "c01_ca.pem", "c01.crl"),
        ("c02_critical_FALSE.pem", "c02_ca.pem", "c02.crl"),
        ("c02_cA_FALSE.pem", "c02_ca.pem", "c02.crl"),
    ],
)
def test_the_cases_are_answered(jitr: Jitr, certificate: str, issuer: str, crl: str) -> None:
    """Good, at the time of their making: none is listed, and nothing is left open."""
    paths = ["--certificate", CASES / certificate, "--issuer", CASES / issuer, "--crl", CASES / crl]
    answer = jitr("crl", "check", *paths, "--at", "2026-11-30T12:00:00Z", "--json")
    assert (answer.exit_code, answer.json["verdict"]) == (0, "good"), answer.out + answer.err
