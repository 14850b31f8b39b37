"""All checks, in the order in which they are made: what everything else rests on comes first."""

from __future__ import annotations

from typing import Final

from jitr_cli.checks import (
    account,
    alarms,
    authorities,
    crls,
    functions,
    policies,
    queues,
    stores,
    this_computer,
    topic_rule,
)
from jitr_cli.diagnosis.deployed import Deployed
from jitr_cli.diagnosis.finding import Check

CHECKS: Final[tuple[Check[Deployed], ...]] = (
    *this_computer.CHECKS,
    *stores.CHECKS,
    *topic_rule.CHECKS,
    *functions.CHECKS,
    *authorities.CHECKS,
    *crls.CHECKS,
    *policies.CHECKS,
    *account.CHECKS,
    *queues.CHECKS,
    *alarms.CHECKS,
)
