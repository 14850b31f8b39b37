"""What commands about one device work with: the deployment as its function sees it, and which certificate is meant."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import click
from cryptography import x509

from jitr.activation.examination import Examination
from jitr.activation.observation import UnwrittenVersions
from jitr.activation.provisioning import Provisioning
from jitr.activation.reinstatement import OperatorActivation
from jitr.authorities.managed import CertificateAuthorities
from jitr.authorities.records import CaRecords
from jitr.aws.iot import IotRegistry
from jitr.aws.state_table import StateTable
from jitr.certificates import fingerprint
from jitr.crls.cache import CrlCache
from jitr.crls.http_fetch import HttpFetcher
from jitr.crls.sources import CrlSources
from jitr.crls.versions import CrlVersions
from jitr.errors import Outcome, Reason, Rejected, Undecided, Waiting
from jitr.messages.event import is_certificate_id
from jitr.registry.allow_list import AllowList
from jitr.registry.rows import Registry
from jitr.settings import Configuration, Environment
from jitr_cli.console.aws import Aws
from jitr_cli.console.deployed_configuration import deployed_configuration
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import MAXIMUM_CERTIFICATE_BYTES, parse_certificate, read_file
from jitr_cli.console.output import emit_json, say
from jitr_fleet.deployments.names import partition_of
from jitr_fleet.deployments.runbook import reason_section
from jitr_fleet.deployments.stack_outputs import StackOutputs

# Leases are written with this computer's clock and waited for with AWS's.
_LARGEST_SKEW_SECONDS = 15
# Failures of AWS or of permissions, as opposed to what is not known about a device.
AWS_FAILURES = frozenset({Reason.THROTTLED, Reason.ACCESS_DENIED, Reason.AWS_REFUSED, Reason.AWS_UNAVAILABLE})


@dataclass(frozen=True, kw_only=True)
class Named:
    """The certificate that a command is about: by its id alone, or by a file that holds it."""

    certificate_id: str
    certificate: x509.Certificate | None


class CertificateName(click.ParamType[Named]):
    """A certificate file (PEM or DER, the first of a chain) or a certificate id (64 hex digits)."""

    name = "certificate"

    def convert(self, value: str | Named, param: click.Parameter | None, ctx: click.Context | None) -> Named:
        """Return which certificate is meant, or end the command as a usage error."""
        if isinstance(value, Named):
            return value
        if is_certificate_id(value.lower()):
            return Named(certificate_id=value.lower(), certificate=None)
        path = Path(value)
        if not path.is_file():
            self.fail(f"{value!r} is neither a file nor a certificate id (64 hex digits)", param, ctx)
        try:
            certificate = parse_certificate(read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES))
        except (ValueError, CommandFailed):
            self.fail(f"{value} holds no readable certificate", param, ctx)
        return Named(certificate_id=fingerprint(certificate), certificate=certificate)


certificate_argument = click.argument("certificate", type=CertificateName(), metavar="CERTIFICATE")


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class DeviceServices:
    """One deployment, put together from what its function is made of; `clock` is UTC."""

    configuration: Configuration
    environment: Environment
    registry: IotRegistry
    rows: Registry
    authorities: CertificateAuthorities
    sources: CrlSources
    clock: Callable[[], datetime] = utc_now

    @classmethod
    def of(cls, aws: Aws, stack: StackOutputs) -> DeviceServices:
        """Read what the deployment runs with, and make its parts."""
        configuration = deployed_configuration(aws, stack)
        environment = Environment(
            account=aws.account(),
            region=aws.region,
            partition=partition_of(aws.region),
            state_table=stack.state_table,
            crl_bucket=stack.crl_bucket,
        )
        registry = IotRegistry(prompt_client(aws, "iot"))
        table = StateTable(prompt_client(aws, "dynamodb"), stack.state_table)
        return cls(
            configuration=configuration,
            environment=environment,
            registry=registry,
            rows=Registry(table),
            authorities=CertificateAuthorities(configuration, registry, CaRecords(table), stack.crl_bucket),
            sources=CrlSources(
                s3=aws.client("s3"),
                http=HttpFetcher(hosts=frozenset(configuration.crl_hosts)),
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
        )


def prompt_client(aws: Aws, service: str) -> Any:  # noqa: ANN401 - as Aws.client
    """Return a client that gives up within half a minute: whoever holds a lease must not wait for long."""
    from botocore.config import Config  # noqa: PLC0415 - only commands that reach AWS pay for boto3

    config = Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=2, read_timeout=5)
    return aws.session.client(service, endpoint_url=aws.endpoint_url, config=config)  # type: ignore[call-overload]


def verify_clock(aws: Aws, *, at: datetime) -> None:
    """Check this computer's clock against AWS's; raises CommandFailed. An answer without a date says nothing."""
    answer = aws.client("sts").get_caller_identity()
    date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    if date is None:
        return
    seconds = abs((parsedate_to_datetime(date) - at).total_seconds())
    if seconds > _LARGEST_SKEW_SECONDS:
        raise CommandFailed(f"this computer's clock is {seconds:.0f} seconds off AWS's; set it first")


def new_owner(aws: Aws) -> str:
    """Return a name for one run's lease, which nobody else has; it says who ran it."""
    return f"{aws.client('sts').get_caller_identity()['Arn']}#{uuid.uuid4()}"


class Refusal(Exception):  # noqa: N818 - named for what it is
    """A definite no that no reason code of an activation says; `reason` has a section in docs/devices.md."""

    outcome = Outcome.REJECTED

    def __init__(self, reason: str, message: str, *, step: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.step: int | None = step


Failure = Refusal | Rejected | Waiting | Undecided


def refused(failure: Failure, certificate_id: str, *, as_json: bool) -> ExitCode:
    """Say why something was not done, and return the exit code: 1 a definite no, 2 unknown; AWS's failures pass on."""
    if isinstance(failure, Undecided) and failure.reason in AWS_FAILURES:
        raise failure
    if as_json:
        emit_json(answer(certificate_id, outcome=failure.outcome, reason=failure.reason, step=failure.step))
    where = "" if failure.step is None else f" at step {failure.step}"
    section = f"docs/devices.md#{failure.reason}" if isinstance(failure, Refusal) else reason_section(failure.reason)
    say(f"not done{where}: {failure.message} ({section})")
    return ExitCode.UNDETERMINED if failure.outcome is Outcome.UNDECIDED else ExitCode.NO


def answer(
    certificate_id: str,
    *,
    outcome: str,
    reason: str | None = None,
    step: int | None = None,
    replaced: str | None = None,
    thing: str | None = None,
) -> dict[str, object]:
    """Return how a command about one certificate ended, as data; `replaced` is the certificate that lost its Thing."""
    return {
        "certificate_id": certificate_id,
        "outcome": str(outcome),
        "reason": None if reason is None else str(reason),
        "step": step,
        "replaced": replaced,
        "thing": thing,
    }
