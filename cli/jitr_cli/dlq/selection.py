"""Which dead letters a command means, and how it tells people about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import click

from jitr.errors import Reason
from jitr.messages.event import is_certificate_id
from jitr_cli.console.advice import registration_advice
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import gathered
from jitr_cli.console.output import printable
from jitr_cli.dlq.queue import Held, QueueName
from jitr_fleet.deployments.runbook import alarm_section, reason_section

# Fewer characters than these are more likely a slip than a letter.
_SHORTEST_BEGINNING = 4
# Codes that are no reasons of a decision, and have sections in the runbook all the same.
_OTHER_SECTIONS = frozenset({"rule_failed", "unreadable", "crashed"})
# The alarm that goes off for a queue's dead letters, and its section.
QUEUE_SECTIONS = {
    QueueName.ACTIVATION: "dead-letters",
    QueueName.ENFORCEMENT: "enforcement-dead-letters",
    QueueName.BULK: "bulk-dead-letters",
}


class CertificateId(click.ParamType[str]):
    """The id of a device certificate."""

    name = "certificate id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id in lower case, or end the command as a usage error."""
        if not is_certificate_id(value.lower()):
            self.fail(f"{value!r} is no certificate id (64 hex digits)", param, ctx)
        return value.lower()


class LetterId(click.ParamType[str]):
    """The id of a dead letter, or the beginning of it."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return what ids begin with, or end the command as a usage error."""
        if len(value) < _SHORTEST_BEGINNING:
            self.fail(f"{value!r} is too short for the beginning of a letter's id", param, ctx)
        return value.lower()


@dataclass(frozen=True, kw_only=True)
class LetterSelection:
    """Which letters are meant: those that meet everything that is given; without anything, all."""

    reason: str | None = None
    certificate_id: str | None = None
    message_ids: tuple[str, ...] = ()
    unreadable: bool = False

    def verify_unique(self, message_ids: Iterable[str]) -> None:
        """Check that no beginning of an id stands for several of these letters; raises CommandFailed."""
        found = sorted(set(message_ids))
        for start in self.message_ids:
            meant = [each for each in found if each.startswith(start)]
            if len(meant) > 1:
                raise CommandFailed(f"--id {start} may be any of these letters: {', '.join(meant)}")

    @property
    def is_everything(self) -> bool:
        """Return whether nothing narrows it down."""
        return self == LetterSelection()

    def __contains__(self, held: Held) -> bool:
        """Return whether a letter is meant."""
        return (
            self.reason in (None, held.letter.reason)
            and self.certificate_id in (None, held.letter.certificate_id)
            and (not self.message_ids or any(map(held.message_id.startswith, self.message_ids)))
            and (not self.unreadable or held.letter.event is None)
        )


selection_options = gathered(
    "selection",
    LetterSelection,
    click.option("--reason", metavar="CODE", help="only letters with this reason code"),
    click.option("--certificate-id", type=CertificateId(), help="only letters about this certificate; 64 hex digits"),
    click.option(
        "--id",
        "message_ids",
        type=LetterId(),
        multiple=True,
        help="only this letter: its id or the beginning of it; may be given repeatedly",
    ),
)


def queue_option(*, default: QueueName | None, about: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option --queue, handed on as `queue: QueueName | None`."""
    return click.option(
        "--queue",
        type=click.Choice([each.value for each in QueueName]),
        metavar="NAME",
        default=None if default is None else default.value,
        show_default=default is not None,
        callback=lambda _context, _option, value: None if value is None else QueueName(value),
        help=f"{about}: {', '.join(QueueName)}",
    )


def describe(held: Held) -> dict[str, Any]:
    """Return one letter as data."""
    letter = held.letter
    return {
        "message_id": held.message_id,
        "dead_since": dead_since(held),
        "origin": letter.origin,
        "certificate_id": letter.certificate_id,
        "step": letter.step,
        "reason": letter.reason,
        "message": letter.message,
        "event": letter.event,
        "queue": held.queue.value,
    }


def dead_since(held: Held) -> str:
    """Return when a letter was sent, in ISO 8601."""
    return held.sent_at.isoformat(timespec="seconds").replace("+00:00", "Z")


def counted(letters: Iterable[Held]) -> str:
    """Return how many letters have which reason, the most frequent first: `12 no_crl, 1 throttled`."""
    counts = Counter(each.letter.reason for each in letters)
    return ", ".join(f"{count} {printable(reason)}" for reason, count in counts.most_common()) or "none"


_OF_QUEUES = {
    QueueName.ENFORCEMENT: "mend the cause; the next sweep does it all again, then drop the letter",
    QueueName.BULK: "mend the cause, `jitr bulk resume JOB`, then drop the letter",
}


def letter_advice(held: Held) -> str:
    """Return what to do about one letter, in one sentence."""
    if held.letter.event is None:
        return (
            "find out who may write to the queue; nothing can be handed over: "
            f"`jitr dlq drop --queue {held.queue} --unreadable`"
        )
    return _OF_QUEUES.get(held.queue) or registration_advice(held.letter.reason, message_id=held.message_id)


def section(held: Held) -> str:
    """Return where the runbook says what to do about a letter."""
    if held.queue is not QueueName.ACTIVATION:
        return alarm_section(QUEUE_SECTIONS[held.queue])
    reason = held.letter.reason
    known = reason in _OTHER_SECTIONS or reason in Reason.__members__.values()
    return reason_section(reason) if known else alarm_section("function-crashes")
