"""What changed between two complete CRLs of one scope, in memory that a million entries fit into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jitr.crls.versions import ScopeState
from jitr.revocation import VerifiedCrl


@dataclass(frozen=True, kw_only=True)
class CrlChanges:
    """Serial numbers: newly `revoked` (a hold that became final too), newly `held`, `vanished` (not listed now)."""

    revoked: Sequence[int]
    held: Sequence[int]
    vanished: Sequence[int]


def changes_of(state: ScopeState, previous: VerifiedCrl | None, crl: VerifiedCrl) -> CrlChanges:
    """Return what a CRL changes for its scope, after the one that was enforced last (`previous`)."""
    changes = compare(previous, crl)
    if state.brake_waits:
        # A braked CRL is nothing to compare with: whatever comes after it is judged by all that it lists.
        return replace(compare(None, crl), vanished=changes.vanished)
    return changes


class _Serials(Sequence[int]):
    """Serial numbers kept as the bytes of their INTEGERs; half the size of Python's own."""

    def __init__(self, contents: Iterable[bytes]) -> None:
        self._contents = list(contents)

    def __len__(self) -> int:
        return len(self._contents)

    def __getitem__(self, index: int) -> int:  # type: ignore[override]
        return int.from_bytes(self._contents[index], "big", signed=True)


def compare(previous: VerifiedCrl | None, current: VerifiedCrl) -> CrlChanges:
    """Compare a CRL with the one before it, or with an empty one; several entries of one serial count as one."""
    before: dict[bytes, bool] = {}
    if previous is not None:
        for serial, held in previous.profile.entries.listed():
            before[serial] = before.get(serial, True) and held
    revoked: dict[bytes, None] = {}
    held_now: dict[bytes, None] = {}
    seen: set[bytes] = set()
    for serial, held in current.profile.entries.listed():
        if serial in before:
            seen.add(serial)
        if held and serial not in before:
            held_now[serial] = None
        elif not held and before.get(serial, True):
            revoked[serial] = None
    return CrlChanges(
        revoked=_Serials(revoked),
        held=_Serials(serial for serial in held_now if serial not in revoked),
        vanished=_Serials(serial for serial in before if serial not in seen),
    )
