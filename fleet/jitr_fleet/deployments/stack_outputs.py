"""What a deployed stack says about itself: the outputs that infra writes and the command line reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

# CloudFormation's outputs should not be empty; no host has this name.
NO_HOSTS = "-"


@dataclass(frozen=True, kw_only=True)
class StackOutputs:
    """One deployment as CloudFormation knows it; `policies` and `crl_hosts` are comma-separated names.

    `function`, `activation_queue` and `dead_letter_queue` are activation's, `ingestion` a value of
    `jitr_fleet.deployments.deployment.Ingestion`; enforcement and bulk work have their own. Queues are URLs.
    `bulk_tps` is how many AWS IoT calls a second bulk work may make, `api_tps` the quota that the fleet file reckons
    with, numbers as text; `mode` is a value of `jitr.settings.Mode`.

    The field names in CamelCase are the CloudFormation output keys.
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

    @classmethod
    def output_key(cls, name: str) -> str:
        """Return the CloudFormation output key of a field: `state_table` → `StateTable`."""
        return "".join(part.capitalize() for part in name.split("_"))

    def to_outputs(self) -> dict[str, str]:
        """Return the CloudFormation outputs, key by value; a field may hold a CDK token."""
        return {self.output_key(field.name): getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, str]) -> StackOutputs | None:
        """Return the deployment behind a stack's outputs, or None when the stack is not one of ours."""
        keys = {field.name: cls.output_key(field.name) for field in fields(cls)}
        if not all(key in outputs for key in keys.values()):
            return None
        return cls(**{name: outputs[key] for name, key in keys.items()})
