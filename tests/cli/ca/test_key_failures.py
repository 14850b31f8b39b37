"""What a command that handles a private key leaves behind when it fails: not the key, nor its passphrase, anywhere."""

from __future__ import annotations

import base64
import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from jitr_cli.console import failures
from jitr_local import pki
from tests.cli.conftest import Jitr
from tests.cli.worlds.ca_files import PASSPHRASE, CaFiles, write_ca
from tests.cli.worlds.devices import active, in_the_same_account, written
from tests.worlds.deployment import TestDeployment
from tests.worlds.private_keys import holds_private_key

WRONG = "not correct battery staple"
FAULT = "a fault inside the signing"
# The seams behind which a key signs: certificates, requests, CRLs.
SIGNING = (
    "cryptography.x509.CertificateBuilder.sign",
    "cryptography.x509.CertificateSigningRequestBuilder.sign",
    "jitr_fleet.issuing.crls._sign",
)


@dataclass(frozen=True)
class Bench:
    """A CA whose devices the deployment activates, its encrypted key, a CRL, and a device."""

    files: CaFiles
    device: Path

    @property
    def folder(self) -> Path:
        """Where everything is."""
        return self.files.folder

    @property
    def crl(self) -> list[object]:
        """The options of a CRL that is to be signed anew."""
        return ["--crl", self.folder / "before.crl", "--issuer", self.files.issuer, "--key", self.files.key]

    def another(self, name: str, *, path_length: int) -> Path:
        """Write the certificate of another CA that has the same key."""
        ca = pki.CertificateAuthority.create(name, key=self.files.ca.key, path_length=path_length)
        file = self.folder / f"{name}.pem"
        file.write_text(pki.pem(ca.certificate))
        return file

    def secrets(self) -> list[str]:
        """What must be nowhere: passphrases, and the key in every form that somebody might print."""
        key = self.files.ca.key
        der = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        value = key.private_numbers().private_value  # type: ignore[union-attr]
        # A piece of it is enough, so that line breaks do not hide the rest.
        return [PASSPHRASE, WRONG, base64.b64encode(der).decode()[70:110], der.hex()[100:160], str(value), f"{value:x}"]


Make = Callable[[Bench, Path], list[object]]


def device_create(bench: Bench, passphrase: Path) -> list[object]:
    """A device gets key and certificate."""
    files = bench.files
    key = ["--ca-certificate", files.issuer, "--ca-key", files.key, "--passphrase-file", passphrase]
    return ["device", "create", "--cn", "pump-1", *key, "--out", bench.folder / "devices"]


def device_revoke(bench: Bench, passphrase: Path) -> list[object]:
    """A device's certificate goes onto its CA's CRL too."""
    out = ["--crl-out", bench.folder / "after.crl", "--passphrase-file", passphrase]
    return ["device", "revoke", bench.device, *bench.crl, *out, "--yes", "--rate", "100"]


def crl_create(bench: Bench, passphrase: Path) -> list[object]:
    """A first CRL."""
    return ["crl", "create", *bench.files.options, "--passphrase-file", passphrase]


def crl_revoke(bench: Bench, passphrase: Path) -> list[object]:
    """A CRL with one more entry."""
    return ["crl", "revoke", *bench.crl, "--serial", "ab", "--out", bench.files.out, "--passphrase-file", passphrase]


def ca_create(bench: Bench, passphrase: Path) -> list[object]:
    """An intermediate, by a root with the same key."""
    issuer = bench.another("Root", path_length=1)
    new = ["--out", bench.folder / "line.pem", "--key-out", bench.folder / "line.key"]
    signed = ["--issuer", issuer, "--issuer-key", bench.files.key, "--issuer-passphrase-file", passphrase]
    return ["ca", "create", "--common-name", "Line 1", *new, *signed, "--passphrase-file", bench.folder / "passphrase"]


def ca_register(bench: Bench, passphrase: Path) -> list[object]:
    """Registration in DEFAULT mode, proven with the key."""
    key = ["--ca-key", bench.files.key, "--passphrase-file", passphrase]
    return ["ca", "register", "--certificate", bench.another("New CA", path_length=0), *key, "--yes"]


def ca_csr(bench: Bench, _passphrase: Path) -> list[object]:
    """A request with a key of its own, which is kept."""
    return ["ca", "csr", "--out", bench.folder / "verification.csr", "--key-out", bench.folder / "verification.key"]


WITH_A_CA_KEY: list[Make] = [device_create, device_revoke, crl_create, crl_revoke, ca_create, ca_register]
NAME = pytest.mark.parametrize("make", WITH_A_CA_KEY, ids=lambda make: make.__name__)


@dataclass
class Watch:
    """What went wrong, as Python saw it, and every program that was started."""

    failures: list[BaseException] = field(default_factory=list)
    started: list[str] = field(default_factory=list)

    def texts(self) -> Iterator[str]:
        """Yield what each failure, and each one behind it, says and holds."""
        for failure in self.failures:
            behind: BaseException | None = failure
            while behind is not None:
                yield f"{behind} {behind!r} {behind.args!r}"
                behind = behind.__cause__ or behind.__context__


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Keep the failures that end commands, and let no program start."""
    watched = Watch()

    def describe(failure: Exception) -> int:
        watched.failures.append(failure)
        return failures.describe_failure(failure)

    def refused(name: str) -> Callable[..., None]:
        def start(*_: object, **__: object) -> None:
            watched.started.append(name)
            raise PermissionError(name)

        return start

    monkeypatch.setattr("jitr_cli.__main__.describe_failure", describe)
    monkeypatch.setattr(subprocess.Popen, "__init__", refused("Popen"))
    for name in ("system", "fork", "forkpty", "posix_spawn", "posix_spawnp", "execv", "execve"):
        monkeypatch.setattr(os, name, refused(name))
    return watched


@pytest.fixture
def bench(stack: TestDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The deployment's CA in files, as its owner keeps them."""
    in_the_same_account(monkeypatch)
    device = written(active(stack), tmp_path)
    files = write_ca(tmp_path, stack.ca)
    files.encrypt_key()
    (tmp_path / "before.crl").write_bytes(stack.ca.crl())
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    (tmp_path / "wrong").write_text(WRONG)
    return Bench(files, device)


def kept(folder: Path) -> dict[Path, bytes]:
    """Return all files and what is in them."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def assert_nothing_left(
    bench: Bench, watch: Watch, caplog: pytest.LogCaptureFixture, before: dict[Path, bytes], *printed: str
) -> None:
    """Look for the key and its passphrases wherever a failure could leave them."""
    told = [*printed, caplog.text, *watch.texts()]
    assert watch.failures
    assert not holds_private_key(*told)
    assert not [number for number, secret in enumerate(bench.secrets()) if any(secret in text for text in told)]
    assert watch.started == []
    assert kept(bench.folder) == before


@NAME
def test_a_wrong_passphrase_tells_nobody_the_key(
    bench: Bench, jitr: Jitr, watch: Watch, caplog: pytest.LogCaptureFixture, make: Make
) -> None:
    """Refused in one sentence; nothing is written and no program started."""
    arguments = make(bench, bench.folder / "wrong")
    before = kept(bench.folder)
    with caplog.at_level(logging.DEBUG):
        answer = jitr(*arguments)
    assert (answer.exit_code, "the passphrase is wrong" in answer.err) == (64, True), answer.err
    assert_nothing_left(bench, watch, caplog, before, answer.out, answer.err)


@pytest.mark.parametrize("make", [*WITH_A_CA_KEY, ca_csr], ids=lambda make: make.__name__)
def test_a_bug_in_the_signing_tells_nobody_the_key(
    bench: Bench,
    jitr: Jitr,
    watch: Watch,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    make: Make,
) -> None:
    """70, with a traceback to report: it names the place, and the key only as an object."""

    def fail(*arguments: object, **named: object) -> None:
        raise RuntimeError(f"{FAULT}: {arguments!r} {named!r}")

    arguments = make(bench, bench.folder / "passphrase")
    before = kept(bench.folder)
    for place in SIGNING:
        monkeypatch.setattr(place, fail)
    with caplog.at_level(logging.DEBUG):
        answer = jitr(*arguments)
    assert (answer.exit_code, FAULT in answer.err, "Traceback" in answer.err) == (70, True, True), answer.err
    assert_nothing_left(bench, watch, caplog, before, answer.out, answer.err)


@NAME
def test_the_same_commands_succeed_otherwise(bench: Bench, jitr: Jitr, watch: Watch, make: Make) -> None:
    """So what failed above failed for the reason given; and success starts no program either."""
    answer = jitr(*make(bench, bench.folder / "passphrase"))
    assert (answer.exit_code, watch.started) == (0, []), answer.err
    assert not [secret for secret in bench.secrets() if secret in answer.out + answer.err]
