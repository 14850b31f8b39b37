"""`jitr policy render`: the exact document that AWS IoT gets for a template, and how much of the limit it takes.

Exit codes: 0 done; 64 a file, deployment or value that is missing or unusable. Nothing is asked of AWS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from jitr import certificates
from jitr.certificates import Certificate
from jitr.errors import Rejected
from jitr.policies.template import MAXIMUM_CHARACTERS, device_values_in, render_policy
from jitr.policies.values import PolicyError
from jitr.settings import ThingNameSource
from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import MAXIMUM_CERTIFICATE_BYTES, existing_file, parse_device, read_file
from jitr_cli.console.fleet import (
    deployment_values,
    fleet_deployment_option,
    fleet_option,
    read_deployment,
    template_of,
)
from jitr_cli.console.output import say
from jitr_fleet.deployments.configuration import configuration_of
from jitr_fleet.deployments.deployment import Deployment, FleetCa


@local_command("render", fleet_deployment_option)
@click.argument("template", metavar="NAME|FILE", default="default")
@click.option("--certificate", type=existing_file(), help="a device's certificate, for templates with its values")
@fleet_option
def command(call: Call, *, template: str, certificate: Path | None, fleet: Path) -> ExitCode:
    """Print the document that AWS IoT gets for a template: NAME as in the fleet file (default: default), or any FILE.

    The name of the policy and its size go to stderr. Not checked: what the lint checks.
    """
    target = read_deployment(fleet, call.deployment)
    name, text = template_of(target, template)
    try:
        wanted = device_values_in(text)
        device = _device_values(wanted, target, name, certificate) if wanted else {}
        document = render_policy(text, {**deployment_values(target), **device})
    except PolicyError as error:
        place = f"{template}: line {error.line}" if error.line else template
        raise CommandFailed(f"{place}: {error}") from error
    configuration = configuration_of(target)
    policy = configuration.policy_name(name)
    if wanted and certificate is not None:
        policy = configuration.device_policy_name(name, certificates.fingerprint(_certificate(certificate)))
    characters = len(re.sub(r"\s", "", document))
    say(f"{policy}: {characters:,} of {MAXIMUM_CHARACTERS:,} characters without white space")
    data = {"policy": policy, "characters": characters, "document": document}
    return call.finish(data, words=lambda: click.echo(document))


def _device_values(wanted: Iterable[str], target: Deployment, name: str, file: Path | None) -> dict[str, str]:
    """Return what the activation function would fill in for this certificate; render_policy validates it."""
    if file is None:
        raise CommandFailed(f"each device gets a policy of its own from {name}: give --certificate")
    certificate = _certificate(file)
    values = {
        "device.certificate_id": certificates.fingerprint(certificate),
        "device.serial": f"{certificate.serial_number:x}",
    }
    try:
        if "device.common_name" in wanted:
            values["device.common_name"] = certificates.common_name(certificate)
        if "device.thing_name" in wanted:
            thing_name = certificates.thing_name(certificate, _thing_name_source(certificate, target.cas))
            if thing_name is None:
                raise CommandFailed(f"{file}: devices of this CA get no Thing (thing_name is off)")
            values["device.thing_name"] = thing_name
    except Rejected as error:
        raise CommandFailed(f"{file}: {error.message} ({error.reason})") from error
    return values


def _certificate(file: Path) -> Certificate:
    try:
        return parse_device(read_file(file, maximum=MAXIMUM_CERTIFICATE_BYTES))
    except ValueError as error:
        raise CommandFailed(f"{file} holds no readable certificate: {error}") from error


def _thing_name_source(certificate: Certificate, cas: Sequence[FleetCa]) -> ThingNameSource:
    """Return what the certificate's CA names Things after; a CA whose certificate no file holds is not recognised."""
    for ca in cas:
        if ca.known_at_deploy:
            continue
        try:
            certificates.verify_issued_by(certificate, certificates.load_certificate(ca.certificate))
        except Rejected:
            continue
        return ca.thing_name
    other = any(ca.known_at_deploy for ca in cas)
    with_file = " whose certificate is in a file" if other else ""
    raise CommandFailed(
        f"no CA of this deployment{with_file} signed the certificate, so the name of its Thing is not known"
    )
