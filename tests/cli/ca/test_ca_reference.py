"""How a CA is named on the command line: by id, the beginning of one, openssl's fingerprint, a file, or a name."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes

from jitr_local.pki import CertificateAuthority, pem
from tests.aws.fake_iot import FakeIot
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.bundle_server import BundleServer
from tests.worlds.deployment import TestDeployment


def hold(jitr: Jitr, ca: object) -> Answer:
    """A command that writes, in a dry run."""
    return jitr("ca", "hold", "--ca-certificate-id", ca, "--dry-run", "--json")


def openssl_fingerprint(ca: CertificateAuthority) -> str:
    """As `openssl x509 -fingerprint -sha256` prints it."""
    return f"sha256 Fingerprint={ca.certificate.fingerprint(hashes.SHA256()).hex(':').upper()}"


@pytest.mark.parametrize("form", ["id", "upper case", "beginning", "fingerprint", "file", "name"])
def test_every_form_means_the_same_ca(stack: TestDeployment, jitr: Jitr, tmp_path: Path, form: str) -> None:
    """Also to a command that writes, which says whole ids."""
    file = tmp_path / "factory.pem"
    file.write_text(pem(stack.ca.certificate))
    wanted = stack.ca.ca_certificate_id
    forms = {
        "id": wanted,
        "upper case": wanted.upper(),
        "beginning": wanted[:8],
        "fingerprint": openssl_fingerprint(stack.ca),
        "file": file,
        "name": stack.configuration.cas[0].name,
    }
    answer = hold(jitr, forms[form])
    assert (answer.exit_code, answer.json["ca_certificate_id"]) == (0, wanted)
    assert wanted in answer.err


def same_beginning(iot: FakeIot, wanted: str) -> str:
    """Another registered CA whose id begins with the same four digits."""
    other = wanted[:4] + "0" * 60
    iot.cas[other] = iot.cas[wanted]
    return other


def test_a_beginning_that_two_share_is_refused_with_both(stack: TestDeployment, jitr: Jitr) -> None:
    """Nothing is done to either."""
    wanted = stack.ca.ca_certificate_id
    other = same_beginning(stack.iot, wanted)
    answer = hold(jitr, wanted[:4])
    assert answer.exit_code == 64
    assert wanted in answer.err
    assert other in answer.err


@pytest.mark.parametrize("text", ["factory-9", "0123456789", "abc", "no such ca", "../ca.pem"])
def test_what_names_no_ca_is_usage(stack: TestDeployment, jitr: Jitr, text: str) -> None:
    """Said with what was given."""
    answer = hold(jitr, text)
    assert (answer.exit_code, text in answer.err) == (64, True)


def test_a_name_that_could_not_be_looked_up_is_not_said_to_be_wrong(
    stack: TestDeployment, jitr: Jitr, bundles: BundleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which deployment could not be read is said."""
    monkeypatch.setattr(bundles, "status", 403)
    answer = hold(jitr, stack.configuration.cas[0].name)
    assert answer.exit_code == 64
    assert "unknown is what these deployments name: test" in answer.err
