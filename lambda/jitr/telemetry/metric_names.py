"""Names of the metrics that the functions write and the alarms watch: written once, used on both sides."""

from __future__ import annotations

from jitr.errors import Outcome

NAMESPACE = "jitr"
DEPLOYMENT_DIMENSION = "deployment"
REASON_DIMENSION = "reason"
CA_DIMENSION = "ca"

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

# From a certificate's registration, its first connect, to ACTIVE; dimension: deployment.
ACTIVATION_SECONDS = "ActivationSeconds"

# 1 with each undecided event that AWS IoT's throttling held up, 0 with each other, another service's throttling
# included; dimension: deployment.
UNDECIDED_THROTTLED = "UndecidedThrottled"

# How long ago an event was published that was undecided or put back just now; dimension: deployment. No queue knows it:
# a copy's age begins anew, and SQS leaves out messages that were received three times.
EVENT_AGE_SECONDS = "EventAgeSeconds"

# Devices that were activated, and whose policy lets none connect by the client id that they use; dimension: deployment.
CLIENT_ID_REFUSED = "ClientIdRefused"

# Connections of switched-off devices that were ended; every function that switches off; dimension: deployment.
CONNECTIONS_ENDED = "ConnectionsEnded"

# Events that went back to the activation queue untried: back-pressure, not a failure; dimension: deployment.
PUT_BACK = "PutBack"

# Requests to AWS IoT, repeated ones too, and those of them that it throttled; every function; dimension: deployment.
IOT_REQUESTS = "IotRequests"
THROTTLED_REQUESTS = "ThrottledRequests"

# What enforcement writes after each sweep; dimension: deployment. The first two, SweepFailed and CaDaysLeft also by CA
# (deployment, ca), for alarms that speak for each CA by itself.
CRL_AGE_SECONDS = "CrlAgeSeconds"
CRL_LIFE_PASSED = "CrlLifePassed"  # share of the time between thisUpdate and nextUpdate, 0 to 1 and beyond
REVOCATION_SECONDS = "RevocationSeconds"  # from publication in S3 to the last device switched off
SWITCHED_OFF = "SwitchedOff"
VANISHED_FROM_CRL = "VanishedFromCrl"
BRAKED_DEVICES = "BrakedDevices"
SWEEP_FAILED = "SweepFailed"
CA_DAYS_LEFT = "CaDaysLeft"
DRIFTED_POLICIES = "DriftedPolicies"  # shared policies that mean something else than their templates

# Jobs of bulk work that should go on, and nobody has been at work on for two hours, or that went round without an end
# within the last day; dimension: deployment. Written by enforcement, because what does not run cannot say so.
BULK_JOBS_STILL = "BulkJobsStill"

# What the passes over all certificates write, by CA too (deployment, ca): how long ago the last complete one ended, and
# what the current or the last one found, whichever is more.
KNOWN_AGE_SECONDS = "KnownCertificatesAgeSeconds"
UNKNOWN_AGE_SECONDS = "UnknownCertificatesAgeSeconds"
SWITCHED_OFF_AGAIN = "SwitchedOffAgain"  # off here, ACTIVE in AWS IoT: switched off again
BRAKED_AGAIN = "BrakedAgain"  # those of them that only went INACTIVE, because there were too many
UNCOVERED_CERTIFICATES = "UncoveredCertificates"  # ACTIVE ones that no CRL in use speaks for
UNREADABLE_CERTIFICATES = "UnreadableCertificates"  # ones that no CRL reaches, because they cannot be read
