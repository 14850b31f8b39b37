"""What the topic rule listens to: infra deploys it, and the command line looks whether it still is so."""

from __future__ import annotations

from typing import Final

TOPIC: Final = "$aws/events/certificates/registered/+"
# AWS publishes the same topic for other changes of a certificate; only these ask for a decision.
# clientid() is the one that the device wanted to connect by: whom to disconnect, should it be revoked later.
SQL: Final = (
    "SELECT *, clientid() AS clientid FROM '$aws/events/certificates/registered/+' "
    "WHERE certificateStatus = 'PENDING_ACTIVATION'"
)
# What earlier versions deployed, and what the function takes as well: without clientid() no client id is known.
EARLIER_SQL: Final = (
    "SELECT * FROM '$aws/events/certificates/registered/+' WHERE certificateStatus = 'PENDING_ACTIVATION'",
)
SQL_VERSION: Final = "2016-03-23"
