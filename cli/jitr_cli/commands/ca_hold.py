"""`jitr ca hold`: let no device of a CA become ACTIVE, until `jitr ca resume`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr.ca_records import CaRecords
from jitr.state_table import StateTable
from jitr_cli.aws import Aws, ask, aws_options, deployment_option, dry_run_option, json_option, yes_option
from jitr_cli.ca_registry import CaRegistry
from jitr_cli.commands.ca_release import ca_option
from jitr_cli.exit_codes import ExitCode
from jitr_cli.output import emit_json, say


@click.command("hold")
@ca_option
@deployment_option
@dry_run_option
@yes_option
@json_option
@aws_options
def command(
    *, aws: Aws, ca_certificate_id: str, deployment: str | None, dry_run: bool, yes: bool, as_json: bool
) -> ExitCode:
    """Hold a CA: within a minute none of its devices becomes ACTIVE, also of those whose events wait already.

    Devices that are ACTIVE stay so. The hold survives every deploy; nothing in AWS IoT is changed.
    """
    stack = aws.deployment(deployment)
    records = CaRecords(StateTable(aws.client("dynamodb"), stack.state_table))
    record = records.record(ca_certificate_id)
    if record is None:
        # Never seen at run time: a mistyped id must not pass for a hold.
        CaRegistry(aws.client("iot")).describe(ca_certificate_id)
    aws.announce(stack)
    changed = False
    if record is not None and record.on_hold:
        say(f"CA {ca_certificate_id} is on hold already, by {record.held_by}; nothing to do")
    else:
        say(f"hold CA {ca_certificate_id}: its devices stay PENDING_ACTIVATION until `jitr ca resume`")
        if not dry_run:
            ask("Hold this CA?", yes=yes)
            by = aws.client("sts").get_caller_identity()["Arn"]
            changed = records.hold(ca_certificate_id, by=by, at=datetime.now(UTC))
            say("on hold; the function knows within half a minute")
    if as_json:
        held = records.record(ca_certificate_id)
        emit_json(
            {
                "ca_certificate_id": ca_certificate_id,
                "deployment": stack.deployment,
                "on_hold": held is not None and held.on_hold,
                "held_by": held.held_by if held else None,
                "changed": changed,
            }
        )
    return ExitCode.DONE
