"""What `cdk destroy` leaves can be taken back: table, bucket and CA are retained, and a new deploy goes over them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from jitr_local.device.reference_device import RunResult
from tests.e2e.conftest import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.e2e
STATE_TABLE = "jitr-local-state"


def test_a_deploy_over_what_destroy_left_takes_new_devices_again(world: World) -> None:
    """After destroy the table's rows, the CRL and the CA are there; a deploy that imports them works as before.

    The emulator imports the table, but refuses a bucket that exists: the test removes that by hand and publishes anew.
    """
    before = world.factory.make("before-destroy-1")
    assert world.connect(before).result is RunResult.DELIVERED
    rows = state_rows(world)
    assert rows
    world.stack.destroy()
    s3: S3Client = world.client("s3")
    assert s3.head_object(Bucket=world.instance.crl_bucket, Key=world.factory.crl_key)["ContentLength"] > 0
    iot: IoTClient = world.client("iot")
    ca = iot.describe_ca_certificate(certificateId=world.factory.authority.ca_certificate_id)
    assert ca["certificateDescription"]["status"] == "ACTIVE"
    remove_bucket(world)
    existing = [dataclasses.replace(each, registration="existing") for each in world.cas]
    world.stack.deploy(existing, "--import-existing-resources")
    assert state_rows(world) == rows
    world.factory.publish_crl(world.instance, number=20)
    assert world.connect(world.factory.make("after-destroy-1")).result is RunResult.DELIVERED
    assert world.connect(before).result is RunResult.DELIVERED


def state_rows(world: World) -> list[str]:
    """The keys of the state table's rows, in order."""
    dynamodb: DynamoDBClient = world.client("dynamodb")
    pages = dynamodb.get_paginator("scan").paginate(TableName=STATE_TABLE)
    return sorted(str((item["pk"], item["sk"])) for page in pages for item in page["Items"])


def remove_bucket(world: World) -> None:
    """Delete the CRL bucket with every version in it."""
    s3: S3Client = world.client("s3")
    bucket = world.instance.crl_bucket
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=bucket)
