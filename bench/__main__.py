"""Every figure of the project in one table, each beside its peer or floor from the same run: `make bench`.

Each measurement is a process of its own, one after the other, and leaves its figures in build/bench-<name>.json;
build/bench.json holds all of them and what they were measured on. Exit code 1 when a measurement failed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

from bench.figures import RESULTS, Figure, machine, result_file, show, title_of

# Name of the measurement, and what runs it; `make bench-crl` and `make bench-storm` take their time for the same.
MEASUREMENTS: dict[str, tuple[str, ...]] = {
    "activation": ("bench.activation",),
    "cold-start": ("bench.cold_start",),
    "cpu": ("bench.cpu",),
    "bundle": ("bench.bundle",),
    "crl": ("bench.crl", "--sizes", "1000000", "--repeat", "3"),
    "storm": ("bench.storm", "--devices", "100", "1000"),
}
# Of a storm's many figures, those that the table shows; build/bench.json has all.
_STORM = re.compile(
    r"storm, (queue|direct \(model\)), 1,000: "
    r"(activated a second|AWS IoT calls per device|throttled calls|time to ACTIVE, p99|lost devices)"
)


def run(name: str) -> list[Figure] | None:
    """Run one measurement and return its figures, or None when it failed, which it has said itself."""
    result_file(name).unlink(missing_ok=True)
    begun = time.monotonic()
    # Its own table would be seen twice; what it says on the way is seen.
    done = subprocess.run([sys.executable, "-m", *MEASUREMENTS[name]], stdout=subprocess.DEVNULL, check=False)
    if done.returncode or not result_file(name).exists():
        print(f"{name} failed with exit code {done.returncode}", file=sys.stderr)
        return None
    print(f"{name} done in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    found: list[Figure] = json.loads(result_file(name).read_text(encoding="utf-8"))
    return found


def is_shown(found: Figure) -> bool:
    """Return whether the table has a line for a figure."""
    return found["bench"] != "storm" or _STORM.fullmatch(found["figure"]) is not None


def main(names: list[str]) -> int:
    """Run the named measurements, or all; write and print what they found."""
    if unknown := sorted(set(names) - set(MEASUREMENTS)):
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 64
    about = machine()
    results = {name: run(name) for name in names or MEASUREMENTS}
    figures = [{"bench": name, **each} for name, found in results.items() for each in found or ()]
    RESULTS.mkdir(exist_ok=True)
    whole = json.dumps({**about, "figures": figures}, indent=1)
    (RESULTS / "bench.json").write_text(whole + "\n", encoding="utf-8")
    show([each for each in figures if is_shown(each)], title_of(about))
    return 1 if None in results.values() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
