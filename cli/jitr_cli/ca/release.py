"""`jitr ca release`: end the management of an adopted CA.

Exit codes: 0 released; 1 answered no; 64 it is not adopted, or has ACTIVE devices; 69 AWS unreachable or refused; 130
interrupted.
"""

from __future__ import annotations

import click

from jitr.authorities.records import CaRecord
from jitr.aws.iot import CertificateStatus
from jitr.crls.sources import NONE
from jitr_cli.authorities.management import DeployedCas, Owner, describe_management
from jitr_cli.authorities.registry import CaRegistry
from jitr_cli.console.aws import Aws
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import progress, say

# Enough to be sure that it matters; a million devices are not counted for that.
MOST_COUNTED = 1000


@writing_command("release")
@ca_option
@click.option(
    "--with-active-devices", is_flag=True, help="although it has ACTIVE devices: the CRL is not enforced for them then"
)
def command(call: Call, *, ca_certificate_id: str, with_active_devices: bool) -> ExitCode:
    """End the management of an adopted CA: its waiting and new devices stay PENDING_ACTIVATION.

    Devices that are ACTIVE stay so, and the CRL is not enforced for them any more: refused while there are any, unless
    that is meant. CAs in the fleet file are not released here, but by editing that file.
    """
    deployed = DeployedCas.read(call.aws, call.stack)
    record = deployed.records.record(ca_certificate_id)
    if record is None or record.adopted_policy is None:
        raise CommandFailed(f"CA {ca_certificate_id} is not adopted by deployment {call.stack.deployment}")
    call.announce()
    say(f"release CA {ca_certificate_id} (CRL {record.adopted_crl}, policy {record.adopted_policy})")
    active = _active_devices(call.aws, deployed, record)
    if active:
        _verify_meant(active, with_active_devices=with_active_devices)
    if call.confirm("Release this CA?"):
        deployed.records.release(ca_certificate_id)
        say("released; the function knows within half a minute")
    return call.finish(
        {
            "ca_certificate_id": ca_certificate_id,
            "deployment": call.stack.deployment,
            "released": not call.dry_run,
            "active_devices": active,
            "active_devices_more": active == MOST_COUNTED,
        }
    )


def _active_devices(aws: Aws, deployed: DeployedCas, record: CaRecord) -> int:
    """Count the devices that lose the enforcement of their CRL, up to so many as are not overlooked."""
    owner = deployed.management_of(record.ca_certificate_id, record)
    if owner is not None and owner.owner is Owner.FLEET_FILE:
        say(f"  {describe_management(owner)}: it stays managed as that file says")
        return 0
    if record.adopted_crl == NONE:
        return 0
    devices = CaRegistry(aws.client("iot")).devices(record.ca_certificate_id)
    with progress("looking for ACTIVE devices", total=None) as bar:
        active = 0
        for device in devices:
            bar(1)
            active += device.status == CertificateStatus.ACTIVE
            if active == MOST_COUNTED:
                break
    return active


def _verify_meant(active: int, *, with_active_devices: bool) -> None:
    """Say what becomes of ACTIVE devices; raises CommandFailed unless that is meant."""
    count = f"{active:,} or more" if active == MOST_COUNTED else f"{active:,}"
    say(f"  {count} of its devices are ACTIVE, and stay so:")
    say("  nobody enforces the CRL for them any more: one that gets onto it afterwards stays ACTIVE,")
    say("  and `jitr device explain` says of each: inconsistent, step 1, unmanaged_ca")
    if not with_active_devices:
        raise CommandFailed(
            f"{count} devices of this CA are ACTIVE: to keep their revocation enforced put the CA into the fleet file "
            '(status = "retired" lets no new ones in), deploy, and release it then; --with-active-devices releases it '
            "all the same"
        )
