"""`jitr ca delete`: delete a CA from AWS IoT, after saying what still depends on it.

Exit codes: 0 deleted; 1 answered no; 64 the CA is ACTIVE; 69 AWS refused, or it cannot be said what depends on it; 130
interrupted.
"""

from __future__ import annotations

from collections import Counter

import click

from jitr_cli.authorities.management import (
    DeployedCas,
    Owner,
    announce,
    deployments_here,
    describe_management,
    managements,
)
from jitr_cli.authorities.registry import CaRegistry
from jitr_cli.console.aws import Aws, ask, writing_options
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import emit_json, progress, say


@click.command("delete")
@ca_option
@writing_options
def command(
    *, aws: Aws, ca_certificate_id: str, deployment: str | None, dry_run: bool, yes: bool, as_json: bool
) -> ExitCode:
    """Delete an INACTIVE CA from AWS IoT. Its devices stay as they are: those that are ACTIVE go on connecting.

    What still depends on the CA is counted and said first. There is no undoing but registering it again.
    """
    registry = CaRegistry(aws.client("iot"))
    known = registry.describe(ca_certificate_id)
    if known.active:
        raise CommandFailed(f"CA {ca_certificate_id} is ACTIVE; AWS IoT deletes INACTIVE ones only: jitr ca deactivate")
    deployments = deployments_here(aws, deployment)
    _verify_known(deployments)
    announce(aws, deployments)
    devices = _count(registry, ca_certificate_id)
    say(f"delete CA {ca_certificate_id} ({known.certificate.subject.rfc4514_string()}), {known.mode} mode")
    _say_devices(devices)
    found = managements(deployments, ca_certificate_id)
    for management in found:
        say(f"  {describe_management(management)}")
        if management.owner is Owner.FLEET_FILE:
            say("    take it out of the fleet file and deploy first, or its next deploy fails")
        else:
            say(f"    the adoption stays: jitr ca release --ca-certificate-id {ca_certificate_id}")
    if not dry_run:
        ask("Delete this CA?", yes=yes)
        registry.delete(ca_certificate_id)
        say("deleted")
    if as_json:
        emit_json(
            {
                "ca_certificate_id": ca_certificate_id,
                "deleted": not dry_run,
                "devices": dict(sorted(devices.items())),
                "managed_by": [each.deployment for each in found],
            }
        )
    return ExitCode.DONE


def _verify_known(deployments: list[DeployedCas]) -> None:
    """Check that every deployment's configuration could be read; raises CommandFailed."""
    unknown = [each.stack.deployment for each in deployments if each.configuration is None]
    if unknown:
        raise CommandFailed(
            f"nothing is deleted while it is unknown whether {', '.join(unknown)} manages this CA", ExitCode.AWS
        )


def _count(registry: CaRegistry, ca_certificate_id: str) -> Counter[str]:
    found: Counter[str] = Counter()
    with progress("counting its devices", total=None) as bar:
        for device in registry.devices(ca_certificate_id):
            found[device.status] += 1
            bar(1)
    return found


def _say_devices(devices: Counter[str]) -> None:
    total = devices.total()
    listed = ", ".join(f"{count:,} {status}" for status, count in sorted(devices.items()))
    say(f"  {total:,} devices are registered with it{': ' + listed if listed else ''}")
    if total:
        say("  they keep certificate and status; lists by CA, such as `jitr ca devices`, may not find them afterwards")
    if devices["PENDING_ACTIVATION"]:
        say("  those that are PENDING_ACTIVATION cannot become ACTIVE without it")
