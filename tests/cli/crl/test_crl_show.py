"""`jitr crl show`: what a CRL says about itself, and whether its signature holds."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from jitr_cli.__main__ import run
from jitr_local import pki
from tests.cli.conftest import Jitr
from tests.cli.worlds.bundle_server import BundleServer
from tests.worlds import raw_der
from tests.worlds.deployment import BUCKET, TestDeployment

CA = pki.CertificateAuthority.create()
URL = "http://crl.example.com/1.crl"
POINT = x509.IssuingDistributionPoint([x509.UniformResourceIdentifier(URL)], None, True, False, None, False, False)  # noqa: FBT003
CRL = CA.crl(range(1, 6), number=7, extensions=[(POINT, True)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a CRL of five entries."""
    path = tmp_path / "five.crl"
    path.write_bytes(CRL)
    return path


def test_it_shows_what_the_crl_says(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts, names, sizes; without an issuer the signature is not judged."""
    assert run(["crl", "show", str(file), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["issuer"] == "CN=Factory CA 1,O=Example Devices"
    assert (shown["number"], shown["version"], shown["entries"]) == (7, 2, 5)
    assert (shown["size"], shown["sha256"]) == (len(CRL), hashlib.sha256(CRL).hexdigest())
    assert shown["signature_algorithm"] == "ECDSA with SHA256"
    assert shown["distribution_points"] == [URL]
    assert {"name": "issuingDistributionPoint", "critical": True} in shown["extensions"]
    assert (shown["signature"], shown["unusable"], shown["warnings"]) == (None, None, [])


def test_the_signature_decides_the_exit_code_where_an_issuer_is_given(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 for the CA that signed it, 2 for its namesake with another key."""
    for name, ca, exit_code, signature in (
        ("right", CA, 0, "verified"),
        ("wrong", pki.CertificateAuthority.create(), 2, "bad_signature"),
    ):
        issuer = tmp_path / f"{name}.pem"
        issuer.write_text(pki.pem(ca.certificate))
        assert run(["crl", "show", str(file), "--issuer", str(issuer), "--json"]) == exit_code
        assert json.loads(capsys.readouterr().out)["signature"] == signature


def test_a_crl_in_pem_is_shown_as_what_it_is(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Size and hash are those of the DER."""
    file.write_bytes(x509.load_der_x509_crl(CRL).public_bytes(serialization.Encoding.PEM))
    assert run(["crl", "show", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sha256"] == hashlib.sha256(CRL).hexdigest()


def test_a_crl_that_jitr_would_not_use_says_why(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is readable all the same."""
    file.write_bytes(CA.crl(extensions=[(x509.DeltaCRLIndicator(1), True)]))
    assert run(["crl", "show", str(file)]) == 0
    assert "no: delta: it is a delta CRL" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"<html>", CRL[:-1], CRL + CRL])
def test_what_is_no_crl_is_exit_code_2(file: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """With the file and the reason on stderr."""
    file.write_bytes(content)
    assert run(["crl", "show", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{file}: malformed" in printed.err


def test_a_bundle_is_not_shown_in_part(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two CRLs in one file: none is passed over in silence."""
    file.write_bytes(x509.load_der_x509_crl(CRL).public_bytes(serialization.Encoding.PEM) * 2)
    assert run(["crl", "show", str(file)]) == 2
    assert "holds 2 CRLs" in capsys.readouterr().err


def test_people_see_its_age(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How long ago, how long left, and whether it is over."""
    now = pki.now()
    file.write_bytes(CA.crl(this_update=now - 10 * pki.DAY, next_update=now - timedelta(hours=50)))
    assert run(["crl", "show", str(file)]) == 0
    out = capsys.readouterr().out
    assert "(10 days ago)" in out
    assert "(2 days ago, expired)" in out


def test_names_cannot_steer_the_terminal(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An escape sequence in the issuer's name is shown as what it is not: harmless."""
    file.write_bytes(raw_der.crl(CA, issuer=pki.name("\x1b[2Jgone").public_bytes()))
    assert run(["crl", "show", str(file)]) == 0
    out = capsys.readouterr().out
    assert "gone" in out
    assert "\x1b" not in out


def test_a_file_that_is_not_there_is_exit_code_64(capsys: pytest.CaptureFixture[str]) -> None:
    """Usage, not an answer."""
    assert run(["crl", "show", "/nowhere/at-all.crl"]) == 64
    assert capsys.readouterr().out == ""


def shown_entries(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, str]]:
    """What is listed, as JSON."""
    assert run(["crl", "show", *map(str, arguments), "--json"]) == 0, capsys.readouterr().err
    listed: list[dict[str, str]] = json.loads(capsys.readouterr().out)["listed"]
    return listed


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A CRL whose entries differ."""
    entries = [
        pki.revoked_entry(0x0A, reason=x509.ReasonFlags.key_compromise),
        pki.revoked_entry(0x1B2, reason=x509.ReasonFlags.certificate_hold),
        pki.revoked_entry(0x3),
    ]
    path = tmp_path / "mixed.crl"
    path.write_bytes(CA.crl(entries, number=8))
    return path


def test_entries_are_listed_as_openssl_writes_serial_numbers(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In whole bytes, upper case, with date and reason."""
    found = shown_entries(capsys, mixed, "--entries")
    assert [each["serial"] for each in found] == ["0A", "01B2", "03"]
    assert [each["reason"] for each in found] == ["keyCompromise", "certificateHold", None]
    assert all(each["revoked_at"].endswith("Z") for each in found)
    assert run(["crl", "show", str(mixed), "--entries"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "serial,revoked_at,reason"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--serial", "01:B2"], ["01B2"]),
        (["--serial", "a", "--serial", "3"], ["0A", "03"]),
        (["--reason", "keycompromise"], ["0A"]),
        (["--reason", "unspecified"], ["03"]),
        (["--since", "2999-01-01"], []),
        (["--since", "2000-01-01", "--reason", "certificateHold"], ["01B2"]),
    ],
)
def test_entries_are_filtered(
    mixed: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: list[str]
) -> None:
    """By serial number, reason and date; a filter alone lists."""
    assert [each["serial"] for each in shown_entries(capsys, mixed, *options)] == expected


def test_standard_input_is_read(
    mixed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a pipe behind curl."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(mixed.read_bytes())))
    assert len(shown_entries(capsys, "-", "--entries")) == 3


def test_an_object_in_s3_and_an_address_are_read(
    stack: TestDeployment, jitr: Jitr, bundles: BundleServer, mixed: Path
) -> None:
    """Whoever types an address vouches for it, also on loopback."""
    stack.publish(mixed.read_bytes(), key="mixed.crl")
    assert jitr("crl", "show", f"s3://{BUCKET}/mixed.crl", "--json").json["number"] == 8
    bundles.data = mixed.read_bytes()
    assert jitr("crl", "show", bundles.address, "--json").json["number"] == 8
    bundles.status = 500
    broken = jitr("crl", "show", bundles.address)
    bundles.status = 0
    assert (broken.exit_code, "answered 500" in broken.err) == (69, True)
    assert jitr("crl", "show", f"s3://{BUCKET}/none.crl").exit_code == 69
    assert jitr("crl", "show", "nowhere.crl").exit_code == 64
    assert jitr("crl", "show", f"s3://{BUCKET}").exit_code == 64
