"""`jitr ca adopt`: take a CA that was registered by other means under management at once, without a deploy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import click

from jitr.authorities.obstacles import Obstacle, obstacles
from jitr.authorities.records import CaRecords
from jitr.aws.state_table import StateTable
from jitr.crls.sources import CDP, HTTP_SCHEMES, NONE, S3Location
from jitr_cli.authorities.adoption import crl_problem, manager_warnings
from jitr_cli.authorities.management import DeployedCas
from jitr_cli.authorities.obstacles import obstacles_in_aws
from jitr_cli.authorities.registry import CaRegistry, DescribedCa
from jitr_cli.console.aws import Aws
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import say
from jitr_fleet.deployments.stack_outputs import StackOutputs


@writing_command("adopt")
@ca_option
@click.option(
    "--crl",
    required=True,
    metavar="SOURCE",
    help="s3://… in the deployment's bucket, http(s)://… on an allowed host, cdp, or none",
)
@click.option("--policy", default="default", show_default=True, metavar="NAME", help="a deployed policy template")
def command(call: Call, *, ca_certificate_id: str, crl: str, policy: str) -> ExitCode:
    """Take a registered CA under management: from now on its devices are checked and activated.

    Only deployed policies and the deployment's own CRL bucket are accepted. A CA with a provisioning template is
    refused: AWS IoT would activate its devices by itself, past every check.
    """
    aws, stack = call.aws, call.stack
    _verify_policy(stack, policy)
    _verify_crl_source(stack, crl)
    registered, at = CaRegistry(aws.client("iot")).describe(ca_certificate_id), datetime.now(UTC)
    _verify_adoptable(registered, at)
    call.announce()
    say(f"adopt CA {ca_certificate_id}: CRL {crl}, policy {policy}, Things named by common name")
    warnings = list(_warnings(aws, stack, crl, registered))
    for warning in warnings:
        say(f"warning: {warning}")
    for note in obstacles_in_aws(registered, at=at):
        say(f"note: {note}")
    if call.confirm("Adopt this CA?"):
        records = CaRecords(StateTable(aws.client("dynamodb"), stack.state_table))
        records.adopt(ca_certificate_id, crl=crl, policy=policy, by=aws.caller(), at=at)
        say("adopted; the function knows within half a minute")
    return call.finish(
        {
            "ca_certificate_id": ca_certificate_id,
            "deployment": stack.deployment,
            "crl": crl,
            "policy": policy,
            "adopted": not call.dry_run,
            "warnings": warnings,
        }
    )


def _warnings(aws: Aws, stack: StackOutputs, crl: str, registered: DescribedCa) -> Iterator[str]:
    """Yield what to know before; none of it refuses the adoption, which may be the first of several steps."""
    if crl == NONE:
        yield "with `none` no certificate of this CA is ever checked for revocation"
    here = [DeployedCas.read(aws, each) for each in aws.deployments()]
    yield from manager_warnings(stack.deployment, here, registered.ca_certificate_id)
    if problem := crl_problem(aws, stack, crl, registered.certificate, at=datetime.now(UTC)):
        yield f"{problem}; its devices stay PENDING_ACTIVATION until there is one"


def _verify_policy(stack: StackOutputs, policy: str) -> None:
    """Check that the policy is deployed; raises CommandFailed."""
    known = stack.policies.split(",")
    if policy not in known:
        raise CommandFailed(f"policy {policy!r} is not deployed; there are: {', '.join(known)}")


def _verify_crl_source(stack: StackOutputs, crl: str) -> None:
    """Check the source: the deployment's bucket, an allowed host, `cdp` or `none`; raises CommandFailed."""
    if crl in (NONE, CDP):
        return
    if crl.startswith(HTTP_SCHEMES):
        host = urlsplit(crl).netloc.lower()
        hosts = stack.crl_hosts.split(",")
        if host not in hosts:
            raise CommandFailed(f"--crl: host {host!r} is not among the deployment's crl_hosts: {', '.join(hosts)}")
        return
    try:
        bucket = S3Location.parse(crl).bucket
    except ValueError as error:
        raise CommandFailed(f"--crl: {error}; use s3://{stack.crl_bucket}/…, https://…, cdp or none") from error
    if bucket != stack.crl_bucket:
        raise CommandFailed(f"--crl: only the deployment's bucket is read for adopted CAs: s3://{stack.crl_bucket}/…")


def _verify_adoptable(registered: DescribedCa, at: datetime) -> None:
    """Check that no provisioning template would bypass the check; raises CommandFailed."""
    if Obstacle.PROVISIONING_TEMPLATE in obstacles(registered.facts, at=at):
        raise CommandFailed(
            "this CA has a provisioning template (JITP): AWS IoT activates its devices itself, before any CRL is read; "
            "remove it first: aws iot update-ca-certificate --remove-auto-registration --certificate-id …"
        )
