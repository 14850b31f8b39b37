"""A registration is taken back with the deploy that made it, and no other one ever is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from jitr.authorities.registration_rollback import Before, Ending, RegistrationRollback
from jitr.aws.iot import IotRegistry
from jitr.errors import Reason, Undecided
from jitr_local.pki import CertificateAuthority
from tests.aws.fake_iot import FakeIot

STACK = "arn:aws:cloudformation:us-east-1:000000000000:stack/test/1"
REGISTRATION = "Cafactory1Certificate809CA253"


@dataclass
class Stacks:
    """CloudFormation's API: the stack's status, and what it knows of its registration."""

    status: str = "ROLLBACK_IN_PROGRESS"
    resource_status: str = "DELETE_SKIPPED"
    physical_id: str = ""

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        """Answer as CloudFormation does."""
        return {"Stacks": [{"StackStatus": self.status}]}

    def describe_stack_resource(self, **given: str) -> dict[str, Any]:
        """Answer about the one resource that is asked for; one that was never made has no physical id."""
        assert given == {"StackName": STACK, "LogicalResourceId": REGISTRATION}
        named = {"PhysicalResourceId": self.physical_id} if self.physical_id else {}
        return {"StackResourceDetail": {"ResourceStatus": self.resource_status, **named}}


@dataclass
class Deploy:
    """A deploy of a stack with one CA, and the account that it is made in."""

    iot: FakeIot
    stacks: Stacks
    ca: CertificateAuthority

    @property
    def rollback(self) -> RegistrationRollback:
        """Return the use case."""
        return RegistrationRollback(registry=IotRegistry(self.iot.client()), cloudformation=self.stacks)

    @property
    def identifier(self) -> str:
        """Return the CA's id."""
        return self.ca.ca_certificate_id

    def before(self) -> Before:
        """What the deploy finds."""
        return self.rollback.before(self.identifier)

    def register(self, *, status: str = "ACTIVE") -> None:
        """Let CloudFormation register the CA."""
        self.iot.register_ca(self.ca, status=status)
        self.stacks.physical_id = self.identifier

    def undo(self, before: str | None) -> Ending:
        """Roll back."""
        return self.rollback.undo(self.identifier, before=before, stack=STACK, registration=REGISTRATION)


@pytest.fixture
def deploy() -> Deploy:
    """A first deploy that fails after it has registered its CA."""
    return Deploy(FakeIot(), Stacks(), CertificateAuthority.create())


@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
@pytest.mark.parametrize("rolling", ["ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_what_the_deploy_registered_is_gone_after_it(deploy: Deploy, status: str, rolling: str) -> None:
    """So that the next try registers it again, whatever the fleet file says of its status."""
    before = deploy.before()
    deploy.register(status=status)
    deploy.stacks.status = rolling
    assert (before, deploy.undo(before)) == (Before.ABSENT, Ending.ENDED)
    assert deploy.iot.cas == {}


def test_a_ca_that_was_found_registered_stays(deploy: Deploy) -> None:
    """The deploy's own registration failed because of it."""
    deploy.iot.register_ca(deploy.ca)
    before = deploy.before()
    deploy.stacks.resource_status = "CREATE_FAILED"
    assert (before, deploy.undo(before)) == (Before.FOUND, Ending.NOT_OURS)
    assert set(deploy.iot.cas) == {deploy.identifier}


@pytest.mark.parametrize(
    ("resource_status", "physical_id"), [("CREATE_FAILED", ""), ("CREATE_FAILED", "own"), ("DELETE_SKIPPED", "other")]
)
def test_a_ca_that_somebody_else_registered_meanwhile_stays(
    deploy: Deploy, resource_status: str, physical_id: str
) -> None:
    """Absent at the beginning, but this stack's resource is not what made it."""
    before = deploy.before()
    deploy.iot.register_ca(deploy.ca)
    deploy.stacks.resource_status = resource_status
    deploy.stacks.physical_id = deploy.identifier if physical_id == "own" else physical_id
    assert deploy.undo(before) is Ending.NOT_OURS
    assert set(deploy.iot.cas) == {deploy.identifier}


@pytest.mark.parametrize("status", ["DELETE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_nothing_is_taken_back_where_nothing_is_rolled_back(deploy: Deploy, status: str) -> None:
    """The stack is deleted, or the CA left the fleet file: its devices still need it."""
    before = deploy.before()
    deploy.register()
    deploy.stacks.status = status
    assert deploy.undo(before) is Ending.NOT_OURS
    assert deploy.iot.cas[deploy.identifier].status == "ACTIVE"


def test_a_ca_with_devices_stays_as_it_is(deploy: Deploy) -> None:
    """They registered between its registration and what failed."""
    before = deploy.before()
    deploy.register()
    deploy.iot.connect(deploy.ca.issue("device-1"), deploy.ca)
    assert deploy.undo(before) is Ending.HAS_DEVICES
    assert deploy.iot.cas[deploy.identifier].status == "ACTIVE"


def test_a_device_that_is_faster_than_the_switch_keeps_the_ca(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """It knocks after the first look; then the CA is ACTIVE again."""
    before = deploy.before()
    deploy.register()
    switch = IotRegistry.switch_ca

    def knock_first(registry: IotRegistry, identifier: str, *, active: bool) -> None:
        if not active:
            deploy.iot.connect(deploy.ca.issue("device-1"), deploy.ca)
        switch(registry, identifier, active=active)

    monkeypatch.setattr(IotRegistry, "switch_ca", knock_first)
    assert deploy.undo(before) is Ending.HAS_DEVICES
    assert deploy.iot.cas[deploy.identifier].status == "ACTIVE"


def test_what_cannot_be_read_ends_nothing(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown is not absent: neither before nor when it is undone."""
    before = deploy.before()
    deploy.register()

    def refuse(*_: object, **__: object) -> None:
        raise Undecided("access_denied", "ListCertificatesByCA was refused")  # type: ignore[arg-type]

    monkeypatch.setattr(IotRegistry, "certificate_page", refuse)
    with pytest.raises(Undecided):
        deploy.undo(before)
    assert deploy.iot.cas[deploy.identifier].status == "ACTIVE"

    def silent(*_: object, **__: object) -> None:
        raise Undecided(Reason.AWS_UNAVAILABLE, "DescribeCACertificate: 503")

    monkeypatch.setattr(IotRegistry, "describe_ca", silent)
    with pytest.raises(Undecided):
        deploy.before()


def test_without_the_right_to_look_it_is_never_taken_back(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been somebody's before; a deploy does not fail for that."""

    def refused(self: IotRegistry, ca_certificate_id: str) -> Any:
        raise Undecided(Reason.ACCESS_DENIED, "DescribeCACertificate was refused")

    monkeypatch.setattr(IotRegistry, "describe_ca", refused)
    assert deploy.before() is Before.UNKNOWN
    found = deploy.rollback.undo(deploy.identifier, before=Before.UNKNOWN, stack="s", registration="Ca")
    assert found is Ending.NOT_OURS
