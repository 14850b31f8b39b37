"""The table of docs/device-clients.md: one row for each client, and what differs from the committed one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from jitr_local.checkout import CHECKOUT
from jitr_local.clients.runs import Run

PAGE: Final = CHECKOUT / "docs" / "device-clients.md"
HEADINGS: Final = ("client", "version", "gets in", "waits (s)", "MQTT", "chain", "SNI", "what its user sees")
_BEGIN: Final = "<!-- measured: begin -->\n"
_END: Final = "<!-- measured: end -->"
# Waits are by chance, and the machine adds to them; all other cells are the same in every run.
_BY_CHANCE: Final = HEADINGS.index("waits (s)")
_SAME: Final = 0.3
_SHOWN: Final = 4


def row(name: str, version: str, run: Run) -> tuple[str, ...]:
    """Return a client's row."""
    first = run.connects[0] if run.connects else None
    return (
        name,
        version,
        "yes" if run.delivered else "no",
        waits(run.waits),
        ", ".join(dict.fromkeys(each.connect.version for each in run.connects)) or "-",
        "-" if first is None else "leaf and CA" if first.chain > 1 else "leaf",
        "-" if first is None else "yes" if first.server_name else "no",
        words(run.words),
    )


def waits(seconds: Sequence[float]) -> str:
    """Return waits as words: constant ones as one number, else the first of them."""
    if not seconds:
        return "none"
    if len(seconds) > 1 and max(seconds) - min(seconds) <= _SAME * median(seconds):
        return f"{median(seconds):.0f}, constant"
    return ", ".join(f"{each:.1f}".removesuffix(".0") for each in seconds[:_SHOWN])


def words(text: str) -> str:
    """Return what was printed last as a cell, without what differs from run to run."""
    plain = re.sub(r"(device-\d+|0x[0-9a-f]+|/\S*/)", "…", text).replace("|", "/").replace("`", "'")
    return f"`{plain[:120]}`" if plain else "nothing"


def written(rows: Sequence[Sequence[str]]) -> str:
    """Return the table as Markdown."""
    lines = [f"| {' | '.join(cells)} |" for cells in (HEADINGS, ("---",) * len(HEADINGS), *rows)]
    return "\n".join(lines) + "\n"


def committed(page: Path = PAGE) -> dict[str, tuple[str, ...]]:
    """Return the committed rows by client."""
    part = page.read_text(encoding="utf-8").partition(_BEGIN)[2].partition(_END)[0]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in part.splitlines()[2:]]
    return {each[0]: each for each in rows if len(each) == len(HEADINGS)}


def differences(rows: Sequence[tuple[str, ...]], before: dict[str, tuple[str, ...]]) -> list[str]:
    """Return what changed, a sentence each; waits are not compared, since chance makes them."""
    found = []
    for each in rows:
        old = before.get(each[0])
        if old is None:
            found.append(f"{each[0]}: new")
            continue
        found += [
            f"{each[0]}: {heading} was {was}, is {now}"
            for n, (heading, was, now) in enumerate(zip(HEADINGS, old, each, strict=True))
            if was != now and n != _BY_CHANCE
        ]
    return found


def replace(rows: Sequence[Sequence[str]], page: Path = PAGE) -> None:
    """Write the table into the page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    page.write_text(f"{before}{_BEGIN}{written(rows)}{_END}{rest.partition(_END)[2]}", encoding="utf-8")
