"""`jitr crl confirm`: let a braked CRL revoke for good."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr.crl_versions import CrlVersions
from jitr.iot_registry import IotRegistry
from jitr.state_table import StateTable
from jitr_cli.aws import Aws, ask, aws_options, deployment_option, dry_run_option, json_option, yes_option
from jitr_cli.brake import ca_option, choose, describe, matching, scope_option
from jitr_cli.failures import CommandFailed
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
    """Confirm a CRL that newly lists too many devices: they become REVOKED, which nothing undoes.

    They are INACTIVE since the brake. The enforcement function is started at once, its schedule is the second chance.
    """
    stack = aws.deployment(deployment)
    versions = CrlVersions(StateTable(aws.client("dynamodb"), stack.state_table))
    found = matching(versions, IotRegistry(aws.client("iot")), ca_certificate_id=ca_certificate_id, scope=scope)
    state = choose([each for each in found if each.brake_waits], what="CRL is braked")
    crl = state.braked or ""
    aws.announce(stack)
    describe(state)
    if not dry_run:
        ask("Revoke these devices for good?", yes=yes)
        by = aws.client("sts").get_caller_identity()["Arn"]
        if not versions.confirm(state.scope, crl, by=by, at=datetime.now(UTC)):
            raise CommandFailed("another CRL is braked by now: look again")
        aws.client("lambda").invoke(FunctionName=stack.enforcement_function, InvocationType="Event", Payload=b"{}")
        say("confirmed; a sweep begins now, and at the next schedule again if it should fail")
    if as_json:
        emit_json({"scope": state.scope, "crl": crl, "confirmed": not dry_run})
