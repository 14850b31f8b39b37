"""The reference device against a scripted MQTT server: what it sends, how it reads each ending, when it gives up."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography import x509

from jitr_local import pki
from jitr_local.device.back_off import BackOff
from jitr_local.device.device_identity import DeviceIdentity, UnusableFileError
from jitr_local.device.mqtt_attempt import Attempted, Ending, Message, MqttAttempt, WrongServerError
from jitr_local.device.reference_device import Attempt, DeviceReport, Endpoint, ReferenceDevice, RunResult
from tests.unit.local.mqtt_server import Behaviour, serving
from tests.unit.local.scripted_device import AUTHORITY, device_at, identity_in
from tests.worlds.seeded import seeded

MESSAGE = Message(topic="devices/device-1/up", payload=b"hello")


def endings(report: DeviceReport) -> list[Ending]:
    """The endings of a run, in order."""
    return [attempt.ending for attempt in report.attempts]


def test_the_drop_of_the_first_connects_is_outlived_and_the_message_delivered(tmp_path: Path) -> None:
    """Closed without CONNACK twice, then admitted: three connects, PUBACK, and a proper goodbye."""
    script = (Behaviour.DROP, Behaviour.DROP, Behaviour.ADMIT)
    with serving(tmp_path, *script, trusting=AUTHORITY) as server:
        report = device_at(server, identity_in(tmp_path)).run(MESSAGE, timeout=20)
    assert report.result is RunResult.DELIVERED
    assert report.done
    assert endings(report) == [Ending.DROPPED, Ending.DROPPED, Ending.DELIVERED]
    assert server.published == [("devices/device-1/up", b"hello")]
    assert server.goodbyes == 1


def test_the_host_is_sent_as_server_name(tmp_path: Path) -> None:
    """AWS IoT selects account and CA by SNI, so every handshake carries it."""
    with serving(tmp_path, Behaviour.DROP, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        device_at(server, identity_in(tmp_path)).run(timeout=20)
    assert server.names == ["localhost", "localhost"]


def test_the_ca_certificate_is_sent_beside_the_leaf(tmp_path: Path) -> None:
    """A server that trusts only the root lets a device of an intermediate CA in, because the device sends both."""
    subordinate = AUTHORITY.issue(
        "Line 7",
        extensions=[(x509.BasicConstraints(ca=True, path_length=None), True), (pki.ca_key_usage(), True)],
    )
    issuer = pki.CertificateAuthority(certificate=subordinate.certificate, key=subordinate.key)
    with serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        report = device_at(server, identity_in(tmp_path, issuer=issuer)).run(timeout=20)
    assert report.result is RunResult.ADMITTED


def test_without_a_message_admission_is_enough(tmp_path: Path) -> None:
    """Nothing to publish: the CONNACK ends the run."""
    with serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        report = device_at(server, identity_in(tmp_path)).run(timeout=20)
    assert report.result is RunResult.ADMITTED
    assert server.published == []


def test_a_device_that_is_never_admitted_gives_up_in_time_and_tells_each_attempt(tmp_path: Path) -> None:
    """Refused until the time is over; the observer hears of every attempt, and only the last has no wait."""
    heard: list[Attempt] = []
    with serving(tmp_path, Behaviour.REFUSE, trusting=AUTHORITY) as server:
        report = device_at(server, identity_in(tmp_path)).run(MESSAGE, timeout=0.5, observe=heard.append)
    assert report.result is RunResult.NOT_ADMITTED
    assert report.seconds < 5
    assert tuple(heard) == report.attempts
    assert set(endings(report)) == {Ending.REFUSED}
    assert [attempt.wait is None for attempt in heard] == [*([False] * (len(heard) - 1)), True]


def test_waits_follow_the_back_off(tmp_path: Path) -> None:
    """The waits that were slept are the back-off's own for one, two and three failures."""
    slept: list[float] = []
    with serving(tmp_path, *([Behaviour.DROP] * 3), Behaviour.ADMIT, trusting=AUTHORITY) as server:
        device = ReferenceDevice(
            identity=identity_in(tmp_path),
            endpoint=Endpoint(host="localhost", port=server.port, server_ca=server.server_ca),
            client_id="device-1",
            random=seeded(3),
            sleep=slept.append,
        )
        assert device.run(timeout=100).done
    random = seeded(3)
    assert slept == [BackOff().delay(failures, random) for failures in (1, 2, 3)]


def test_a_publish_that_is_cut_off_is_unacknowledged(tmp_path: Path) -> None:
    """Admitted, then disconnected at the publish, as AWS IoT does when no policy allows the topic."""
    with serving(tmp_path, Behaviour.ADMIT_AND_CLOSE_ON_PUBLISH, trusting=AUTHORITY) as server:
        report = device_at(server, identity_in(tmp_path)).run(MESSAGE, timeout=0.3)
    assert report.result is RunResult.UNACKNOWLEDGED
    assert not report.done


def test_a_silent_server_is_left_after_the_patience(tmp_path: Path) -> None:
    """No CONNACK within the patience counts as dropped."""
    with serving(tmp_path, Behaviour.SAY_NOTHING, trusting=AUTHORITY) as server:
        report = device_at(server, identity_in(tmp_path), patience=0.3).run(timeout=0.4)
    assert report.attempts[0].ending is Ending.DROPPED
    assert "no CONNACK within" in report.attempts[0].detail


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_refused_certificate_has_the_same_words_in_every_version_of_tls(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Under TLS 1.3 the alert comes after the handshake, and with another prefix in OpenSSL's words."""
    impostor = pki.CertificateAuthority.create("Somebody else")
    with serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY, tls=version) as server:
        report = device_at(server, identity_in(tmp_path, issuer=impostor)).run(timeout=0.3)
    assert (report.attempts[0].ending, report.attempts[0].detail) == (Ending.HANDSHAKE_REFUSED, "TLS: alert unknown ca")


def test_a_reset_before_the_connack_is_an_ending_of_its_own(tmp_path: Path) -> None:
    """A firewall's or a proxy's way to say no; JITR's drop is an orderly close."""
    with serving(tmp_path, Behaviour.RESET, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        report = device_at(server, identity_in(tmp_path)).run(timeout=20)
    assert endings(report) == [Ending.RESET, Ending.ADMITTED]
    assert report.attempts[0].detail == "connection reset before CONNACK"


@pytest.mark.parametrize("seed", range(40))
def test_what_is_activated_shortly_before_the_time_is_over_is_seen(tmp_path: Path, seed: int) -> None:
    """The default run of 120 s looks once more at 115 s, whatever waits chance gave it."""
    now, connects = [0.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    class At(MqttAttempt):
        def run(self, message: Message | None) -> Attempted:
            connects.append(now[0])
            now[0] += 0.3
            ending = Ending.ADMITTED if connects[-1] >= 114.9 else Ending.DROPPED
            return Attempted(ending=ending, detail="")

    server_ca = tmp_path / "server.pem"
    server_ca.write_text(pki.pem(AUTHORITY.certificate))
    device = ReferenceDevice(
        identity=identity_in(tmp_path),
        endpoint=Endpoint(host="localhost", server_ca=server_ca),
        client_id="device-1",
        random=seeded(seed),
        sleep=sleep,
        clock=lambda: now[0],
        attempt=At,
    )
    assert device.run().result is RunResult.ADMITTED
    assert 114.9 <= connects[-1] <= 115
    assert all(later - earlier >= 10 for earlier, later in itertools.pairwise(connects[:-1]))


def test_a_certificate_that_the_server_does_not_trust_never_gets_in(tmp_path: Path) -> None:
    """Same issuer name, other key: the handshake fails, and no CONNACK is ever seen."""
    impostor = pki.CertificateAuthority.create()
    with serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        report = device_at(server, identity_in(tmp_path, issuer=impostor)).run(MESSAGE, timeout=0.3)
    assert report.result is RunResult.NOT_ADMITTED
    assert set(endings(report)) <= {Ending.HANDSHAKE_REFUSED, Ending.DROPPED}


def test_a_server_that_shows_another_ca_ends_the_run_at_once(tmp_path: Path) -> None:
    """The server is verified; trying again would change nothing."""
    elsewhere = tmp_path / "elsewhere.pem"
    elsewhere.write_text(pki.pem(pki.CertificateAuthority.create("Somebody else").certificate))
    with serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        server.server_ca = elsewhere
        with pytest.raises(WrongServerError, match="not who it should be"):
            device_at(server, identity_in(tmp_path)).run(timeout=20)


def test_a_server_of_another_name_ends_the_run_at_once(tmp_path: Path) -> None:
    """The certificate says localhost; dialling the address is refused by the device itself."""
    with (
        serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY) as server,
        pytest.raises(WrongServerError, match="not who it should be"),
    ):
        device_at(server, identity_in(tmp_path), host="127.0.0.1").run(timeout=20)


def test_a_host_that_does_not_exist_ends_the_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no resolver knows is a mistake in the settings; no attempt follows."""
    monkeypatch.setattr(socket, "getaddrinfo", resolver_that_says(socket.EAI_NONAME))
    with (
        serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY) as server,
        pytest.raises(WrongServerError, match="no such host"),
    ):
        device_at(server, identity_in(tmp_path), host="nowhere.invalid").run(timeout=20)


def test_a_resolver_that_is_away_for_now_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary failure of name lookup is an unreachable server, not a mistake."""
    with serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        device = device_at(server, identity_in(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", resolver_that_says(socket.EAI_AGAIN))
    report = device.run(timeout=0.3)
    assert report.result is RunResult.UNREACHABLE
    assert report.attempts[0].detail == "name lookup failed for now"


def resolver_that_says(code: int) -> Callable[..., NoReturn]:
    """A name lookup that always fails in one way."""

    def fail(*_arguments: object, **_options: object) -> NoReturn:
        raise socket.gaierror(code, "as the resolver words it")

    return fail


def test_a_closed_port_is_unreachable(tmp_path: Path) -> None:
    """Nobody listens: every attempt says so, and the run ends as unreachable."""
    with serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        pass
    report = device_at(server, identity_in(tmp_path)).run(timeout=0.3)
    assert report.result is RunResult.UNREACHABLE
    assert report.attempts[0].detail == "connection refused"


def test_no_thread_is_left_behind(tmp_path: Path) -> None:
    """After a run only the threads of before are there."""
    before = set(threading.enumerate())
    with serving(tmp_path, Behaviour.DROP, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        device_at(server, identity_in(tmp_path)).run(MESSAGE, timeout=20)
    assert set(threading.enumerate()) == before


def test_the_ca_file_completes_a_leaf_without_doubling_a_chain(tmp_path: Path) -> None:
    """`--ca-certificate` is appended to a lone leaf, and not sent twice when the chain holds it."""
    device = AUTHORITY.issue("device-1")
    leaf, chain, ca, key = (tmp_path / f"{name}.pem" for name in ("leaf", "chain", "ca", "key"))
    leaf.write_text(pki.pem(device.certificate))
    ca.write_text(pki.pem(AUTHORITY.certificate))
    chain.write_text(leaf.read_text() + ca.read_text())
    key.write_text(device.key_pem)
    other = tmp_path / "other.pem"
    other.write_text(pki.pem(pki.CertificateAuthority.create("Somebody else").certificate))
    assert not DeviceIdentity.load(leaf, key).sends_issuer(other)
    assert not DeviceIdentity.load(leaf, key, other).sends_issuer(other)
    assert DeviceIdentity.load(chain, key).sends_issuer(other)
    assert DeviceIdentity.load(leaf, key).sends_issuer(ca)
    assert len(DeviceIdentity.load(leaf, key, ca).chain) == len(DeviceIdentity.load(chain, key, ca).chain) == 2


@pytest.mark.parametrize(
    ("broken", "content", "message"),
    [
        ("device.pem", None, "No such file"),
        ("device.pem", b"<html>", "no PEM certificate"),
        ("device.key.pem", None, "No such file"),
        ("device.key.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no PEM private key"),
        (
            "device.key.pem",
            AUTHORITY.issue("other").key_pem.encode(),
            "is not the private key of the first certificate",
        ),
    ],
)
def test_an_unusable_file_is_named_with_its_fault(
    tmp_path: Path, broken: str, content: bytes | None, message: str
) -> None:
    """Missing, no PEM, or somebody else's key: the file's name and the reason, before anything is sent."""
    identity_in(tmp_path)
    if content is None:
        (tmp_path / broken).unlink()
    else:
        (tmp_path / broken).write_bytes(content)
    with pytest.raises(UnusableFileError, match=message) as caught:
        DeviceIdentity.load(tmp_path / "device.pem", tmp_path / "device.key.pem")
    assert broken in str(caught.value)
