"""`jitr device import`: bring certificates that others registered into the registry, for revocation to reach them.

Exit codes: 0 all done, 1 some could not be done or the job was stopped, 64 usage, 69 AWS unreachable or refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from jitr.authorities.records import CaRecords
from jitr.aws.iot import IotRegistry
from jitr.aws.pacing import Pace
from jitr.bulk.job import JobKind, JobPlan
from jitr.certificates import Certificate, load_certificate
from jitr.crls.versions import CrlVersions
from jitr.enforcement.unknown_certificates import IMPORTED, MATTERS, UnknownCertificates
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.notes import DeviceNote
from jitr.registry.rows import Registry
from jitr_cli.authorities.management import DeployedCas, describe_managers
from jitr_cli.bulk.progress import say_effort
from jitr_cli.bulk.work import MOST_HERE, Bulk, WorkOptions, new_job_id, work_options
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import progress, say
from jitr_cli.devices.services import disconnecting_of

# Imported between two notes to the next sweep; killed in between, so many are described again.
_AT_ONCE = 20


@dataclass(frozen=True, kw_only=True)
class ListedCertificates:
    """A CA's certificates: how many, how many of them are unknown, and the first thousand of these."""

    listed: int
    unknown: int
    first: list[str]


@dataclass(frozen=True, kw_only=True)
class Import:
    """One CA's import: everything that takes long is resumable, because what is known is skipped."""

    iot: IotRegistry
    rows: Registry
    versions: CrlVersions
    ca_certificate_id: str
    ca: Certificate
    disconnecting: Disconnecting | None = None

    def find(self) -> ListedCertificates:
        """List the CA's certificates and look for those without a registry row."""
        listed, unknown, marker = 0, 0, None
        first: list[str] = []
        with progress("listing certificates", total=None) as bar:
            while True:
                page = self.iot.certificate_page(self.ca_certificate_id, marker)
                found = self.rows.unknown([each.certificate_id for each in page.certificates if each.status in MATTERS])
                listed += len(page.certificates)
                unknown += len(found)
                first += found[: MOST_HERE - len(first)]
                bar(len(page.certificates))
                marker = page.next_marker
                if marker is None:
                    return ListedCertificates(listed=listed, unknown=unknown, first=first)

    def run(self, unknown: list[str], *, per_second: float, watch: Callable[[str, Certificate], None]) -> int:
        """Import certificates at a pace, then let the next sweep compare all of the CRL with them."""
        pace = Pace(per_second, now=time.monotonic, sleep=time.sleep)
        certificates = UnknownCertificates(
            registry=self.iot,
            rows=self.rows,
            versions=self.versions,
            pace=pace,
            watch=watch,
            report=_say_unreadable,
            disconnecting=self.disconnecting,
        )
        imported = 0
        with progress("importing", total=len(unknown)) as bar:
            for start in range(0, len(unknown), _AT_ONCE):
                some = unknown[start : start + _AT_ONCE]
                imported += certificates.import_these(some, self.ca_certificate_id, self.ca)
                bar(len(some))
        return imported


def _say_unreadable(note: DeviceNote) -> None:
    """Name what cannot be read, and what could not be done; the others are counted."""
    if note.outcome != IMPORTED:
        say(f"{note.certificate_id}: {note.message}")


@writing_command("import")
@ca_option
@work_options
def command(call: Call, *, ca_certificate_id: str, options: WorkOptions) -> ExitCode:
    """Bring a CA's certificates that others registered or activated into the registry.

    Enforcement switches off what the registry knows; the schedule finds the newest by itself, this command all of them,
    more than 1,000 in the account. Safe to interrupt: started again, it goes on where it stopped.
    """
    bulk = Bulk.of(call)
    work = Import(
        iot=bulk.iot,
        rows=Registry(bulk.table),
        versions=CrlVersions(bulk.table),
        ca_certificate_id=ca_certificate_id,
        ca=load_certificate(bulk.iot.describe_ca(ca_certificate_id).pem),
        disconnecting=disconnecting_of(call.aws, call.stack),
    )
    call.announce()
    deployed = DeployedCas.read(call.aws, call.stack)
    if deployed.manages(ca_certificate_id) is False:
        say(f"warning: {describe_managers(call.aws, deployed, ca_certificate_id)}: it enforces no CRL of that CA")
    found = work.find()
    # What the account does walks past all of them, but only the unknown ones cost calls.
    plan = JobPlan(kind=JobKind.IMPORT, ca_certificate_id=ca_certificate_id, total=found.listed)
    away = options.in_account or found.unknown > MOST_HERE
    rate = bulk.rate(options, away=away)
    say(f"{found.unknown} certificates are not in the registry")
    say_effort(plan, found.unknown, per_second=rate, in_account=away)
    record = CaRecords(bulk.table).record(ca_certificate_id)
    if record is not None:
        say(f"{record.devices} were activated by this deployment")
    if not found.unknown or not call.confirm(f"Import them at {rate:g} calls a second?"):
        return call.finish({"unknown": found.unknown, "imported": 0})
    if away:
        return bulk.ended(bulk.start(new_job_id(JobKind.IMPORT), plan, options, away=True))
    imported = work.run(found.first, per_second=rate, watch=deployed.watching(bulk.iot))
    say(f"{imported} imported; the next sweep switches off those that the CRL lists")
    return call.finish({"unknown": found.unknown, "imported": imported})
