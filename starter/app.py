"""The CDK app: one stack for each deployment of fleet.toml."""

import sys
from pathlib import Path

from jitr_infra.program import main

sys.exit(main(Path(__file__).with_name("fleet.toml")))
