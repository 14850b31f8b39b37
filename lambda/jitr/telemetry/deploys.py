"""What the functions behind custom resources say of each deploy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jitr.telemetry.telemetry import Telemetry


@dataclass(frozen=True)
class DeployTelemetry(Telemetry):
    """Logs of what deploys ask for."""

    def rolled_out(self, policies: Mapping[str, str]) -> None:
        """Report what a roll-out did to each policy."""
        self.logger.info("the policies are up to date", extra={"policies": dict(policies), "outcome": "rolled_out"})

    def roll_out_failed(self, policies: Mapping[str, str], message: str, failure: Exception) -> None:
        """Report a roll-out that ended early, and what it had done by then."""
        fields = {"policies": dict(policies), "outcome": "failed"}
        self.logger.error(message, extra=fields, exc_info=failure)

    def registration_rolled_back(self, ca_certificate_id: str, ending: str) -> None:
        """Report what a roll-back made of a CA's registration."""
        self.logger.info(ending, extra={"ca_certificate_id": ca_certificate_id, "outcome": "rolled_back"})

    def resource_failed(self, resource: str, message: str, failure: Exception) -> None:
        """Report what a deploy asked for in vain; `resource` is its logical id in the template."""
        self.logger.error(message, extra={"resource": resource, "outcome": "failed"}, exc_info=failure)
