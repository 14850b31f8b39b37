"""The CDK app: one stack for each deployment of the fleet file.

The fleet file is fleet.toml beside this file, or the one that JITR_FLEET or `-c fleet=PATH` names.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jitr_infra.program import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).with_name("fleet.toml")))
