"""Sharing a quota: every part of the system has a guaranteed share, and what one leaves unused the others borrow.

Pure arithmetic on one line of turns; where the line is kept is turns.py's business. A turn is a time from which on its
owner may make one call. Turns are spaced by the whole rate, whoever takes them, so all together never exceed it. Who is
below its guarantee may take turns although others wait; everybody may take what lies within the next half second. So a
part that wants its share back waits for what was lent before, less than two seconds.

Callers may say for which CA they ask. While several CAs are about, one that had its fair share gets what is left when
the line is nearly empty, and otherwise is told that it crowds the others out: it had better not wait at their front.

After AWS throttled, the line gives out less: whatever else uses the account's quota has come between. The rate comes
back by itself, quickly at first, slowly near the rate at which it was throttled, then quicker (the cubic curve of RFC
9438, in seconds instead of round trips).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

# How far ahead anybody may take turns, and how much of its guarantee a part may take at once, though always two turns:
# together less than the two seconds that a part waits at most for what was lent.
LENT_SECONDS = 0.5
GUARANTEED_SECONDS = 1.0
GUARANTEED_TURNS = 2
# A CA is about for so long after its last turn; it may run ahead of its fair share by so much; and one that is further
# ahead leaves this much of the line to the others.
ABOUT_SECONDS = 10.0
AHEAD_SECONDS = 2.0
FRONT_SECONDS = 0.3
# So many CAs are kept account of, those of the latest turns: an item of the state table has to stay small.
CAS_KEPT = 40
# Throttled once, everybody is slower by this; throttled again within two seconds, that is the same trouble:
# what was taken before has to be over first.
SLOWER = 0.75
SAME_TROUBLE_SECONDS = 2.0
# How long it takes until the rate is back at the one that was throttled.
RECOVERY_SECONDS = 18.0
# However often AWS throttles, this part of the rate is left: somebody has to find out that the trouble is over.
SLOWEST = 0.05
# Whoever finds more taken in advance meets a clock that was wrong, and does not believe it.
UNBELIEVABLE_SECONDS = 60.0
# Times are kept in microseconds.
_ROUNDING = 2e-6


class Part(StrEnum):
    """Who shares the quota."""

    ACTIVATION = "activation"
    ENFORCEMENT = "enforcement"
    BULK = "bulk"


@dataclass(frozen=True)
class Allotment:
    """What is shared: calls a second that are guaranteed to each part; together they are what may be lent."""

    guaranteed: Mapping[Part, float]

    @property
    def per_second(self) -> float:
        """Return the rate of all parts together."""
        return sum(self.guaranteed.values())

    def in_hand(self, part: Part) -> int:
        """Return how many turns a part needs in hand to make its calls one after the other at its guaranteed rate."""
        return max(GUARANTEED_TURNS, round(self.guaranteed[part] * (LENT_SECONDS + GUARANTEED_SECONDS)))


@dataclass(frozen=True)
class CaUse:
    """What a CA had: until when its fair share is used up, and when it took its last turn; epoch seconds."""

    used_until: float
    at: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line: times are in epoch seconds.

    `taken_until` is when the last turn that was taken is over. `used_until` says by part until when its guarantee is
    used up, `cas` the same by CA. `throttled_rate` is at what rate AWS throttled, at `throttled_at`.
    """

    taken_until: float = 0.0
    used_until: Mapping[Part, float] = field(default_factory=dict)
    cas: Mapping[str, CaUse] = field(default_factory=dict)
    throttled_rate: float = 0.0
    throttled_at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What somebody got: `turns` are times, none where there is nothing before `again_at`.

    `crowding` says that there might be some, but not for a CA that had more than the others.
    """

    line: Line
    turns: tuple[float, ...] = ()
    again_at: float = 0.0
    crowding: bool = False


def rate(line: Line, allotment: Allotment, now: float) -> float:
    """Return how many turns a second the line gives out now, at most what is shared."""
    whole = allotment.per_second
    if not 0 < line.throttled_at <= now + UNBELIEVABLE_SECONDS:
        return whole
    passed = max(0.0, now - line.throttled_at) / RECOVERY_SECONDS
    found = line.throttled_rate * (1 + (1 - SLOWER) * (passed - 1) ** 3)
    return min(whole, max(found, SLOWEST * whole))


def take(line: Line, allotment: Allotment, part: Part, count: int, *, now: float, ca: str | None = None) -> Taken:
    """Give a part up to `count` turns, the next ones of the line; at least one unless the answer says when again.

    `ca` is the CA that they are for, None where no CA is to be preferred.
    """
    whole = rate(line, allotment, now)
    own = allotment.guaranteed[part] * whole / allotment.per_second
    start = max(now, _believed(line.taken_until, now))
    at_once = max(GUARANTEED_SECONDS, GUARANTEED_TURNS / own)
    used = max(now, min(line.used_until.get(part, 0.0), now + at_once))
    if ca is not None and start - now > FRONT_SECONDS and _is_ahead(line, ca, now):
        return Taken(line=line, again_at=start - FRONT_SECONDS, crowding=True)
    lent = _room(start - now, LENT_SECONDS, whole)
    guaranteed = _room(used - now, at_once, own)
    got = min(count, max(lent, guaranteed))
    if got < 1:
        # A single turn fits once it is the only one, or ends within the time.
        again = min(
            start - max(0.0, LENT_SECONDS - 1 / whole),
            used - (at_once - 1 / own),
        )
        return Taken(line=line, again_at=max(now, again))
    # What was borrowed beyond the guarantee costs none of it: at most all that may be taken at once is used up.
    until = min(used + got / own, now + at_once)
    after = replace(
        line,
        taken_until=start + got / whole,
        used_until={**line.used_until, part: until},
        cas=line.cas if ca is None else _counted(line, ca, got, whole, now),
    )
    return Taken(line=after, turns=tuple(start + each / whole for each in range(got)))


def slowed_down(line: Line, allotment: Allotment, *, now: float) -> Line:
    """Return the line after AWS throttled: the same where it has just been slowed down for that."""
    if 0 <= now - line.throttled_at < SAME_TROUBLE_SECONDS:
        return line
    return replace(line, throttled_rate=rate(line, allotment, now), throttled_at=now)


def _about(line: Line, now: float) -> dict[str, CaUse]:
    return {ca: use for ca, use in line.cas.items() if abs(now - use.at) < ABOUT_SECONDS}


def _is_ahead(line: Line, ca: str, now: float) -> bool:
    """Return whether a CA had more than its fair share, and others are about that had not."""
    about = _about(line, now)
    others = any(use.used_until <= now + AHEAD_SECONDS for each, use in about.items() if each != ca)
    return others and ca in about and about[ca].used_until > now + AHEAD_SECONDS


def _counted(line: Line, ca: str, got: int, whole: float, now: float) -> dict[str, CaUse]:
    """Return what each CA had, with these turns: in equal shares of the whole rate for those that are about."""
    about = _about(line, now)
    before = about.pop(ca, CaUse(now, now))
    used = max(now, before.used_until) + got * (len(about) + 1) / whole
    # What was had while nobody else was about is not held against it for longer than a moment.
    kept = sorted(about.items(), key=lambda item: item[1].at)[-CAS_KEPT + 1 :]
    return {**dict(kept), ca: CaUse(min(used, now + 2 * AHEAD_SECONDS), now)}


def _room(ahead: float, seconds: float, per_second: float) -> int:
    """Return how many turns end within `seconds`, where those of the next `ahead` are taken; one that is alone fits."""
    fitting = int((seconds - ahead) * per_second + _ROUNDING)
    return max(fitting, 1 if ahead <= _ROUNDING else 0)


def _believed(until: float, now: float) -> float:
    return until if until <= now + UNBELIEVABLE_SECONDS else now
