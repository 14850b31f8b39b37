"""Ordinary clients work against the local stack: the aws command line, openssl, mosquitto_pub, and `jitr` itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from jitr_local import pki
from tests.e2e.conftest import World
from tests.e2e.ordinary_clients import BIN, require_mosquitto_pub, variables

pytestmark = pytest.mark.e2e


def run(world: World, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program with the stack's variables and nothing of the user's AWS settings."""
    return subprocess.run(
        command, env=variables(world.instance), cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


def aws(world: World, *arguments: str, cwd: Path | None = None) -> str:
    """Run the aws command line and return its answer as text."""
    done = run(world, BIN / "aws", *arguments, "--output", "text", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_exported_variables_point_the_aws_command_line_at_the_stack(world: World) -> None:
    """A shell that evaluates the exports reaches the local account."""
    program = f"{world.instance.exports()}\naws sts get-caller-identity --query Account --output text"
    done = run(world, "sh", "-c", program)
    assert done.stdout.strip() == world.instance.account, done.stderr


def test_device_connect_ends_with_0_once_the_message_is_acknowledged(world: World) -> None:
    """The reference device as a command: attempts on stderr, the report as JSON on stdout."""
    device = world.factory.make("command-1")
    done = run(world, *connect_command(world, device.chain_file, device.key_file))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["client_id"], report["result"]) == ("command-1", "delivered")
    assert "connect 1: dropped" in done.stderr


def test_device_connect_ends_with_1_for_a_device_that_is_never_admitted(world: World) -> None:
    """A revoked device: exit code 1, and what was seen at each attempt."""
    device = world.factory.make("command-revoked-1")
    world.factory.publish_crl(world.instance, [device], number=9)
    done = run(world, *connect_command(world, device.chain_file, device.key_file), "--timeout", "4")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["result"] == "not_admitted"


def test_a_ca_registered_by_hand_is_adopted_and_its_devices_get_in(world: World, tmp_path: Path) -> None:
    """DEFAULT mode with a verification certificate, made with openssl and aws, then `jitr ca adopt`."""
    ca_id = register_by_hand(world, tmp_path)
    crl = tmp_path / "ca.crl"
    crl.write_bytes(empty_crl(tmp_path))
    aws(world, "s3", "cp", str(crl), f"s3://{world.instance.crl_bucket}/by-hand.crl")
    source = f"s3://{world.instance.crl_bucket}/by-hand.crl"
    done = run(world, BIN / "jitr", "ca", "adopt", "--ca-certificate-id", ca_id, "--crl", source, "--yes")
    assert done.returncode == 0, done.stderr
    issue(tmp_path, "by-hand-1", "by-hand-1")
    chain = tmp_path / "by-hand-1.chain.pem"
    chain.write_text((tmp_path / "by-hand-1.pem").read_text() + (tmp_path / "ca.pem").read_text())
    connected = run(world, *connect_command(world, chain, tmp_path / "by-hand-1.key"))
    assert connected.returncode == 0, connected.stderr


def test_mosquitto_pub_delivers_after_the_drop(world: World) -> None:
    """The first publish fails with the drop; repeated as a script would, it is acknowledged."""
    program = require_mosquitto_pub()
    device = world.factory.make("mosquitto-1")
    command = [program, "-h", world.instance.mqtt_host, "-p", str(world.instance.mqtt_port), "-i", "mosquitto-1"]
    command += ["--cafile", world.instance.server_ca, "--cert", str(device.chain_file), "--key", str(device.key_file)]
    command += ["-t", "devices/mosquitto-1/up", "-m", "{}", "-q", "1"]
    assert run(world, *command).returncode != 0
    script = 'for n in 1 2 3 4 5 6 7 8 9 10; do sleep 1; "$@" && exit 0; done; exit 1'
    done = run(world, "sh", "-c", script, "sh", *command)
    assert done.returncode == 0, done.stderr


def connect_command(world: World, chain: Path, key: Path) -> list[str | Path]:
    """`jitr device connect` with short waits and a message."""
    arguments: list[str | Path] = [BIN / "jitr", "device", "connect", "--certificate", chain, "--key", key, "--json"]
    topic = f"devices/{chain.name.partition('.')[0]}/up"
    arguments += ["--server-ca", world.instance.server_ca, "--base", "0.5", "--cap", "3", "--timeout", "30"]
    return [*arguments, "--topic", topic, "--message", "{}"]


def register_by_hand(world: World, folder: Path) -> str:
    """Follow AWS's own instructions for a CA in DEFAULT mode and return its id."""
    new_key = ("-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key")
    openssl(folder, "req", "-x509", *new_key, "-out", "ca.pem", "-subj", "/CN=By hand")
    issue(folder, "verification", aws(world, "iot", "get-registration-code"))
    register = ["iot", "register-ca-certificate", "--ca-certificate", "file://ca.pem"]
    register += ["--verification-cert", "file://verification.pem", "--set-as-active", "--allow-auto-registration"]
    return aws(world, *register, "--query", "certificateId", cwd=folder)


def empty_crl(folder: Path) -> bytes:
    """An empty CRL of the CA in a folder."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    assert isinstance(key, pki.PrivateKey)
    certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    return pki.CertificateAuthority(certificate=certificate, key=key).crl()


def issue(folder: Path, name: str, common_name: str) -> None:
    """Make a key and a plain v1 certificate below the folder's CA."""
    new_key = ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key")
    openssl(folder, "req", "-new", *new_key, "-out", f"{name}.csr", "-subj", f"/CN={common_name}")
    ca = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *ca)


def openssl(folder: Path, *arguments: str) -> None:
    """Run openssl in a folder."""
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
