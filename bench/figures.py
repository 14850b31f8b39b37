"""A figure of the project, as every measurement here writes it, and the table of all of them.

A figure is a value beside its peer (what others would use for the same work) and its floor (what no program can do
without), all in one unit and from one run. `ratio` is value to peer, or to the floor where there is no peer; `promise`
is what the project holds itself to, with `ratio` or, marked so, with the value.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Figure = dict[str, Any]

RESULTS = Path("build")
_WIDE = 200
# Versions that figures depend on.
LIBRARIES = ("boto3", "botocore", "cryptography", "aws-lambda-powertools")


def figure(
    name: str,
    value: float,
    unit: str,
    *,
    peer: float | None = None,
    floor: float | None = None,
    beside: str = "",
    promise: str = "",
) -> Figure:
    """Return one figure; `beside` names peer and floor in words."""
    base = peer if peer is not None else floor
    return {
        "figure": name,
        "value": value,
        "unit": unit,
        "peer": peer,
        "floor": floor,
        "ratio": None if not base else value / base,
        "beside": beside,
        "promise": promise,
    }


def result_file(bench: str) -> Path:
    """Return where a measurement leaves its figures."""
    return RESULTS / f"bench-{bench}.json"


def write(bench: str, figures: Sequence[Figure]) -> None:
    """Write the figures of one measurement, and print them."""
    file = result_file(bench)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    show(figures)


def show(figures: Iterable[Mapping[str, Any]], title: str | None = None) -> None:
    """Print figures as a table; a file or a pipe is as wide as the table needs."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, _WIDE))
    console.print(table_of(figures, title))


def machine() -> dict[str, Any]:
    """Return what the figures were measured on; no names."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def title_of(about: Mapping[str, Any]) -> str:
    """Return the line above the table."""
    libraries = ", ".join(f"{name} {number}" for name, number in about["libraries"].items())
    return (
        f"{about['at']}, {about['cores']} cores ({about['machine']}, {about['system']}), load {about['load']}\n"
        f"Python {about['python']}, {libraries}"
    )


def table_of(figures: Iterable[Mapping[str, Any]], title: str | None = None) -> Table:
    """Return figures as a table; what a measurement left out is an empty cell."""
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    for heading in ("value", "unit", "peer", "floor", "ratio", "promise"):
        table.add_column(heading, justify="left" if heading == "unit" else "right", no_wrap=True)
    table.add_column("beside")
    for each in figures:
        cells = [each["unit"] if name == "unit" else shown(each.get(name)) for name in _NUMBERS]
        table.add_row(each["figure"], *cells, each.get("promise", ""), each.get("beside", ""))
    return table


_NUMBERS = ("value", "unit", "peer", "floor", "ratio")


def shown(value: float | str | None) -> str:
    """Return a number with three digits that count, whole from a hundred on."""
    if value is None or isinstance(value, str):
        return value or ""
    if float(value).is_integer() or abs(value) >= 100:  # noqa: PLR2004 - as the docstring says
        return f"{value:,.0f}"
    return f"{value:.3g}"


def in_turn(ways: Mapping[str, Callable[[], float]], rounds: int, *, warm_up: int = 1) -> dict[str, list[float]]:
    """Let each way measure itself once a round, all in turn, so that a slow minute is slow for every one of them."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + warm_up):
        for name, way in ways.items():
            value = way()
            if number >= warm_up:
                found[name].append(value)
    return found


def ratio_by_pairs(values: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios round by round: steadier on a busy machine than the ratio of the medians."""
    return statistics.median(a / b for a, b in zip(values, others, strict=True))


def begin() -> None:
    """Let a measurement's output be seen while it runs, and give botocore something to sign with."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_EC2_METADATA_DISABLED="true")
