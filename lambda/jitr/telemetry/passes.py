"""The metrics of the passes over all certificates of a CA."""

from __future__ import annotations

from datetime import datetime

from jitr.enforcement.passes import PassKind, PassState
from jitr.telemetry import metric_names as names


def values_of(state: PassState, *, at: datetime) -> dict[str, float]:
    """Return the metrics of one pass: its age, and of the current and the last one's counts the higher ones."""
    now, before = state.counts, state.found or state.counts
    age = state.age(at=at).total_seconds()
    if state.kind is PassKind.UNKNOWN:
        return {
            names.UNKNOWN_AGE_SECONDS: age,
            names.UNREADABLE_CERTIFICATES: max(now.unreadable, before.unreadable),
        }
    return {
        names.KNOWN_AGE_SECONDS: age,
        names.SWITCHED_OFF_AGAIN: max(now.switched_off, before.switched_off),
        names.BRAKED_AGAIN: max(now.braked, before.braked),
        names.UNCOVERED_CERTIFICATES: max(now.uncovered, before.uncovered),
    }
