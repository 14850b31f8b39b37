"""What would make a deploy fail, asked of the account before it begins: nothing of the deployment need be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from jitr.aws.failures import error_code
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, warning
from jitr_cli.diagnosis.watched_aws import WatchedAws
from jitr_fleet.deployments.concurrency import UNRESERVABLE, reserved_by
from jitr_fleet.deployments.deployment import Deployment, FleetCa, Registration

_TAKE_OVER = "--import-existing-resources"
_QUALIFIER = "hnb659fds"
# What the templates of the CDK's version 2 ask for.
_BOOTSTRAP = 6
_GONE = ("ROLLBACK_COMPLETE", "DELETE_COMPLETE", "REVIEW_IN_PROGRESS")
_STUCK = ("ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED", "CREATE_FAILED")
_ABSENT = frozenset({"404", "NoSuchBucket", "ResourceNotFoundException", "ParameterNotFound"})
_SOMEBODY_ELSES = frozenset({"403", "AccessDenied", "301", "PermanentRedirect"})


@dataclass(kw_only=True)
class BeforeDeploy:
    """A deployment as the fleet file wants it, and the account that it is to be made in."""

    aws: WatchedAws
    wanted: Deployment
    account: str

    @cached_property
    def stack_status(self) -> str | None:
        """The stack's status; None where there is none."""
        try:
            found = self.aws.client("cloudformation").describe_stacks(StackName=self.wanted.name)["Stacks"]
        except ClientError as failure:
            # The API has no error of its own for a stack that is not there.
            if error_code(failure) == "ValidationError" and "does not exist" in str(failure):
                return None
            raise
        return str(found[0]["StackStatus"])

    @property
    def is_first(self) -> bool:
        """Say whether the deploy makes everything anew."""
        return self.stack_status is None or self.stack_status in _GONE

    @cached_property
    def own(self) -> frozenset[str]:
        """The physical ids of what the stack has already."""
        if self.is_first:
            return frozenset()
        pages = self.aws.client("cloudformation").get_paginator("list_stack_resources")
        found = pages.paginate(StackName=self.wanted.name)
        return frozenset(
            each["PhysicalResourceId"]
            for page in found
            for each in page["StackResourceSummaries"]
            if "PhysicalResourceId" in each
        )


def place(seen: BeforeDeploy) -> Iterator[Finding]:
    """Compare account and Region with the fleet file's."""
    wanted = seen.wanted
    here = f"account {seen.account}, Region {seen.aws.region}"
    if (seen.account, seen.aws.region) == (wanted.account, wanted.region):
        yield ok(here)
    else:
        yield error(
            f"these are {here}; the fleet file wants account {wanted.account}, Region {wanted.region}",
            fix="--profile NAME, or the account in the fleet file",
        )


def bootstrap(seen: BeforeDeploy) -> Iterator[Finding]:
    """Look whether the CDK's own resources are there."""
    name, fix = f"/cdk-bootstrap/{_QUALIFIER}/version", f"npx cdk bootstrap aws://{seen.account}/{seen.aws.region}"
    try:
        version = int(seen.aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as failure:
        if error_code(failure) not in _ABSENT:
            raise
        yield error("account and Region are not prepared for the CDK", fix=fix)
        return
    if version < _BOOTSTRAP:
        yield error(f"the CDK's own resources are of version {version}, which is too old", fix=fix)
    else:
        yield ok(f"account and Region are prepared for the CDK (version {version})")


def stack(seen: BeforeDeploy) -> Iterator[Finding]:
    """Look at what a deploy of before has left."""
    name, status = seen.wanted.name, seen.stack_status
    if status is None:
        yield ok(f"there is no stack {name} yet")
    elif status in _STUCK:
        fix = f"aws cloudformation delete-stack --stack-name {name}; what is retained is taken over by the next deploy"
        if status.startswith("UPDATE"):
            fix = f"aws cloudformation continue-update-rollback --stack-name {name}"
        yield error(f"the stack {name} is {status}: no deploy goes on from there", fix=fix)
    elif status.endswith("IN_PROGRESS") and status not in _GONE:
        yield error(f"a deploy of {name} is at work ({status})", fix="wait for it")
    elif status in _GONE:
        yield ok(f"the stack {name} is {status}: cdk deploy removes it, and begins anew")
    else:
        yield ok(f"the stack {name} is {status}")


def concurrency(seen: BeforeDeploy) -> Iterator[Finding]:
    """Ask whether AWS Lambda lets the functions reserve what they want to."""
    lambda_ = seen.aws.client("lambda")
    limit = lambda_.get_account_settings()["AccountLimit"]
    held = sum(_reserved(lambda_, name) for name in sorted(seen.own) if name.startswith(f"jitr-{seen.wanted.name}-"))
    yield judge_concurrency(limit, wanted=reserved_by(seen.wanted), held=held)


def judge_concurrency(limit: Mapping[str, Any], *, wanted: int, held: int) -> Finding:
    """Judge an account's limits by what the deploy reserves; `held` of that is its own already."""
    total, free = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"] + held
    if wanted == 0:
        return ok(f"the functions reserve nothing; the account may run {total} at once")
    if free - wanted >= UNRESERVABLE:
        return ok(f"the functions reserve {wanted} of the {free} that are not reserved")
    return error(
        f"the functions reserve {wanted}, and AWS Lambda leaves {UNRESERVABLE} for all others: of {total} there are "
        f"{free} that nobody reserves",
        fix='reserved_concurrency = "off" in the fleet file; or raise the quota (Lambda, Concurrent executions)',
    )


def _reserved(lambda_: Any, name: str) -> int:  # noqa: ANN401 - boto3's client
    try:
        return int(lambda_.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions", 0))
    except ClientError as failure:
        # Not everything of the stack that is called so is a function.
        if error_code(failure) not in _ABSENT:
            raise
        return 0


def names(seen: BeforeDeploy) -> Iterator[Finding]:
    """Look whether state table and CRL bucket are there already, left by a deploy of before or somebody else's."""
    table, bucket = f"jitr-{seen.wanted.name}-state", seen.wanted.crl_bucket
    dynamodb, s3 = seen.aws.client("dynamodb"), seen.aws.client("s3")
    yield _name(seen, "state table", table, lambda: dynamodb.describe_table(TableName=table))
    yield _name(seen, "CRL bucket", bucket, lambda: s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=seen.account))


def _name(seen: BeforeDeploy, kind: str, name: str, look: Any) -> Finding:  # noqa: ANN401 - a call without arguments
    try:
        look()
    except ClientError as failure:
        if error_code(failure) in _ABSENT:
            return ok(f"the {kind} {name} is made by the deploy")
        if error_code(failure) in _SOMEBODY_ELSES and kind == "CRL bucket":
            return error(
                f"the {kind} {name} is there, and is not yours to look at", fix="another name for the deployment"
            )
        raise
    if name in seen.own:
        return ok(f"the {kind} {name} is the stack's")
    return warning(
        f"the {kind} {name} is there already and no stack's: the deploy takes it over, with what is in it",
        fix=f"npx cdk deploy {seen.wanted.name} {_TAKE_OVER}",
    )


def registrations(seen: BeforeDeploy) -> Iterator[Finding]:
    """Look whether AWS IoT knows CAs already that the deploy is to register."""
    known = [ca for ca in seen.wanted.cas if ca.registration is not Registration.EXISTING and ca.ca_certificate_id]
    for ca in known:
        yield _registration(seen, ca)
    if not known:
        yield ok("the deploy registers no CA whose certificate is known by now")


def _registration(seen: BeforeDeploy, ca: FleetCa) -> Finding:
    try:
        seen.aws.client("iot").describe_ca_certificate(certificateId=ca.ca_certificate_id)
    except ClientError as failure:
        if error_code(failure) in _ABSENT:
            return ok(f"CA {ca.name} is registered by the deploy")
        raise
    if ca.ca_certificate_id in seen.own:
        return ok(f"CA {ca.name} is registered by the stack")
    return error(
        f"CA {ca.name} is registered in AWS IoT already: the deploy would fail at it",
        fix='registration = "existing" for it in the fleet file',
    )


CHECKS: tuple[Check[BeforeDeploy], ...] = (
    Check("place", "credentials and Region are those of the fleet file", place),
    Check("bootstrap", "account and Region are prepared for the CDK", bootstrap),
    Check("stack", "no deploy of before is in the way", stack),
    Check("lambda_concurrency", "AWS Lambda lets the functions reserve what they want", concurrency),
    Check("names", "the names of what is kept are free, or taken over", names),
    Check("registrations", "no CA that the deploy registers is registered already", registrations),
)
