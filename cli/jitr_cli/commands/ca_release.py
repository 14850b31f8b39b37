"""`jitr ca release`: end the management of an adopted CA."""

from __future__ import annotations

import re

import click

from jitr.ca_records import CaRecords
from jitr.state_table import StateTable
from jitr_cli.aws import Aws, ask, aws_options, deployment_option, dry_run_option, yes_option
from jitr_cli.failures import CommandFailed
from jitr_cli.output import say


class CaCertificateId(click.ParamType[str]):
    """A CA certificate id: 64 hex digits, lower case or not."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id in lower case, as AWS IoT writes it."""
        if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
            self.fail("a CA certificate id has 64 hex digits; `aws iot list-ca-certificates` shows them", param, ctx)
        return value.lower()


ca_option = click.option("--ca-certificate-id", required=True, type=CaCertificateId(), help="64 hex digits")


@click.command()
@ca_option
@deployment_option
@dry_run_option
@yes_option
@aws_options
def command(*, aws: Aws, ca_certificate_id: str, deployment: str | None, dry_run: bool, yes: bool) -> None:
    """End the management of an adopted CA: its waiting and new devices stay PENDING_ACTIVATION.

    Devices that are ACTIVE stay so. CAs in the fleet file are not released here, but by editing that file.
    """
    stack = aws.deployment(deployment)
    records = CaRecords(StateTable(aws.client("dynamodb"), stack.state_table))
    record = records.record(ca_certificate_id)
    if record is None or record.adopted_policy is None:
        raise CommandFailed(f"CA {ca_certificate_id} is not adopted by deployment {stack.deployment}")
    aws.announce(stack)
    say(f"release CA {ca_certificate_id} (CRL {record.adopted_crl}, policy {record.adopted_policy})")
    if dry_run:
        return
    ask("Release this CA?", yes=yes)
    records.release(ca_certificate_id)
    say("released; the function knows within half a minute")
