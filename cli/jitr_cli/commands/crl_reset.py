"""`jitr crl reset`: forget which CRL version was accepted, so that an older one is taken again."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr_cli.aws import ask
from jitr_cli.brake import address, choose, this_update
from jitr_cli.output import emit_json, say
from jitr_cli.scope_options import ScopeRequest, scope_options


@click.command()
@scope_options
def command(*, request: ScopeRequest) -> None:
    """Forget the accepted CRL number and thisUpdate of one scope, after a CA had to start again.

    Whoever can publish an old CRL can hide newer revocations from new devices then; what is off stays off. Who reset
    it, and when, is kept in the state table.
    """
    state = choose([each for each in request.matching() if each.accepted], what="CRL version was accepted")
    number = state.accepted.number if state.accepted else None
    request.aws.announce(request.stack)
    say(f"CRL {address(state.scope)}")
    say(f"  accepted: number {'none' if number is None else number}, thisUpdate {this_update(state)}")
    if not request.dry_run:
        ask("Accept older CRLs than this one?", yes=request.yes)
        request.versions.reset(state.scope, by=request.caller(), at=datetime.now(UTC))
        say("reset; the next CRL that is read becomes the accepted one, and every entry of it is looked at again")
    if request.as_json:
        emit_json(
            {"scope": state.scope, "number": number, "this_update": this_update(state), "reset": not request.dry_run}
        )
