"""`jitr crl create` and the CA's key: which ones sign, and where a passphrase may come from."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from jitr_local import pki
from tests.cli.conftest import Jitr
from tests.cli.worlds.ca_files import PASSPHRASE, CaFiles, write_ca

CA = pki.CertificateAuthority.create()


@pytest.fixture
def files(tmp_path: Path) -> CaFiles:
    """Return a CA's certificate and key in a folder of their own."""
    return write_ca(tmp_path, CA)


@pytest.mark.parametrize(
    "encoding", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
def test_an_encrypted_keys_passphrase_is_asked_for(
    jitr: Jitr, files: CaFiles, monkeypatch: pytest.MonkeyPatch, encoding: serialization.PrivateFormat
) -> None:
    """In PKCS #8 and in openssl's old form; the passphrase appears nowhere."""
    files.encrypt_key(encoding)
    asked: list[str] = []

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return PASSPHRASE

    monkeypatch.setattr(getpass, "getpass", typed)
    answer = jitr("crl", "create", *files.options)
    assert answer.exit_code == 0, answer.err
    assert (len(asked), PASSPHRASE in answer.err + answer.out) == (1, False)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_passphrase_may_come_from_a_file(jitr: Jitr, files: CaFiles, ending: str) -> None:
    """With the end of line that editors leave."""
    files.encrypt_key()
    passphrase = files.folder / "passphrase"
    passphrase.write_bytes((PASSPHRASE + ending).encode())
    assert jitr("crl", "create", *files.options, "--passphrase-file", passphrase).exit_code == 0
    assert files.listed() == set()


def test_a_passphrase_may_come_from_a_file_descriptor(jitr: Jitr, files: CaFiles) -> None:
    """`--passphrase-file /dev/fd/N`, as shells make it of `<(pass show ca)`."""
    files.encrypt_key()
    reading, writing = os.pipe()
    try:
        os.write(writing, PASSPHRASE.encode())
        os.close(writing)
        assert jitr("crl", "create", *files.options, "--passphrase-file", f"/dev/fd/{reading}").exit_code == 0
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("passphrase", "complaint"), [("wrong", "the passphrase is wrong"), ("", "the passphrase is empty")]
)
def test_a_wrong_passphrase_writes_nothing(
    jitr: Jitr, files: CaFiles, monkeypatch: pytest.MonkeyPatch, passphrase: str, complaint: str
) -> None:
    """And says no more than that."""
    files.encrypt_key()
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: passphrase)
    answer = jitr("crl", "create", *files.options)
    assert (answer.exit_code, complaint in answer.err, files.out.exists()) == (64, True, False)


def test_without_a_terminal_nobody_is_asked(files: CaFiles) -> None:
    """A passphrase on stdin would be echoed or logged by whatever feeds it, so it is not read."""
    files.encrypt_key()
    done = subprocess.run(
        [sys.executable, "-m", "jitr_cli", "crl", "create", *files.options],
        input=PASSPHRASE + "\n",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, "give --passphrase-file" in done.stderr) == (64, True)
    assert not files.out.exists()


def test_a_key_that_others_can_read_is_worth_a_warning(jitr: Jitr, files: CaFiles) -> None:
    """It signs all the same."""
    files.key.chmod(0o644)
    answer = jitr("crl", "create", *files.options)
    assert (answer.exit_code, "can be read by others" in answer.err) == (0, True)


def _pem(key: object) -> str:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return key.private_bytes(*form).decode()
    assert isinstance(key, pki.PrivateKey)
    return pki.private_pem(key)


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        (_pem(pki.new_key()), "does not belong to the CA certificate"),
        (_pem(pki.new_key("RSA-2048")), "does not belong to the CA certificate"),
        (_pem(ed25519.Ed25519PrivateKey.generate()), "neither RSA nor ECDSA"),
        (pki.pem(CA.certificate), "no private key"),
        ("", "no private key"),
        (_pem(CA.key).replace("M", "N", 3), "no private key"),
    ],
)
def test_a_key_that_is_not_the_cas_writes_nothing(jitr: Jitr, files: CaFiles, key: str, complaint: str) -> None:
    """Another one's, of another kind, or none at all; none of it is printed."""
    files.key.write_text(key)
    answer = jitr("crl", "create", *files.options)
    assert (answer.exit_code, complaint in answer.err, files.out.exists()) == (64, True, False)
    assert "PRIVATE KEY-----" not in answer.err


def test_a_ca_that_may_not_sign_crls_is_refused(jitr: Jitr, tmp_path: Path) -> None:
    """Before anybody is asked for a passphrase."""
    files = write_ca(tmp_path, pki.CertificateAuthority.create(key_usage=pki.ca_key_usage(crl_sign=False)))
    files.encrypt_key()
    answer = jitr("crl", "create", *files.options)
    assert (answer.exit_code, "cRLSign" in answer.err) == (64, True)
