"""A CA that a deploy registered, and that goes again when the same deploy is rolled back (docs/decisions/0020).

Nothing else may end: not a CA that was registered before, not one that a deploy of before registered, and not one whose
devices have registered meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jitr.aws.failures import aws_call
from jitr.aws.iot import IotRegistry
from jitr.errors import Reason, Undecided

_ROLLING_BACK = "ROLLBACK"
# What a resource is called whose registration never came about.
_NOT_MADE = ("CREATE_FAILED", "CREATE_IN_PROGRESS")


class Before(StrEnum):
    """What the deploy found when it began; the values are physical ids, so CloudFormation remembers them."""

    ABSENT = "registered-by-this-deploy"
    FOUND = "registered-before"
    UNKNOWN = "not-known-whether-registered-before"


class Ending(StrEnum):
    """How a roll-back left the registration, in the words of the log."""

    ENDED = "the registration was undone: the deploy that made it was rolled back"
    HAS_DEVICES = "the registration stays, although its deploy was rolled back: devices have registered with the CA"
    NOT_OURS = "the registration stays: this deploy has not made it"


@dataclass(frozen=True, kw_only=True)
class RegistrationRollback:
    """The use case; `pace` is called before each AWS call and may give up."""

    registry: IotRegistry
    cloudformation: Any
    pace: Callable[[], None] = lambda: None

    def before(self, ca_certificate_id: str) -> Before:
        """Return whether the CA was registered before the deploy registers it; raises Undecided.

        Without the right to look that is not known, and the registration is then never undone: no deploy fails for it.
        """
        self.pace()
        try:
            self.registry.describe_ca(ca_certificate_id)
        except Undecided as unknown:
            if unknown.reason == Reason.CA_NOT_FOUND:
                return Before.ABSENT
            if unknown.reason == Reason.ACCESS_DENIED:
                return Before.UNKNOWN
            raise
        return Before.FOUND

    def undo(self, ca_certificate_id: str, *, before: str | None, stack: str, registration: str) -> Ending:
        """End what the deploy that is being rolled back registered; `registration` is its logical id in the stack.

        A CA with devices stays as it is. Raises Undecided, with the CA as it was or INACTIVE.
        """
        if before != Before.ABSENT or not self._rolls_back(stack):
            return Ending.NOT_OURS
        if not self._made(stack, registration, ca_certificate_id):
            return Ending.NOT_OURS
        was_active = self.registry.describe_ca(ca_certificate_id).active
        if self._has_devices(ca_certificate_id):
            return Ending.HAS_DEVICES
        # From here on no device registers; one that was faster is seen, and the CA is what it was.
        self.pace()
        self.registry.switch_ca(ca_certificate_id, active=False)
        if self._has_devices(ca_certificate_id):
            self.registry.switch_ca(ca_certificate_id, active=was_active)
            return Ending.HAS_DEVICES
        self.pace()
        self.registry.delete_ca(ca_certificate_id)
        return Ending.ENDED

    def _rolls_back(self, stack: str) -> bool:
        with aws_call("DescribeStacks"):
            (found,) = self.cloudformation.describe_stacks(StackName=stack)["Stacks"]
        return _ROLLING_BACK in found["StackStatus"]

    def _made(self, stack: str, registration: str, ca_certificate_id: str) -> bool:
        """Return whether the stack's own resource is what registered the CA."""
        with aws_call("DescribeStackResource"):
            answer = self.cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=registration)
        found = answer["StackResourceDetail"]
        return found.get("PhysicalResourceId") == ca_certificate_id and found["ResourceStatus"] not in _NOT_MADE

    def _has_devices(self, ca_certificate_id: str) -> bool:
        self.pace()
        return bool(self.registry.certificate_page(ca_certificate_id, None).certificates)
