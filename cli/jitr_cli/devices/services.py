"""What commands about one device work with: its deployment, put together from what the functions are made of."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from botocore.exceptions import BotoCoreError, ClientError

from jitr.activation.candidate import Candidate
from jitr.activation.examination import Examination
from jitr.activation.observation import UnwrittenVersions
from jitr.activation.provisioning import Provisioning
from jitr.activation.reinstatement import OperatorActivation
from jitr.authorities.allow_list import AllowList
from jitr.authorities.client_ids import ClientIds
from jitr.authorities.managed import CertificateAuthorities
from jitr.authorities.records import CaRecords
from jitr.aws.iot import IotRegistry
from jitr.aws.state_table import StateTable
from jitr.crls.cache import CrlCache
from jitr.crls.http_fetch import HttpFetcher
from jitr.crls.sources import CrlSources
from jitr.crls.versions import CrlVersions
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.row import RegistryRow, RowState
from jitr.registry.rows import Registry
from jitr.settings import Configuration, Environment, Mode
from jitr_cli.console.aws import Aws
from jitr_cli.console.deployed_configuration import deployed_configuration
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import say
from jitr_cli.devices.disconnecting import disconnecting
from jitr_fleet.deployments.names import partition_of
from jitr_fleet.deployments.stack_outputs import StackOutputs

# Leases are written with this computer's clock and waited for with AWS's.
_LARGEST_SKEW_SECONDS = 15


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class DeviceServices:
    """One deployment, put together from what its function is made of; `clock` is UTC.

    `disconnecting` ends the connections of what is switched off.
    """

    configuration: Configuration
    environment: Environment
    registry: IotRegistry
    rows: Registry
    authorities: CertificateAuthorities
    sources: CrlSources
    disconnecting: Disconnecting
    clock: Callable[[], datetime] = utc_now

    @classmethod
    def of(cls, aws: Aws, stack: StackOutputs, *, activating: bool = False) -> DeviceServices:
        """Read what the deployment runs with, all of it to be known where devices become ACTIVE; and make its parts."""
        configuration = deployed_configuration(aws, stack, whole=activating)
        environment = Environment(
            account=aws.account(),
            region=aws.region,
            partition=partition_of(aws.region),
            state_table=stack.state_table,
            crl_bucket=stack.crl_bucket,
        )
        registry = IotRegistry(aws.prompt_client("iot"))
        table = StateTable(aws.prompt_client("dynamodb"), stack.state_table)
        authorities = CertificateAuthorities(configuration, registry, CaRecords(table), stack.crl_bucket)
        return cls(
            configuration=configuration,
            environment=environment,
            registry=registry,
            rows=Registry(table),
            authorities=authorities,
            disconnecting=disconnecting(aws, ClientIds(authorities, utc_now).own),
            sources=CrlSources(
                s3=aws.client("s3"),
                http=HttpFetcher(
                    hosts=frozenset(configuration.crl_hosts), private_hosts=frozenset(configuration.private_crl_hosts)
                ),
                own_bucket=stack.crl_bucket,
                account=environment.account,
            ),
        )

    def examination(self, *, writes: bool) -> Examination:
        """Return the function's steps 2 to 5a; without `writes` the state table is only read."""
        versions = CrlVersions if writes else UnwrittenVersions
        return Examination(
            account=self.environment.account,
            authorities=self.authorities,
            registry=self.registry,
            crls=CrlCache(self.sources, versions(self.rows.table)),
            allowed=AllowList(self.rows.table),
            clock=self.clock,
        )

    def operator_activation(self) -> OperatorActivation:
        """Return what makes a certificate ACTIVE on an operator's word."""
        return OperatorActivation(
            examination=self.examination(writes=True),
            provisioning=Provisioning(
                configuration=self.configuration, environment=self.environment, registry=self.registry, rows=self.rows
            ),
            registry=self.registry,
            rows=self.rows,
            clock=self.clock,
            disconnecting=self.disconnecting,
        )


def disconnecting_of(aws: Aws, stack: StackOutputs) -> Disconnecting:
    """Return what ends connections for commands that need nothing else of the configuration.

    That is read with the first device that is switched off. Where it cannot be, devices without a Thing are left to
    AWS, and that is said.
    """
    return disconnecting(aws, _OwnClientIds(aws, stack).of)


@dataclass(frozen=True)
class _OwnClientIds:
    aws: Aws
    stack: StackOutputs

    @cached_property
    def _ids(self) -> ClientIds | None:
        try:
            return ClientIds(DeviceServices.of(self.aws, self.stack).authorities, utc_now)
        except (CommandFailed, ClientError, BotoCoreError) as failure:
            say(f"which client ids the policies give to one device alone is not known ({failure}):")
            say("the connections of devices without a Thing are left to AWS IoT")
            return None

    def of(self, row: RegistryRow) -> frozenset[str]:
        return frozenset() if self._ids is None else self._ids.own(row)


def verify_clock(aws: Aws) -> None:
    """Check this computer's clock against AWS's; raises CommandFailed. An answer without a date says nothing."""
    identity = aws.identity
    if identity.date is None:
        return
    seconds = abs((identity.date - identity.asked_at).total_seconds())
    if seconds > _LARGEST_SKEW_SECONDS:
        raise CommandFailed(f"this computer's clock is {seconds:.0f} seconds off AWS's; set it first")


def verify_acts(services: DeviceServices) -> None:
    """Check that the deployment activates at all; raises CommandFailed for one that only observes."""
    if services.configuration.mode is Mode.OBSERVE:
        raise CommandFailed("this deployment only observes (fleet file, mode): another handler activates devices here")


def finish_open(services: DeviceServices, candidate: Candidate, *, dry_run: bool) -> str:
    """Close the row of an ACTIVE certificate if a killed run left it open, and return what to say."""
    row = services.rows.row(candidate.row)
    if row is None or row.state is not RowState.ACTIVATING or row.lease_open(at=services.clock()):
        return "the certificate is ACTIVE already; nothing to do"
    if dry_run:
        return "the certificate is ACTIVE; an interrupted run left its registry row open"
    services.operator_activation().finish(candidate, row)
    return "the certificate is ACTIVE; what an interrupted run left open is closed now"


def new_owner(aws: Aws) -> str:
    """Return a name for one run's lease, which nobody else has; it says who ran it."""
    return f"{aws.caller()}#{uuid.uuid4()}"
