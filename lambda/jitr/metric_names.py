"""Names of the metrics that the functions write and the alarms watch: written once, used on both sides."""

from __future__ import annotations

from jitr.errors import Outcome

NAMESPACE = "jitr"
DEPLOYMENT_DIMENSION = "deployment"
REASON_DIMENSION = "reason"

# One count per event, by how it ended; dimension: deployment.
OUTCOME_METRICS: dict[Outcome, str] = {
    Outcome.ACTIVATED: "Activated",
    Outcome.ALREADY_DECIDED: "AlreadyDecided",
    Outcome.UNMANAGED_CA: "UnmanagedCa",
    Outcome.REJECTED: "Rejected",
    Outcome.WAITING: "Waiting",
    Outcome.UNDECIDED: "Undecided",
    Outcome.OBSERVED: "Observed",
}

# One count per event that was not activated; dimensions: deployment, reason.
NOT_ACTIVATED = "NotActivated"

# What enforcement writes after each sweep; dimension: deployment.
CRL_AGE_SECONDS = "CrlAgeSeconds"
CRL_LIFE_PASSED = "CrlLifePassed"  # share of the time between thisUpdate and nextUpdate, 0 to 1 and beyond
REVOCATION_SECONDS = "RevocationSeconds"  # from publication in S3 to the last device switched off
SWITCHED_OFF = "SwitchedOff"
VANISHED_FROM_CRL = "VanishedFromCrl"
BRAKED_DEVICES = "BrakedDevices"
SWEEP_FAILED = "SweepFailed"
CA_DAYS_LEFT = "CaDaysLeft"
DRIFTED_POLICIES = "DriftedPolicies"  # shared policies that mean something else than their templates
