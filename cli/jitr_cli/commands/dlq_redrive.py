"""`jitr dlq redrive`: hand dead-lettered events to the function again, once what stopped them is mended."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from jitr_cli.aws import Aws, ask, aws_options, deployment_option, dry_run_option, yes_option
from jitr_cli.dead_letter_queue import DeadLetterQueue, Held
from jitr_cli.output import say

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@click.command()
@click.option("--reason", metavar="CODE", help="only letters with this reason code")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="look at most at so many")
@click.option("--rate", type=click.FloatRange(0.1, 100), default=3.0, show_default=True, help="events a second")
@deployment_option
@dry_run_option
@yes_option
@aws_options
def command(
    *, aws: Aws, reason: str | None, limit: int, rate: float, deployment: str | None, dry_run: bool, yes: bool
) -> None:
    """Invoke the function again with each letter's original event, and remove the letter once Lambda took it.

    Safe to interrupt and to repeat: an event that is handed over twice ends in the same state. Letters with another
    reason, and those whose event cannot be read back, stay where they are.
    """
    stack = aws.deployment(deployment)
    queue = DeadLetterQueue(aws.client("sqs"), stack.dead_letter_queue)
    aws.announce(stack)
    total = min(queue.waiting(), limit)
    say(f"about {total} dead letters to look at" + (f", those with reason {reason}" if reason else ""))
    if total == 0 or dry_run:
        return
    ask(f"Hand their events to {stack.function} again, {rate:g} a second?", yes=yes)
    kept: list[Held] = []
    handed_over = 0
    try:
        with click.progressbar(length=total, label="redriving", file=sys.stderr) as bar:
            for held in queue.receive(at_most=limit):
                if held.letter.event is None or reason not in (None, held.letter.reason):
                    kept.append(held)
                else:
                    _hand_over(aws.client("lambda"), stack.function, queue, held)
                    handed_over += 1
                    time.sleep(1 / rate)
                bar.update(1)
    finally:
        for held in kept:
            queue.put_back(held)
        say(f"{handed_over} handed over, {len(kept)} left; what still cannot be decided comes back within minutes")


def _hand_over(client: LambdaClient, function: str, queue: DeadLetterQueue, held: Held) -> None:
    """Invoke first, remove then: what is lost between the two was handed over already."""
    client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(held.letter.event).encode())
    queue.remove(held)
