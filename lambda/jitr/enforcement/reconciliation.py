"""Reconciliation: what AWS IoT says of every certificate of a CA is compared with what the registry wants.

Two passes go over the list of a CA's certificates (ListCertificatesByCA), a page at a time, in the order of their
registration, and begin again once a period:

- the pass over *known* certificates reads their rows. A row that is off while AWS IoT says ACTIVE goes off again; rows
  that no CRL in use covers are counted and named;
- the pass over *unknown* ones describes each (one quota-limited call) and writes its row, so that revocation reaches
  it. Rows of earlier versions get their distribution points here.

They do not wait for one another. Not reached: certificates that were registered without a CA; they are in no CA's list,
and only what their rows ask for reaches them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jitr.aws.iot import CertificatePage, CertificateStatus, IotRegistry, ListedCertificate, is_active
from jitr.enforcement.brake import Brake
from jitr.enforcement.coverage import WatchedCa
from jitr.enforcement.one_by_one import OneByOne
from jitr.enforcement.passes import Passes, PassKind, PassState
from jitr.enforcement.unknown_certificates import MATTERS, UNREADABLE, UnknownCertificates
from jitr.errors import Reason, Undecided
from jitr.registry.claims import Claims
from jitr.registry.facts import UNREADABLE_POINTS
from jitr.registry.notes import DeviceNote, Report, failure_note
from jitr.registry.row import RegistryRow, RowState
from jitr.registry.rows import Registry
from jitr.registry.switching_off import SwitchingOff

# A certificate that is INACTIVE may have a row that a killed pass left marked.
_COMPARED = (CertificateStatus.ACTIVE, CertificateStatus.INACTIVE)
# Certificates that are named in the log in one pass; all are counted.
_NAMED = 100


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """The use case; `pace` waits before each call to AWS IoT. `period` lies between a pass's end and the next one."""

    registry: IotRegistry
    rows: Registry
    unknown: UnknownCertificates
    passes: Passes
    brake: Brake
    period: timedelta
    clock: Callable[[], datetime]
    pace: Callable[[], None]
    report: Report

    def steps(self, kind: PassKind, ca: WatchedCa, *, owner: str) -> Generator[None]:
        """Go on with a CA's pass, a step at a time; closed anywhere, the next run goes on behind the last step.

        Raises Undecided, after everything else on the page was done.
        """
        at = self.clock()
        state = self.passes.state(ca.ca_certificate_id, kind)
        if not state.is_due(at=at, period=self.period):
            return
        taken = self.passes.take(state, owner=owner, at=at)
        if taken is None:
            return
        run = _Run(use=self, ca=ca, state=taken.begun(at=at), owner=owner)
        try:
            yield from run.pages()
        except (Exception, GeneratorExit):
            run.record()
            self.passes.release(run.state, owner=owner)
            raise
        self.passes.release(run.state, owner=owner)


@dataclass(kw_only=True)
class _Run:
    """A pass at work: its state in memory, written after every page."""

    use: Reconciliation
    ca: WatchedCa
    state: PassState
    owner: str
    failures: int = 0

    def pages(self) -> Iterator[None]:
        """Look at page after page; a step is a page, or a certificate that was described."""
        work = OneByOne(failed=lambda failure: self.use.report(failure_note(failure, "not compared with AWS IoT")))
        try:
            yield from self._pages(work)
        except (Exception, GeneratorExit) as end:
            for failure in work.failures[:1]:
                if failure is not end:
                    work.failed(failure)
            raise
        work.raise_first()

    def _pages(self, work: OneByOne) -> Iterator[None]:
        while True:
            page = self._page()
            waiting = _behind(page.certificates, self.state.last)
            yield from self._known(waiting, work) if self.state.kind is PassKind.KNOWN else self._unknown(waiting, work)
            if page.next_marker is None:
                self.state = self.state.ended(at=self.use.clock())
            else:
                self.state = replace(self.state, marker=page.next_marker, last=None)
            if not self.record() or page.next_marker is None:
                break
            yield

    def record(self) -> bool:
        """Write where the pass is; returns False where another run has it by now."""
        return self.use.passes.record(self.state, owner=self.owner)

    def _page(self) -> CertificatePage:
        """Read the page that the pass is at; begin anew where AWS IoT does not take its own marker any more."""
        self.use.pace()
        try:
            return self.use.registry.certificate_page(self.ca.ca_certificate_id, self.state.marker)
        except Undecided as failure:
            if failure.reason is not Reason.AWS_REFUSED or self.state.marker is None:
                raise
        self.state = self.state.begun_anew()
        self.use.pace()
        return self.use.registry.certificate_page(self.ca.ca_certificate_id, None)

    # Known certificates

    def _known(self, listed: Sequence[ListedCertificate], work: OneByOne) -> Iterator[None]:
        statuses = {each.certificate_id: each.status for each in listed if each.status in _COMPARED}
        keys = self.use.rows.known(list(statuses))
        rows = {row.key: row for row in self.use.rows.rows(sorted(set(keys.values())), damaged=work.keep)}
        counted = uncovered = 0
        for certificate_id in work.over(statuses):
            row = rows.get(keys.get(certificate_id, ""))
            if row is None:
                continue
            with work.item(certificate_id):
                if statuses[certificate_id] is CertificateStatus.INACTIVE:
                    self._finish_mark_of(row)
                    continue
                if row.state.refuses_activation:
                    self._off_again(row.key, certificate_id)
                counted += row.state is RowState.ACTIVE
                if not self.ca.coverage.covers(row.distribution_points):
                    uncovered += 1
                    self._name(
                        self.state.counts.uncovered + uncovered, _uncovered(certificate_id, row.distribution_points)
                    )
            if row.state.refuses_activation:
                yield
        work.raise_if_given_up()
        # Only now: a page that is looked at again after a pause counts once.
        self._count(seen=len(listed), active=counted, uncovered=uncovered, failed=self._newly_failed(work))

    def _finish_mark_of(self, row: RegistryRow) -> None:
        """Record that a marked row is off: a pass that was killed in between comes by here again, nobody else does."""
        if row.wants_inactive_unheld:
            self.use.rows.finish_revocation(row.key, done=CertificateStatus.INACTIVE)

    def _off_again(self, key: str, certificate_id: str) -> None:
        """Switch off what the row wants off and AWS IoT calls ACTIVE, unless an operator is bringing it back."""
        row = self.use.rows.row(key)
        if row is None or not row.state.refuses_activation or row.is_on_its_way_back(at=self.use.clock()):
            return
        self.use.pace()
        if not is_active(self.use.registry, certificate_id):
            return
        wanted, braked = row.off_status, False
        if wanted is CertificateStatus.REVOKED:
            braked = self.state.counts.switched_off >= self.use.brake.limit(self.ca.active)
        # Counted before AWS IoT is asked, so that runs that are killed in between do not exceed the brake.
        self._count(switched_off=1, braked=int(braked))
        if self.record():
            self._ask(row, certificate_id, CertificateStatus.INACTIVE if braked else wanted)

    def _ask(self, row: RegistryRow, certificate_id: str, wanted: CertificateStatus) -> None:
        off = SwitchingOff(
            registry=self.use.registry,
            rows=self.use.rows,
            pace=self.use.pace,
            disconnecting=self.use.unknown.disconnecting,
        )
        if row.state is RowState.INACTIVE and row.braked_by is None:
            # The mark keeps an operator's reinstatement from beginning meanwhile.
            marked = off.mark(row, wanted, done=lambda found: not found.state.refuses_activation)
            if marked is None:
                return
        if row.undoing_was_left and not Claims(self.use.rows).take_back(row):
            return
        why = _LEFT if row.undoing_was_left else _OFF_HERE
        off.ask([certificate_id], wanted, told=lambda each, status: self.use.report(_off_again(each, status, why)))
        self.use.rows.finish_revocation(row.key, done=wanted)
        off.is_off(row)
        off.disconnect()

    # Unknown certificates

    def _unknown(self, listed: Sequence[ListedCertificate], work: OneByOne) -> Iterator[None]:
        matter = [each.certificate_id for each in listed if each.status in MATTERS]
        active = {each.certificate_id for each in listed if each.status is CertificateStatus.ACTIVE}
        keys = self.use.rows.known(matter)
        rows = {row.key: row for row in self.use.rows.rows(sorted(set(keys.values())), damaged=work.keep)}
        unknown = replace(self.use.unknown, report=self._reported)
        imported: dict[str, str] = {}
        before = self.state
        try:
            for certificate_id in work.over(matter):
                row = rows.get(keys.get(certificate_id, ""))
                if row is not None and _says_enough(row, certificate_id, is_active=certificate_id in active):
                    continue
                with work.item(certificate_id):
                    if row is not None:
                        unknown.complete(certificate_id, row.key, self.ca.ca_certificate_id)
                    elif key := unknown.import_one(certificate_id, self.ca.ca_certificate_id, self.ca.certificate):
                        imported[certificate_id] = key
                    self.state = replace(self.state, last=certificate_id)
                yield
        finally:
            self._count(failed=self._newly_failed(work))
            self._settle(unknown, imported, before)
        work.raise_if_given_up()
        self._count(seen=len(listed))

    def _settle(self, unknown: UnknownCertificates, imported: Mapping[str, str], before: PassState) -> None:
        """Let sweeps look at what was imported; where that fails, the next run looks at these certificates again."""
        try:
            unknown.settle(imported, self.ca.certificate)
        except Exception:
            self.state = before
            raise

    def _reported(self, note: DeviceNote) -> None:
        if note.outcome == UNREADABLE:
            self._count(unreadable=1)
        self.use.report(note)

    def _newly_failed(self, work: OneByOne) -> int:
        """Return how many items failed since the last time."""
        before, self.failures = self.failures, len(work.failures)
        return self.failures - before

    def _count(self, **more: int) -> None:
        counts = self.state.counts
        self.state = replace(
            self.state, counts=replace(counts, **{name: getattr(counts, name) + each for name, each in more.items()})
        )

    def _name(self, counted: int, note: DeviceNote) -> None:
        if counted <= _NAMED:
            self.use.report(note)


def _behind(certificates: Sequence[ListedCertificate], last: str | None) -> Sequence[ListedCertificate]:
    """Return the certificates behind the last one that was looked at; all where that one has left the list."""
    ids = [each.certificate_id for each in certificates]
    return certificates[ids.index(last) + 1 :] if last in ids else certificates


def _says_enough(row: RegistryRow, certificate_id: str, *, is_active: bool) -> bool:
    """Return whether a certificate need not be described: its row says where its CRL is, or that it is off, and it is.

    What nobody can read is described, and named, in each pass for as long as it may connect.
    """
    if row.state.refuses_activation and not is_active:
        return True
    return bool(row.distribution_points) and certificate_id not in row.unreadable_ids


def _uncovered(certificate_id: str, points: Collection[str]) -> DeviceNote:
    unreadable = UNREADABLE_POINTS in points
    why = "where its CRL is cannot be read in the certificate" if unreadable else "no CRL in use speaks for it"
    return DeviceNote(
        certificate_id=certificate_id,
        outcome="uncovered",
        reason=Reason.UNREADABLE_DISTRIBUTION_POINT if unreadable else Reason.OUT_OF_SCOPE,
        message=f"{why}: revoking it at its CA would not switch it off",
    )


_OFF_HERE = "it is switched off here", "`jitr device reinstate` brings a device back"
_LEFT = (
    "undoing a brake or a job was broken off before its end",
    "`jitr bulk undo` or `jitr crl reject`, repeated, brings it back",
)


def _off_again(certificate_id: str, status: CertificateStatus, why: tuple[str, str]) -> DeviceNote:
    return DeviceNote(
        certificate_id=certificate_id,
        outcome="switched_off",
        reason=Reason.REVOKED_BEFORE,
        message=f"it was ACTIVE in AWS IoT although {why[0]}, so it is {status} again; {why[1]}",
        details={"status": status.value},
    )
