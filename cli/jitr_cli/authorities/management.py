"""Who manages a CA: which deployments of this account and Region, by their fleet file or by adoption."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property

from botocore.exceptions import BotoCoreError, ClientError

from jitr.authorities.managed import CertificateAuthorities
from jitr.authorities.records import CaRecord, CaRecords
from jitr.aws.iot import IotRegistry
from jitr.aws.state_table import StateTable
from jitr.certificates import Certificate
from jitr.crls.versions import CrlVersions, ScopeState
from jitr.enforcement.brake import Brake
from jitr.settings import CaStatus, Configuration
from jitr_cli.console.aws import Aws
from jitr_cli.console.call import Call
from jitr_cli.console.deployed_configuration import deployed_configuration
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import say, say_versions
from jitr_fleet.deployments.stack_outputs import StackOutputs


class Owner(StrEnum):
    """What put a CA under management; the fleet file wins where both did."""

    FLEET_FILE = "fleet_file"
    ADOPTED = "adopted"


@dataclass(frozen=True, kw_only=True)
class Management:
    """How one deployment manages a CA; `status` is what its fleet file wants, ACTIVE for an adopted CA.

    `allow_list`: only devices on the CA's list get in. An adopted CA has none.
    """

    deployment: str
    owner: Owner
    name: str
    crl: str
    policy: str
    status: CaStatus
    allow_list: bool = False


@dataclass(frozen=True, kw_only=True)
class DeployedCas:
    """The CAs of one deployment: its reviewed configuration (None where it cannot be read) and its state table."""

    stack: StackOutputs
    configuration: Configuration | None
    table: StateTable

    @classmethod
    def read(cls, aws: Aws, stack: StackOutputs) -> DeployedCas:
        """Read a deployment; says so where its configuration cannot be read, which leaves its fleet file unknown."""
        configuration = None
        try:
            configuration = deployed_configuration(aws, stack)
        except (CommandFailed, ClientError, BotoCoreError) as failure:
            say(f"warning: what deployment {stack.deployment}'s fleet file says is unknown: {failure}")
        return cls(
            stack=stack, configuration=configuration, table=StateTable(aws.client("dynamodb"), stack.state_table)
        )

    @property
    def brake(self) -> Brake:
        """The deployment's brake; the usual one where its configuration is unknown."""
        known = self.configuration
        return Brake() if known is None else Brake(known.brake_devices, known.brake_percent)

    @property
    def records(self) -> CaRecords:
        """The deployment's adoptions and holds."""
        return CaRecords(self.table)

    @cached_property
    def scopes(self) -> list[ScopeState]:
        """What the deployment knows of every CRL, as it was when this was asked for first."""
        return list(CrlVersions(self.table).states())

    def watching(self, iot: IotRegistry) -> Callable[[str, Certificate], None]:
        """Return what lets enforcement look where a certificate says its CRL is, if its CA leaves that to it."""
        known = self.configuration or Configuration(deployment=self.stack.deployment)
        authorities = CertificateAuthorities(known, iot, self.records, self.stack.crl_bucket)
        return lambda ca, certificate: authorities.watch_named(ca, certificate, at=datetime.now(UTC))

    def manages(self, ca_certificate_id: str) -> bool | None:
        """Return whether this deployment manages a CA; None where that is unknown, which is not the same as no."""
        if self.management(ca_certificate_id) is not None:
            return True
        return None if self.configuration is None else False

    def management(self, ca_certificate_id: str) -> Management | None:
        """Return how this deployment manages a CA, None where it does not or its configuration is unknown."""
        return self.management_of(ca_certificate_id, self.records.record(ca_certificate_id))

    def management_of(self, ca_certificate_id: str, record: CaRecord | None) -> Management | None:
        """Return the same where the CA's record has been read."""
        for ca in self.configuration.cas if self.configuration else ():
            if ca.ca_certificate_id == ca_certificate_id:
                return Management(
                    deployment=self.stack.deployment,
                    owner=Owner.FLEET_FILE,
                    name=ca.name,
                    crl=ca.crl,
                    policy=ca.policy,
                    status=ca.status,
                    allow_list=ca.allow_list,
                )
        if record is None or record.adopted_policy is None:
            return None
        return Management(
            deployment=self.stack.deployment,
            owner=Owner.ADOPTED,
            name=f"adopted-{ca_certificate_id[:12]}",
            crl=record.adopted_crl or "",
            policy=record.adopted_policy,
            status=CaStatus.ACTIVE,
        )


def deployments_here(call: Call) -> list[DeployedCas]:
    """Return the named deployment, or all of this account and Region, which may be none; raises CommandFailed."""
    if call.deployment is not None:
        return [DeployedCas.read(call.aws, call.stack)]
    stacks = list(call.aws.deployments())
    say_versions(stacks)
    return [DeployedCas.read(call.aws, stack) for stack in stacks]


def announce(call: Call, deployments: Iterable[DeployedCas]) -> None:
    """Say, before anything is written, where it will be written and which deployments are there."""
    names = ", ".join(each.stack.deployment for each in deployments) or "none"
    call.announce_account(f"deployments here: {names}")


def managements(deployments: Iterable[DeployedCas], ca_certificate_id: str) -> list[Management]:
    """Return who manages a CA."""
    found = (each.management(ca_certificate_id) for each in deployments)
    return [each for each in found if each is not None]


def describe_management(found: Management) -> str:
    """Return, in words, how a CA is managed."""
    by = "in the fleet file" if found.owner is Owner.FLEET_FILE else "adopted"
    status = "" if found.status is CaStatus.ACTIVE else f", {found.status} there"
    return f"deployment {found.deployment}: {by} as {found.name}{status}, CRL {found.crl}, policy {found.policy}"


def describe_managers(aws: Aws, deployed: DeployedCas, ca_certificate_id: str) -> str:
    """Return, in words, that a deployment does not manage a CA, and which others here do."""
    others = [DeployedCas.read(aws, each) for each in aws.deployments() if each.deployment != deployed.stack.deployment]
    found = "; ".join(map(describe_management, managements(others, ca_certificate_id)))
    return f"deployment {deployed.stack.deployment} does not manage CA {ca_certificate_id}" + (
        f" ({found})" if found else ""
    )
