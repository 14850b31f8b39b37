"""What the commands about one CRL's scope (`jitr crl confirm|reject|reset`) are asked, and the scopes it means."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from jitr.aws.iot import IotRegistry
from jitr.aws.state_table import StateTable
from jitr.crls.versions import CrlVersions, ScopeState
from jitr_cli.console.aws import Aws, aws_options, deployment_option, dry_run_option, json_option, yes_option
from jitr_cli.console.options import CaCertificateId
from jitr_cli.crl.brake import matching
from jitr_fleet.deployments.stack_outputs import StackOutputs


@dataclass(frozen=True, kw_only=True)
class ScopeRequest:
    """What somebody asks of a scope, in which deployment; without `ca_certificate_id` and `scope` all scopes match."""

    aws: Aws
    stack: StackOutputs
    ca_certificate_id: str | None
    scope: str | None
    dry_run: bool
    yes: bool
    as_json: bool

    @property
    def table(self) -> StateTable:
        """The deployment's state table."""
        return StateTable(self.aws.client("dynamodb"), self.stack.state_table)

    @property
    def iot(self) -> IotRegistry:
        """AWS IoT."""
        return IotRegistry(self.aws.client("iot"))

    @property
    def versions(self) -> CrlVersions:
        """What the deployment knows of every CRL."""
        return CrlVersions(self.table)

    def matching(self) -> list[ScopeState]:
        """Return the scopes that are meant."""
        return matching(self.versions, self.iot, ca_certificate_id=self.ca_certificate_id, scope=self.scope)

    def caller(self) -> str:
        """Ask AWS who does this, for the record."""
        arn: str = self.aws.client("sts").get_caller_identity()["Arn"]
        return arn


def scope_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every command about a scope takes, and hand the command `request: ScopeRequest`."""

    @click.option("--ca-certificate-id", type=CaCertificateId(), help="only scopes of this CA; 64 hex digits")
    @click.option("--scope", metavar="TEXT", help="the CRL's scope, or the end of it (its address)")
    @deployment_option
    @dry_run_option
    @yes_option
    @json_option
    @aws_options
    @functools.wraps(function)
    def with_request(*, aws: Aws, deployment: str | None, **options: Any) -> object:  # noqa: ANN401 - as click gives it
        names = ("ca_certificate_id", "scope", "dry_run", "yes", "as_json")
        given = {name: options.pop(name) for name in names}
        return function(request=ScopeRequest(aws=aws, stack=aws.deployment(deployment), **given), **options)

    return with_request
