"""`jitr ca delete`: delete a CA from AWS IoT, after saying what still depends on it.

Exit codes: 0 deleted; 1 answered no; 64 the CA is ACTIVE; 69 AWS refused, or it cannot be said what depends on it; 130
interrupted.
"""

from __future__ import annotations

from collections import Counter

from jitr_cli.authorities.management import (
    DeployedCas,
    Owner,
    announce,
    deployments_here,
    describe_management,
    managements,
)
from jitr_cli.authorities.registry import CaRegistry
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import say


@writing_command("delete")
@ca_option
def command(call: Call, *, ca_certificate_id: str) -> ExitCode:
    """Delete an INACTIVE CA from AWS IoT. Its devices stay as they are: those that are ACTIVE go on connecting.

    What still depends on the CA is counted and said first. There is no undoing but registering it again.
    """
    registry = CaRegistry(call.aws.client("iot"))
    known = registry.describe(ca_certificate_id)
    if known.active:
        raise CommandFailed(f"CA {ca_certificate_id} is ACTIVE; AWS IoT deletes INACTIVE ones only: jitr ca deactivate")
    deployments = deployments_here(call)
    _verify_known(deployments)
    announce(call, deployments)
    devices = registry.count_devices(ca_certificate_id)
    say(f"delete CA {ca_certificate_id} ({known.subject_text}), {known.mode} mode")
    _say_devices(devices)
    found = managements(deployments, ca_certificate_id)
    for management in found:
        say(f"  {describe_management(management)}")
        if management.owner is Owner.FLEET_FILE:
            say("    take it out of the fleet file and deploy first, or its next deploy fails")
        else:
            say(f"    the adoption stays: jitr ca release --ca-certificate-id {ca_certificate_id}")
    if call.confirm("Delete this CA?"):
        registry.delete(ca_certificate_id)
        say("deleted")
    return call.finish(
        {
            "ca_certificate_id": ca_certificate_id,
            "deleted": not call.dry_run,
            "devices": dict(sorted(devices.items())),
            "managed_by": [each.deployment for each in found],
        }
    )


def _verify_known(deployments: list[DeployedCas]) -> None:
    """Check that every deployment's configuration could be read; raises CommandFailed."""
    unknown = [each.stack.deployment for each in deployments if each.configuration is None]
    if unknown:
        raise CommandFailed(
            f"nothing is deleted while it is unknown whether {', '.join(unknown)} manages this CA", ExitCode.AWS
        )


def _say_devices(devices: Counter[str]) -> None:
    total = devices.total()
    listed = ", ".join(f"{count:,} {status}" for status, count in sorted(devices.items()))
    say(f"  {total:,} devices are registered with it{': ' + listed if listed else ''}")
    if total:
        say("  they keep certificate and status; lists by CA, such as `jitr ca devices`, may not find them afterwards")
    if devices["PENDING_ACTIVATION"]:
        say("  those that are PENDING_ACTIVATION cannot become ACTIVE without it")
