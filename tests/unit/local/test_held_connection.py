"""A connection that stays open: what the device sees when it publishes on it later."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitr_local.device.held_connection import Published, held
from tests.unit.local.mqtt_server import Behaviour, serving
from tests.unit.local.scripted_device import AUTHORITY, device_at, identity_in


def test_what_is_allowed_is_acknowledged_again_and_again(tmp_path: Path) -> None:
    """One connection, two messages, a proper goodbye."""
    with serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        device = device_at(server, identity_in(tmp_path))
        with held(device) as connection:
            ended = [connection.publish("a"), connection.publish("b", b"x")]
    assert ended == [Published.PUBACK, Published.PUBACK]
    assert server.published == [("a", b"{}"), ("b", b"x")]
    assert (server.goodbyes, len(server.names)) == (1, 1)


def test_what_is_not_allowed_closes_the_connection_for_everything_after_it(tmp_path: Path) -> None:
    """As AWS IoT does; what was never tried is told from what was refused."""
    with (
        serving(tmp_path, Behaviour.ADMIT_AND_CLOSE_ON_PUBLISH, trusting=AUTHORITY) as server,
        held(device_at(server, identity_in(tmp_path))) as connection,
    ):
        assert [connection.publish("a"), connection.publish("b")] == [Published.CLOSED, Published.LOST]
    assert server.published == []


@pytest.mark.parametrize("behaviour", [Behaviour.DROP, Behaviour.REFUSE])
def test_a_device_that_is_not_admitted_has_no_connection(tmp_path: Path, behaviour: Behaviour) -> None:
    """Neither is taken for a refused topic."""
    with (
        serving(tmp_path, behaviour, trusting=AUTHORITY) as server,
        held(device_at(server, identity_in(tmp_path))) as connection,
    ):
        assert connection.publish("a") is Published.LOST


def test_a_server_that_is_not_there_is_no_connection_either(tmp_path: Path) -> None:
    """Nothing is raised: the first publish says so."""
    with serving(tmp_path, Behaviour.ADMIT, trusting=AUTHORITY) as server:
        device = device_at(server, identity_in(tmp_path))
    with held(device) as connection:
        assert connection.publish("a") is Published.LOST
