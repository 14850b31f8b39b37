"""What one activation costs: AWS calls, cold and warm, and the handler's import beside boto3 + cryptography alone.

Calls are counted on the real use case against the strict AWS IoT of the tests. Imports are timed as whole processes,
in turn with their peer, in this run; medians count. Run it with `make bench`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from moto import mock_aws
from rich.console import Console
from rich.table import Table

from tests.aws_faults import CallLog
from tests.deployment import create_deployment
from tests.fake_iot import QUOTA_LIMITED

ROUNDS = 9
RESULT = Path("build/bench-activation.json")
HANDLER = "import jitr.handlers.activate"
PEER = "import boto3, cryptography.x509"


def count_calls() -> dict[str, Counter[str]]:
    """Return the AWS calls of the first activation in a cold container, and of the next one."""
    with mock_aws():
        deployment = create_deployment()
        log = CallLog(deployment.iot_client, deployment.dynamodb, deployment.s3)
        counted = {}
        for state in ("cold", "warm"):
            log.calls.clear()
            deployment.knock(deployment.ca.issue(f"device-{state}"))
            counted[state] = Counter(log.calls)
    return counted


def import_seconds() -> dict[str, float]:
    """Return the median wall time of a process that imports, less that of one that imports nothing."""
    programs = {"nothing": "pass", "peer": PEER, "handler": HANDLER}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(ROUNDS):
        for name, program in programs.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {name: medians[name] - medians["nothing"] for name in ("peer", "handler")}


def main() -> None:
    """Measure, print a table and write the figures as JSON."""
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    calls, imports = count_calls(), import_seconds()
    table = Table("figure", "value", "beside")
    for state, counted in calls.items():
        limited = sum(counted[name] for name in QUOTA_LIMITED)
        table.add_row(
            f"AWS IoT calls under quota, {state}", str(limited), ", ".join(sorted(QUOTA_LIMITED & set(counted)))
        )
        others = ", ".join(f"{name} {n}" for name, n in sorted(counted.items()) if name not in QUOTA_LIMITED)
        table.add_row(f"other AWS calls, {state}", str(sum(counted.values()) - limited), others)
    ratio = imports["handler"] / imports["peer"]
    table.add_row(
        "import of the handler", f"{imports['handler'] * 1000:.0f} ms", f"{ratio:.2f} times boto3 + cryptography"
    )
    table.add_row("import of boto3 + cryptography", f"{imports['peer'] * 1000:.0f} ms", f"medians of {ROUNDS}, in turn")
    Console().print(table)
    RESULT.parent.mkdir(exist_ok=True)
    figures = {"calls": calls, "import_seconds": imports, "import_ratio": ratio, "rounds": ROUNDS}
    RESULT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    main()
