"""A whole CDK app in one call: reads a fleet file, adds its stacks and checks, synthesises."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from jitr_fleet.files.extras import add, extra_of
from jitr_fleet.files.mistakes import FleetFileError
from jitr_fleet.fleet_file.reader import read_fleet


def main(fleet: Path) -> int:
    """Synthesise a fleet file, unless JITR_FLEET or `-c fleet=PATH` names another one.

    Returns the exit code: 1 for a fleet file with mistakes, a bundle that cannot be built, or without the extra cdk.
    """
    # jsii fills the screen where it meets a Node that it does not support any more; Node 20 still runs everything here.
    os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
    os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
    try:
        return _synthesise(fleet)
    except ModuleNotFoundError as error:
        if (extra := extra_of(error.name)) is None:
            raise
        sys.stderr.write(f"jitr: nothing was synthesised: this needs the extra {extra}; add it with: {add(extra)}\n")
        return 1


def _synthesise(fleet: Path) -> int:
    from aws_cdk import App  # noqa: PLC0415 - after the variables above, and an extra

    from jitr_infra.app import add_checks, add_deployments  # noqa: PLC0415
    from jitr_infra.functions.bundle import BundleError  # noqa: PLC0415

    app = App()
    named = app.node.try_get_context("fleet") or os.environ.get("JITR_FLEET")
    try:
        add_deployments(app, read_fleet(Path(named) if named else fleet))
        add_checks(app)
        app.synth()
    except (FleetFileError, BundleError) as error:
        sys.stderr.write(f"jitr: nothing was synthesised:\n{error}\n")
        return 1
    except RuntimeError as error:
        # What jsii makes of CDK's own.
        if not str(error).startswith("ValidationFailed"):
            raise
        found = "\n".join(_violations(Path(app.outdir) / "validation-report.json"))
        sys.stderr.write(f"jitr: nothing may be deployed:\n{found}\n")
        return 1
    return 0


def _violations(report: Path) -> Iterator[str]:
    """Yield what checks found, and how to mend it; CDK's own table is wide, and not printed everywhere."""
    for plugin in json.loads(report.read_text(encoding="utf-8"))["pluginReports"]:
        for each in plugin["violations"] if plugin["conclusion"] == "failure" else ():
            fix = each.get("suggestedFix")
            yield f"{each['description']} ({each['ruleName']})" + (f". {fix}" if fix else "")
