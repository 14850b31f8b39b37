"""`jitr ca hold` and `jitr ca resume`: let no device of a CA become ACTIVE, for the emergency, and end that."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from jitr_cli.authorities.management import DeployedCas, describe_managers
from jitr_cli.authorities.obstacles import obstacles
from jitr_cli.authorities.registry import CaRegistry
from jitr_cli.console.aws import Aws
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import CA_HELP, CaCertificateId, ca_option
from jitr_cli.console.output import say


@writing_command("hold")
@click.option("--ca-certificate-id", type=CaCertificateId(), help=f"the CA: {CA_HELP}")
@click.option("--all", "everything", is_flag=True, help="every CA that the deployment manages")
def hold(call: Call, *, ca_certificate_id: str | None, everything: bool) -> ExitCode:
    """Hold a CA, or with --all every one: within a minute none of its devices becomes ACTIVE.

    Also of those whose events wait already. Devices that are ACTIVE stay so. The hold survives every deploy; nothing
    in AWS IoT is changed. With --all and --json: `{"cas": [...]}`, each as for a single CA.
    """
    if everything is (ca_certificate_id is not None):
        raise CommandFailed("give --ca-certificate-id, or --all for every CA of the deployment")
    deployed = DeployedCas.read(call.aws, call.stack)
    if ca_certificate_id is None:
        return _hold_all(call, deployed)
    record = deployed.records.record(ca_certificate_id)
    if record is None:
        # Never seen at run time: a mistyped id must not pass for a hold.
        CaRegistry(call.aws.client("iot")).describe(ca_certificate_id)
    call.announce()
    managed = deployed.manages(ca_certificate_id)
    if managed is False:
        say(f"warning: {describe_managers(call.aws, deployed, ca_certificate_id)}: nobody reads a hold there")
    changed = False
    if record is not None and record.on_hold:
        say(f"CA {ca_certificate_id} is on hold already, by {record.held_by}; nothing to do")
    else:
        means = "" if managed is False else ": its devices stay PENDING_ACTIVATION until `jitr ca resume`"
        say(f"hold CA {ca_certificate_id}{means}")
        if call.confirm("Hold this CA?"):
            changed = deployed.records.hold(ca_certificate_id, by=call.aws.caller(), at=datetime.now(UTC))
            say("on hold" if managed is False else "on hold; the function knows within half a minute")
    return call.finish(_held(call, deployed, ca_certificate_id, changed=changed, managed=managed))


def _hold_all(call: Call, deployed: DeployedCas) -> ExitCode:
    """Hold every CA of the fleet file and every adopted one; those that are on hold already stay so."""
    if deployed.configuration is None:
        raise CommandFailed(
            "which CAs the deployment manages is not known, so not all of them would be held: hold each that "
            "`jitr ca list` shows by its id",
            ExitCode.AWS,
        )
    known = {ca.ca_certificate_id: ca.name for ca in deployed.configuration.cas}
    records = list(deployed.records.records())
    known |= {
        each.ca_certificate_id: f"adopted-{each.ca_certificate_id[:12]}"
        for each in records
        if each.adopted_policy is not None and each.ca_certificate_id not in known
    }
    held = {each.ca_certificate_id for each in records if each.on_hold}
    call.announce()
    for identifier, name in known.items():
        say(f"{'is on hold already' if identifier in held else 'hold'}: CA {name} ({identifier})")
    waiting = [identifier for identifier in known if identifier not in held]
    changed: set[str] = set()
    if waiting and call.confirm(f"Hold {len(waiting)} CAs? No device becomes ACTIVE until `jitr ca resume` for each"):
        by = call.aws.caller()
        for identifier in waiting:
            if deployed.records.hold(identifier, by=by, at=datetime.now(UTC)):
                changed.add(identifier)
        say("on hold; the functions know within half a minute. Devices that are ACTIVE stay so")
    return call.finish({"cas": [_held(call, deployed, each, changed=each in changed, managed=True) for each in known]})


def _held(
    call: Call, deployed: DeployedCas, ca_certificate_id: str, *, changed: bool, managed: bool | None
) -> dict[str, object]:
    held = deployed.records.record(ca_certificate_id)
    return {
        "ca_certificate_id": ca_certificate_id,
        "deployment": call.stack.deployment,
        "on_hold": held is not None and held.on_hold,
        "held_by": held.held_by if held else None,
        "changed": changed,
        "managed": managed,
    }


@writing_command("resume")
@ca_option
def resume(call: Call, *, ca_certificate_id: str) -> ExitCode:
    """End a hold: waiting devices become ACTIVE at their next connect.

    It ends the hold and nothing else: what the fleet file says (INACTIVE, retired) and what AWS IoT says goes on
    keeping devices out, and is said.
    """
    deployed = DeployedCas.read(call.aws, call.stack)
    record = deployed.records.record(ca_certificate_id)
    if record is None or not record.on_hold:
        raise CommandFailed(f"CA {ca_certificate_id} is not on hold in deployment {call.stack.deployment}")
    call.announce()
    say(f"end the hold on CA {ca_certificate_id}, by {record.held_by}")
    remaining: list[str] = []
    if call.confirm("End this hold?"):
        # Another operator who resumed it meanwhile did no harm: either way there is no hold any more.
        deployed.records.resume(ca_certificate_id, by=call.aws.caller(), at=datetime.now(UTC))
        say("resumed; the function knows within half a minute")
        remaining = _remaining(call.aws, deployed, ca_certificate_id)
    for each in remaining:
        say(f"note: {each}")
    return call.finish(
        {
            "ca_certificate_id": ca_certificate_id,
            "deployment": call.stack.deployment,
            "on_hold": call.dry_run,
            "obstacles": remaining,
        }
    )


def _remaining(aws: Aws, deployed: DeployedCas, ca_certificate_id: str) -> list[str]:
    known = CaRegistry(aws.client("iot")).find(ca_certificate_id)
    if known is None:
        return ["AWS IoT knows no such CA certificate any more"]
    return obstacles(known, [deployed], at=datetime.now(UTC))
