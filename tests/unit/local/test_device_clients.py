"""The server that acts as AWS IoT does at a first connect, and the table that is made of what clients do at it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from jitr_local import pki
from jitr_local.clients import table
from jitr_local.clients.first_connect_server import first_connect_server
from jitr_local.clients.mqtt_packets import Connect, Packet, accepted, acknowledge, read_connect
from jitr_local.clients.programs import CLIENTS
from jitr_local.clients.runs import Run, make_scene
from jitr_local.device.back_off import BackOff
from jitr_local.device.device_identity import DeviceIdentity
from jitr_local.device.mqtt_attempt import Ending, Message
from jitr_local.device.reference_device import Endpoint, ReferenceDevice

V311 = b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x02ab"
V5 = b"\x00\x04MQTT\x05\x00\x00\x3c\x05\x11\x00\x00\x00\x00\x00\x02ab"
V31 = b"\x00\x06MQIsdp\x03\x02\x00\x0a\x00\x02ab"


@pytest.mark.parametrize(("body", "version", "clean"), [(V31, "3.1", True), (V311, "3.1.1", True), (V5, "5", False)])
def test_a_connect_is_read_in_every_version(body: bytes, version: str, clean: bool) -> None:
    """MQTT 5 has properties before the client id."""
    connect = read_connect(Packet(kind=1, flags=0, body=body))
    assert (connect.version, connect.client_id, connect.clean) == (version, "ab", clean)


def test_answers_have_the_form_of_the_clients_version() -> None:
    """A CONNACK of MQTT 5 has properties; a PUBACK names the packet."""
    old, new = (Connect(level=level, client_id="a", clean=True, keep_alive=60) for level in (4, 5))
    assert (accepted(old), accepted(new)) == (b"\x20\x02\x00\x00", b"\x20\x03\x00\x00\x00")
    publish = Packet(kind=3, flags=2, body=b"\x00\x01t\x00\x07{}")
    assert acknowledge(publish, old) == b"\x40\x02\x00\x07"
    assert acknowledge(Packet(kind=3, flags=0, body=b"\x00\x01t{}"), old) == b""


def test_the_server_drops_and_then_admits_as_aws_iot_does(tmp_path: Path) -> None:
    """The reference device outlives it, and what it sent is seen: chain, server name, version."""
    scene = make_scene(tmp_path)
    files = scene.device("device-1")
    with first_connect_server(scene.files, admit_after=0.4) as server:
        device = ReferenceDevice(
            identity=DeviceIdentity.load(Path(files["DEVICE_CHAIN"]), Path(files["DEVICE_KEY"])),
            endpoint=Endpoint(host="localhost", port=server.port, server_ca=scene.trusted),
            client_id="device-1",
            back_off=BackOff(base=0.3, cap=0.3, floor=0.2),
        )
        report = device.run(Message(topic="devices/device-1/up", payload=b"{}"), timeout=30)
    assert report.attempts[0].ending is Ending.DROPPED
    assert report.done
    seen = server.connects["device-1"]
    assert [each.admitted for each in seen] == [False] * (len(seen) - 1) + [True]
    assert {(each.chain, each.server_name, each.connect.version) for each in seen} == {(2, "localhost", "3.1.1")}
    assert server.delivered["device-1"] <= time.monotonic()


def test_a_device_of_another_ca_does_not_shake_hands(tmp_path: Path) -> None:
    """As on AWS, where nobody registers what no registered CA has signed."""
    scene = make_scene(tmp_path)
    stranger = pki.CertificateAuthority.create("Somebody else").issue("x")
    chain, key = tmp_path / "x.pem", tmp_path / "x.key"
    chain.write_text(pki.pem(stranger.certificate))
    key.write_text(stranger.key_pem)
    with first_connect_server(scene.files, admit_after=0) as server:
        device = ReferenceDevice(
            identity=DeviceIdentity.load(chain, key),
            endpoint=Endpoint(host="localhost", port=server.port, server_ca=scene.trusted),
            client_id="x",
            back_off=BackOff(base=0.3, cap=0.3, floor=0.2),
        )
        assert not device.run(timeout=0.5).done
    assert server.connects == {}


def test_waits_are_told_as_people_would() -> None:
    """Constant ones as one number; not those of one sample."""
    assert table.waits([]) == "none"
    assert table.waits([1.02, 1.0, 0.98]) == "1, constant"
    assert table.waits([1.0, 2.0, 4.0, 8.1, 16.0]) == "1, 2, 4, 8.1"


def test_what_changed_is_said_but_not_what_chance_made(tmp_path: Path) -> None:
    """A client that comes back no more is news; another wait is not."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured: begin -->\n<!-- measured: end -->\nafter\n")
    run = Run(client="a", delivered=True, exit_code=0, waits=(1.0, 1.0), connects=(), words="/here/x/ failed")
    rows = [table.row("a", "1.0", run)]
    table.replace(rows, page)
    assert table.differences(rows, table.committed(page)) == []
    later = Run(client="a", delivered=False, exit_code=1, waits=(9.0,), connects=(), words="/here/z/ failed")
    assert table.differences([table.row("a", "1.1", later)], table.committed(page)) == [
        "a: version was 1.0, is 1.1",
        "a: gets in was yes, is no",
    ]
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("after\n")


def test_every_client_has_its_programs_and_its_row() -> None:
    """And the page has no row of a client that is not run."""
    assert [each.name for each in CLIENTS if not each.unassisted.exists()] == []
    assert [each.name for each in CLIENTS if each.assisted is not None and not each.assisted.exists()] == []
    assert list(table.committed()) == [each.name for each in CLIENTS]
