"""`jitr ca hold` and `jitr ca resume`: let no device of a CA become ACTIVE, for the emergency, and end that."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr_cli.authorities.management import DeployedCas, describe_managers
from jitr_cli.authorities.obstacles import obstacles
from jitr_cli.authorities.registry import CaRegistry
from jitr_cli.console.aws import Aws, ask, writing_options
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import emit_json, say


@click.command("hold")
@ca_option
@writing_options
def hold(
    *, aws: Aws, ca_certificate_id: str, deployment: str | None, dry_run: bool, yes: bool, as_json: bool
) -> ExitCode:
    """Hold a CA: within a minute none of its devices becomes ACTIVE, also of those whose events wait already.

    Devices that are ACTIVE stay so. The hold survives every deploy; nothing in AWS IoT is changed.
    """
    stack = aws.deployment(deployment)
    deployed = DeployedCas.read(aws, stack)
    records = deployed.records
    record = records.record(ca_certificate_id)
    if record is None:
        # Never seen at run time: a mistyped id must not pass for a hold.
        CaRegistry(aws.client("iot")).describe(ca_certificate_id)
    aws.announce(stack)
    managed = deployed.manages(ca_certificate_id)
    if managed is False:
        say(f"warning: {describe_managers(aws, deployed, ca_certificate_id)}: nobody reads a hold there")
    changed = False
    if record is not None and record.on_hold:
        say(f"CA {ca_certificate_id} is on hold already, by {record.held_by}; nothing to do")
    else:
        means = "" if managed is False else ": its devices stay PENDING_ACTIVATION until `jitr ca resume`"
        say(f"hold CA {ca_certificate_id}{means}")
        if not dry_run:
            ask("Hold this CA?", yes=yes)
            by = aws.client("sts").get_caller_identity()["Arn"]
            changed = records.hold(ca_certificate_id, by=by, at=datetime.now(UTC))
            say("on hold" if managed is False else "on hold; the function knows within half a minute")
    if as_json:
        held = records.record(ca_certificate_id)
        emit_json(
            {
                "ca_certificate_id": ca_certificate_id,
                "deployment": stack.deployment,
                "on_hold": held is not None and held.on_hold,
                "held_by": held.held_by if held else None,
                "changed": changed,
                "managed": managed,
            }
        )
    return ExitCode.DONE


@click.command("resume")
@ca_option
@writing_options
def resume(
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
