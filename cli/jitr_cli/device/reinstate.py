"""`jitr device reinstate`: make an INACTIVE device ACTIVE again, after every check that an activation makes.

Exit codes: 0 ACTIVE, 1 refused for a definite reason, 2 it could not be determined, 69 AWS unreachable or refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from jitr.activation.candidate import Candidate
from jitr.activation.operator_checks import Claim, find_candidate, find_claim, step, verify_candidate
from jitr.aws.iot import CertificateStatus
from jitr.errors import Reason, Rejected, Undecided, Waiting
from jitr.registry.row import RowState
from jitr.settings import Mode
from jitr_cli.console.aws import Aws, ask, writing_options
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import emit_json, progress, say
from jitr_cli.device.services import (
    DeviceServices,
    Named,
    Refusal,
    answer,
    certificate_argument,
    new_owner,
    refused,
    verify_clock,
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done: `claim` is a Thing to take over; nothing at all where `done` says why."""

    candidate: Candidate
    claim: Claim | None = None
    done: str | None = None


@click.command()
@certificate_argument
@click.option("--take-thing", is_flag=True, help="take its Thing back from another certificate, which goes INACTIVE")
@writing_options
def command(
    *,
    aws: Aws,
    certificate: Named,
    take_thing: bool,
    deployment: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> ExitCode:
    """Make an INACTIVE device ACTIVE again; CERTIFICATE is its file or its id.

    Everything is checked first that an activation checks: CA, certificate, CRL, allow-list, registry, Thing. A
    certificate that the CRL lists, or that is REVOKED, does not come back.
    """
    stack = aws.deployment(deployment)
    services = DeviceServices.of(aws, stack)
    verify_acts(services)
    aws.announce(stack)
    try:
        with progress("checking", total=None):
            plan = prepare(services, certificate.certificate_id, take_thing=take_thing, dry_run=dry_run)
        outcome, replaced = "already_active", None
        if plan.done is not None:
            say(plan.done)
        else:
            outcome = "would_reinstate"
            _describe(plan)
            if not dry_run:
                verify_clock(aws, at=services.clock())
                ask("Make it ACTIVE?", yes=yes)
                activation = services.operator_activation()
                with progress("activating", total=None):
                    replaced = activation.reinstate(plan.candidate, owner=new_owner(aws), take=plan.claim)
                outcome = "reinstated"
                say("ACTIVE; its next connect is admitted")
    except (Refusal, Rejected, Waiting, Undecided) as failure:
        return refused(failure, certificate.certificate_id, as_json=as_json)
    if as_json:
        candidate = plan.candidate
        emit_json(
            answer(candidate.certificate_id, outcome=outcome, step=8, replaced=replaced, thing=candidate.thing_name)
        )
    return ExitCode.DONE


def verify_acts(services: DeviceServices) -> None:
    """Check that the deployment activates at all; raises CommandFailed for one that only observes."""
    if services.configuration.mode is Mode.OBSERVE:
        raise CommandFailed("this deployment only observes (fleet file, mode): another handler activates devices here")


def prepare(services: DeviceServices, certificate_id: str, *, take_thing: bool, dry_run: bool) -> Plan:
    """Run every check, with nothing written but what an earlier run left open; raises as the checks do."""
    examination = services.examination(writes=False)
    candidate = find_candidate(examination, certificate_id)
    status = candidate.registered.status
    if status is CertificateStatus.ACTIVE:
        return Plan(candidate=candidate, done=finish_open(services, candidate, dry_run=dry_run))
    if status is CertificateStatus.REVOKED:
        with step(2):
            raise Rejected(Reason.REVOKED, "the certificate is REVOKED, which AWS IoT makes final: issue another one")
    if status is not CertificateStatus.INACTIVE:
        raise Refusal(
            "not_inactive", f"the certificate is {status}: `jitr device explain` says what it waits for", step=2
        )
    candidate = verify_candidate(examination, services.rows, candidate)
    claim = find_claim(services.registry, candidate)
    if claim is not None and not take_thing:
        holder = claim.holder or "nobody that is known"
        with step(7):
            raise Rejected(
                Reason.THING_IN_USE, f"Thing {claim.thing_name} belongs to {holder}: --take-thing takes it back"
            )
    return Plan(candidate=candidate, claim=claim)


def finish_open(services: DeviceServices, candidate: Candidate, *, dry_run: bool) -> str:
    """Close the row of an ACTIVE certificate if a killed run left it open, and return what to say."""
    row = services.rows.row(candidate.row)
    if row is None or row.state is not RowState.ACTIVATING or row.lease_open(at=services.clock()):
        return "the certificate is ACTIVE already; nothing to do"
    if dry_run:
        return "the certificate is ACTIVE; an interrupted run left its registry row open"
    services.operator_activation().finish(candidate, row)
    return "the certificate is ACTIVE; what an interrupted run left open is closed now"


def _describe(plan: Plan) -> None:
    candidate = plan.candidate
    say(f"reinstate {candidate.certificate_id}")
    serial = f"{candidate.certificate.serial_number:x}"
    say(f"  CA {candidate.ca.name}, serial {serial}, Thing {candidate.thing_name or 'none'}")
    if plan.claim is not None:
        holder = plan.claim.holder or "nobody that is known"
        say(f"  Thing {plan.claim.thing_name} is taken from {holder}, which becomes INACTIVE")
