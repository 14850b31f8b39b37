"""`jitr crl publish`: verify a CRL, say what it changes, and upload it unless another publisher was faster.

Exit codes: 0 published, or the same CRL is there already; 1 answered no; 64 the CRL or the address is not right; 69 AWS
refused or another publisher was faster; 130 interrupted. Nothing is written but on 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from jitr.authorities.records import CaRecords
from jitr.aws.iot import IotRegistry
from jitr.aws.state_table import StateTable
from jitr.certificates import AnyCertificate
from jitr.crls.sources import CDP, S3Location
from jitr.crls.versions import CrlVersions
from jitr.enforcement.copies import PREFIX, EnforcedCrls
from jitr.registry.rows import Registry
from jitr.revocation import CrlRefused, Options, VerifiedCrl, verify_crl
from jitr.settings import ManagedCa
from jitr_cli.authorities.management import DeployedCas
from jitr_cli.console.aws import Aws
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.deployed_configuration import deployed_configuration
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file, load_issuer, read_file, zulu
from jitr_cli.console.output import json_number, say
from jitr_cli.crl.files import allow_drop_option, shown
from jitr_cli.crl.publication import CrlObject, KnownDevices, PublicationEffect, verify_follows
from jitr_fleet.deployments.stack_outputs import StackOutputs


class S3Address(click.ParamType[S3Location]):
    """An object in S3: s3://bucket/key."""

    name = "s3://bucket/key"

    def convert(self, value: str | S3Location, param: click.Parameter | None, ctx: click.Context | None) -> S3Location:
        """Return the address, or end the command as a usage error."""
        if isinstance(value, S3Location):
            return value
        try:
            return S3Location.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@writing_command("publish")
@click.argument("file", type=existing_file())
@click.option("--issuer", required=True, type=existing_file(), help="the CA certificate")
@click.option(
    "--to", type=S3Address(), help="where to; default: the one S3 address that the deployment reads this CA's CRLs from"
)
@allow_drop_option
def command(call: Call, *, file: Path, issuer: Path, to: S3Location | None, allow_drop: tuple[int, ...]) -> ExitCode:
    """Upload the CRL in FILE, newer than the one that is there, and unless another publisher was faster.

    Says first how many ACTIVE devices it switches off. Refused: one that is not newer (by its number, where there
    are numbers, and by its thisUpdate), and one from which
    certificates vanish that have not expired, or that the registry does not know; --allow-drop names those that may.
    """
    ca = load_issuer(issuer)
    crl = _load(file, ca)
    fleet = _fleet(call.aws, call.stack, ca)
    location = _location(to, fleet, call.stack)
    target = _target(call.aws, location, call.stack)
    call.announce()
    published = target.read(ca)
    if published.crl is not None and published.crl.der == crl.der:
        say(f"this CRL is at {location} already; nothing to do")
        return call.finish(_as_data(crl, location, None, published=False))
    if published.crl is not None:
        verify_follows(crl, published.crl, location)
    fleet.verify_not_rolled_back(crl, location)
    effect = fleet.effect(published.crl, crl, location, allowed=frozenset(allow_drop), at=datetime.now(UTC))
    _say(crl, published.crl, location, effect)
    _verify_nothing_vanishes(effect)
    if call.confirm("Publish this CRL?"):
        target.write(crl, over=published)
        say("published; the deployment acts on it within moments, or with its next scheduled look")
    return call.finish(_as_data(crl, location, effect, published=not call.dry_run))


def _load(file: Path, ca: AnyCertificate) -> VerifiedCrl:
    """Return the CRL if the functions would use it now; raises CommandFailed."""
    try:
        crl = verify_crl(read_file(file, maximum=Options().max_size), ca, at=datetime.now(UTC))
    except CrlRefused as refusal:
        raise CommandFailed(f"{file} is not published: {refusal.reason}: {refusal.message}") from refusal
    for warning in crl.warnings:
        say(f"warning: {warning}")
    return crl


def _fleet(aws: Aws, stack: StackOutputs, ca: AnyCertificate) -> KnownDevices:
    table = StateTable(aws.client("dynamodb"), stack.state_table)
    return KnownDevices(
        rows=Registry(table),
        versions=CrlVersions(table),
        records=CaRecords(table),
        iot=IotRegistry(aws.client("iot")),
        enforced=EnforcedCrls(aws.client("s3"), stack.crl_bucket, aws.account()),
        brake=DeployedCas.read(aws, stack).brake,
        ca=ca,
        configured=_configured(aws, stack),
    )


def _configured(aws: Aws, stack: StackOutputs) -> Sequence[ManagedCa] | None:
    """Return the CAs of the deployment's fleet file; who may publish may not always read that, which is said."""
    try:
        return deployed_configuration(aws, stack).cas
    except (CommandFailed, ClientError, BotoCoreError) as failure:
        say(f"note: what the deployment's fleet file says is unknown: {failure}")
        return None


def _location(to: S3Location | None, fleet: KnownDevices, stack: StackOutputs) -> S3Location:
    sources = fleet.s3_sources()
    names = ", ".join(map(str, sources)) or "none"
    if to is None:
        if len(sources) != 1:
            raise CommandFailed(f"give --to: S3 addresses that this CA's CRLs are read from: {names}")
        to = sources[0]
    elif to not in sources:
        # Where certificates name their CRL themselves, what they will name is known no sooner than they come.
        if CDP not in fleet.sources:
            raise CommandFailed(
                f"--to: deployment {stack.deployment} reads no CRL of this CA from {to}, so it would change nothing; "
                f"it reads them from: {names}"
            )
        say(f"note: the deployment has not read this CA's CRLs from {to} before (known: {names})")
    if to.bucket == stack.crl_bucket and to.key.startswith(PREFIX):
        raise CommandFailed(f"--to: keys below {PREFIX} are the enforcement function's own")
    return to


def _target(aws: Aws, location: S3Location, stack: StackOutputs) -> CrlObject:
    own = location.bucket == stack.crl_bucket
    return CrlObject(s3=aws.client("s3"), location=location, owner=aws.account() if own else None)


def _say(crl: VerifiedCrl, previous: VerifiedCrl | None, location: S3Location, effect: PublicationEffect) -> None:
    before = "nothing is there" if previous is None else f"in place of {_called(previous)}"
    say(f"CRL {_called(crl)}, valid until {zulu(crl.next_update)}, to {location}: {before}")
    say(
        f"{effect.newly_listed:,} newly listed: switches off {effect.switched_off:,} ACTIVE devices; "
        f"{effect.vanishing:,} listed no more"
    )
    if effect.braked:
        say("warning: this trips the brake: its devices go INACTIVE, until an operator confirms or rejects the CRL")


def _as_data(
    crl: VerifiedCrl, location: S3Location, effect: PublicationEffect | None, *, published: bool
) -> dict[str, Any]:
    """Return what became of a CRL; without an effect it was there already."""
    return {
        "to": str(location),
        "number": json_number(crl.number),
        "next_update": zulu(crl.next_update),
        "published": published,
        "newly_listed": effect.newly_listed if effect else 0,
        "switched_off": effect.switched_off if effect else 0,
        "listed_no_more": effect.vanishing if effect else 0,
        "braked": effect is not None and effect.braked,
    }


def _called(crl: VerifiedCrl) -> str:
    return f"of {zulu(crl.this_update)} without a number" if crl.number is None else f"number {crl.number}"


def _verify_nothing_vanishes(effect: PublicationEffect) -> None:
    if effect.unexpired:
        raise CommandFailed(
            f"{len(effect.unexpired):,} unexpired certificates would vanish from the CRL: {shown(effect.unexpired)}; "
            "each that may needs --allow-drop"
        )
    if effect.unknown:
        raise CommandFailed(
            f"{len(effect.unknown):,} certificates would vanish of which the registry does not know whether they have "
            f"expired: {shown(effect.unknown)}; each that may needs --allow-drop"
        )
