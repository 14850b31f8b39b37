"""`make bench-storm`: storms of 10^2 to 10^4 devices, in both modes, beside the field's usual handler.

Then one CA's trouble beside another's good devices. Where the build of 21 November had the same storm, its rate stands
beside (bench/baselines/README.md says how it was measured, and how to measure it again).

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
from functools import cache, partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.figures import Figure, figure, result_file
from bench.storm.figures import Storm
from bench.storm.isolation import Isolated, Isolation, run_isolated
from bench.storm.scenario import Mode, Scenario, Who
from bench.storm.storm import run

SIZES = (100, 1_000, 10_000)
# Each knock costs the usual handler a dozen calls or more: what it makes of a thousand devices shows it.
_LARGEST_USUAL = 1_000
# From so many devices on the start of a storm is a small part of it.
_STEADY = 1_000
_ARRIVAL_SECONDS_EACH = 1 / 12.25  # a quarter more devices a second than the quota allows
_BASELINE = Path(__file__).parents[1] / "baselines" / "storm-bfbb6e8.json"
_THEN = "peer: the build of 21 November (bfbb6e8)"
# So much quicker than that build, by the number of devices.
_QUICKER = {100: ">= 1.5", 10_000: ">= 1.55"}

ISOLATIONS = {
    "600 devices of a CA on hold knock": Isolation(crowd=600, good=30, over_seconds=120.0),
    "2,000 devices of a CA on hold knock": Isolation(crowd=2000, good=200, over_seconds=200.0),
    "a CA with 2,000 waiting devices is resumed": Isolation(
        crowd=2000, good=200, over_seconds=200.0, resumed_after=60.0
    ),
}


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
    revoking = Scenario(devices=devices, revoking=devices)
    yield f"queue, {devices:,}, {devices:,} revoked meanwhile", revoking
    slow = Scenario(devices=devices, over_seconds=devices * _ARRIVAL_SECONDS_EACH)
    yield f"queue, {devices:,}, 12.25 new ones a second", slow


def figures_of(name: str, storm: Storm, usual: Storm | None) -> Iterator[Figure]:
    """Yield one storm's figures; the peer is the usual handler in a storm of as many devices, where it was run."""
    peer = usual if usual is not storm else None

    def row(what: str, unit: str, of: Callable[[Storm], float], **more: Any) -> Figure:  # noqa: ANN401
        beside = "" if peer is None else "peer: the field's usual handler"
        return figure(
            f"storm, {name}: {what}", of(storm), unit, peer=of(peer) if peer else None, **({"beside": beside} | more)
        )

    queued = storm.mode == Mode.QUEUE and storm.devices >= _STEADY and not (storm.revocations or storm.others)
    yield row("activated", "1/s", lambda each: each.per_second, floor=storm.bound)
    if (then := rates_then().get(name)) is not None:
        promise = _QUICKER.get(storm.devices, "")
        yield figure(
            f"storm, {name}: activated, then and now", storm.per_second, "1/s", peer=then, beside=_THEN, promise=promise
        )
    if storm.revocations:
        yield figure(f"storm, {name}: switched off", storm.revoked_per_second, "1/s", floor=2.94, promise=">= 1")
    yield figure(
        f"storm, {name}: activated",
        storm.share_of_bound,
        "of the bound",
        beside="bound: the scarcest quota less the margin",
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


@cache
def rates_then() -> dict[str, float]:
    """Return devices a second of the build of 21 November, by the storm's name."""
    rows: list[Figure] = json.loads(_BASELINE.read_text(encoding="utf-8"))
    found = {}
    for each in rows:
        name, _, what = each["figure"].removeprefix("storm, ").rpartition(": ")
        if (what, each["unit"]) == ("activated", "1/s"):
            found[name] = each["value"]
    return found


def isolation_figures(name: str, found: Isolated) -> Iterator[Figure]:
    """Yield how long good devices waited beside another CA's trouble."""
    for percent, most in ((50, 3), (99, 15)):
        beside = f"at most {most} s are promised"
        yield figure(f"isolation, {name}: good devices, p{percent}", found.wait(percent), "s", beside=beside)
    yield figure(f"isolation, {name}: dead letters", found.dead_letters, "letters", promise="= 0")


def print_isolation(isolated: dict[str, Isolated]) -> None:
    """Print one line for each."""
    table = Table(
        "beside good devices of another CA, one a second", "p50 s", "p99 s", "longest s", "of the crowd ACTIVE"
    )
    for name, found in isolated.items():
        waits = (f"{found.wait(percent):.1f}" for percent in (50, 99, 100))
        table.add_row(name, *waits, f"{len(found.crowd_active_at):,}")
    Console(width=max(170, Console().width)).print(table)


def _wait(percent: float, storm: Storm) -> float:
    return storm.wait(percent)


def print_table(storms: dict[str, Storm]) -> None:
    """Print one line for each storm."""
    columns = (
        "storm",
        "a second",
        "then",
        "of bound",
        "of quota",
        "calls each",
        "throttled",
        "p50 s",
        "p99 s",
        "last s",
    )
    table = Table(*columns, "lost", "dead letters", "no call", "waiting", "ran")
    for name, storm in storms.items():
        table.add_row(
            name,
            f"{storm.per_second:.2f}",
            f"{rates_then()[name]:.2f}" if name in rates_then() else "",
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
    isolated: dict[str, Isolated] = {}
    for name, isolation in ISOLATIONS.items():
        print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr, flush=True)
        isolated[name] = run_isolated(isolation)
    print_isolation(isolated)
    usual = {storm.devices: storm for storm in storms.values() if storm.who == Who.USUAL}
    figures = [row for name, storm in storms.items() for row in figures_of(name, storm, usual.get(storm.devices))]
    figures += [row for name, found in isolated.items() for row in isolation_figures(name, found)]
    output = result_file("storm")
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
