"""Findings of the checks that are right and accepted all the same, each with its reason, beside what they concern."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, findings: dict[str, str]) -> None:
    """Accept findings (`AwsSolutions-S1`, `AwsSolutions-IAM5[Resource::…]`) on a construct, with their reasons."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=finding, reason=reason) for finding, reason in findings.items())
    )
