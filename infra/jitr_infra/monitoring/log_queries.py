"""Saved queries for CloudWatch Logs Insights: what the person on call would otherwise type at 3 a.m."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import dedent

from aws_cdk import aws_logs as logs
from constructs import Construct

FOLDER = "jitr/{deployment}"
# The field names are those that jitr.telemetry writes.
QUERIES: Mapping[str, str] = {
    "one device": """
        fields @timestamp, @log, outcome, reason, step, message
        | filter certificate_id = "put the certificate id here"
        | sort @timestamp asc
        | limit 1000""",
    "not decided, by reason": """
        filter outcome = "undecided"
        | stats count(*) as events, count_distinct(certificate_id) as devices, latest(message) as example
            by reason, ca_certificate_id
        | sort events desc""",
    "throttled, by operation": """
        filter ispresent(throttled.DescribeCertificate) or ispresent(throttled.UpdateCertificate)
            or ispresent(throttled.AttachPolicy)
        | stats sum(throttled.DescribeCertificate) as DescribeCertificate,
            sum(throttled.UpdateCertificate) as UpdateCertificate, sum(throttled.AttachPolicy) as AttachPolicy
            by bin(5m)""",
    "slowest activations": """
        filter outcome = "activated"
        | fields @timestamp, certificate_id, waited_seconds
        | sort waited_seconds desc
        | limit 50""",
}


class LogQueries(Construct):
    """The queries over the logs of some functions; they cost nothing until one is run."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: str, groups: Sequence[str]) -> None:
        super().__init__(scope, construct_id)
        for name, query in QUERIES.items():
            logs.CfnQueryDefinition(
                self,
                "".join(part.capitalize() for part in name.replace(",", "").split()),
                name=f"{FOLDER.format(deployment=deployment)}/{name}",
                query_string=dedent(query).strip(),
                log_group_names=list(groups),
            )
