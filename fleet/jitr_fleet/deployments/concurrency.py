"""How many functions may be at work at once without leaving their share of the AWS IoT quota."""

from __future__ import annotations

import math

from jitr_fleet.deployments.deployment import Deployment

_WHOLE = 100

# How long one activation takes, with its three limited calls one after the other.
SECONDS_PER_ACTIVATION = 0.5


# Enforcement runs once at a time, so that its pace is the deployment's.
ENFORCEMENTS_AT_ONCE = 1
# Lambda lets nobody reserve what would leave less than this to all others (Lambda developer guide, "Reserved
# concurrency").
UNRESERVABLE = 100


def reserved_by(deployment: Deployment) -> int:
    """Return how many concurrent executions the functions of a deployment reserve of the account's."""
    if deployment.reserved_concurrency is None:
        return 0
    return ENFORCEMENTS_AT_ONCE + (0 if deployment.queued else deployment.reserved_concurrency)


def concurrency_for(api_tps: int, activation_share: int) -> int:
    """Return how many activations may run at once without leaving their share (in percent) of the AWS IoT quota.

    Each activation makes one DescribeCertificate and one UpdateCertificate, the two calls with the lowest quota
    (10 a second by default), and takes about half a second. n at once make n / 0.5 s of each call a second, which
    has to stay within the share: n = api_tps · share · 0.5, so with 60 % 3 for 10 and 30 for 100.
    """
    return max(1, int(api_tps * activation_share * SECONDS_PER_ACTIVATION / _WHOLE))


def queue_concurrency_for(lent_tps: float) -> int:
    """Return how many batches of the activation queue may be at work at once, by all that may be lent to activation.

    Turns in the state table keep them within the quota, not their number. So there are twice as many as could do the
    work if all were always busy: some wait for their turn while others are slow or start cold. Lambda allows 2 to 1000.
    """
    return min(1000, max(2, 2 * math.ceil(lent_tps * SECONDS_PER_ACTIVATION)))
