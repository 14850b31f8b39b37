"""`jitr crl reset`: forget which CRL version was accepted, so that an older one is taken again."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr.crl_versions import CrlVersions
from jitr.iot_registry import IotRegistry
from jitr.state_table import StateTable
from jitr_cli.aws import Aws, ask, aws_options, deployment_option, dry_run_option, json_option, yes_option
from jitr_cli.brake import address, ca_option, choose, matching, scope_option, this_update
from jitr_cli.output import emit_json, say


@click.command()
@ca_option
@scope_option
@deployment_option
@dry_run_option
@yes_option
@json_option
@aws_options
def command(
    *,
    aws: Aws,
    ca_certificate_id: str | None,
    scope: str | None,
    deployment: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Forget the accepted CRL number and thisUpdate of one scope, after a CA had to start again.

    Whoever can publish an old CRL can hide newer revocations from new devices then; what is off stays off. Who reset
    it, and when, is kept in the state table.
    """
    stack = aws.deployment(deployment)
    versions = CrlVersions(StateTable(aws.client("dynamodb"), stack.state_table))
    found = matching(versions, IotRegistry(aws.client("iot")), ca_certificate_id=ca_certificate_id, scope=scope)
    state = choose([each for each in found if each.accepted], what="CRL version was accepted")
    number = state.accepted.number if state.accepted else None
    aws.announce(stack)
    say(f"CRL {address(state.scope)}")
    say(f"  accepted: number {'none' if number is None else number}, thisUpdate {this_update(state)}")
    if not dry_run:
        ask("Accept older CRLs than this one?", yes=yes)
        versions.reset(state.scope, by=aws.client("sts").get_caller_identity()["Arn"], at=datetime.now(UTC))
        say("reset; the next CRL that is read becomes the accepted one, and every entry of it is looked at again")
    if as_json:
        emit_json({"scope": state.scope, "number": number, "this_update": this_update(state), "reset": not dry_run})
