"""The deployed stack's template, changed by hand: what no fleet file would bring about, CloudFormation still does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jitr_local.stack.emulator import ACCOUNT, REGION
from jitr_local.stack.local_fleet import DEPLOYMENT
from jitr_local.story.observations import eventually
from tests.e2e.conftest import World

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client


def stack_template(world: World) -> dict[str, Any]:
    """The template that the stack has now."""
    formation: CloudFormationClient = world.client("cloudformation")
    found = formation.get_template(StackName=DEPLOYMENT)["TemplateBody"]
    document: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return document


def update(world: World, document: dict[str, Any]) -> tuple[str, list[str]]:
    """Hand CloudFormation a template as `cdk deploy` does; returns how that ended, and why resources failed."""
    formation: CloudFormationClient = world.client("cloudformation")
    # By way of the bucket that `cdk deploy` uses too: as text in the call a template may have 51,200 bytes.
    s3: S3Client = world.client("s3")
    bucket, key = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}", "changed-by-a-test.json"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(document).encode())
    url = f"https://s3.{REGION}.amazonaws.com/{bucket}/{key}"
    formation.update_stack(StackName=DEPLOYMENT, TemplateURL=url, Capabilities=["CAPABILITY_NAMED_IAM"])
    status = eventually(
        lambda: formation.describe_stacks(StackName=DEPLOYMENT)["Stacks"][0]["StackStatus"],
        within=60,
        wanted=lambda seen: not seen.endswith("IN_PROGRESS"),
    )
    events = formation.describe_stack_events(StackName=DEPLOYMENT)["StackEvents"]
    return status, [each["ResourceStatusReason"] for each in events if each["ResourceStatus"] == "UPDATE_FAILED"]
