"""Publishing a CRL: what is at the address now, what the new one would change for devices, and the conditional write.

The write names the ETag of what was read (or that nothing was there), so that of two publishers the second one fails
instead of undoing the first one's revocations. Amazon S3 User Guide, "Conditional writes".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from jitr.authorities.records import CaRecords
from jitr.aws.failures import error_code
from jitr.aws.iot import IotRegistry
from jitr.certificates import AnyCertificate, fingerprint, issuer_key, load_certificate
from jitr.crls.cache import scope_of, version_of
from jitr.crls.fetched import MAXIMUM_BYTES
from jitr.crls.sources import S3Location
from jitr.crls.versions import CrlVersions
from jitr.enforcement.brake import Brake
from jitr.enforcement.changes import CrlChanges, changes_of, compare
from jitr.enforcement.copies import EnforcedCrls
from jitr.enforcement.passes import Passes
from jitr.enforcement.sweep import count_affected
from jitr.errors import Reason, Undecided
from jitr.registry.row import RegistryRow, RowState, row_key
from jitr.registry.rows import Registry
from jitr.revocation import CrlRefused, VerifiedCrl
from jitr.settings import ManagedCa
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import progress
from jitr_fleet.issuing.crls import verify_previous

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ABSENT = frozenset({"NoSuchKey", "404"})
# 412; 409 while another conditional write is under way; 404 where the object was deleted since it was read.
_LOST = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404"})
_READ_AT_ONCE = 100
_S3_SOURCE = re.compile(r"s3://[^/]+/.+")


@dataclass(frozen=True, kw_only=True)
class PublishedCrl:
    """What is at an address: the CRL and the tag to replace it by; both None where nothing is there."""

    crl: VerifiedCrl | None
    etag: str | None


@dataclass(frozen=True, kw_only=True)
class CrlObject:
    """One address in S3; `owner` is the account that the bucket must belong to, None for other people's buckets."""

    s3: S3Client
    location: S3Location
    owner: str | None

    def read(self, ca: AnyCertificate) -> PublishedCrl:
        """Return what is there; raises CommandFailed for anything that is no CRL of this CA, and ClientError."""
        try:
            answer = self.s3.get_object(**self._address())
        except ClientError as error:
            if error_code(error) in _ABSENT:
                return PublishedCrl(crl=None, etag=None)
            raise
        data = answer["Body"].read(MAXIMUM_BYTES + 1)
        try:
            return PublishedCrl(crl=verify_previous(data, ca), etag=answer["ETag"])
        except CrlRefused as refusal:
            raise CommandFailed(
                f"what is at {self.location} is no CRL of this CA: {refusal.reason}: {refusal.message}; is it the "
                "right address? If so, remove the object first"
            ) from refusal

    def write(self, crl: VerifiedCrl, *, over: PublishedCrl) -> None:
        """Upload the DER if the address is still as it was read; raises CommandFailed where somebody was faster."""
        condition = {"IfNoneMatch": "*"} if over.etag is None else {"IfMatch": over.etag}
        try:
            self.s3.put_object(
                **self._address(),
                **condition,  # type: ignore[arg-type]
                Body=crl.der,
                ContentType="application/pkix-crl",
                ChecksumAlgorithm="SHA256",
            )
        except ClientError as error:
            if error_code(error) not in _LOST:
                raise
            raise CommandFailed(
                f"somebody else changed {self.location} meanwhile; nothing was written. Make the CRL anew from what is "
                "there now, then publish again",
                ExitCode.AWS,
            ) from error

    def _address(self) -> dict[str, Any]:
        address = {"Bucket": self.location.bucket, "Key": self.location.key}
        return {**address, "ExpectedBucketOwner": self.owner} if self.owner else address


@dataclass(frozen=True, kw_only=True)
class PublicationEffect:
    """What publishing changes: how many serials are newly listed, the ACTIVE devices among them, what may not vanish.

    `unexpired` vanish although their devices' certificates are valid, `unknown` although nobody knows how long theirs
    are; `braked` says that the CRL lists so many devices that the brake will hold them INACTIVE.
    """

    newly_listed: int
    switched_off: int
    braked: bool
    vanishing: int
    unexpired: list[int]
    unknown: list[int]


@dataclass(frozen=True, kw_only=True)
class KnownDevices:
    """A deployment's devices and CRLs of one CA, as its state table knows them; `brake` is its function's.

    `configured` are the CAs of its fleet file, None where that could not be read.
    """

    rows: Registry
    versions: CrlVersions
    records: CaRecords
    iot: IotRegistry
    enforced: EnforcedCrls
    brake: Brake
    ca: AnyCertificate
    configured: Sequence[ManagedCa] | None = None

    @functools.cached_property
    def sources(self) -> frozenset[str]:
        """The sources of this CA's CRLs by fleet file and adoptions, as these write them; not those that were read."""
        named = {each.crl for each in self.configured or () if self._is_this(each.ca_certificate_id)}
        adopted = (
            record.adopted_crl
            for record in self.records.records()
            if record.adopted_crl is not None and self._is_this(record.ca_certificate_id)
        )
        return frozenset({*named, *adopted})

    def s3_sources(self) -> list[S3Location]:
        """Return the S3 addresses that this CA's CRLs are read from: of fleet file and adoptions, and read before."""
        prefix = scope_of(self.ca, "")
        read = (each.scope.removeprefix(prefix) for each in self.versions.states() if each.scope.startswith(prefix))
        return [S3Location.parse(source) for source in sorted({*read, *self.sources}) if _S3_SOURCE.fullmatch(source)]

    def verify_not_rolled_back(self, crl: VerifiedCrl, location: S3Location) -> None:
        """Raise CommandFailed where the functions would refuse the CRL as a rollback."""
        accepted = self.versions.accepted(scope_of(self.ca, str(location)))
        if accepted and version_of(crl).goes_back_from(accepted):
            raise CommandFailed(
                f"the deployment has accepted number {accepted.number} of {accepted.this_update.isoformat()} from "
                f"{location}; it would refuse this CRL as a rollback"
            )

    def effect(
        self,
        previous: VerifiedCrl | None,
        crl: VerifiedCrl,
        location: S3Location,
        *,
        allowed: frozenset[int],
        at: datetime,
    ) -> PublicationEffect:
        """Read the rows of everything that changes; a hundred at once, a million with progress."""
        changes = compare(previous, crl)
        active = 0
        with progress("reading the registry", total=_steps(changes)) as bar:
            for row in self._registered(changes.revoked, bar):
                active += row.state in (RowState.ACTIVE, RowState.ACTIVATING)
            for row in self._registered(changes.held, bar):
                active += row.state in (RowState.ACTIVE, RowState.ACTIVATING)
            kept = {row.key: row.not_after for row in self._registered(changes.vanished, bar)}
        gone = sorted(serial for serial in changes.vanished if serial not in allowed)
        # A row of 0 is one that was written without a date.
        ends = {serial: kept.get(self._key(serial), 0) for serial in gone}
        return PublicationEffect(
            newly_listed=len(changes.revoked) + len(changes.held),
            switched_off=active,
            braked=self._is_braked(previous, crl, location, at=at),
            vanishing=len(changes.vanished),
            unexpired=[serial for serial, end in ends.items() if end > at.timestamp()],
            unknown=[serial for serial, end in ends.items() if not end],
        )

    def _is_braked(self, previous: VerifiedCrl | None, crl: VerifiedCrl, location: S3Location, *, at: datetime) -> bool:
        """Return whether the function's brake will hold the CRL: its own rule, on what it compares with."""
        state = self.versions.state(scope_of(self.ca, str(location)))
        before = previous
        if state.enforced is None:
            before = None
        elif previous is None or previous.sha256 != state.enforced:
            before = self.enforced.load(state.scope, state.enforced, self.ca)
        newly = changes_of(state, before, crl).revoked
        active = Passes(self.records.table).active_devices(fingerprint(self.ca))
        with progress("asking what the brake would do", total=len(newly)) as bar:
            rows = self._registered(newly, bar)
            return self.brake.judge(
                state, crl.sha256, lambda most: count_affected(rows, at_most=most), active=active, at=at
            ).braked

    def _is_this(self, ca_certificate_id: str) -> bool:
        if ca_certificate_id == fingerprint(self.ca):
            return True
        try:
            registered = load_certificate(self.iot.describe_ca(ca_certificate_id).pem)
        except Undecided as failure:
            if failure.reason is Reason.CA_NOT_FOUND:
                return False
            raise
        return issuer_key(registered) == issuer_key(self.ca)

    def _registered(self, serials: Iterable[int], bar: Callable[[int], None]) -> Iterator[RegistryRow]:
        keys = (self._key(serial) for serial in serials)
        while batch := list(islice(keys, _READ_AT_ONCE)):
            yield from self.rows.rows(batch)
            bar(len(batch))

    def _key(self, serial: int) -> str:
        return row_key(issuer_key(self.ca), serial)


def verify_follows(crl: VerifiedCrl, previous: VerifiedCrl, location: S3Location) -> None:
    """Check that a CRL is newer than the one at an address and covers the same certificates; raises CommandFailed."""
    numbered = crl.number is not None and previous.number is not None
    if crl.number is not None and previous.number is not None and crl.number <= previous.number:
        raise CommandFailed(f"number {crl.number} is not higher than {previous.number}, which is at {location}")
    if crl.this_update < previous.this_update:
        raise CommandFailed(f"the CRL was issued before the one that is at {location}")
    if not numbered and crl.this_update == previous.this_update:
        raise CommandFailed(
            f"the CRL was issued in the same second as the one that is at {location}, and without two numbers nobody "
            "can tell which one is newer: make it again"
        )
    if (crl.point.der if crl.point else None) != (previous.point.der if previous.point else None):
        raise CommandFailed(
            f"the CRL covers other certificates than the one at {location} (issuing distribution point)"
        )


def _steps(changes: CrlChanges) -> int:
    return len(changes.revoked) + len(changes.held) + len(changes.vanished)
