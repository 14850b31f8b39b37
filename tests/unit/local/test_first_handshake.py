"""The first handshake with the local stack's MQTT port: tried again until one is answered."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from jitr_local.clients.runs import make_scene
from jitr_local.stack import first_handshake
from jitr_local.stack.first_handshake import shake_hands


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_handshake, "_EACH_WITHIN_SECONDS", 0.2)


def test_a_port_that_leaves_its_first_client_waiting_is_asked_again(tmp_path: Path) -> None:
    """As the emulator does where its event loop took the ClientHello before TLS was there."""
    scene = make_scene(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(scene.files.chain, scene.files.key)
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted.append(listener.accept()[0])
            accepted.append(context.wrap_socket(listener.accept()[0], server_side=True))

        thread = threading.Thread(target=serve)
        thread.start()
        assert shake_hands("localhost", listener.getsockname()[1], scene.trusted, within=20)
        thread.join()
    assert len(accepted) == 2
    for each in accepted:
        each.close()


def test_a_port_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """Said, so that nothing is started on it."""
    scene = make_scene(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not shake_hands("localhost", listener.getsockname()[1], scene.trusted, within=0.5)
