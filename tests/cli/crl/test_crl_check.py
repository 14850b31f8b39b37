"""`jitr crl check`: exit codes, JSON keys, files of every kind, and what it must not import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from jitr_local import pki

CA = pki.CertificateAuthority.create()
DEVICE = CA.issue().certificate
KEYS = ["verdict", "reason", "revocation_reason", "revoked_at", "crl", "skipped", "warnings"]


Check = Callable[..., Any]  # the answer has exit_code, out, err and json


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with the certificate and its issuer."""
    (tmp_path / "device.pem").write_text(pki.pem(DEVICE))
    (tmp_path / "issuer.pem").write_text(pki.pem(CA.certificate))
    return tmp_path


@pytest.fixture
def check(files: Path, jitr: Callable[..., Any]) -> Check:
    """Return what runs the command on the folder's certificate with these CRLs."""

    def checked(*crls: bytes, options: tuple[str, ...] = ("--json",)) -> Any:
        arguments = ["--certificate", str(files / "device.pem"), "--issuer", str(files / "issuer.pem")]
        for index, crl in enumerate(crls):
            (files / f"{index}.crl").write_bytes(crl)
            arguments += ["--crl", str(files / f"{index}.crl")]
        return jitr("crl", "check", *arguments, *options)

    return checked


def test_good_is_exit_code_0(check: Check) -> None:
    """Every key is there, times end in Z, the number is a number."""
    issued = pki.now() - timedelta(hours=1)
    answer = check(CA.crl(number=12, this_update=issued))
    assert (answer.exit_code, answer.err) == (0, "")
    assert list(answer.json) == KEYS
    assert answer.json == {
        "verdict": "good",
        "reason": None,
        "revocation_reason": None,
        "revoked_at": None,
        "crl": {
            "number": 12,
            "this_update": issued.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "next_update": (issued + 7 * pki.DAY).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "skipped": [],
        "warnings": [],
    }


def test_revoked_is_exit_code_1(check: Check) -> None:
    """With reason and date of the entry; a hold is a revocation too."""
    at = pki.now() - timedelta(hours=3)
    for flag, name in (
        (x509.ReasonFlags.superseded, "superseded"),
        (x509.ReasonFlags.certificate_hold, "certificateHold"),
    ):
        answer = check(CA.crl([pki.revoked_entry(DEVICE.serial_number, reason=flag, revoked_at=at)]))
        assert answer.exit_code == 1
        assert answer.json["verdict"] == "revoked"
        assert answer.json["revocation_reason"] == name
        assert answer.json["revoked_at"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_without_a_crl_it_is_undetermined(check: Check) -> None:
    """Exit code 2, reason no_crl."""
    answer = check()
    assert answer.exit_code == 2
    assert (answer.json["verdict"], answer.json["reason"], answer.json["crl"]) == ("undetermined", "no_crl", None)


def test_unusable_crls_are_named(check: Check, files: Path) -> None:
    """Beside a usable one, and alone; an unusable content is no usage error."""
    expected = [{"file": str(files / "0.crl"), "reason": "malformed"}]
    beside = check(b"<html>", CA.crl())
    assert (beside.exit_code, beside.json["skipped"]) == (0, expected)
    alone = check(b"<html>")
    assert (alone.exit_code, alone.json["reason"], alone.json["skipped"]) == (2, "malformed", expected)


def test_warnings_are_data(check: Check) -> None:
    """A CRL without a number is used, and said to be one."""
    answer = check(CA.crl(number=None))
    assert answer.exit_code == 0
    assert answer.json["crl"]["number"] is None
    assert "no CRL number" in answer.json["warnings"][0]


def test_another_time_gives_another_answer(check: Check) -> None:
    """With Z, with an offset, without one (UTC), as a date."""
    crl = CA.crl()
    late = pki.now() + 30 * pki.DAY
    for text in (late.strftime("%Y-%m-%dT%H:%M:%SZ"), late.isoformat(), late.strftime("%Y-%m-%dT%H:%M"), f"{late:%F}"):
        assert check(crl, options=("--json", "--at", text)).json["reason"] == "expired"


def test_der_certificates_and_pem_crls_are_read(check: Check, files: Path) -> None:
    """Any of the files may be either."""
    (files / "device.pem").write_bytes(pki.der(DEVICE))
    (files / "issuer.pem").write_bytes(pki.der(CA.certificate))
    crl = x509.load_der_x509_crl(CA.crl([DEVICE.serial_number])).public_bytes(serialization.Encoding.PEM)
    assert check(crl).exit_code == 1


@pytest.mark.parametrize("broken", ["device.pem", "issuer.pem"])
@pytest.mark.parametrize("content", [b"", b"\x30\x03\x02\x01\x05", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_an_unreadable_certificate_is_undetermined(check: Check, files: Path, broken: str, content: bytes) -> None:
    """The file is there, its content is no certificate."""
    (files / broken).write_bytes(content)
    answer = check(CA.crl())
    assert (answer.exit_code, answer.json["verdict"], answer.json["reason"]) == (2, "undetermined", "malformed")


def test_an_issuer_that_did_not_issue_it_is_undetermined(check: Check, files: Path) -> None:
    """A serial number under another issuer says nothing."""
    other = pki.CertificateAuthority.create()
    (files / "issuer.pem").write_text(pki.pem(other.certificate))
    answer = check(other.crl([DEVICE.serial_number]))
    assert (answer.exit_code, answer.json["reason"]) == (2, "issuer_mismatch")


def test_a_configured_url_brings_the_crl_into_scope(check: Check) -> None:
    """As for the CRLs that step-ca publishes."""
    url = "http://ca.example.com/1.0/crl"
    point = x509.IssuingDistributionPoint([x509.UniformResourceIdentifier(url)], None, False, False, None, False, False)  # noqa: FBT003
    crl = CA.crl(extensions=[(point, True)])
    assert check(crl).json["reason"] == "out_of_scope"
    assert check(crl, options=("--json", "--distribution-point", url)).exit_code == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ["--crl", "/nowhere/at-all.crl"],
        ["--crl", "/"],
        ["--at", "yesterday"],
        ["--at", "9999-12-31"],
        ["--certificate", "/nowhere/at-all.pem"],
        ["--no-such-option"],
    ],
)
def test_wrong_usage_is_exit_code_64(check: Check, wrong: list[str]) -> None:
    """Never 1 or 2, which are answers; stdout stays empty."""
    answer = check(CA.crl(), options=tuple(wrong))
    assert (answer.exit_code, answer.out) == (64, "")


def test_a_file_that_may_not_be_read_is_exit_code_64(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions are the user's business."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    answer = check()
    assert answer.exit_code == 64
    assert "Permission denied" in answer.err


def test_people_get_sentences(check: Check) -> None:
    """The answer on stdout, what was skipped and what is unusual on stderr."""
    answer = check(b"", CA.crl([DEVICE.serial_number], number=None), options=())
    assert answer.out.splitlines()[0].startswith("revoked: reason not given, since ")
    assert "0.crl: malformed: it is empty" in answer.err
    assert "warning: it has no CRL number" in answer.err


def test_it_loads_neither_aws_nor_the_cdk(files: Path) -> None:
    """In a process of its own; what is slow to load would be slow for every check."""
    (files / "0.crl").write_bytes(CA.crl())
    arguments = ["crl", "check"]
    for option, name in (("--certificate", "device.pem"), ("--issuer", "issuer.pem"), ("--crl", "0.crl")):
        arguments += [option, str(files / name)]
    script = (
        "import sys; from jitr_cli.__main__ import run; assert run(sys.argv[1:]) == 0;"
        "print(sorted({m.partition('.')[0] for m in sys.modules}"
        " & {'boto3', 'botocore', 'aws_cdk', 'jsii', 'constructs', 'rich', 'jitr_local', 'infra'}))"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
