"""`jitr dlq redrive`: hand dead-lettered events over again, once what stopped them is mended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click

from jitr.aws.pacing import Pace
from jitr_cli.console.aws import Aws
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.deployed_configuration import deployed_configuration
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import progress, say
from jitr_cli.dlq.queue import DeadLetterQueue, Held, QueueName
from jitr_cli.dlq.selection import LetterSelection, counted, queue_option, selection_options
from jitr_fleet.deployments.deployment import Ingestion
from jitr_fleet.deployments.stack_outputs import StackOutputs

_ACCEPTED = 202
_SENDS_PER_SECOND = 20.0
# A sweep at a time: each looks at whole CRLs.
_SWEEPS_PER_SECOND = 0.2


@writing_command("redrive")
@queue_option(default=QueueName.ACTIVATION, about="whose dead letters")
@selection_options
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="hand over at most so many")
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 100),
    help="events a second  [default: half of activation's share; into the activation queue 20]",
)
def command(call: Call, *, queue: QueueName, selection: LetterSelection, limit: int, rate: float | None) -> ExitCode:
    """Hand each letter's original event over again, and remove the letter once AWS took it.

    Safe to interrupt and to repeat: an event that is handed over twice ends in the same state. Letters with another
    reason, those that hold no event, and those of a crash within the last two minutes stay where they are. With --json:
    redriven, would_be, left, too_soon, cannot_be_redriven.
    """
    if queue is QueueName.BULK:
        raise CommandFailed("a job goes on by `jitr bulk resume JOB`; then `jitr dlq drop --queue bulk` the letter")
    letters = DeadLetterQueue.of(call.aws, call.stack, queue)
    call.announce()
    found = _look(letters, selection, limit)
    meant, done = found.meant, 0
    selection.verify_unique(each.message_id for each in meant)
    say(
        f"{queue}: {len(meant)} to hand over ({counted(meant)}), {found.left} others stay, {found.without_event} "
        "cannot be handed over"
    )
    if found.too_soon:
        say(
            f"{found.too_soon} stay because their function ended in the middle of an activation less than two minutes "
            "ago: what it held is not free yet; run this again in two minutes"
        )
    if meant and not call.dry_run:
        target = _target(call.aws, call.stack, queue)
        pace = rate or target.rate
        if call.confirm(f"Hand {len(meant)} events to {target.name} again, {pace:g} a second?"):
            done = _redrive(letters, {each.message_id for each in meant}, target.hand_over, pace)
            found.left += len(meant) - done
    return call.finish(
        {
            "redriven": done,
            "would_be": len(meant),
            "left": found.left,
            "too_soon": found.too_soon,
            "cannot_be_redriven": found.without_event,
        }
    )


@dataclass(kw_only=True)
class SortedLetters:
    """The letters to hand over, and how many stay: not meant, too soon after a crash, or with nothing to hand over."""

    meant: list[Held] = field(default_factory=list)
    left: int = 0
    too_soon: int = 0
    without_event: int = 0


def _look(letters: DeadLetterQueue, selection: LetterSelection, limit: int) -> SortedLetters:
    """Read the queue until enough letters are found."""
    found, now = SortedLetters(), datetime.now(UTC)
    with progress("looking", total=None) as bar, letters.holding() as held:
        for each in held.letters():
            bar(1)
            if each not in selection:
                found.left += 1
            elif not each.can_be_redriven:
                found.without_event += 1
            elif each.may_hold_lease(now):
                found.too_soon += 1
            else:
                found.meant.append(each)
                if len(found.meant) == limit:
                    break
    return found


def _redrive(letters: DeadLetterQueue, wanted: set[str], hand_over: Callable[[Any], None], rate: float) -> int:
    """Hand over first, remove then: what is lost between the two was handed over already."""
    pace = Pace(rate, now=time.monotonic, sleep=time.sleep)
    done = 0
    try:
        with progress("redriving", total=len(wanted)) as bar, letters.holding() as held:
            for each in held.letters():
                if each.message_id not in wanted:
                    continue
                pace()
                hand_over(each.letter.event)
                held.remove(each)
                done += 1
                bar(1)
                if done == len(wanted):
                    break
    finally:
        say(f"{done} handed over; what still cannot be decided comes back within minutes")
    return done


@dataclass(frozen=True, kw_only=True)
class RedriveTarget:
    """Where events are handed over to, how, and how many a second unless --rate says otherwise."""

    name: str
    hand_over: Callable[[Any], None]
    rate: float


def _target(aws: Aws, stack: StackOutputs, queue: QueueName) -> RedriveTarget:
    """Return what the topic rule, or the schedule, hands events to."""
    if queue is QueueName.ENFORCEMENT:
        return RedriveTarget(
            name=stack.enforcement_function,
            hand_over=_invoke(aws, stack.enforcement_function),
            rate=_SWEEPS_PER_SECOND,
        )
    if stack.ingestion == Ingestion.QUEUE:
        url = stack.activation_queue
        return RedriveTarget(name=url.rpartition("/")[2], hand_over=_send(aws, url), rate=_SENDS_PER_SECOND)
    share = deployed_configuration(aws, stack).activation_tps
    return RedriveTarget(name=stack.function, hand_over=_invoke(aws, stack.function), rate=share / 2)


def _invoke(aws: Aws, function: str) -> Callable[[Any], None]:
    client = aws.client("lambda")

    def invoke(event: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        payload = json.dumps(event).encode()
        answer = client.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
        if answer["StatusCode"] != _ACCEPTED:
            raise CommandFailed(f"AWS Lambda did not take an event: status {answer['StatusCode']}", ExitCode.AWS)

    return invoke


def _send(aws: Aws, url: str) -> Callable[[Any], None]:
    client = aws.client("sqs")
    return lambda event: client.send_message(QueueUrl=url, MessageBody=json.dumps(event))
