"""`jitr device import`: bring certificates that others registered into the registry, for revocation to reach them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import click
from cryptography import x509

from jitr.ca_records import CaRecords
from jitr.certificates import issuer_key, load_certificate
from jitr.crl_versions import CrlVersions
from jitr.iot_registry import IotRegistry
from jitr.pacing import Pace
from jitr.registry import Registry
from jitr.state_table import StateTable
from jitr.unknown_certificates import MATTERS, UnknownCertificates
from jitr_cli.aws import Aws, ask, aws_options, deployment_option, dry_run_option, yes_option
from jitr_cli.commands.ca_release import ca_option
from jitr_cli.output import progress, say

_READ_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class Import:
    """One CA's import: everything that takes long is resumable, because what is known is skipped."""

    iot: IotRegistry
    rows: Registry
    versions: CrlVersions
    ca_certificate_id: str
    ca: x509.Certificate

    def unknown(self) -> list[str]:
        """List the CA's certificates and return those without a registry row."""
        found: list[str] = []
        with progress("listing certificates", total=None) as bar:
            batch: list[str] = []
            for certificate_id, status in self.iot.certificates_of(self.ca_certificate_id, newest_first=False):
                bar(1)
                batch += [certificate_id] if status in MATTERS else []
                if len(batch) >= _READ_AT_ONCE:
                    found += self.rows.unknown(batch)
                    batch = []
            found += self.rows.unknown(batch)
        return found

    def run(self, unknown: list[str], *, per_second: float) -> int:
        """Import certificates at a pace, then let the next sweep compare all of the CRL with them."""
        pace = Pace(per_second, now=time.monotonic, sleep=time.sleep)
        certificates = UnknownCertificates(registry=self.iot, rows=self.rows, pace=pace)
        imported = 0
        try:
            with progress("importing", total=len(unknown)) as bar:
                for certificate_id in unknown:
                    imported += certificates.import_one(certificate_id, self.ca_certificate_id, self.ca)
                    bar(1)
        finally:
            # Also when interrupted: what was imported so far may be on the CRL.
            for scope in self._scopes():
                self.versions.forget_enforced(scope)
        return imported

    def _scopes(self) -> Iterator[str]:
        prefix = f"{issuer_key(self.ca)}#"
        return (state.scope for state in self.versions.states() if state.scope.startswith(prefix))


@click.command()
@ca_option
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 100),
    help="AWS IoT calls a second; the default is the fleet file's bulk_share of the account's quota",
)
@deployment_option
@dry_run_option
@yes_option
@aws_options
def command(
    *, aws: Aws, ca_certificate_id: str, rate: float | None, deployment: str | None, dry_run: bool, yes: bool
) -> None:
    """Bring a CA's certificates that others registered or activated into the registry.

    Enforcement switches off what the registry knows; the schedule finds the newest by itself, this command all of them.
    Safe to interrupt: started again, it goes on where it stopped.
    """
    stack = aws.deployment(deployment)
    iot = IotRegistry(aws.client("iot"))
    table = StateTable(aws.client("dynamodb"), stack.state_table)
    ca = load_certificate(iot.describe_ca(ca_certificate_id).pem)
    work = Import(
        iot=iot, rows=Registry(table), versions=CrlVersions(table), ca_certificate_id=ca_certificate_id, ca=ca
    )
    aws.announce(stack)
    rate = rate or float(stack.bulk_tps)
    unknown = work.unknown()
    minutes = len(unknown) / rate / 60
    say(f"{len(unknown)} certificates are not in the registry; importing them takes about {minutes:.0f} minutes")
    record = CaRecords(table).record(ca_certificate_id)
    if record is not None:
        say(f"{record.devices} were activated by this deployment")
    if not unknown or dry_run:
        return
    ask(f"Import them at {rate:g} calls a second?", yes=yes)
    imported = work.run(unknown, per_second=rate)
    say(f"{imported} imported; the next sweep switches off those that the CRL lists")
