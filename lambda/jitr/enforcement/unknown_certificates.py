"""Certificates that others activated: brought into the registry, so that revocation reaches them too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from jitr import certificates
from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.certificates import AnyCertificate, Certificate, Unreadable
from jitr.crls.versions import CrlVersions
from jitr.enforcement.one_by_one import OneByOne
from jitr.errors import ActivationError, Reason, Rejected, Undecided
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.facts import facts_of, key_of_row, points_of
from jitr.registry.notes import DeviceNote, Report, failure_note, unreported
from jitr.registry.rows import Registry
from jitr.registry.switching_off import SwitchingOff

# Statuses of certificates that can connect, or could again without passing us.
MATTERS = ("ACTIVE", "INACTIVE", "PENDING_TRANSFER")
# The outcome of a certificate that cannot be read, so that its CA's CRL may not reach it, in its line of the log.
UNREADABLE = "unreadable"
IMPORTED = "imported"


@dataclass(frozen=True, kw_only=True)
class UnknownCertificates:
    """Finds certificates without a registry row; `pace` waits before each quota-limited call.

    `watch` is told of each, by its CA's id, before it gets a row: where only certificates say where the CRL is, nobody
    would look there otherwise. `report` is told of each that got one, and of each that was switched off because of its
    serial number.
    A certificate is remembered as known only after the next sweep of its issuer's CRLs was asked to look at every entry
    again. Killed in between, it is unknown still, and found again.
    """

    registry: IotRegistry
    rows: Registry
    versions: CrlVersions
    pace: Callable[[], None]
    watch: Callable[[str, Certificate], None]
    report: Report = unreported
    disconnecting: Disconnecting | None = None

    def import_newest(self, ca_certificate_id: str, ca: AnyCertificate, *, at_most: int) -> int:
        """Import the unknown ones among a CA's newest certificates; returns how many were unknown."""
        newest = islice(self.registry.certificates_of(ca_certificate_id, newest_first=True), at_most)
        return self.import_these((each for each, status in newest if status in MATTERS), ca_certificate_id, ca)

    def import_these(self, certificate_ids: Iterable[str], ca_certificate_id: str, ca: AnyCertificate) -> int:
        """Import those of the certificates that are unknown; returns how many. Safe to repeat.

        Raises the first failure, when all the others are done.
        """
        unknown: Sequence[str] = self.rows.unknown(list(dict.fromkeys(certificate_ids)))
        imported: dict[str, str] = {}
        work = OneByOne(failed=lambda failure: self.report(failure_note(failure, "not imported")))
        try:
            for each in work.over(unknown):
                with work.item(each):
                    if key := self.import_one(each, ca_certificate_id, ca):
                        imported[each] = key
        finally:
            # Also when it is interrupted: those that were imported may be on the CRL.
            self.settle(imported, ca)
        work.raise_first()
        return len(imported)

    def settle(self, imported: Mapping[str, str], ca: AnyCertificate) -> None:
        """Let the next sweep look at every entry again; only then is known what `import_one` wrote (id → row key)."""
        if not imported:
            return
        self.versions.forget_enforced_of(certificates.issuer_key(ca))
        for certificate_id, key in imported.items():
            self.rows.remember(certificate_id, key)

    def import_one(self, certificate_id: str, ca_certificate_id: str, ca: AnyCertificate) -> str | None:
        """Describe one certificate and write its row; returns the row's key for `settle`, None where there is no row.

        A certificate that is gone gets no row, nor does one that was not signed by this CA's key. That one, and one
        that cannot be read as a whole, is reported as `unreadable`; the latter gets a row by what can be read of its
        serial number, or by its id (row.py).
        Raises Undecided for everything that may be different the next time.
        """
        certificate = self._described(certificate_id)
        if certificate is None:
            return None
        if isinstance(certificate, Unreadable):
            self.report(_unreadable(certificate_id, ca_certificate_id, certificate))
            return self._write(certificate_id, ca_certificate_id, certificate, ca)
        try:
            certificates.verify_issued_by(certificate, ca)
        except Rejected as error:
            if error.reason is not Reason.WEAK_SIGNATURE:
                self.report(_not_issued(certificate_id, ca_certificate_id, error))
                return None
            # A signature we would not accept today does not make the serial number less revoked.
        return self._write(certificate_id, ca_certificate_id, certificate, ca)

    def complete(self, certificate_id: str, key: str, ca_certificate_id: str) -> None:
        """Describe a certificate whose row does not say where its CRL is, and write that; report what is unreadable."""
        certificate = self._described(certificate_id)
        if certificate is None:
            return
        if isinstance(certificate, Unreadable):
            self.report(_unreadable(certificate_id, ca_certificate_id, certificate))
            return
        self.watch(ca_certificate_id, certificate)
        self.rows.complete(key, points_of(certificate))
        self.rows.is_readable(key, certificate_id)

    def _described(self, certificate_id: str) -> Certificate | Unreadable | None:
        """Read a certificate from AWS IoT as far as it can be read; None where it is gone. Raises Undecided."""
        self.pace()
        try:
            return certificates.read_pem(self.registry.describe_certificate(certificate_id).pem)
        except Undecided as error:
            if error.reason is Reason.CERTIFICATE_NOT_FOUND:
                return None
            error.certificate_id = certificate_id
            raise

    def _write(
        self, certificate_id: str, ca_certificate_id: str, certificate: Certificate | Unreadable, ca: AnyCertificate
    ) -> str:
        key = key_of_row(certificate, ca, certificate_id=certificate_id)
        facts = facts_of(certificate, ca_certificate_id, certificate_id=certificate_id)
        if isinstance(certificate, Certificate):
            self.watch(ca_certificate_id, certificate)
        new = self.rows.add_known(key, certificate_id=certificate_id, facts=facts)
        self.report(
            DeviceNote(
                certificate_id=certificate_id,
                outcome=IMPORTED,
                reason=None,
                message=_BY_ID_ALONE if certificate.serial_number is None else _IMPORTED,
                details={"ca_certificate_id": ca_certificate_id},
            )
        )
        if not new:
            self._switch_off_too(key, certificate_id)
        return key

    def _switch_off_too(self, key: str, certificate_id: str) -> None:
        """Treat a certificate like its row: serial numbers are listed for every certificate that has them."""
        row = self.rows.row(key)
        if row is None or not row.state.refuses_activation or row.braked_by is not None:
            # With a claim, the certificate was in the row before it was made: its brake or job switches it off.
            return
        off = SwitchingOff(registry=self.registry, rows=self.rows, pace=self.pace, disconnecting=self.disconnecting)
        marked = off.mark(row, row.off_status, done=lambda found: not found.state.refuses_activation)
        if marked is None:
            return
        off.ask([certificate_id], marked.wanted, told=self._switched_off)
        self.rows.finish_revocation(key, done=marked.wanted)
        off.is_off(row)
        off.disconnect()

    def _switched_off(self, certificate_id: str, status: CertificateStatus) -> None:
        self.report(
            DeviceNote(
                certificate_id=certificate_id,
                outcome="switched_off",
                reason=Reason.REVOKED_BEFORE,
                message=f"its serial number was switched off before it was imported, so it is off: {status}",
                details={"status": status.value},
            )
        )


_IMPORTED = "somebody else registered the certificate; from now on its CA's CRL reaches it"
_BY_ID_ALONE = "somebody else registered the certificate; no CRL reaches it, `jitr device revoke` with its id does"


def _unreadable(certificate_id: str, ca_certificate_id: str, found: Unreadable) -> DeviceNote:
    reached = "no CRL reaches it, `jitr device revoke` with its id does"
    if found.serial_number is not None:
        reached = f"its CA's CRL reaches it by serial number {found.serial_number:x}, as far as that can be read"
    return DeviceNote(
        certificate_id=certificate_id,
        outcome=UNREADABLE,
        reason=Reason.MALFORMED_CERTIFICATE,
        message=f"the certificate cannot be read: {found.why}; {reached}",
        details={"ca_certificate_id": ca_certificate_id},
    )


def _not_issued(certificate_id: str, ca_certificate_id: str, error: ActivationError) -> DeviceNote:
    return DeviceNote(
        certificate_id=certificate_id,
        outcome=UNREADABLE,
        reason=error.reason,
        message=f"its CA's CRL does not reach the certificate: {error.message}",
        details={"ca_certificate_id": ca_certificate_id},
    )
