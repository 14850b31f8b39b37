"""What commands call in AWS, and IAM policies for those who run them: `python -m jitr_cli.permissions FOLDER`.

A test runs the commands and compares what was really called with this table; docs/iam/ holds what it makes.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

# What several commands have in common. Every command with a deployment finds it by its stack's outputs.
_STACK: Final = ("cloudformation:DescribeStacks",)
_RUNNING: Final = (*_STACK, "lambda:GetFunction")
_ROWS: Final = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
_CAS: Final = ("iot:DescribeCACertificate", "iot:ListCACertificates")
_KNOW_CA: Final = (*_RUNNING, *_ROWS, *_CAS)
_CRLS: Final = ("s3:GetObject", "s3:ListBucket")
_CERTIFICATES: Final = ("iot:DescribeCertificate", "iot:ListCertificatesByCA")
_DEVICE: Final = (
    *_KNOW_CA,
    *_CRLS,
    *_CERTIFICATES,
    *("iot:DescribeThing", "iot:ListAttachedPolicies", "iot:ListPrincipalThings", "iot:ListThingPrincipals"),
)
_LETTERS: Final = (
    *_STACK,
    *("sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
)
_JOB: Final = (*_KNOW_CA, *_CERTIFICATES, "sqs:GetQueueAttributes", "sqs:SendMessage", "dynamodb:UpdateItem")
_SWITCH: Final = ("iot:UpdateCertificate", "iot:GetConnection", "iot:DeleteConnection", "dynamodb:UpdateItem")
_ACTIVATE: Final = (
    *_SWITCH,
    *("iot:AddThingToThingGroup", "iot:AttachPolicy", "iot:AttachThingPrincipal", "iot:CreatePolicy"),
    *("iot:CreatePolicyVersion", "iot:CreateThing", "iot:DeletePolicyVersion", "iot:DetachThingPrincipal"),
    *("iot:GetPolicy", "iot:ListPolicyVersions", "iot:UpdateThing"),
)
_LOGS: Final = ("lambda:GetFunctionConfiguration", "logs:FilterLogEvents")
_SCOPES: Final = (*_KNOW_CA, *_CRLS, "s3:PutObject", "dynamodb:UpdateItem", "dynamodb:DeleteItem")
_PRIVATE_CA: Final = (
    "acm-pca:DescribeCertificateAuthority",
    "acm-pca:GetCertificate",
    "acm-pca:GetCertificateAuthorityCertificate",
    "acm-pca:IssueCertificate",
)
_DOCTOR: Final = (
    *_DEVICE,
    *("cloudformation:ListStackResources", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricStatistics"),
    *("dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "events:DescribeRule"),
    *("events:ListTargetsByRule", "iam:SimulatePrincipalPolicy", "iot:DescribeEncryptionConfiguration"),
    *("iot:GetPolicy", "iot:GetTopicRule", "iot:GetV2LoggingOptions", "iot:ListTopicRules"),
    *("lambda:GetAccountSettings", "lambda:GetFunctionConcurrency", "lambda:GetFunctionConfiguration"),
    *("lambda:GetFunctionEventInvokeConfig", "lambda:GetPolicy", "lambda:ListEventSourceMappings"),
    *("logs:DescribeLogGroups", "s3:GetBucketNotification", "s3:GetBucketPublicAccessBlock"),
    *("s3:GetBucketVersioning", "servicequotas:ListAWSDefaultServiceQuotas", "servicequotas:ListServiceQuotas"),
    *("sns:ListSubscriptionsByTopic", "sqs:GetQueueAttributes"),
)
_BEFORE_DEPLOY: Final = (
    *_STACK,
    *("cloudformation:ListStackResources", "dynamodb:DescribeTable", "iot:DescribeCACertificate"),
    *("lambda:GetAccountSettings", "lambda:GetFunctionConcurrency", "s3:ListBucket", "ssm:GetParameter"),
)

# Command → IAM actions; sts:GetCallerIdentity needs no permission.
CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "bulk list": (*_STACK, *_ROWS),
    "bulk status": (*_STACK, *_ROWS),
    "bulk stop": (*_STACK, *_ROWS, "dynamodb:UpdateItem"),
    "bulk resume": _JOB,
    "bulk undo": (*_JOB, *_SWITCH),
    "ca create": (
        *_PRIVATE_CA,
        *("acm-pca:CreateCertificateAuthority", "acm-pca:GetCertificateAuthorityCsr"),
        "acm-pca:ImportCertificateAuthorityCertificate",
    ),
    "ca csr": ("iot:GetRegistrationCode",),
    "ca register": (*_KNOW_CA, *_PRIVATE_CA, "iot:GetRegistrationCode", "iot:RegisterCACertificate"),
    "ca list": _KNOW_CA,
    "ca show": (*_KNOW_CA, "iot:ListCertificatesByCA"),
    "ca adopt": (*_KNOW_CA, *_CRLS, *_CERTIFICATES, "dynamodb:UpdateItem"),
    "ca release": (*_KNOW_CA, *_CERTIFICATES, "dynamodb:UpdateItem"),
    "ca activate": (*_KNOW_CA, "iot:UpdateCACertificate"),
    "ca deactivate": (*_KNOW_CA, "iot:UpdateCACertificate"),
    "ca auto-registration": (*_KNOW_CA, "iot:UpdateCACertificate"),
    "ca hold": (*_KNOW_CA, "dynamodb:UpdateItem"),
    "ca resume": (*_KNOW_CA, "dynamodb:UpdateItem"),
    "ca devices": (*_KNOW_CA, "iot:ListCertificatesByCA"),
    "ca revoke-devices": (*_JOB, *_SWITCH, "iot:ListPrincipalThings", "iot:ListThingPrincipals"),
    "ca delete": (*_KNOW_CA, "iot:ListCertificatesByCA", "iot:DeleteCACertificate"),
    "crl show": ("s3:GetObject",),
    "crl publish": (*_KNOW_CA, *_CRLS, "s3:PutObject"),
    "crl confirm": (*_SCOPES, "lambda:InvokeFunction"),
    "crl forget": _SCOPES,
    "crl reject": (*_SCOPES, *_SWITCH, *_JOB),
    "crl reset": _SCOPES,
    "device create": _PRIVATE_CA,
    "device list": _DEVICE,
    "device explain": (*_DEVICE, *_LETTERS, *_LOGS, "iot:GetConnection", "iot:GetPolicy"),
    "device revoke": (*_DEVICE, *_SWITCH, "acm-pca:RevokeCertificate"),
    "device reinstate": (*_DEVICE, *_ACTIVATE),
    "device rebind": (*_DEVICE, *_ACTIVATE),
    "device import": (*_JOB, *_SWITCH),
    "device allow import": (*_KNOW_CA, "dynamodb:BatchWriteItem"),
    "device allow list": (*_KNOW_CA,),
    "device allow remove": (*_KNOW_CA, "dynamodb:BatchWriteItem"),
    "dlq list": _LETTERS,
    "dlq show": _LETTERS,
    "dlq redrive": (*_LETTERS, *_RUNNING, "lambda:InvokeFunction", "sqs:DeleteMessage", "sqs:SendMessage"),
    "dlq drop": (*_LETTERS, "sqs:DeleteMessage"),
    "policy simulate": ("iot:TestAuthorization",),
    "policy diff": ("iot:GetPolicy",),
    "policy reattach": (*_JOB, "iot:AttachPolicy", "iot:DetachPolicy", "iot:GetPolicy", "iot:ListAttachedPolicies"),
    "doctor": (*_DOCTOR, *_BEFORE_DEPLOY),
}
_READING: Final = (
    *(
        "bulk list",
        "bulk status",
        "ca devices",
        "ca list",
        "ca show",
        "crl show",
        "device allow list",
        "device explain",
    ),
    *("device list", "dlq list", "dlq show", "doctor", "policy diff", "policy simulate"),
)
_OPERATING: Final = (
    *(
        "bulk resume",
        "bulk stop",
        "bulk undo",
        "ca hold",
        "ca resume",
        "ca revoke-devices",
        "crl confirm",
        "crl reject",
    ),
    *("device import", "device rebind", "device reinstate", "device revoke", "dlq drop", "dlq redrive"),
    "policy reattach",
)
_SECURING: Final = (
    *(
        "ca activate",
        "ca adopt",
        "ca auto-registration",
        "ca csr",
        "ca deactivate",
        "ca delete",
        "ca hold",
        "ca register",
    ),
    *(
        "ca release",
        "ca resume",
        "crl confirm",
        "crl forget",
        "crl publish",
        "crl reject",
        "crl reset",
        "device allow import",
    ),
    *("device allow remove", "device revoke"),
)
# Who → the commands that they run. Whoever may not write uses --dry-run of all the others.
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "read-only": _READING,
    "operator": (*_READING, *_OPERATING),
    "security-team": (*_READING, *_SECURING),
    "deploy": ("doctor",),
}
# What a deploy itself does is done by the CDK's own roles.
_CDK_ROLES: Final = "arn:aws:iam::*:role/cdk-hnb659fds-*"
# Where actions can be bound to what belongs to deployments of jitr; all others have resources that nobody can name.
_OWN: Final[Mapping[str, tuple[str, ...]]] = {
    "dynamodb": ("arn:aws:dynamodb:*:*:table/jitr-*-state",),
    "lambda": ("arn:aws:lambda:*:*:function:jitr-*",),
    "logs": ("arn:aws:logs:*:*:log-group:/aws/lambda/jitr-*",),
    "s3": ("arn:aws:s3:::jitr-*-crl-*", "arn:aws:s3:::jitr-*-crl-*/*"),
    "sns": ("arn:aws:sns:*:*:jitr-*",),
    "sqs": ("arn:aws:sqs:*:*:jitr-*",),
    "events": ("arn:aws:events:*:*:rule/jitr-*",),
}
_ANYWHERE: Final = frozenset({"lambda:GetAccountSettings", "lambda:ListEventSourceMappings", "logs:DescribeLogGroups"})


def policy_for(role: str) -> dict[str, Any]:
    """Return the IAM policy of a role in `ROLES`: a statement for each set of resources, actions by the alphabet."""
    actions = {action for command in ROLES[role] for action in CALLS[command]}
    by_resources: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for action in actions:
        own = () if action in _ANYWHERE else _OWN.get(action.partition(":")[0], ())
        by_resources[own or ("*",)].add(action)
    if role == "deploy":
        by_resources[(_CDK_ROLES,)].add("sts:AssumeRole")
    statements = [
        {"Effect": "Allow", "Action": sorted(found), "Resource": list(resources)}
        for resources, found in sorted(by_resources.items())
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def policy_text(role: str) -> str:
    """Return the same as the text of a file."""
    return json.dumps(policy_for(role), indent=2) + "\n"


def main(folder: Path) -> None:
    """Write a file for each role."""
    folder.mkdir(parents=True, exist_ok=True)
    for role in ROLES:
        (folder / f"{role}.json").write_text(policy_text(role), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
