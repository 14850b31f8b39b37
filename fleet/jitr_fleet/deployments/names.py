"""What deployments, hosts, ports, policies and partitions are called, as patterns."""

from __future__ import annotations

from typing import Final

# AWS's partitions by how their Regions begin (botocore, endpoints.json); every other Region is in `aws`.
_PARTITIONS: Final = {
    "cn-": "aws-cn",
    "eusc-": "aws-eusc",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
}


def partition_of(region: str) -> str:
    """Return the AWS partition of a Region, also of one that is newer than the installed boto3."""
    return next((name for prefix, name in _PARTITIONS.items() if region.startswith(prefix)), "aws")


# A host as crl_hosts and URLs of CRLs name it.
HOST: Final = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+"

# 1 to 65535.
PORT: Final = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"


DEPLOYMENT_NAME: Final = r"[a-z][a-z0-9-]{0,23}"

DEPLOYMENT_NAME_SHAPE: Final = "a lower-case letter, then up to 23 lower-case letters, digits or hyphens"

# AWS IoT's own pattern for policy names (API reference, CreatePolicy), less what the prefix takes.
POLICY_NAME: Final = r"[A-Za-z0-9_+=,.@-]{1,98}"
