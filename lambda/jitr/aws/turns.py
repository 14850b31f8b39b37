"""Turns at AWS IoT: lines in the state table, one for each limited kind of call, in which all parts take places.

What may be taken is lending.py's arithmetic. The table keeps its state, and a write that finds another one changes
nothing and is tried again: so however many functions are at work, no turn is given out twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jitr.aws.failures import is_throttle
from jitr.aws.lending import Allotment, CaUse, Line, Part, Taken, slowed_down, take
from jitr.aws.state_table import Item, Key, StateTable, number, text
from jitr.errors import Reason, Undecided

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient

# The line of DescribeCertificate, UpdateCertificate and AttachPolicy: an activation asks for one of each, so that one
# turn serves all three. Others have lines of their own, because AWS counts each kind of call by itself.
CERTIFICATES = "certificates"
LISTS = "lists"
AUTHORITIES = "authorities"
LINES = (CERTIFICATES, LISTS, AUTHORITIES)
_LINE_OF = {"ListCertificatesByCA": LISTS, "DescribeCACertificate": AUTHORITIES}

_PARTITION = "turns"
# As much of a CA's id as tells CAs apart.
_CA_CHARACTERS = 12
_MICROSECONDS = 1_000_000
# So long after its time a turn may still be used: a slow answer of AWS costs nobody a place, and there is no burst.
_USABLE_SECONDS = 2.0
# One write takes the turns of so much of a second, so that a large quota does not mean as many writes.
_SECONDS_A_WRITE = 0.05
# More than one container can use before they are too old.
_MOST_AT_ONCE = 50
# How often a write is tried again at once where others were quicker.
_ATTEMPTS = 8
# The longest sleep before looking again: the line may have become free, as after a part that ended.
_LONGEST_SLEEP_SECONDS = 1.0
_JITTER_SECONDS = 0.1
# How often one function tells the others that AWS throttles.
_TOLD_EVERY_SECONDS = 0.5


class NoTurn(Undecided):
    """All turns that could be waited for are taken: nothing was asked of AWS IoT, and nothing is wrong."""

    def __init__(self) -> None:
        super().__init__(Reason.THROTTLED, "all turns at AWS IoT that this invocation could wait for are taken")


class Crowding(NoTurn):
    """There may be turns, but the CA had more of them than others that are about: its devices had better come later."""


@dataclass(frozen=True)
class TurnLine:
    """One line; `name` is its key in the table, times are in epoch seconds.

    Clocks may differ by what AWS's differ: turns are spaced by the table, and only their beginning by a clock.
    """

    table: StateTable
    name: str
    allotment: Allotment

    def take(self, part: Part, count: int, *, now: float, ca: str | None = None) -> Taken:
        """Take up to `count` turns for a part, and a CA by its id; none where others are quicker again and again.

        Raises Undecided where the table does not answer.
        """
        for _ in range(_ATTEMPTS):
            written, line = self._read()
            name = None if ca is None else ca[:_CA_CHARACTERS]
            taken = take(line, self.allotment, part, count, now=now, ca=name)
            if not taken.turns or self._write(written, taken.line):
                return taken
        return Taken(line=line, again_at=now + 1 / self.allotment.per_second)

    def slow_down(self, *, now: float) -> None:
        """Let everybody be slower from now on; raises Undecided where the table does not answer."""
        for _ in range(_ATTEMPTS):
            written, line = self._read()
            slower = slowed_down(line, self.allotment, now=now)
            if slower is line or self._write(written, slower):
                return

    def _read(self) -> tuple[int, Line]:
        item = self.table.get(self._key) or {}
        used = {part: _seconds(item, f"used_until_{part}_us") for part in Part}
        line = Line(
            taken_until=_seconds(item, "taken_until_us"),
            used_until={part: until for part, until in used.items() if until},
            cas=_read_cas(text(item, "cas")),
            throttled_rate=_seconds(item, "throttled_rate_millionths"),
            throttled_at=_seconds(item, "throttled_at_us"),
        )
        return number(item, "written"), line

    def _write(self, written: int, line: Line) -> bool:
        values = {
            "taken_until_us": line.taken_until,
            "throttled_rate_millionths": line.throttled_rate,
            "throttled_at_us": line.throttled_at,
            **{f"used_until_{part}_us": until for part, until in line.used_until.items()},
        }
        update = "SET written = :next, " + ", ".join(f"{name} = :{name}" for name in values)
        numbers = {f":{name}": _number(round(value * _MICROSECONDS)) for name, value in values.items()}
        numbers[":next"] = _number(written + 1)
        if line.cas:
            update += ", cas = :cas"
            numbers[":cas"] = {"S": json.dumps({ca: (use.used_until, use.at) for ca, use in line.cas.items()})}
        condition = "attribute_not_exists(written)"
        if written:
            condition, numbers[":before"] = "written = :before", _number(written)
        return self.table.update(self._key, update, numbers, condition=condition) is not None

    @property
    def _key(self) -> Key:
        return {"pk": {"S": _PARTITION}, "sk": {"S": self.name}}


@dataclass
class Turns:
    """What one container takes of a line for its part, a few at a time, used one by one.

    `chance` returns numbers from 0 to 1: containers that wait for the same turn do not all look for it at once.
    `patience` is how many seconds a call waits at most where nobody says otherwise. `ahead` is how many turns are kept
    in hand: a part whose calls are made one after the other has its guarantee only if it need not wait for each.
    """

    line: TurnLine
    part: Part
    now: Callable[[], float]
    sleep: Callable[[float], None]
    chance: Callable[[], float]
    patience: float = 300.0
    ahead: int = 1
    _mine: list[float] = field(default_factory=list)
    _told_at: float = float("-inf")

    def __call__(self) -> None:
        """Wait for the next turn; raises NoTurn where there is none in time, and Undecided."""
        self.wait(latest=self.now() + self.patience)

    def wait(self, *, latest: float, ca: str | None = None) -> None:
        """Wait for the next turn; raises NoTurn where there is none up to `latest`, and Undecided.

        With the id of a `ca`, raises Crowding where others are to go first.
        """
        while self._mine and self._mine[0] < self.now() - _USABLE_SECONDS:
            self._mine.pop(0)
        if len(self._mine) <= min(self.ahead, _MOST_AT_ONCE) // 2:
            while not self._taken(latest, ca):
                pass
        if self._mine[0] > latest:
            raise NoTurn
        self.sleep(max(0.0, self._mine.pop(0) - self.now()))

    def slow_down(self) -> None:
        """Let everybody be slower: AWS throttled. Where the table does not answer, it is left to the next time."""
        now = self.now()
        self._mine.clear()
        if now - self._told_at < _TOLD_EVERY_SECONDS:
            return
        try:
            self.line.slow_down(now=now)
        except Undecided:
            return
        self._told_at = now

    def _taken(self, latest: float, ca: str | None) -> bool:
        """Take some more turns; returns whether there are any in hand now, and sleeps where there are none yet."""
        now, whole = self.now(), self.line.allotment.per_second
        count = min(_MOST_AT_ONCE, max(round(whole * _SECONDS_A_WRITE), self.ahead - len(self._mine)))
        taken = self.line.take(self.part, count, now=now, ca=ca)
        self._mine += taken.turns
        if self._mine:
            return True
        if taken.crowding:
            raise Crowding
        if taken.again_at > latest:
            raise NoTurn
        jitter = self.chance() * min(_JITTER_SECONDS, 1 / whole)
        self.sleep(min(_LONGEST_SLEEP_SECONDS, taken.again_at - now) + jitter)
        if self.now() > latest:
            raise NoTurn
        return False


@dataclass
class BatchTurns:
    """The turns of activation: a batch gives up what it cannot begin in time; a single event goes on without.

    Lambda tries a single event three times only, and limits how many are at work at once: rather throttled than given
    up for want of a turn.
    """

    turns: Turns
    single_seconds: float = 10.0
    _latest: float | None = None
    _ca: str | None = None
    _crowding: set[str | None] = field(default_factory=set)

    def begin(self, *, latest: float) -> None:
        """Begin a batch, none of whose turns may be after `latest`."""
        self._latest = latest
        self._crowding.clear()

    def about(self, ca_certificate_id: str | None) -> None:
        """Say for which CA the next turns are; None for nobody's."""
        self._ca = ca_certificate_id

    def end(self) -> None:
        """End the batch."""
        self._latest = None

    def slow_down(self) -> None:
        """Let everybody be slower: AWS throttled a call in spite of botocore's own retries."""
        self.turns.slow_down()

    def __call__(self) -> None:
        """Wait for the next turn; raises Crowding, NoTurn where a batch has none in time, and Undecided.

        A CA that crowds others out does so for the whole batch: its other devices need not ask the table.
        """
        if self._latest is None:
            self._wait_for_a_single_event()
            return
        if self._ca in self._crowding:
            raise Crowding
        try:
            self.turns.wait(latest=self._latest, ca=self._ca)
        except Crowding:
            self._crowding.add(self._ca)
            raise

    def _wait_for_a_single_event(self) -> None:
        with suppress(NoTurn):
            self.turns.wait(latest=self.turns.now() + self.single_seconds)


def pace_calls(client: IoTClient, turns: Mapping[str, Callable[[], None]]) -> None:
    """Let a client wait for a turn before each call whose kind has a line of its own, pages of a list too.

    `turns` are those of each line by its name. `before-parameter-build` is botocore's event at the beginning of a call
    (botocore/client.py); what is raised there is raised by the call.
    """
    for operation, line in _LINE_OF.items():
        client.meta.events.register(f"before-parameter-build.iot.{operation}", _waiting(turns[line]))


def tell_throttles(client: IoTClient, turns: Mapping[str, Turns]) -> None:
    """Slow a line down at each attempt that AWS IoT throttled, also at those that botocore then repeats.

    `response-received` is botocore's event for each attempt, with its parsed answer (botocore/endpoint.py).
    """

    def answered(*, event_name: str, parsed_response: Mapping[str, Any] | None, **_: object) -> None:
        if is_throttle(((parsed_response or {}).get("Error") or {}).get("Code", "")):
            turns[_LINE_OF.get(event_name.rpartition(".")[2], CERTIFICATES)].slow_down()

    client.meta.events.register("response-received.iot", answered)


def _waiting(turns: Callable[[], None]) -> Callable[..., None]:
    def before(**_: object) -> None:
        turns()

    return before


def _read_cas(written: str | None) -> dict[str, CaUse]:
    """Return what each CA had; nothing where that cannot be read, which is made good within seconds."""
    try:
        return {ca: CaUse(float(used), float(at)) for ca, (used, at) in json.loads(written or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _seconds(item: Item, name: str) -> float:
    return number(item, name) / _MICROSECONDS


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
