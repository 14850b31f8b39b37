"""`jitr crl revoke`: certificates onto the CA's current CRL, nothing off it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from jitr.revocation import RevocationStatus, decide
from jitr_local import pki
from tests.cli.conftest import Jitr
from tests.cli.worlds.ca_files import CaFiles, write_ca
from tests.worlds import raw_der

CA = pki.CertificateAuthority.create()
HOLD = x509.ReasonFlags.certificate_hold


@pytest.fixture
def files(tmp_path: Path) -> CaFiles:
    """Return a CA's certificate and key, and its current CRL, number 7, with two entries, one on hold."""
    made = write_ca(tmp_path, CA)
    made.out.write_bytes(CA.crl([5, pki.revoked_entry(6, reason=HOLD)], number=7))
    return made


def revoke(jitr: Jitr, files: CaFiles, *options: object) -> tuple[int, str]:
    """Revoke on the CRL in place; return exit code and what was said."""
    answer = jitr("crl", "revoke", "--crl", files.out, *files.options, *options)
    assert answer.out == ""
    return answer.exit_code, answer.err


def write_pem(path: Path, *certificates: x509.Certificate) -> Path:
    """Write certificates into one PEM file."""
    path.write_text("".join(map(pki.pem, certificates)))
    return path


def test_certificates_and_serials_are_added(jitr: Jitr, files: CaFiles) -> None:
    """With their reason and the next number; what was listed stays listed."""
    device = CA.issue()
    path = write_pem(files.folder / "device.pem", device.certificate, CA.certificate)
    options = ["--certificate", path, "--serial", "0x1F", "--serial", "20:21", "--reason", "KEYCOMPROMISE"]
    exit_code, said = revoke(jitr, files, *options)
    assert exit_code == 0, said
    assert files.listed() == {5, 6, 0x1F, 0x2021, device.certificate.serial_number}
    verdict = decide(device.certificate, CA.certificate, [files.out.read_bytes()], at=pki.now())
    assert (verdict.status, verdict.revocation_reason) == (RevocationStatus.REVOKED, "keyCompromise")
    assert files.made().number == 8


def test_a_certificate_in_der_is_taken_too(jitr: Jitr, files: CaFiles) -> None:
    """Whatever the file is called."""
    path = files.folder / "device.pem"
    path.write_bytes(raw_der.certificate(CA, 0x77))
    assert revoke(jitr, files, "--certificate", path)[0] == 0
    assert 0x77 in files.listed()


def test_a_signature_too_weak_to_verify_leads_to_the_serial(jitr: Jitr, files: CaFiles) -> None:
    """With SHA-1 anybody may have made the certificate; its serial number can be revoked all the same."""
    path = files.folder / "device.der"
    path.write_bytes(raw_der.certificate(CA, 0x77, algorithm=raw_der.ECDSA_WITH_SHA1))
    exit_code, said = revoke(jitr, files, "--certificate", path)
    assert (exit_code, "give --serial" in said) == (64, True)
    assert revoke(jitr, files, "--serial", "77")[0] == 0


def test_what_is_listed_already_changes_nothing(jitr: Jitr, files: CaFiles) -> None:
    """No new number; it says so."""
    before = files.out.read_bytes()
    exit_code, said = revoke(jitr, files, "--serial", "5", "--serial", "6")
    assert (exit_code, files.out.read_bytes() == before) == (0, True)
    assert "5 is listed already: no reason" in said
    assert "6 is listed already: certificateHold" in said
    assert "no change" in said


def test_of_listed_and_new_ones_the_new_ones_are_added(jitr: Jitr, files: CaFiles) -> None:
    """The entries of the others stay as they are, byte for byte."""
    before = files.made().find(5)
    assert revoke(jitr, files, "--serial", "5", "--serial", "9", "--reason", "superseded")[0] == 0
    assert (files.listed(), files.made().find(5)) == ({5, 6, 9}, before)


def test_a_hold_becomes_final_but_not_the_other_way_round(jitr: Jitr, files: CaFiles) -> None:
    """One entry a serial, before and after."""
    assert "it was on hold" in revoke(jitr, files, "--serial", "6", "--reason", "keyCompromise")[1]
    entry = files.made().find(6)
    assert entry is not None
    assert (entry.reason, files.made().profile.entries.count()) == ("keyCompromise", 2)
    assert "no change" in revoke(jitr, files, "--serial", "6", "--reason", "certificateHold")[1]


def test_a_certificate_of_another_ca_is_refused(jitr: Jitr, files: CaFiles) -> None:
    """Its serial number would revoke somebody else's device; the same name with another key is another CA."""
    stranger = pki.CertificateAuthority.create().issue()
    path = write_pem(files.folder / "device.pem", stranger.certificate)
    exit_code, said = revoke(jitr, files, "--certificate", path)
    assert (exit_code, "holds 0 certificates that this CA" in said) == (64, True)
    assert files.made().number == 7


def test_the_cas_own_certificate_and_several_at_once_are_refused(jitr: Jitr, files: CaFiles) -> None:
    """Neither is what anybody means."""
    own = write_pem(files.folder / "own.pem", CA.certificate)
    two = write_pem(files.folder / "two.pem", CA.issue().certificate, CA.issue().certificate)
    for path, count in ((own, 0), (two, 2)):
        exit_code, said = revoke(jitr, files, "--certificate", path)
        assert (exit_code, f"holds {count} certificates" in said) == (64, True)
    assert files.made().number == 7


@pytest.mark.parametrize("content", [b"", b"\x30\x00", b"-----BEGIN CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(jitr: Jitr, files: CaFiles, content: bytes) -> None:
    """One line, nothing written."""
    path = files.folder / "device.pem"
    path.write_bytes(content)
    exit_code, said = revoke(jitr, files, "--certificate", path)
    assert (exit_code, "no readable certificate" in said) == (64, True)


def test_an_expired_crl_is_renewed_with_a_warning(jitr: Jitr, files: CaFiles) -> None:
    """An emergency does not wait for the CRL that should have been."""
    files.out.write_bytes(CA.crl([5], number=7, this_update=pki.now() - 30 * pki.DAY))
    exit_code, said = revoke(jitr, files, "--serial", "9")
    assert (exit_code, "is it the newest?" in said, files.listed()) == (0, True, {5, 9})


@pytest.mark.parametrize("content", [b"", pki.CertificateAuthority.create().crl(), CA.crl()[:-1]])
def test_a_crl_that_the_ca_did_not_sign_is_no_basis(jitr: Jitr, files: CaFiles, content: bytes) -> None:
    """Signing it again would vouch for somebody else's list."""
    current = files.folder / "current.crl"
    current.write_bytes(content)
    answer = jitr("crl", "revoke", "--crl", current, *files.options, "--serial", "9")
    assert (answer.exit_code, "no CRL of this CA" in answer.err) == (64, True)
    assert files.made().number == 7


@pytest.mark.parametrize(
    "wrong",
    [[], ["--serial", "a" * 64], ["--serial", "xyz"], ["--serial", "9", "--reason", "removeFromCRL"]],
)
def test_a_wrong_option_is_usage(jitr: Jitr, files: CaFiles, wrong: list[str]) -> None:
    """Nothing to revoke, a certificate id in place of a serial number, a reason that belongs to deltas."""
    assert revoke(jitr, files, *wrong)[0] == 64
    assert files.made().number == 7
