"""Step 7 for CAs whose devices' Things have a type, attributes and groups."""

from __future__ import annotations

import pytest

from jitr.errors import Reason, Undecided
from jitr.settings import OnExistingThing
from jitr_local import pki
from tests.aws.aws_faults import failing
from tests.worlds.deployment import TestDeployment


@pytest.fixture
def pumps(deployment: TestDeployment) -> TestDeployment:
    """A deployment whose devices are pumps."""
    deployment.iot.thing_types.add("pump")
    deployment.iot.thing_groups |= {"pumps": [], "north": []}
    deployment.configure(thing_type="pump", thing_groups=("pumps", "north"), thing_attributes={"model": "A1"})
    return deployment


def test_a_device_gets_what_its_cas_entry_says(pumps: TestDeployment) -> None:
    """Beside the attribute that says whom the Thing belongs to; the quota-limited calls stay three."""
    device = pumps.ca.issue("device-1")
    pumps.knock(device)
    assert pumps.iot.status(device) == "ACTIVE"
    thing = pumps.iot.things["device-1"]
    assert (thing.kind, thing.attributes) == ("pump", {"model": "A1", "certificate_id": device.certificate_id})
    assert pumps.iot.thing_groups == {"pumps": ["device-1"], "north": ["device-1"]}
    warm = pumps.ca.issue("device-2")
    pumps.iot.calls.clear()
    pumps.knock(warm)
    assert pumps.iot.quota_limited_calls == ["DescribeCertificate", "AttachPolicy", "UpdateCertificate"]


def test_groups_come_before_the_certificate_is_active(pumps: TestDeployment) -> None:
    """A group may bring a policy, and a job its first message."""
    pumps.knock(pumps.ca.issue("device-1"))
    calls = pumps.iot.calls
    assert calls.index("AddThingToThingGroup") < calls.index("AttachThingPrincipal") < calls.index("UpdateCertificate")


@pytest.mark.parametrize("missing", ["type", "group"])
def test_a_type_or_group_that_is_missing_leaves_the_device_pending(pumps: TestDeployment, missing: str) -> None:
    """Unknown is not good; once it is there, the retry goes on."""
    if missing == "type":
        pumps.iot.thing_types.clear()
    else:
        del pumps.iot.thing_groups["north"]
    device = pumps.ca.issue("device-1")
    event = pumps.iot.connect(device, pumps.ca)
    with pytest.raises(Undecided) as caught:
        pumps.deliver(event, owner="event")
    assert (caught.value.reason, caught.value.step) == (Reason.AWS_REFUSED, 7)
    assert pumps.iot.status(device) == "PENDING_ACTIVATION"
    pumps.iot.thing_types.add("pump")
    pumps.iot.thing_groups.setdefault("north", [])
    pumps.deliver(event, owner="event")
    assert pumps.iot.status(device) == "ACTIVE"
    assert pumps.iot.thing_groups["north"] == ["device-1"]


def test_a_device_that_is_refused_joins_no_group(pumps: TestDeployment) -> None:
    """The Thing is somebody else's."""
    pumps.iot_client.create_thing(thingName="device-1", attributePayload={"attributes": {"site": "north"}})
    pumps.knock(pumps.ca.issue("device-1"))
    assert pumps.iot.thing_groups == {"pumps": [], "north": []}


def test_a_renewed_certificate_keeps_its_things_groups(pumps: TestDeployment) -> None:
    """And joins those that were added to the fleet file since; type and attributes stay as they were."""
    pumps.configure(thing_groups=("pumps",), on_existing_thing=OnExistingThing.REPLACE)
    pumps.knock(pumps.ca.issue("device-1", not_before=pki.now() - 5 * pki.DAY))
    pumps.configure(thing_groups=("pumps", "north"), thing_attributes={"model": "A2"})
    new = pumps.ca.issue("device-1")
    pumps.knock(new)
    assert pumps.iot.status(new) == "ACTIVE"
    assert pumps.iot.thing_groups == {"pumps": ["device-1"], "north": ["device-1"]}
    assert pumps.iot.things["device-1"].attributes == {"model": "A1", "certificate_id": new.certificate_id}


def test_an_edit_of_the_fleet_file_between_two_deliveries_loses_no_device(pumps: TestDeployment) -> None:
    """The Thing was claimed with the old attributes; it is still the device's."""
    device = pumps.ca.issue("device-1")
    event = pumps.iot.connect(device, pumps.ca)
    with failing(pumps.iot_client, "AttachPolicy", "ThrottlingException"), pytest.raises(Undecided):
        pumps.deliver(event, owner="event")
    pumps.configure(thing_attributes={"model": "A2"})
    pumps.deliver(event, owner="event")
    assert pumps.iot.status(device) == "ACTIVE"
