"""One row of the registry: what is known of one certificate that was ever on its way to ACTIVE or off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from jitr.aws.iot import CertificateStatus
from jitr.aws.state_table import Item, number, text

JOB_CLAIM = "job#"


def job_claim(job_id: str) -> str:
    """Return how a row names the job that holds it off; no CRL's hash looks like it."""
    return f"{JOB_CLAIM}{job_id}"


_BY_ID = "id#"


def row_key(issuer: str, serial: int) -> str:
    """Return the key of the row of one serial number; `issuer` is `certificates.issuer_key` of its CA."""
    return f"{issuer}#{serial:x}"


def id_key(certificate_id: str) -> str:
    """Return the key of the row of a certificate of which nobody can say the serial number or the issuer.

    It is beside what known.py keeps of the certificate. No CRL reaches it; what an operator wants does.
    """
    return f"{_BY_ID}{certificate_id}"


class RowState(StrEnum):
    """State of a registry row. From REVOKE_WANTED on it is sticky: only an operator leads back."""

    ACTIVATING = "ACTIVATING"
    ACTIVE = "ACTIVE"
    REVOKE_WANTED = "REVOKE_WANTED"
    REVOKED = "REVOKED"
    INACTIVE = "INACTIVE"

    @property
    def refuses_activation(self) -> bool:
        """Return whether the row wants or has revocation."""
        return self in (RowState.REVOKE_WANTED, RowState.REVOKED, RowState.INACTIVE)


@dataclass(frozen=True, kw_only=True)
class RegistryRow:
    """One serial number of one issuer, with all certificates that have it (`certificate_ids`).

    `wanted` is the status that a revocation asks for; `braked_by` the brake (a CRL's SHA-256) or the job (`job_claim`)
    that can take it back, and `also_wanted_by` further jobs that want it off (claims.py).
    `distribution_points` are as facts.py makes them, empty on rows of earlier versions.
    `unreadable_ids` are those of its certificates that nobody can read as a whole. Until `undoing_until` somebody may
    be making it ACTIVE again (undoing.py).
    `activated_at` is a time at which it was not ACTIVE later than that; None where others made it so.
    """

    key: str
    state: RowState
    certificate_ids: tuple[str, ...]
    lease_owner: str | None
    lease_until: datetime
    wanted: CertificateStatus | None
    replaces: str | None
    braked_by: str | None
    not_after: int
    activated_at: datetime | None = None
    also_wanted_by: tuple[str, ...] = ()
    ca_certificate_id: str | None = None
    client_id: str | None = None
    thing_name: str | None = None
    distribution_points: tuple[str, ...] = ()
    unreadable_ids: tuple[str, ...] = ()
    undoing_until: datetime | None = None

    def lease_open(self, *, at: datetime) -> bool:
        """Return whether an activation may be under way now; by whole seconds, as the writes compare."""
        return self.state is RowState.ACTIVATING and self.lease_until >= at.replace(microsecond=0)

    @property
    def job(self) -> str | None:
        """Return the job that switched it off and can be undone, if one did."""
        held = self.braked_by
        return held.removeprefix(JOB_CLAIM) if held is not None and held.startswith(JOB_CLAIM) else None

    @property
    def final_is_wanted(self) -> bool:
        """Return whether a revocation that is under way asks for REVOKED."""
        return self.state is RowState.REVOKE_WANTED and self.wanted is CertificateStatus.REVOKED

    def is_on_its_way_back(self, *, at: datetime) -> bool:
        """Return whether a brake or job may be being undone now (undoing.py): its certificates are ACTIVE meanwhile."""
        return self.undoing_was_left and self.undoing_until is not None and self.undoing_until >= at

    @property
    def undoing_was_left(self) -> bool:
        """Return whether undoing a brake or job began and has not ended, whether or not somebody is still at it."""
        begun = self.state is RowState.REVOKE_WANTED and self.undoing_until is not None
        return begun and self.braked_by is not None and not self.final_is_wanted

    @property
    def is_beyond_crls(self) -> bool:
        """Return whether no CRL can be asked about one of its certificates: undoing must not make it ACTIVE (I4)."""
        return bool(self.unreadable_ids) or self.key.startswith(_BY_ID)

    @property
    def wants_inactive_unheld(self) -> bool:
        """Return whether a mark asks for INACTIVE that no brake or job holds and no activation could still overrule."""
        held = self.braked_by is not None or self.lease_owner is not None
        return self.state is RowState.REVOKE_WANTED and self.wanted is CertificateStatus.INACTIVE and not held

    @property
    def off_status(self) -> CertificateStatus:
        """Return the status that its certificates have to have, where the row wants or has revocation."""
        if self.state is RowState.REVOKED:
            return CertificateStatus.REVOKED
        return self.wanted or CertificateStatus.INACTIVE

    def may_come_back(self, *, after: str) -> bool:
        """Return whether undoing the brake or job `after` may make it ACTIVE: it was, or a brake hands it on.

        A job hands nothing on: rejecting a CRL must not undo what an operator did.
        """
        if self.state is RowState.ACTIVE or self.braked_by == after:
            return True
        return self.braked_by is not None and self.job is None


def read_row(item: Item) -> RegistryRow:
    """Return the row that an item of the state table is; raises ValueError or KeyError for one that is damaged."""
    wanted = text(item, "wanted_status")
    return RegistryRow(
        key=item["pk"]["S"],
        state=RowState(item["state"]["S"]),
        certificate_ids=tuple(item.get("certificate_ids", {}).get("SS", ())),
        lease_owner=text(item, "lease_owner"),
        lease_until=datetime.fromtimestamp(number(item, "lease_until"), UTC),
        wanted=CertificateStatus(wanted) if wanted else None,
        replaces=text(item, "replaces"),
        braked_by=text(item, "braked_by"),
        also_wanted_by=tuple(sorted(item.get("also_wanted_by", {}).get("SS", ()))),
        not_after=number(item, "not_after"),
        ca_certificate_id=text(item, "ca_certificate_id"),
        client_id=text(item, "client_id"),
        thing_name=text(item, "thing_name"),
        distribution_points=tuple(sorted(item.get("distribution_points", {}).get("SS", ()))),
        unreadable_ids=tuple(sorted(item.get("unreadable_ids", {}).get("SS", ()))),
        undoing_until=_time(item, "undoing_until"),
        activated_at=datetime.fromtimestamp(since / 1000, UTC) if (since := number(item, "activated_at_ms")) else None,
    )


def _time(item: Item, name: str) -> datetime | None:
    seconds = number(item, name)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
