"""What the topic rule listens to: infra deploys it, and the command line looks whether it still is so."""

from __future__ import annotations

from typing import Final

TOPIC: Final = "$aws/events/certificates/registered/+"
# AWS publishes the same topic for other changes of a certificate; only these ask for a decision.
SQL: Final = "SELECT * FROM '$aws/events/certificates/registered/+' WHERE certificateStatus = 'PENDING_ACTIVATION'"
SQL_VERSION: Final = "2016-03-23"
