"""What a deployed stack says about itself: the outputs that infra writes and the command line reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from jitr_fleet.deployments.versions import version_words

# CloudFormation's outputs should not be empty; no host has this name.
NO_HOSTS = "-"
# The tag of a deployment's stack and of all that is in it; its value is the deployment's name.
DEPLOYMENT_TAG = "jitr:deployment"


class OutputMissing(Exception):  # noqa: N818 - what is not there, not a defect
    """A stack that lacks an output, because another version of jitr deployed it; the message says which and whose."""


@dataclass(frozen=True, kw_only=True, repr=False)
class StackOutputs:
    """One deployment as CloudFormation knows it; `policies` and `crl_hosts` are comma-separated names.

    `function`, `activation_queue` and `dead_letter_queue` are activation's, `ingestion` a value of
    `jitr_fleet.deployments.deployment.Ingestion`; enforcement and bulk work have their own. Queues are URLs.
    `bulk_tps` is how many AWS IoT calls a second bulk work may make, `api_tps` the quota that the fleet file reckons
    with, numbers as text; `mode` is a value of `jitr.settings.Mode`; `version` is jitr's own, empty before 0.2.0.

    The field names in CamelCase are the CloudFormation output keys. Where a stack lacks one, asking for it raises
    OutputMissing, and all else goes on.
    """

    deployment: str
    function: str
    enforcement_function: str
    state_table: str
    crl_bucket: str
    activation_queue: str
    ingestion: str
    dead_letter_queue: str
    enforcement_dead_letter_queue: str
    bulk_function: str
    bulk_queue: str
    bulk_dead_letter_queue: str
    alarm_topic: str
    rule: str
    policies: str
    crl_hosts: str
    bulk_tps: str
    api_tps: str
    mode: str
    version: str

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> str:
            """Only asked for what `from_outputs` did not find."""
            if name not in self.__dataclass_fields__:
                raise AttributeError(name)
            raise OutputMissing(
                f"the stack of deployment {self.deployment} has no output {self.output_key(name)}: "
                f"jitr {version_words(self.version)} deployed it; deploy it with this version (docs/upgrading.md)"
            )

    def missing(self) -> list[str]:
        """Return the output keys that the stack lacks."""
        return [self.output_key(each.name) for each in fields(self) if each.name not in vars(self)]

    @classmethod
    def output_key(cls, name: str) -> str:
        """Return the CloudFormation output key of a field: `state_table` → `StateTable`."""
        return "".join(part.capitalize() for part in name.split("_"))

    def to_outputs(self) -> dict[str, str]:
        """Return the CloudFormation outputs, key by value; a field may hold a CDK token."""
        return {self.output_key(field.name): getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, str]) -> StackOutputs | None:
        """Return the deployment behind a stack's outputs, or None when the stack is not one of ours.

        Ours is what names a deployment and has most of the other outputs: a version adds some, and none goes.
        """
        found = {field.name: outputs[key] for field in fields(cls) if (key := cls.output_key(field.name)) in outputs}
        if "deployment" not in found or 2 * len(found) < len(fields(cls)):
            return None
        stack = cls.__new__(cls)
        for name, value in {"version": "", **found}.items():
            object.__setattr__(stack, name, value)
        return stack
