"""`jitr device revoke`: switch devices off, in the registry, in AWS IoT and, where the CA is ours, on its CRL.

Exit codes: 0 all are off, 1 answered no, 64 something given is not right and nothing was done, 69 AWS unreachable or
refused, 130 interrupted (a second run goes on).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.aws.pacing import Pace
from jitr.aws.state_table import StateTable
from jitr.certificates import Certificate, Unreadable, verify_issued_by
from jitr.enforcement.brake import SMALLEST_BRAKE
from jitr.enforcement.one_by_one import OneByOne
from jitr.errors import Reason, Rejected, Undecided
from jitr.registry.device_revocation import DeviceRevocation, RevocationTarget, SwitchedOff
from jitr.registry.row import id_key
from jitr.registry.rows import Registry
from jitr.revocation.entries import HOLD
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file
from jitr_cli.console.options import RevocationReason, rate_option
from jitr_cli.console.output import emit_table, progress, say
from jitr_cli.crl.ca_revocation import CaRevocation, ca_revocation_options
from jitr_cli.devices.lists import read_certificate_ids
from jitr_cli.devices.naming import CertificateName, Named
from jitr_cli.devices.services import DeviceServices, disconnecting_of
from jitr_fleet.issuing.crls import REASON_CODES

# More than that is work for the account, not for one computer and its network.
MOST = 1000
# One describes, one updates.
_CALLS_PER_DEVICE = 2


@dataclass(frozen=True, kw_only=True)
class Work:
    """One run: `wanted` is the status in the end."""

    revocation: DeviceRevocation
    targets: list[RevocationTarget]
    wanted: CertificateStatus

    def run(self) -> list[SwitchedOff]:
        """Switch all of them off, each whatever happens to another; raises the first failure in the end."""
        done = []
        work = OneByOne(failed=_say_failed)
        with progress("switching off", total=len(self.targets)) as bar:
            for target in work.over(self.targets):
                with work.item(target.certificate_id):
                    done.append(self.revocation.switch_off(target, self.wanted))
                bar(1)
        if self.revocation.open_leases:
            say(f"{self.revocation.open_leases} were being activated at that moment; looking at them once more")
            with progress("waiting", total=None), work.item():
                self.revocation.once_more()
        if work.failures:
            say(f"{len(done)} of {len(self.targets)} are off; run it again for the others")
            _say_failed(work.failures[0])
        work.raise_first()
        return done


@writing_command("revoke")
@click.argument("certificates", nargs=-1, type=CertificateName(), metavar="[DEVICE]...")
@click.option(
    "--csv",
    "csv_file",
    type=existing_file(),
    metavar="FILE",
    help=f"certificate ids, one a line or in the column `certificate_id`; at most {MOST:,}",
)
@click.option(
    "--reason",
    type=RevocationReason(),
    help=f"why, one of {', '.join(REASON_CODES)}; with certificateHold a device is INACTIVE and may be reinstated",
)
@click.option("--final", is_flag=True, help=f"of more than {SMALLEST_BRAKE}: make REVOKED what is INACTIVE by now")
@rate_option
@ca_revocation_options
def command(
    call: Call,
    *,
    certificates: tuple[Named, ...],
    csv_file: Path | None,
    reason: str | None,
    final: bool,
    rate: float | None,
    ca_revocation: CaRevocation | None,
) -> ExitCode:
    """Switch devices off for good: DEVICE is what `jitr device list` shows. REVOKED cannot be undone.

    Their registry rows are marked first, so that no late event brings them back; nothing is detached or deleted. More
    than a hundred at once only become INACTIVE, until the same command is run again with --final.
    """
    named = _named(certificates, csv_file)
    many = len(named) > SMALLEST_BRAKE
    if ca_revocation is not None:
        ca_revocation.verify(call.aws, reason=reason)
        if many and not final:
            raise CommandFailed(f"more than {SMALLEST_BRAKE}: the CA is told only with --final, once they are INACTIVE")
    per_second = rate or float(call.stack.bulk_tps)
    revocation = _revocation(call, per_second)
    call.announce()
    work = Work(
        revocation=revocation,
        targets=_targets(call, revocation, named),
        wanted=_wanted(reason, many=many, final=final),
    )
    _describe(work, per_second)
    if many and final:
        _verify_off(work.targets)
    if ca_revocation is not None:
        ca_revocation.verify_issued(_readable(work.targets))
    if not call.confirm(f"Switch off {len(work.targets)}?"):
        return call.finish({"switched_off": 0, "certificates": [_as_data(each) for each in work.targets]})
    if ca_revocation is not None:
        ca_revocation.revoke([each.serial_number for each in _readable(work.targets)], reason=reason)
    rows = [_as_data(each.target, each) for each in work.run()]
    return call.finish({"switched_off": len(rows), "certificates": rows}, words=lambda: _print(rows))


def _revocation(call: Call, per_second: float) -> DeviceRevocation:
    return DeviceRevocation(
        registry=IotRegistry(call.aws.client("iot")),
        rows=Registry(StateTable(call.aws.client("dynamodb"), call.stack.state_table)),
        pace=Pace(per_second, now=time.monotonic, sleep=time.sleep),
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        disconnecting=disconnecting_of(call.aws, call.stack),
    )


def _named(certificates: tuple[Named, ...], csv_file: Path | None) -> list[Named]:
    """Return what was named, each once; raises CommandFailed for nothing and for more than one computer's work."""
    listed = {} if csv_file is None else read_certificate_ids(csv_file)
    found = {each: Named(certificate_id=each, certificate=None, line=line) for each, line in listed.items()}
    found |= {each.certificate_id: each for each in certificates}
    if not found:
        raise CommandFailed("give a DEVICE or --csv")
    if len(found) > MOST:
        raise CommandFailed(
            f"{len(found):,} certificates; more than {MOST:,} are work for the account, not for one computer: "
            "`jitr ca revoke-devices` runs it there"
        )
    return list(found.values())


def _wanted(reason: str | None, *, many: bool, final: bool) -> CertificateStatus:
    """Return the status to set: nothing irreversible happens to many devices on one input (I7)."""
    if reason == HOLD or (many and not final):
        return CertificateStatus.INACTIVE
    return CertificateStatus.REVOKED


def _verify_off(targets: list[RevocationTarget]) -> None:
    """Check that no device would be cut off only now; raises CommandFailed."""
    on = [each for each in targets if each.status in (CertificateStatus.ACTIVE, CertificateStatus.PENDING_ACTIVATION)]
    if on:
        raise CommandFailed(
            f"{len(on)} of them are not off yet; more than {SMALLEST_BRAKE} are made REVOKED in two steps: run it "
            "without --final first, see that nothing stops that should not, then again"
        )


def _targets(call: Call, revocation: DeviceRevocation, named: list[Named]) -> list[RevocationTarget]:
    """Read all certificates before anything is written; raises CommandFailed naming those that are not known."""
    targets, unknown = [], []
    with progress("reading", total=len(named)) as bar:
        for each in named:
            try:
                targets.append(revocation.target(each.certificate_id))
            except Undecided as error:
                if error.reason is not Reason.CERTIFICATE_NOT_FOUND:
                    raise
                unknown.append(each)
            bar(1)
    services = (
        DeviceServices.of(call.aws, call.stack) if any(each.certificate is not None for each in unknown) else None
    )
    for each in unknown:
        target = None if services is None else _unregistered(services, each)
        if target is None:
            where = "" if each.line is None else f"line {each.line}: "
            raise CommandFailed(
                f"{where}AWS IoT knows no certificate {each.certificate_id}, and no CA that this deployment manages is "
                f"known to have issued it{_why_not(each)}"
            )
        targets.append(target)
    _say_by_id(targets, {each.certificate_id: each.line for each in named})
    return targets


def _why_not(named: Named) -> str:
    """Return what a file that cannot be read adds to that: it may be damaged, and its id another one's."""
    if not isinstance(named.certificate, Unreadable):
        return ""
    return f": the file cannot be read ({named.certificate.why}) and may be damaged; give the certificate's id"


def _say_by_id(targets: list[RevocationTarget], lines: Mapping[str, int | None]) -> None:
    """Name what cannot be read, and what is kept out by its id alone: by its line where it stands in a list."""
    for target in targets:
        line = lines.get(target.certificate_id)
        where = f"line {line}, {target.certificate_id}" if line is not None else target.certificate_id
        if target.why_unreadable is not None:
            say(f"warning: {where}: it cannot be read ({target.why_unreadable}); it is switched off all the same")
        elif target.row == id_key(target.certificate_id):
            say(f"warning: {where}: its CA is not known here; it is switched off, and kept out, by its id")


def _readable(targets: list[RevocationTarget]) -> list[Certificate]:
    """Return the certificates for their CA; raises CommandFailed where one cannot be read, which no CA can be asked."""
    for target in targets:
        if target.why_unreadable is not None:
            raise CommandFailed(
                f"{target.certificate_id} cannot be read ({target.why_unreadable}), so the CA is not told of it: "
                "revoke it here without the CA, and its serial number at the CA (`jitr crl revoke --serial`)"
            )
    return [each.certificate for each in targets if isinstance(each.certificate, Certificate)]


def _say_failed(failure: Undecided) -> None:
    say(f"{failure.certificate_id or 'one'}: not switched off: {failure.message} ({failure.reason})")


def _unregistered(services: DeviceServices, named: Named) -> RevocationTarget | None:
    """Return a target for a device that has never connected: its row alone is marked, and keeps it out."""
    at = services.clock()
    if not isinstance(named.certificate, Certificate):
        return None
    for managed in services.authorities.all(at=at):
        try:
            ca = services.authorities.certificate(managed, at=at)
            verify_issued_by(named.certificate, ca)
        except Rejected:
            continue
        except Undecided as failure:
            say(f"warning: whether CA {managed.name} issued it is not known: {failure.message}")
            continue
        return RevocationTarget(
            certificate_id=named.certificate_id,
            certificate=named.certificate,
            status=None,
            ca_certificate_id=managed.ca_certificate_id,
            ca=ca,
        )
    return None


def _describe(work: Work, rate: float) -> None:
    active = sum(1 for each in work.targets if each.status is CertificateStatus.ACTIVE)
    say(f"{len(work.targets)} certificates, {active} of them ACTIVE")
    if len(work.targets) == 1:
        (target,) = work.targets
        serial = _serial(target) or "unreadable"
        say(f"  {target.certificate_id}: {target.status or 'not registered yet'}, serial {serial}")
    if work.wanted is CertificateStatus.REVOKED:
        say("they become REVOKED, which cannot be undone")
    else:
        say("they become INACTIVE; `jitr device reinstate` brings one back, and this command with --final ends it")
    minutes = len(work.targets) * _CALLS_PER_DEVICE / rate / 60
    if minutes >= 1:
        say(f"about {minutes:.0f} minutes at {rate:g} calls a second")


def _as_data(target: RevocationTarget, done: SwitchedOff | None = None) -> dict[str, Any]:
    """Return a certificate as data; `status` and `row` say what it is now, and None where nothing was done."""
    return {
        "certificate_id": target.certificate_id,
        "serial": _serial(target),
        "was": None if target.status is None else target.status.value,
        "status": None if done is None or done.status is None else done.status.value,
        "row": None if done is None else done.row.value,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    emit_table(tuple(rows[0]), [tuple("" if cell is None else str(cell) for cell in row.values()) for row in rows])


def _serial(target: RevocationTarget) -> str | None:
    serial = target.certificate.serial_number
    return None if serial is None else f"{serial:x}"
