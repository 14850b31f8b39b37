"""What one activation asks of AWS, cold and warm: the calls under the small quotas, and the others.

Counted on the real use case against the strict AWS IoT of the tests. The peer is the field's usual handler (Describe,
CreatePolicy, AttachPolicy, UpdateCertificate); the floor is what no activation can do without (Describe, AttachPolicy,
UpdateCertificate). The calls beside the quota-limited ones are what the CRL, the registry and the Thing take.
"""

from __future__ import annotations

from collections import Counter

from moto import mock_aws

from bench.figures import Figure, begin, figure, write
from tests.aws.aws_faults import CallLog
from tests.aws.fake_iot import QUOTA_LIMITED
from tests.worlds.deployment import create_deployment

USUAL, LEAST = 4, 3


def count_calls() -> dict[str, Counter[str]]:
    """Return the AWS calls of the first activation in a cold container, and of the next one."""
    with mock_aws():
        deployment = create_deployment()
        log = CallLog(deployment.iot_client, deployment.dynamodb, deployment.s3)
        counted = {}
        for state in ("cold", "warm"):
            log.calls.clear()
            deployment.knock(deployment.ca.issue(f"device-{state}"))
            counted[state] = Counter(log.calls)
    return counted


def figures(counted: dict[str, Counter[str]]) -> list[Figure]:
    """Return two figures for each state of the container."""
    found = []
    for state, calls in counted.items():
        limited = sum(calls[name] for name in QUOTA_LIMITED)
        found.append(
            figure(
                f"AWS IoT calls under quota, {state}",
                limited,
                "calls",
                peer=USUAL,
                floor=LEAST,
                beside=", ".join(sorted(QUOTA_LIMITED & set(calls))),
                promise="= 3 calls" if state == "warm" else "",
            )
        )
        others = ", ".join(f"{name} {number}" for name, number in sorted(calls.items()) if name not in QUOTA_LIMITED)
        found.append(figure(f"other AWS calls, {state}", calls.total() - limited, "calls", beside=others))
    return found


def main() -> None:
    """Count, print and write the figures."""
    begin()
    write("activation", figures(count_calls()))


if __name__ == "__main__":
    main()
