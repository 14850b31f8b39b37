"""The local stack's own parts that need no emulator: fleet file, contract, stale records, exports."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path

import pytest

from jitr.settings import CaStatus
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_local import pki
from jitr_local.stack.emulator import Emulator, Running, environment, free_ports
from jitr_local.stack.local_fleet import CRL_BUCKET, LocalCa, write_fleet
from jitr_local.stack.local_stack import Instance, LocalStack

INSTANCE = Instance(
    endpoint_url="http://127.0.0.1:4566",
    region="us-east-1",
    account="000000000000",
    mqtt_host="localhost",
    mqtt_port=8883,
    server_ca="/tmp/it's here/ca.pem",  # noqa: S108 - a path with a space and a quote
    stack="local",
    crl_bucket=CRL_BUCKET,
    function="jitr-local-Activate",
)


def test_the_generated_fleet_file_is_one_that_the_real_reader_takes(tmp_path: Path) -> None:
    """CAs, CRL sources and the checkout's policies arrive in the deployment."""
    authority = pki.CertificateAuthority.create("Line 1")
    ca = LocalCa(name="line-1", certificate=pki.pem(authority.certificate), crl_key="line-1.crl", status="INACTIVE")
    (deployment,) = read_fleet(write_fleet(tmp_path, [ca])).deployments
    assert (deployment.name, deployment.account, deployment.region) == ("local", "000000000000", "us-east-1")
    assert "default" in deployment.policies
    (read,) = deployment.cas
    assert read.ca_certificate_id == authority.ca_certificate_id
    assert (read.crl, read.status) == (f"s3://{CRL_BUCKET}/line-1.crl", CaStatus.INACTIVE)


def test_other_policies_are_copied_and_take_the_place_of_those_before(tmp_path: Path) -> None:
    """An edit is deployed from anywhere; the folder it comes from stays as it is."""
    edited = tmp_path / "edited"
    edited.mkdir()
    (edited / "other.json").write_text("{}")
    write_fleet(tmp_path / "fleet", [])
    write_fleet(tmp_path / "fleet", [], edited)
    copied = sorted(file.name for file in (tmp_path / "fleet" / "policies").iterdir())
    assert copied == ["other.json", "walkthrough.cases.toml", "walkthrough.json"]


def test_a_ca_that_is_left_out_leaves_no_file_behind(tmp_path: Path) -> None:
    """Writing the fleet file anew forgets the CAs of before."""
    authority = pki.CertificateAuthority.create("Line 1")
    ca = LocalCa(name="line-1", certificate=pki.pem(authority.certificate), crl_key="line-1.crl")
    write_fleet(tmp_path, [ca])
    write_fleet(tmp_path, [])
    assert list((tmp_path / "cas").iterdir()) == []


def test_the_json_line_has_exactly_the_contracts_keys() -> None:
    """Scripts read these names; one line, no more."""
    line = INSTANCE.to_json()
    assert "\n" not in line
    assert list(json.loads(line)) == [
        "endpoint_url",
        "region",
        "account",
        "mqtt_host",
        "mqtt_port",
        "server_ca",
        "stack",
        "crl_bucket",
        "function",
    ]
    assert Instance.from_json(line) == INSTANCE


def test_exports_survive_a_shell(tmp_path: Path) -> None:
    """Evaluated by sh, a path with a space and a quote comes out as it went in."""
    program = f'{INSTANCE.exports()}\nprintf "%s" "$JITR_SERVER_CA|$AWS_ENDPOINT_URL|$JITR_MQTT_PORT"'
    done = subprocess.run(["sh", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{INSTANCE.server_ca}|{INSTANCE.endpoint_url}|8883"


def test_exports_end_a_profile_and_a_session_of_the_users(tmp_path: Path) -> None:
    """With either, clients would go on with the user's own credentials, against AWS or refused by the emulator."""
    program = (
        f'{INSTANCE.exports()}\nprintf "%s" "${{AWS_PROFILE-gone}}|${{AWS_SESSION_TOKEN-gone}}|$AWS_ACCESS_KEY_ID"'
    )
    theirs = {**os.environ, "AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "theirs", "AWS_ACCESS_KEY_ID": "theirs"}
    done = subprocess.run(["sh", "-c", program], cwd=tmp_path, env=theirs, capture_output=True, text=True, check=True)
    assert done.stdout == "gone|gone|test"


def test_a_record_whose_process_is_gone_counts_as_not_running(tmp_path: Path) -> None:
    """The record names a process that lives (this one), but nobody holds the lock: the id was used again."""
    emulator = record(tmp_path, pid=os.getpid())
    assert emulator.running() is None
    emulator.stop()


def test_a_held_lock_makes_the_record_count(tmp_path: Path) -> None:
    """While the lock is held the record is believed, and an instance without its own record is not ready."""
    stack = LocalStack(tmp_path / "stack")
    emulator = record(stack.emulator.folder, pid=4_000_000)
    with (emulator.folder / "emulator.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = emulator.running()
        assert running is not None
        assert (running.pid, running.gateway_port) == (4_000_000, 1)
        assert stack.instance() is None


def test_the_emulator_sees_nothing_of_the_users_aws_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, profile, endpoint or Region of the caller reach it or the functions below it."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_REGION"):
        monkeypatch.setenv(name, "the user's")
    variables = environment(tmp_path, 1, 2)
    assert "the user's" not in variables.values()
    assert variables["BIND_HOST"] == "127.0.0.1"


def test_free_ports_differ() -> None:
    """Two ports asked for at once are two ports."""
    assert len(set(free_ports(5))) == 5


def record(folder: Path, *, pid: int) -> Emulator:
    """An emulator's home with a record in it, as one that died leaves it behind."""
    folder.mkdir(parents=True, exist_ok=True)
    running = Running(pid=pid, gateway_port=1, mqtt_port=2, auth=False)
    (folder / "emulator.json").write_text(json.dumps(vars(running)))
    return Emulator(folder)
