"""Repeated knocks: events that need no call to AWS IoT, because what was decided after them answers them.

A device that waits knocks again and again, and each knock is an event. Once its certificate is ACTIVE, those that were
sent before are answered: its next connect succeeds. Asking AWS IoT about each would cost a call of a quota of ten a
second. Answering a knock here never switches anything on or off, so what is doubtful takes the long way: a knock
without a time, or with an impossible one, and one that came after the decision, as from a certificate that was deleted
and registered again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from jitr.errors import Outcome, Rejected
from jitr.messages.event import CertificateRegistered
from jitr.registry.row import RowState
from jitr.registry.rows import Registry

# By how much the clocks of AWS IoT and of the function may differ.
CLOCK_MARGIN = timedelta(seconds=5)
# The same where the registration is compared, by which a certificate can be told from one that was deleted and came
# back: nobody switches off, detaches, deletes and connects again within so little, and the next knock is looked at.
REGISTRATION_MARGIN = timedelta(seconds=1)
# What a device sends while its activation is on its way comes within this.
_A_MOMENT = timedelta(minutes=1)
# No event waits longer: 14 days in the queue, 14 more as a dead letter.
_OLDEST = timedelta(days=30)
# A rejection that leaves the certificate pending may be mended by an operator, who then hands the event over again.
_REJECTION_LASTS = timedelta(minutes=5)
# Certificates that one container remembers: about 3 MB.
_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True)
class KnockAnswer:
    """What answers every knock before `since`; `until` None: for good."""

    outcome: Outcome
    reason: str
    message: str
    since: datetime
    until: datetime | None = None


@dataclass
class AnsweredKnocks:
    """One container's memory of its decisions, and behind it the registry with those of all; `clock` is UTC."""

    rows: Registry
    clock: Callable[[], datetime]
    _memory: OrderedDict[str, KnockAnswer] = field(default_factory=OrderedDict)

    def answer(self, event: CertificateRegistered) -> KnockAnswer | None:
        """Return what answers a knock, None where AWS IoT has to be asked.

        Raises Undecided where the table does not answer: then nothing else would go on either.
        """
        at = self.clock()
        if event.knocked_at is None or not at - _OLDEST < event.knocked_at < at:
            return None
        known = self._memory.get(event.certificate_id)
        if known is not None and known.until is not None and known.until < at:
            known = None
        if known is None:
            known = self._registered(event.certificate_id)
        return known if known is not None and _asked_before(event, known) else None

    def activated(self, certificate_id: str, since: datetime) -> None:
        """Remember an activation; `since` is a time before AWS IoT was asked for it."""
        self._remember(certificate_id, _active(since))

    def rejected(self, certificate_id: str, error: Rejected, since: datetime) -> None:
        """Remember a rejection for a while; `since` is when it began."""
        answer = KnockAnswer(
            outcome=error.outcome,
            reason=error.reason,
            message=error.message,
            since=since,
            until=self.clock() + _REJECTION_LASTS,
        )
        self._remember(certificate_id, answer)

    def _registered(self, certificate_id: str) -> KnockAnswer | None:
        """Return what the registry says: activated by us, nothing wanted of it, and nobody at work on it."""
        key = self.rows.key_of(certificate_id)
        row = None if key is None else self.rows.row(key)
        if row is None or row.activated_at is None or row.certificate_ids != (certificate_id,):
            return None
        if row.state is not RowState.ACTIVE or row.wanted is not None:
            return None
        answer = _active(row.activated_at)
        self._remember(certificate_id, answer)
        return answer

    def _remember(self, certificate_id: str, answer: KnockAnswer) -> None:
        self._memory[certificate_id] = answer
        self._memory.move_to_end(certificate_id)
        if len(self._memory) > _REMEMBERED:
            self._memory.popitem(last=False)


def _asked_before(event: CertificateRegistered, answer: KnockAnswer) -> bool:
    """Return whether an answer came after what counts: the knock itself, or the certificate's registration.

    The registration counts within a minute after an activation: what was ACTIVE never waits for activation again.
    The knock's own counts otherwise: for a first event, which names no registration, and after a rejection, which an
    operator may have mended. A certificate that was deleted and registered again has another registration.
    """
    knocked_at = event.knocked_at or answer.since
    if knocked_at + CLOCK_MARGIN < answer.since:
        return True
    at_once = answer.until is None and knocked_at < answer.since + _A_MOMENT
    if not at_once or event.registered_at is None:
        return False
    return datetime.fromtimestamp(event.registered_at / 1000, UTC) + REGISTRATION_MARGIN < answer.since


def _active(since: datetime) -> KnockAnswer:
    return KnockAnswer(
        outcome=Outcome.ALREADY_DECIDED,
        reason="active",
        message="the certificate was activated after this knock",
        since=since,
    )
