"""`jitr ca resume`: end an operator's hold on a CA."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr_cli.aws import Aws, ask, writing_options
from jitr_cli.ca_management import DeployedCas
from jitr_cli.ca_obstacles import obstacles
from jitr_cli.ca_registry import CaRegistry
from jitr_cli.commands.ca_release import ca_option
from jitr_cli.exit_codes import ExitCode
from jitr_cli.failures import CommandFailed
from jitr_cli.output import emit_json, say


@click.command("resume")
@ca_option
@writing_options
def command(
    *, aws: Aws, ca_certificate_id: str, deployment: str | None, dry_run: bool, yes: bool, as_json: bool
) -> ExitCode:
    """End a hold: waiting devices become ACTIVE at their next connect.

    It ends the hold and nothing else: what the fleet file says (INACTIVE, retired) and what AWS IoT says goes on
    keeping devices out, and is said.
    """
    deployed = DeployedCas.read(aws, aws.deployment(deployment))
    record = deployed.records.record(ca_certificate_id)
    if record is None or not record.on_hold:
        raise CommandFailed(f"CA {ca_certificate_id} is not on hold in deployment {deployed.stack.deployment}")
    aws.announce(deployed.stack)
    say(f"end the hold on CA {ca_certificate_id}, by {record.held_by}")
    if not dry_run:
        ask("End this hold?", yes=yes)
        by = aws.client("sts").get_caller_identity()["Arn"]
        # Somebody else who resumed it meanwhile did no harm: either way there is no hold any more.
        deployed.records.resume(ca_certificate_id, by=by, at=datetime.now(UTC))
        say("resumed; the function knows within half a minute")
    remaining = _remaining(aws, deployed, ca_certificate_id) if not dry_run else []
    for each in remaining:
        say(f"note: {each}")
    if as_json:
        emit_json(
            {
                "ca_certificate_id": ca_certificate_id,
                "deployment": deployed.stack.deployment,
                "on_hold": dry_run,
                "obstacles": remaining,
            }
        )
    return ExitCode.DONE


def _remaining(aws: Aws, deployed: DeployedCas, ca_certificate_id: str) -> list[str]:
    known = CaRegistry(aws.client("iot")).find(ca_certificate_id)
    if known is None:
        return ["AWS IoT knows no such CA certificate any more"]
    return obstacles(known, [deployed], at=datetime.now(UTC))
