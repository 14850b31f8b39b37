"""Out means out: a device that is switched off loses its connection, and no other device loses one by that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jitr.aws.connections import Connection
from jitr.registry.connection_rule import Spared, SwitchedOffDevice, spared_because
from jitr.settings import OnExistingThing, ThingNameSource
from tests.worlds.connected import Connected
from tests.worlds.deployment import TABLE, TestDeployment

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def world(deployment: TestDeployment) -> Connected:
    """A deployment whose devices may be connected."""
    connected = Connected(deployment)
    deployment.activation = connected.container()
    return connected


def connection(**changes: Any) -> Connection:
    """A connection of Thing pump-1, as pump-1, since an hour."""
    usual = {"client_id": "pump-1", "connected": True, "thing_name": "pump-1"}
    return Connection(**{**usual, "connected_since": AT - timedelta(hours=1), **changes})


class TestTheRule:
    """What decides, without AWS."""

    @pytest.mark.parametrize(
        ("found", "device", "spared"),
        [
            ({}, {}, None),
            ({"connected": False}, {}, Spared.NOT_CONNECTED),
            ({"thing_name": "pump-2"}, {}, Spared.ANOTHER_THING),
            ({"thing_name": None}, {}, Spared.ANOTHER_THING),
            ({"connected_since": AT}, {}, Spared.CONNECTED_LATER),
            ({"connected_since": None}, {}, Spared.CONNECTED_LATER),
            ({}, {"thing_is_in_use": True}, Spared.THING_IN_USE),
            ({}, {"thing_name": None}, Spared.ANOTHER_THING),
            ({"thing_name": None}, {"thing_name": None}, Spared.NOT_ITS_OWN_ID),
            ({"thing_name": None}, {"thing_name": None, "own_client_ids": frozenset({"pump-1"})}, None),
            ({"thing_name": None}, {"thing_name": None, "own_client_ids": frozenset({"x"})}, Spared.NOT_ITS_OWN_ID),
        ],
    )
    def test_only_the_devices_own_connection_is_ended(
        self, found: dict[str, Any], device: dict[str, Any], spared: Spared | None
    ) -> None:
        """Each condition alone is enough to leave it."""
        facts = SwitchedOffDevice(**{"thing_name": "pump-1", "off_since": AT, **device})
        assert spared_because(connection(**found), facts) is spared


def test_a_listed_device_is_disconnected_by_the_sweep(world: Connected) -> None:
    """After UpdateCertificate, and with nothing of its session or its last will taken away."""
    device, other = world.deployment.ca.issue("pump-1"), world.deployment.ca.issue("pump-2")
    world.activate(device)
    world.activate(other)
    world.list_and_sweep(device)
    assert world.deployment.iot.status(device) == "REVOKED"
    assert not world.clients.is_connected("pump-1")
    assert world.clients.is_connected("pump-2")
    assert world.clients.deleted == [{"clientId": "pump-1"}]
    assert world.said(device) == [("connection_ended", None)]


def test_a_device_that_an_operator_revokes_is_disconnected(world: Connected) -> None:
    """`jitr device revoke` ends the connection too."""
    device = world.deployment.ca.issue("pump-1")
    world.activate(device)
    world.revoke(device)
    assert not world.clients.is_connected("pump-1")


def test_a_device_that_names_anothers_client_id_cannot_have_it_cut(world: Connected) -> None:
    """It chose the id before any policy applied; then it gets itself revoked."""
    victim, attacker = world.deployment.ca.issue("pump-1"), world.deployment.ca.issue("pump-2")
    world.activate(victim)
    world.activate(attacker, client_id="pump-1", connects=False)
    world.list_and_sweep(attacker)
    assert world.deployment.iot.status(attacker) == "REVOKED"
    assert world.clients.is_connected("pump-1")
    assert world.clients.deleted == []
    assert world.said(attacker) == [("connection_spared", "another_thing")]


def test_a_renewed_device_keeps_its_connection(world: Connected) -> None:
    """Its old certificate goes off and is listed; the Thing and the client id are those of the new one."""
    world.deployment.configure(on_existing_thing=OnExistingThing.REPLACE)
    world.deployment.activation = world.container()
    old = world.deployment.ca.issue("pump-1", not_before=world.deployment.clock() - timedelta(days=30))
    world.activate(old)
    new = world.deployment.ca.issue("pump-1", not_before=world.deployment.clock() - timedelta(days=1))
    world.activate(new)
    assert world.deployment.iot.status(old) == "INACTIVE"
    assert world.said(old) == [("connection_spared", "thing_in_use")]
    world.list_and_sweep(old)
    assert world.clients.is_connected("pump-1")
    assert world.said(old)[-1] == ("connection_spared", "thing_in_use")


def test_a_client_that_connected_after_the_switch_off_is_left_alone(world: Connected) -> None:
    """Whoever that is, it is not the certificate that was off by then."""
    device = world.deployment.ca.issue("pump-1")
    world.activate(device)
    world.clients.clients["pump-1"].connected_since += timedelta(hours=1)
    world.list_and_sweep(device)
    assert world.clients.is_connected("pump-1")
    assert world.said(device) == [("connection_spared", "connected_later")]


class TestWithoutThings:
    """A connection then says nothing of whose it is but the client id."""

    def prepared(self, world: Connected, *connects: str) -> Connected:
        """A deployment without Things, whose policy lets these client ids connect."""
        deployment = world.deployment
        deployment.configuration.connects["default"] = connects  # type: ignore[index]
        deployment.configure(thing_name=ThingNameSource.OFF)
        deployment.activation = world.container()
        return world

    def test_the_id_that_no_other_certificate_gets_is_disconnected(self, world: Connected) -> None:
        """The policy names the certificate's id, so nobody else can have connected by it."""
        self.prepared(world, "device-@{device.certificate_id}")
        device = world.deployment.ca.issue("pump-1")
        world.activate(device, client_id=f"device-{device.certificate_id}")
        world.list_and_sweep(device)
        assert not world.clients.is_connected(f"device-{device.certificate_id}")

    @pytest.mark.parametrize("connects", [("*",), ("@{device.common_name}",), ("a", "@{device.certificate_id}"), ()])
    def test_any_other_id_is_left_alone(self, world: Connected, connects: tuple[str, ...]) -> None:
        """Another certificate of the same name, or any, may be connected by it."""
        self.prepared(world, *connects)
        device = world.deployment.ca.issue("pump-1")
        world.activate(device, client_id="pump-1")
        world.list_and_sweep(device)
        assert world.clients.is_connected("pump-1")
        assert world.said(device) == [("connection_spared", "not_its_own_id")]


def test_a_ca_whose_policy_is_not_deployed_leaves_no_other_cas_devices_connected(world: Connected) -> None:
    """Which ids its policy gives is not known; that is no failure, after which nothing is asked for a minute."""
    deployment = world.deployment
    device = deployment.ca.issue("pump-1")
    world.activate(device)
    row = deployment.row(device)
    assert row is not None
    deployment.container().authorities.records.adopt(
        "c" * 64, crl="none", policy="gone", by="somebody", at=deployment.clock()
    )
    key = {name: row[name] for name in ("pk", "sk")}
    deployment.dynamodb.update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression="SET ca_certificate_id = :other",
        ExpressionAttributeValues={":other": {"S": "c" * 64}},
    )
    world.list_and_sweep(device)
    assert not world.clients.is_connected("pump-1")


@pytest.mark.parametrize("refusal", ["ForbiddenException", "ThrottlingException", "InternalFailureException"])
def test_what_goes_wrong_with_a_connection_changes_nothing_else(world: Connected, refusal: str) -> None:
    """The certificates are off, the sweep is done, and after one failure no device waits for another."""
    devices = [world.deployment.ca.issue(f"pump-{number}") for number in range(3)]
    for each in devices:
        world.activate(each)
    world.clients.refusal = refusal
    world.list_and_sweep(*devices)
    assert {world.deployment.iot.status(each) for each in devices} == {"REVOKED"}
    assert {world.deployment.row_state(each) for each in devices} == {"REVOKED"}
    assert world.clients.calls == ["GetConnection"]
    outcomes = sorted(outcome for each in devices for outcome, _ in world.said(each))
    assert outcomes == ["connection_unknown", "connections_untried", "connections_untried"]


def test_no_client_is_made_before_a_device_is_switched_off(world: Connected) -> None:
    """The time to the first event does not grow."""
    world.activate(world.deployment.ca.issue("pump-1"))
    assert world.made == []


def test_a_row_of_before_is_found_by_the_thing_that_is_attached(world: Connected) -> None:
    """Rows that were written by earlier versions say neither client id nor Thing."""
    device = world.deployment.ca.issue("pump-1")
    world.activate(device)
    row = world.deployment.row(device)
    assert row is not None
    assert row["thing_name"] == {"S": "pump-1"}
    key = {name: row[name] for name in ("pk", "sk")}
    world.deployment.dynamodb.update_item(TableName=TABLE, Key=key, UpdateExpression="REMOVE thing_name")
    world.list_and_sweep(device)
    assert not world.clients.is_connected("pump-1")


class TestTheEvent:
    """The registration rule adds the client id; older rules and emulators do not."""

    @pytest.mark.parametrize("clientid", [None, "n/a", "", "$aws", "a" * 129, "line\nbreak", 7, {"a": 1}])
    def test_what_is_no_client_id_is_not_known(self, world: Connected, clientid: object) -> None:
        """Nothing is decided by it, so nothing fails."""
        device = world.deployment.ca.issue("pump-1")
        event = world.deployment.iot.connect(device, world.deployment.ca)
        if clientid is not None:
            event["clientid"] = clientid
        world.deployment.deliver(event)
        row = world.deployment.row(device)
        assert world.deployment.iot.status(device) == "ACTIVE"
        assert row is not None
        assert "client_id" not in row

    def test_a_client_id_is_remembered(self, world: Connected) -> None:
        """Should the device be revoked, it is looked for by it."""
        device = world.deployment.ca.issue("pump-1")
        world.activate(device, client_id="my pump/1")
        row = world.deployment.row(device)
        assert row is not None
        assert row["client_id"] == {"S": "my pump/1"}

    @pytest.mark.parametrize(
        ("connects", "warned"), [(("@{device.thing_name}",), True), (("*",), False), (None, False)]
    )
    def test_a_client_id_that_the_policy_does_not_let_connect_is_warned_of(
        self, world: Connected, connects: tuple[str, ...] | None, *, warned: bool
    ) -> None:
        """The device becomes ACTIVE, and would be refused at every connect."""
        if connects is not None:
            world.deployment.configuration.connects["default"] = connects  # type: ignore[index]
        world.deployment.activation = world.container()
        event = world.deployment.iot.connect(device := world.deployment.ca.issue("pump-1"), world.deployment.ca)
        result = world.deployment.deliver({**event, "clientid": "somebody"})
        assert world.deployment.iot.status(device) == "ACTIVE"
        assert result.refused_client_id == ("somebody" if warned else None)
        assert bool(result.warnings) is warned
