"""`jitr ca create` on this computer: a CA that AWS IoT takes, and a key that nobody else reads."""

from __future__ import annotations

import getpass
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from jitr.certificates import verify_issued_by
from jitr_cli.authorities.description import key_kind
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.new_files import write_new
from jitr_fleet.issuing.ca_certificate import read_ca_certificate
from jitr_local import pki
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.ca_files import PASSPHRASE, CaFiles, write_ca


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    """Return a file with a passphrase."""
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n")
    return file


def create(jitr: Jitr, folder: Path, *more: object, name: str = "new") -> Answer:
    """Create a CA in a folder, its files and itself named."""
    out, key = folder / f"{name}.pem", folder / f"{name}.key"
    return jitr("ca", "create", "--common-name", f"Factory CA {name}", "--out", out, "--key-out", key, *more)


def certificate(folder: Path, name: str = "new") -> x509.Certificate:
    """Return the certificate that was written."""
    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


def test_a_new_ca_is_one_that_aws_iot_takes(jitr: Jitr, tmp_path: Path, passphrase: Path) -> None:
    """Its certificate goes into the fleet file as it is."""
    answer = create(jitr, tmp_path, "--passphrase-file", passphrase, "--json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["ca_certificate_id"] == read_ca_certificate(tmp_path / "new.pem").fingerprint
    ca = certificate(tmp_path)
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    assert ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    left = ca.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=3650, minutes=-1) < left <= timedelta(days=3650)
    assert ca.not_valid_before_utc <= datetime.now(UTC) - timedelta(minutes=4)


def test_its_key_is_encrypted_and_for_its_owner_only(jitr: Jitr, tmp_path: Path, passphrase: Path) -> None:
    """Mode 0600, and it opens with the passphrase and not without; the passphrase is said nowhere."""
    answer = create(jitr, tmp_path, "--passphrase-file", passphrase)
    key = tmp_path / "new.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(TypeError):
        load_pem_private_key(key.read_bytes(), password=None)
    loaded = load_pem_private_key(key.read_bytes(), password=PASSPHRASE.encode())
    assert loaded.public_key() == certificate(tmp_path).public_key()
    assert PASSPHRASE not in answer.out + answer.err
    assert "PRIVATE KEY" not in answer.out + answer.err


def test_the_passphrase_is_asked_for_twice(jitr: Jitr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing mistake would lock the key for good."""
    typed = iter([PASSPHRASE, PASSPHRASE, PASSPHRASE, "another"])
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(typed))
    assert create(jitr, tmp_path).exit_code == 0
    answer = create(jitr, tmp_path, name="second")
    assert (answer.exit_code, "not the same" in answer.err) == (64, True)
    assert not (tmp_path / "second.key").exists()


def test_without_a_terminal_the_passphrase_has_to_be_in_a_file(tmp_path: Path) -> None:
    """And nothing is left behind."""
    command = [sys.executable, "-m", "jitr_cli", "ca", "create", "--common-name", "x"]
    command += ["--out", str(tmp_path / "a.pem"), "--key-out", str(tmp_path / "a.key")]
    done = subprocess.run(command, capture_output=True, text=True, input="x\n", start_new_session=True, check=False)
    assert (done.returncode, "give --passphrase-file" in done.stderr) == (64, True)
    assert list(tmp_path.iterdir()) == []


def test_an_unencrypted_key_has_to_be_asked_for(jitr: Jitr, tmp_path: Path) -> None:
    """And is worth a warning."""
    answer = create(jitr, tmp_path, "--no-passphrase")
    assert (answer.exit_code, "warning: the key is not encrypted" in answer.err) == (0, True)
    load_pem_private_key((tmp_path / "new.key").read_bytes(), password=None)
    assert stat.S_IMODE((tmp_path / "new.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("existing", ["new.pem", "new.key"])
def test_nothing_is_overwritten(jitr: Jitr, tmp_path: Path, existing: str) -> None:
    """Not the certificate, and above all not the key of a CA that has devices."""
    (tmp_path / existing).write_text("precious")
    answer = create(jitr, tmp_path, "--no-passphrase")
    assert (answer.exit_code, "is not overwritten" in answer.err) == (64, True)
    assert (tmp_path / existing).read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_to_nowhere_is_not_followed(jitr: Jitr, tmp_path: Path) -> None:
    """Whoever put it there would choose where the key goes."""
    (tmp_path / "new.key").symlink_to(tmp_path / "elsewhere")
    assert create(jitr, tmp_path, "--no-passphrase").exit_code == 64
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_appears_meanwhile_is_not_overwritten_either(tmp_path: Path) -> None:
    """The check comes first, but the write decides."""
    (tmp_path / "key").write_text("precious")
    with pytest.raises(CommandFailed, match="is not overwritten"):
        write_new(tmp_path / "key", b"new", mode=0o600)
    assert (tmp_path / "key").read_text() == "precious"


def test_no_key_is_left_where_its_certificate_cannot_be_written(
    jitr: Jitr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next attempt would be refused for its sake."""
    real = os.open

    def full(path: Path, flags: int, mode: int = 0o777) -> int:
        if str(path).endswith("new.pem"):
            raise OSError(28, "No space left on device")
        return real(path, flags, mode)

    monkeypatch.setattr("jitr_cli.console.new_files.os.open", full)
    answer = create(jitr, tmp_path, "--no-passphrase")
    assert (answer.exit_code, "No space left" in answer.err) == (64, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "expected"), [("rsa-2048", "RSA-2048"), ("ec-p384", "EC P-384"), ("ec-p256", "EC P-256")]
)
def test_another_kind_of_key_is_made_on_request(jitr: Jitr, tmp_path: Path, kind: str, expected: str) -> None:
    """RSA for devices that know nothing else."""
    assert create(jitr, tmp_path, "--no-passphrase", "--key-type", kind).exit_code == 0
    assert key_kind(certificate(tmp_path)) == expected


@pytest.fixture
def root(jitr: Jitr, tmp_path: Path) -> Path:
    """Make a root that allows CAs below it."""
    assert create(jitr, tmp_path, "--no-passphrase", "--path-length", "1", "--days", "100", name="root").exit_code == 0
    return tmp_path


def test_an_intermediate_is_signed_by_its_issuer(jitr: Jitr, root: Path) -> None:
    """It signs devices, is told from others by its keys, and does not outlive its issuer."""
    options = ["--issuer", root / "root.pem", "--issuer-key", root / "root.key", "--no-passphrase"]
    answer = create(jitr, root, *options)
    assert answer.exit_code == 0, answer.err
    issuer, ca = certificate(root, "root"), certificate(root)
    verify_issued_by(ca, issuer)
    assert ca.not_valid_after_utc == issuer.not_valid_after_utc
    authority = ca.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    known = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert authority.key_identifier == known.digest
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_openssl_accepts_the_chain(jitr: Jitr, root: Path) -> None:
    """Root, intermediate and a device, with every strict check."""
    create(jitr, root, "--issuer", root / "root.pem", "--issuer-key", root / "root.key", "--no-passphrase")
    loaded = load_pem_private_key((root / "new.key").read_bytes(), password=None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    ca = pki.CertificateAuthority(certificate(root), loaded)
    (root / "device.pem").write_text(pki.pem(ca.issue(not_before=pki.now(), not_after=pki.now() + pki.DAY).certificate))
    command = ["openssl", "verify", "-CAfile", "root.pem", "-untrusted", "new.pem", "device.pem"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "device.pem: OK", done.stderr


def test_an_intermediate_has_a_name_of_its_own(jitr: Jitr, root: Path) -> None:
    """With its issuer's name, openssl takes one for the other and calls the devices forged."""
    options = ["--issuer", root / "root.pem", "--issuer-key", root / "root.key", "--no-passphrase"]
    answer = create(jitr, root, *options, "--common-name", "Factory CA root")
    assert (answer.exit_code, "its issuer's name" in answer.err) == (64, True)
    assert not (root / "new.key").exists()


@pytest.fixture
def leaf_signing(jitr: Jitr, tmp_path: Path) -> Path:
    """Make a CA that allows no CA below it."""
    create(jitr, tmp_path, "--no-passphrase", name="root")
    return tmp_path


def test_a_ca_that_allows_none_below_it_signs_none(jitr: Jitr, leaf_signing: Path) -> None:
    """What came out would be refused by everybody who checks chains."""
    folder = leaf_signing
    options = ["--issuer", folder / "root.pem", "--issuer-key", folder / "root.key", "--no-passphrase"]
    answer = create(jitr, folder, *options)
    assert (answer.exit_code, "pathLenConstraint is 0" in answer.err) == (64, True)
    assert not (folder / "new.key").exists()


@pytest.fixture
def issuer(tmp_path: Path) -> CaFiles:
    """Return a CA that may have others below it, its key encrypted."""
    files = write_ca(tmp_path, pki.CertificateAuthority.create(path_length=1))
    files.encrypt_key()
    return files


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"passphrase": "wrong"}, "the passphrase is wrong"),
        ({"key": "certificate"}, "holds no private key in PEM that can be read; it holds: CERTIFICATE"),
        ({"key": "another"}, "the key does not belong to the CA certificate"),
        ({"certificate": "device"}, "the issuer is no CA"),
        ({"certificate": "expired"}, "outside its validity"),
        ({"certificate": "key"}, "holds no readable certificate"),
        ({"certificate": "signs no certificates"}, "keyCertSign"),
    ],
    ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else "",
)
def test_a_wrong_issuer_makes_nothing(jitr: Jitr, issuer: CaFiles, given: dict[str, str], complaint: str) -> None:
    """Each mistake in one sentence, and no file."""
    folder, ca = issuer.folder, issuer.ca
    (folder / "device").write_text(pki.pem(ca.issue().certificate))
    old = pki.CertificateAuthority.create(key=ca.key, path_length=1, not_after=pki.now() - timedelta(hours=1))
    (folder / "expired").write_text(pki.pem(old.certificate))
    usage = pki.ca_key_usage(key_cert_sign=False)
    (folder / "signs no certificates").write_text(
        pki.pem(pki.CertificateAuthority.create(key=ca.key, path_length=1, key_usage=usage).certificate)
    )
    (folder / "another").write_text(pki.private_pem(pki.new_key()))
    (folder / "passphrase").write_text(given.get("passphrase", PASSPHRASE))
    named = {"certificate": issuer.issuer, "key": issuer.key}
    options = [
        "--issuer",
        named.get(given.get("certificate", "certificate"), folder / given.get("certificate", "")),
        "--issuer-key",
        named.get(given.get("key", "key"), folder / given.get("key", "")),
        "--issuer-passphrase-file",
        folder / "passphrase",
        "--no-passphrase",
    ]
    answer = create(jitr, folder, *options)
    assert (answer.exit_code, answer.out) == (64, "")
    assert complaint in answer.err
    assert not (folder / "new.key").exists()
    assert not (folder / "new.pem").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--out", "a.pem"], "give --out and --key-out"),
        (["--out", "a", "--key-out", "a", "--no-passphrase"], "one file is named twice"),
        (["--out", "no/a", "--key-out", "b", "--no-passphrase"], "there is no folder"),
        (["--out", "a", "--key-out", "b", "--issuer", "here"], "--issuer and --issuer-key together"),
        (["--out", "a", "--key-out", "b", "--crl-bucket", "x"], "give --private-ca too"),
        (["--out", "a", "--key-out", "b", "--dry-run"], "--dry-run is for AWS Private CA"),
        (["--out", "a", "--key-out", "b", "--common-name", "x" * 65], "1 to 64 printable characters"),
        (["--out", "a", "--key-out", "b", "--common-name", ""], "1 to 64 printable characters"),
        (["--out", "a", "--key-out", "b", "--passphrase-file", "here", "--no-passphrase"], "not both"),
    ],
)
def test_options_that_do_not_go_together_are_usage(
    jitr: Jitr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], complaint: str
) -> None:
    """Before anything is made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("x")
    answer = jitr("ca", "create", "--common-name", "Factory CA", *options)
    assert (answer.exit_code, complaint in answer.err) == (64, True), answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_it_needs_neither_aws_nor_a_profile(tmp_path: Path) -> None:
    """The computer that keeps a CA's key may have no network."""
    command = [sys.executable, "-X", "importtime", "-m", "jitr_cli", "ca", "create", "--common-name", "x"]
    command += ["--out", "a.pem", "--key-out", "a.key", "--no-passphrase"]
    environment = os.environ | {"AWS_PROFILE": "nobody-has-this-one"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert "| boto3" not in done.stderr
    assert certificate(tmp_path, "a").not_valid_after_utc > datetime.now(UTC)
