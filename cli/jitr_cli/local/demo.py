"""`jitr local demo`: the whole story on this computer: before activation, at it, and after it."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import emit_table, say
from jitr_cli.console.signals import terminable
from jitr_cli.local.failures import local_failures
from jitr_local.checkout import LOCAL_STATE
from jitr_local.stack.local_stack import LocalStack
from jitr_local.story.demo import Demo
from jitr_local.story.expectation import SummaryLine
from jitr_local.story.factory import Factory
from jitr_local.story.timeline import Timeline


@local_command("demo")
def command(call: Call) -> ExitCode:
    """Tell the whole story on the local stack and check it; starts and stops a stack of its own unless one runs.

    Exit code 1 if any expectation was not met.
    """
    timeline = Timeline()
    with terminable(), local_failures(), _stack() as stack, tempfile.TemporaryDirectory() as folder:
        # Another name each time: a stack that runs may know the last demo's CA still.
        factory = Factory.open(f"factory-{secrets.token_hex(3)}", Path(folder))
        demo = Demo(stack=stack, timeline=timeline, factory=factory)
        expectations = demo.run()
    met = all(each.met for each in expectations)
    data = {
        "met": met,
        "seconds": round(timeline.elapsed),
        "expectations": [
            {"expected": each.expected, "observed": each.observed, "met": each.met} for each in expectations
        ],
    }
    ending = ExitCode.DONE if met else ExitCode.NO
    return call.finish(data, ending, words=lambda: _print(expectations, timeline))


def _print(expectations: Sequence[SummaryLine], timeline: Timeline) -> None:
    click.echo()
    emit_table(
        ("expected", "observed", "ok"),
        ((each.expected, each.observed, "yes" if each.met else "NO") for each in expectations),
    )
    met = all(each.met for each in expectations)
    click.echo(f"{'All as expected' if met else 'NOT as expected'}, {timeline.elapsed:.0f} s in all.")


@contextlib.contextmanager
def _stack() -> Iterator[LocalStack]:
    """Yield the checkout's stack, reserved; one that did not run before does not run afterwards."""
    stack = LocalStack(LOCAL_STATE)
    with stack.reserved(say):
        mine = stack.instance() is None
        try:
            yield stack
        finally:
            if mine:
                stack.stop()
