"""`jitr crl create`: from an openssl index or serials to a CRL, with the CA's key, forwards only."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest
from cryptography import x509

from jitr.revocation import verify_crl
from jitr_local import pki
from tests.cli.conftest import Jitr
from tests.cli.worlds.ca_files import CaFiles, write_ca
from tests.worlds import raw_der

CA = pki.CertificateAuthority.create()
REVOKED = "R\t301231000000Z\t260102030405Z,keyCompromise\t{:02X}\tunknown\t/CN=d\n"
VALID = "V\t{}\t\t{:02X}\tunknown\t/CN=d\n"


@pytest.fixture
def files(tmp_path: Path) -> CaFiles:
    """Return a CA's certificate and key in a folder of their own."""
    return write_ca(tmp_path, CA)


def index(files: CaFiles, *lines: str) -> list[str]:
    """Write an index.txt and return the option that names it."""
    path = files.folder / "index.txt"
    path.write_text("".join(lines))
    return ["--index", str(path)]


def serials(files: CaFiles, text: str) -> list[str]:
    """Write a list of serials and return the option that names it."""
    path = files.folder / "serials.txt"
    path.write_text(text)
    return ["--serials", str(path)]


def test_a_crl_is_made_of_an_index(jitr: Jitr, files: CaFiles) -> None:
    """DER, valid for a week from now, its number the time in milliseconds; nothing on stdout."""
    before = datetime.now(UTC)
    answer = jitr("crl", "create", *files.options, *index(files, REVOKED.format(5), VALID.format("301231000000Z", 6)))
    assert (answer.exit_code, answer.out) == (0, "")
    crl = verify_crl(files.out.read_bytes(), CA.certificate, at=datetime.now(UTC))
    entry = crl.find(5)
    assert entry is not None
    assert (entry.reason, entry.revoked_at) == ("keyCompromise", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert files.listed() == {5}
    assert crl.next_update is not None
    assert crl.next_update - crl.this_update == timedelta(days=7)
    assert crl.number is not None
    assert timedelta(0) <= datetime.fromtimestamp(crl.number / 1000, UTC) - before < timedelta(minutes=1)
    assert f"CRL number {crl.number}, 1 entries" in answer.err


def test_pem_days_and_number_are_as_asked_for(jitr: Jitr, files: CaFiles) -> None:
    """One PEM block, readable by everybody who may enter the folder."""
    answer = jitr("crl", "create", *files.options, "--pem", "--days", "30", "--number", "77")
    assert answer.exit_code == 0, answer.err
    crl = x509.load_pem_x509_crl(files.out.read_bytes())
    assert crl.next_update_utc is not None
    assert crl.next_update_utc - crl.last_update_utc == timedelta(days=30)
    assert files.made().number == 77
    assert files.out.stat().st_mode & 0o777 == 0o644
    assert "lists nothing" in answer.err


def test_serials_come_from_stdin_too(jitr: Jitr, files: CaFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--serials -`."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"1a\n1b superseded\n")))
    assert jitr("crl", "create", *files.options, "--serials", "-").exit_code == 0
    assert files.listed() == {0x1A, 0x1B}


def test_the_next_crl_follows_the_one_that_is_there(jitr: Jitr, files: CaFiles) -> None:
    """Its number is one higher; what was said of a serial stays where the list says nothing new."""
    files.out.write_bytes(CA.crl([pki.revoked_entry(5, reason=x509.ReasonFlags.key_compromise)], number=41))
    assert jitr("crl", "create", *files.options, *serials(files, "5\n6\n")).exit_code == 0
    crl = files.made()
    entry = crl.find(5)
    assert entry is not None
    assert (crl.number, files.listed(), entry.reason) == (42, {5, 6}, "keyCompromise")


def test_without_a_list_the_previous_crl_is_renewed(jitr: Jitr, files: CaFiles) -> None:
    """The same entries, a new number and new dates, also where it has expired."""
    old = files.folder / "old.crl"
    old.write_bytes(CA.crl([5, 6], number=3, this_update=pki.now() - 90 * pki.DAY))
    assert jitr("crl", "create", *files.options, "--previous", old).exit_code == 0
    assert (files.made().number, files.listed()) == (4, {5, 6})
    verify_crl(files.out.read_bytes(), CA.certificate, at=datetime.now(UTC))


@pytest.mark.parametrize("number", ["41", "40", "0"])
def test_the_number_never_goes_back(jitr: Jitr, files: CaFiles, number: str) -> None:
    """What was there stays."""
    files.out.write_bytes(CA.crl(number=41))
    answer = jitr("crl", "create", *files.options, "--number", number)
    assert (answer.exit_code, "not higher than the previous CRL's, 41" in answer.err) == (64, True)
    assert files.made().number == 41


def test_unexpired_entries_do_not_vanish(jitr: Jitr, files: CaFiles) -> None:
    """Valid by the index (7), or unknown to it (8): refused; expired (5, 6): dropped; named: dropped."""
    files.out.write_bytes(CA.crl([4, 5, 6, 7, 8]))
    lines = index(
        files,
        REVOKED.format(4),
        VALID.format("200101000000Z", 5),
        VALID.format("20200101000000Z", 6).replace("V", "E", 1),
        VALID.format("20991231000000Z", 7),
    )
    answer = jitr("crl", "create", *files.options, *lines)
    assert (answer.exit_code, "2 certificates" in answer.err, ": 07, 08;" in answer.err) == (64, True, True)
    assert files.listed() == {4, 5, 6, 7, 8}
    assert jitr("crl", "create", *files.options, *lines, "--allow-drop", "7").exit_code == 64
    assert jitr("crl", "create", *files.options, *lines, "--allow-drop", "7", "--allow-drop", "08").exit_code == 0
    assert files.listed() == {4}


def test_a_list_of_serials_knows_no_expiry(jitr: Jitr, files: CaFiles) -> None:
    """So whatever it leaves out has to be named."""
    files.out.write_bytes(CA.crl([4, 5]))
    assert jitr("crl", "create", *files.options, *serials(files, "4\n")).exit_code == 64
    assert jitr("crl", "create", *files.options, *serials(files, "4\n"), "--allow-drop", "5").exit_code == 0
    assert files.listed() == {4}


@pytest.mark.parametrize("victim", ["ca.pem", "ca.key", "index.txt"])
def test_out_does_not_overwrite_what_goes_in(jitr: Jitr, files: CaFiles, victim: str) -> None:
    """A slip of the hand must not cost the CA its key."""
    given = index(files, REVOKED.format(5))
    path = files.folder / victim
    before = path.read_bytes()
    answer = jitr("crl", "create", "--issuer", files.issuer, "--key", files.key, "--out", path, *given)
    assert (answer.exit_code, "would overwrite" in answer.err, path.read_bytes() == before) == (64, True, True)


@pytest.mark.parametrize("content", [b"", b"a letter", pki.CertificateAuthority.create().crl(), CA.crl()[:-1]])
def test_out_does_not_overwrite_what_is_no_crl_of_this_ca(jitr: Jitr, files: CaFiles, content: bytes) -> None:
    """Whatever it is, somebody put it there."""
    files.out.write_bytes(content)
    answer = jitr("crl", "create", *files.options)
    assert (answer.exit_code, "no CRL of this CA" in answer.err) == (64, True)
    assert files.out.read_bytes() == content


@pytest.mark.parametrize("existing", [CA.crl([5], number=1), None])
def test_an_interrupted_write_leaves_no_half_file(
    jitr: Jitr, files: CaFiles, monkeypatch: pytest.MonkeyPatch, existing: bytes | None
) -> None:
    """What was there is there still, and nothing else."""
    if existing:
        files.out.write_bytes(existing)
    before = {path.name: path.read_bytes() for path in files.folder.iterdir()}

    def interrupted(_descriptor: int) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    assert jitr("crl", "create", *files.options).exit_code == 130
    assert {path.name: path.read_bytes() for path in files.folder.iterdir()} == before


def test_a_full_disk_is_said_in_one_line(jitr: Jitr, files: CaFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves nothing behind."""

    def full(_descriptor: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = jitr("crl", "create", *files.options)
    assert (answer.exit_code, "No space left on device" in answer.err) == (64, True)
    assert {path.name for path in files.folder.iterdir()} == {"ca.pem", "ca.key"}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--days", "0"],
        ["--days", "4000"],
        ["--number", "x"],
        ["--allow-drop", "a" * 64],
        ["--index", "/nowhere"],
        ["--out", "/nowhere/at/all.crl"],
    ],
)
def test_a_wrong_option_is_usage(jitr: Jitr, files: CaFiles, wrong: list[str]) -> None:
    """64, and nothing written."""
    assert jitr("crl", "create", *files.options, *wrong).exit_code == 64
    assert not files.out.exists()


def test_two_lists_at_once_are_usage(jitr: Jitr, files: CaFiles) -> None:
    """It would not be clear which one counts."""
    given = [*index(files, REVOKED.format(5)), *serials(files, "6\n")]
    assert jitr("crl", "create", *files.options, *given).exit_code == 64


def test_a_mistake_in_a_list_is_named_by_its_line(jitr: Jitr, files: CaFiles) -> None:
    """Nothing is written without it."""
    answer = jitr("crl", "create", *files.options, *serials(files, "5\n6 becaus\n"))
    assert (answer.exit_code, "serials.txt: line 2: unknown reason 'becaus'" in answer.err) == (64, True)
    assert not files.out.exists()


def test_boto3_is_not_needed() -> None:
    """The CA's computer need not know AWS."""
    code = (
        "import sys, jitr_cli.crl.create, jitr_cli.crl.revoke\n"
        "sys.exit(bool({'boto3', 'botocore', 'aws_cdk'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0


OPENSSL_CA = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
serial = {folder}/serial
crlnumber = {folder}/crlnumber
default_md = sha256
default_days = 365
default_crl_days = 7
policy = anything
[anything]
commonName = supplied
"""


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_index_of_openssl_ca_makes_the_crl_that_openssl_makes(jitr: Jitr, files: CaFiles) -> None:
    """Real `openssl ca`: certificates issued, revoked for several reasons, its own CRL for comparison."""
    folder = files.folder
    (folder / "ca.cnf").write_text(OPENSSL_CA.format(folder=folder))
    (folder / "index.txt").touch()
    (folder / "serial").write_text("8F00\n")
    (folder / "crlnumber").write_text("1000\n")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    ca = ("ca", "-config", "ca.cnf", "-batch")
    reasons = [
        [],
        ["-crl_reason", "superseded"],
        ["-crl_compromise", "20260101000000Z"],
        ["-crl_CA_compromise", "20260101000000Z"],
        ["-crl_hold", "holdInstructionReject"],
        ["-crl_reason", "certificateHold"],
        None,
    ]
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "d.key", "-out", "x.csr")
    for number, reason in enumerate(reasons):
        openssl(*ca, "-in", "x.csr", "-subj", f"/CN=device-{number}", "-out", f"{number}.pem", "-notext")
        if reason is not None:
            openssl(*ca, "-revoke", f"{number}.pem", *reason)
    openssl(*ca, "-gencrl", "-out", "openssl.crl")

    answer = jitr("crl", "create", *files.options, "--index", folder / "index.txt")
    assert answer.exit_code == 0, answer.err
    theirs = {each.serial_number: each for each in x509.load_pem_x509_crl((folder / "openssl.crl").read_bytes())}
    ours = {each.serial_number: each for each in x509.load_der_x509_crl(files.out.read_bytes())}
    assert set(ours) == set(theirs) == set(range(0x8F00, 0x8F06))
    for serial, entry in ours.items():
        assert entry.revocation_date_utc == theirs[serial].revocation_date_utc
        for kind in (x509.CRLReason, x509.InvalidityDate):
            assert _values(entry, kind) == _values(theirs[serial], kind)
    openssl("crl", "-inform", "DER", "-in", "ca.crl", "-noout", "-CAfile", "ca.pem")


def _values(entry: x509.RevokedCertificate, kind: type[x509.ExtensionType]) -> list[x509.ExtensionType]:
    return [each.value for each in entry.extensions if isinstance(each.value, kind)]


def test_openssl_continues_from_a_crl_of_ours(jitr: Jitr, files: CaFiles) -> None:
    """A CRL that openssl numbered is followed by the next number, whatever its size."""
    number = raw_der.extension("cRLNumber", raw_der.integer(0x1000))
    files.out.write_bytes(raw_der.crl(CA, raw_der.entry(5), extensions=[number]))
    assert jitr("crl", "create", *files.options).exit_code == 0
    assert files.made().number == 0x1001
