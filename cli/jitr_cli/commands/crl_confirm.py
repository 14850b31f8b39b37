"""`jitr crl confirm`: let a braked CRL revoke for good."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr_cli.aws import ask
from jitr_cli.brake import choose, describe
from jitr_cli.failures import CommandFailed
from jitr_cli.output import emit_json, say
from jitr_cli.scope_options import ScopeRequest, scope_options


@click.command()
@scope_options
def command(*, request: ScopeRequest) -> None:
    """Confirm a CRL that newly lists too many devices: they become REVOKED, which nothing undoes.

    They are INACTIVE since the brake. The enforcement function is started at once, its schedule is the second chance.
    """
    aws, stack, versions = request.aws, request.stack, request.versions
    state = choose([each for each in request.matching() if each.brake_waits], what="CRL is braked")
    crl = state.braked or ""
    aws.announce(stack)
    describe(state)
    if not request.dry_run:
        ask("Revoke these devices for good?", yes=request.yes)
        if not versions.confirm(state.scope, crl, by=request.caller(), at=datetime.now(UTC)):
            raise CommandFailed("another CRL is braked by now: look again")
        aws.client("lambda").invoke(FunctionName=stack.enforcement_function, InvocationType="Event", Payload=b"{}")
        say("confirmed; a sweep begins now, and at the next schedule again if it should fail")
    if request.as_json:
        emit_json({"scope": state.scope, "crl": crl, "confirmed": not request.dry_run})
