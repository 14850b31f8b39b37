"""How commands find the fleet file and the deployment that they are about."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import click

from jitr.certificates import fingerprint
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import MAXIMUM_CERTIFICATE_BYTES, parse_certificate, read_file
from jitr_fleet.deployments.deployment import Deployment
from jitr_fleet.deployments.names import partition_of
from jitr_fleet.deployments.shared_quota import neighbours
from jitr_fleet.files.mistakes import FleetFileError
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_fleet.policies.source import MAXIMUM_BYTES

fleet_option = click.option(
    "--fleet",
    type=click.Path(dir_okay=False, path_type=Path),
    default="fleet.toml",
    show_default=True,
    envvar="JITR_FLEET",
    help="the fleet file [env: JITR_FLEET]",
)
fleet_deployment_option = click.option(
    "--deployment", metavar="NAME", help="which deployment, where the fleet file has several"
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the fleet file here says that a deployment is; `profile` is whose credentials go there, if it says so."""

    file: Path
    deployment: str
    account: str
    region: str
    profile: str | None


def cas_here() -> list[tuple[str, str | None]]:
    """Return name and id of every CA in the fleet file here; no id where no file here holds the certificate.

    For shells: whatever is wrong with the file leaves something out, and is not said.
    """
    file = Path(os.environ.get("JITR_FLEET") or "fleet.toml")
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))["deployments"].values()
        cas = [ca for table in tables for ca in table.get("cas", [])]
        return [(str(ca["name"]), _id_of(file.parent / str(ca.get("certificate", "")))) for ca in cas]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


def _id_of(certificate: Path) -> str | None:
    try:
        return fingerprint(parse_certificate(read_file(certificate, maximum=MAXIMUM_CERTIFICATE_BYTES)))
    except (ValueError, CommandFailed):
        return None


def place_here(name: str | None) -> Place | None:
    """Return the place of the named deployment, or of the only one, by JITR_FLEET or the fleet.toml in this folder.

    None where there is no such file, or it does not say. Nothing else of it is read or checked: whoever is in the
    middle of an edit wants to reach AWS all the same.
    """
    file = Path(os.environ.get("JITR_FLEET") or "fleet.toml")
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))["deployments"]
        ((found, table),) = [each for each in tables.items() if name in (None, each[0])]
        account, region, profile = table["account"], table["region"], table.get("profile")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    if not (isinstance(account, str) and isinstance(region, str) and isinstance(profile, str | None)):
        return None
    return Place(file=file, deployment=found, account=account, region=region, profile=profile)


def read_deployment(fleet: Path, name: str | None) -> Deployment:
    """Return the one deployment of a fleet file, or the named one; raises CommandFailed with every mistake in it.

    Its policy templates are read as they are: whoever looks at one wants to see it with its mistakes too.
    """
    try:
        found = {deployment.name: deployment for deployment in read_fleet(fleet, check_policies=False).deployments}
    except FleetFileError as error:
        raise CommandFailed(f"the fleet file cannot be used:\n{error}") from error
    if name is not None and name in found:
        return found[name]
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    wanted = f"no deployment {name!r} in {fleet}" if name else f"{fleet} has several deployments, give --deployment"
    raise CommandFailed(f"{wanted}: {', '.join(found)}")


def read_neighbours(fleet: Path, deployment: Deployment) -> dict[str, int]:
    """Return the api_tps of the deployments that a fleet file, which can be read, puts beside this one, by name."""
    return neighbours(deployment, read_fleet(fleet, check_policies=False).deployments)


def deployment_values(deployment: Deployment) -> dict[str, str]:
    """Return what a template's `@{account}`, `@{region}` and `@{partition}` stand for in a deployment."""
    return {
        "account": deployment.account,
        "region": deployment.region,
        "partition": partition_of(deployment.region),
    }


def template_of(deployment: Deployment, named: str) -> tuple[str, str]:
    """Return name and text of a template of the deployment, or of any file; raises CommandFailed."""
    if named in deployment.policies:
        return named, deployment.policies[named]
    file = Path(named)
    if not file.is_file():
        known = ", ".join(deployment.policies) or "none"
        raise CommandFailed(f"{named!r} is no template of {deployment.name} and no file; templates: {known}")
    try:
        return file.stem, read_file(file, maximum=MAXIMUM_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file}: is not UTF-8 (byte {error.start})") from error
