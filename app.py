"""The CDK app: one stack for each deployment of the fleet file.

The fleet file is fleet.toml beside this file, or the one that JITR_FLEET or `-c fleet=PATH` names.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parent
# jsii fills the screen where it meets a Node that it does not support any more; Node 20 still runs everything here.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")


def main() -> int:
    """Synthesise; returns the exit code, 1 for a fleet file with mistakes or a bundle that cannot be built."""
    from aws_cdk import App  # noqa: PLC0415 - after the variables above

    from jitr_fleet.files.mistakes import FleetFileError  # noqa: PLC0415
    from jitr_fleet.fleet_file.reader import read_fleet  # noqa: PLC0415
    from jitr_infra.app import add_checks, add_deployments  # noqa: PLC0415
    from jitr_infra.functions.bundle import BundleError  # noqa: PLC0415

    app = App()
    file = Path(app.node.try_get_context("fleet") or os.environ.get("JITR_FLEET") or CHECKOUT / "fleet.toml")
    try:
        add_deployments(app, read_fleet(file))
        add_checks(app)
        app.synth()
    except (FleetFileError, BundleError) as error:
        sys.stderr.write(f"jitr: nothing was synthesised:\n{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
