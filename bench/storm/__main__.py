"""`make bench-storm`: storms of 10^2 to 10^4 devices, in both modes, beside the field's usual handler.

All times are virtual: the time that it would have taken on AWS with its default quotas. That makes a run the same on
any machine. Direct mode runs against a model of Lambda's asynchronous queue; AWS does not tell its order.
Writes build/bench-storm.json, a flat list of figures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.figures import Figure, figure, result_file
from bench.storm.figures import Storm
from bench.storm.scenario import Mode, Scenario, Who
from bench.storm.storm import run

SIZES = (100, 1_000, 10_000)
# Each knock costs the usual handler a dozen calls or more: what it makes of a thousand devices shows it.
_LARGEST_USUAL = 1_000
# From so many devices on the start of a storm is a small part of it.
_STEADY = 1_000
_ARRIVAL_SECONDS_EACH = 1 / 7.5  # a quarter more devices a second than activation's share allows


def scenarios(sizes: list[int]) -> Iterator[tuple[str, Scenario]]:
    """Yield what is run, with a name for each."""
    for devices in sizes:
        yield f"queue, {devices:,}", Scenario(devices=devices)
        yield f"direct (model), {devices:,}", Scenario(devices=devices, mode=Mode.DIRECT)
        if devices <= _LARGEST_USUAL:
            usual = Scenario(devices=devices, mode=Mode.DIRECT, who=Who.USUAL, longest_seconds=3600.0)
            yield f"usual handler (model), {devices:,}", usual
    devices = min(sorted(sizes)[len(sizes) // 2], 1_000)
    busy = Scenario(devices=devices, others=4.0)
    yield f"queue, {devices:,}, others use 4 a second", busy
    yield f"queue, {devices:,}, each knocks once", Scenario(devices=devices, knocks=1)
    quiet = Scenario(devices=devices, knocks=1, mode=Mode.DIRECT)
    yield f"direct (model), {devices:,}, each knocks once", quiet
    slow = Scenario(devices=devices, over_seconds=devices * _ARRIVAL_SECONDS_EACH)
    yield f"queue, {devices:,}, 7.5 new ones a second", slow


def figures_of(name: str, storm: Storm, usual: Storm | None) -> Iterator[Figure]:
    """Yield one storm's figures; the peer is the usual handler in a storm of as many devices, where it was run."""
    peer = usual if usual is not storm else None

    def row(what: str, unit: str, of: Callable[[Storm], float], **more: Any) -> Figure:  # noqa: ANN401
        beside = "" if peer is None else "peer: the field's usual handler"
        return figure(
            f"storm, {name}: {what}", of(storm), unit, peer=of(peer) if peer else None, **({"beside": beside} | more)
        )

    queued = storm.mode == Mode.QUEUE and storm.devices >= _STEADY
    yield row("activated", "1/s", lambda each: each.per_second, floor=storm.bound)
    yield figure(
        f"storm, {name}: activated",
        storm.share_of_bound,
        "of the bound",
        beside="bound: activation's share of the scarcest quota",
        promise=">= 0.95" if queued and storm.over_seconds <= 1 else "",
    )
    yield figure(f"storm, {name}: activated", storm.per_second / storm.quota_bound, "of the whole quota")
    yield row("AWS IoT calls per device", "calls", lambda each: each.calls_per_device, floor=3.0)
    promise = "<= 0.05" if storm.mode == Mode.QUEUE else ""
    yield row("throttled", "of the calls", lambda each: each.throttled_share, promise=promise)
    for percent, words in ((50, "half"), (99, "99 %"), (100, "all")):
        yield row(f"{words} ACTIVE within", "s", partial(_wait, percent))
    yield row("lost", "devices", lambda each: each.lost, promise="= 0")
    yield row("dead letters", "letters", lambda each: each.dead_letters)
    yield figure(f"storm, {name}: further knocks that need no AWS IoT call", storm.unneeded, "of them")
    yield row("waiting at most", "events", lambda each: each.peak_queue)


def _wait(percent: float, storm: Storm) -> float:
    return storm.wait(percent)


def print_table(storms: dict[str, Storm]) -> None:
    """Print one line for each storm."""
    columns = ("storm", "a second", "of bound", "of quota", "calls each", "throttled", "p50 s", "p99 s", "last s")
    table = Table(*columns, "lost", "dead letters", "no call", "waiting", "ran")
    for name, storm in storms.items():
        table.add_row(
            name,
            f"{storm.per_second:.2f}",
            f"{storm.share_of_bound:.0%}",
            f"{storm.per_second / storm.quota_bound:.0%}",
            f"{storm.calls_per_device:.2f}",
            f"{storm.throttled_share:.1%}",
            *(f"{storm.wait(percent):,.0f}" for percent in (50, 99, 100)),
            f"{storm.lost:,}",
            f"{storm.dead_letters:,}",
            f"{storm.unneeded:.1%}",
            f"{storm.peak_queue:,}",
            f"{storm.computed_seconds:.0f} s",
        )
    # A report that is read in a log as often as in a terminal.
    Console(width=max(170, Console().width)).print(table)


def main() -> None:
    """Run all storms, print a table and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, nargs="+", default=list(SIZES), metavar="N")
    sizes = parser.parse_args().devices
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    storms: dict[str, Storm] = {}
    for name, scenario in scenarios(sizes):
        print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr, flush=True)
        storms[name] = run(scenario)
    print_table(storms)
    usual = {storm.devices: storm for storm in storms.values() if storm.who == Who.USUAL}
    figures = [row for name, storm in storms.items() for row in figures_of(name, storm, usual.get(storm.devices))]
    output = result_file("storm")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
