"""Whether what the deployment must not lose is there, and recoverable: state table and CRL bucket; and the stack."""

from __future__ import annotations

from collections.abc import Iterator

from jitr_cli.diagnosis.deployed import Deployed, found_or_none
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, warning


def stack(deployed: Deployed) -> Iterator[Finding]:
    """Look at how the last deploy ended."""
    name = deployed.stack.deployment
    answer = deployed.aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    status = next(each["StackStatus"] for each in answer if each["StackName"] == name)
    if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
        yield ok(f"the last deploy ended well ({status})")
    elif status == "UPDATE_ROLLBACK_COMPLETE":
        yield warning("the last deploy was rolled back: what runs is older than the fleet file", fix="cdk deploy again")
    elif status.endswith("IN_PROGRESS"):
        yield warning(f"a deploy is at work ({status}): look again when it has ended", fix="wait for it")
    else:
        yield error(f"the stack is {status}", fix="docs/runbook.md#a-deploy-that-fails-at-its-policies")


def state_table(deployed: Deployed) -> Iterator[Finding]:
    """Look at the state table: every decision needs it."""
    name = deployed.stack.state_table
    found = found_or_none(deployed.aws.client("dynamodb").describe_table, TableName=name)
    if found is None:
        yield error(
            f"the state table {name} is gone: nothing can be decided",
            fix="docs/runbook.md#the-state-table-is-lost-or-damaged",
        )
        return
    table = found["Table"]
    if table["TableStatus"] not in ("ACTIVE", "UPDATING"):
        yield error(f"the state table {name} is {table['TableStatus']}", fix="wait, or look in the DynamoDB console")
    elif not table.get("DeletionProtectionEnabled"):
        yield warning(f"the state table {name} is not protected against deletion", fix=deployed.restore)
    else:
        yield ok(f"the state table {name} is there, and protected against deletion")


def recovery(deployed: Deployed) -> Iterator[Finding]:
    """Find out whether the state table can be brought back to any second."""
    name = deployed.stack.state_table
    answer = deployed.aws.client("dynamodb").describe_continuous_backups(TableName=name)
    settings = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if settings.get("PointInTimeRecoveryStatus") == "ENABLED":
        yield ok(f"the state table {name} can be restored to any second of the last 35 days")
    else:
        yield error(
            f"the state table {name} cannot be restored: a lost row is a lost revocation",
            fix=f"aws dynamodb update-continuous-backups --table-name {name} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
        )


def crl_bucket(deployed: Deployed) -> Iterator[Finding]:
    """Look at the CRL bucket: versions, closed to the public, and announcing what is put into it."""
    s3, name = deployed.aws.client("s3"), deployed.stack.crl_bucket
    owner = {"Bucket": name, "ExpectedBucketOwner": deployed.account}
    if s3.get_bucket_versioning(**owner).get("Status") != "Enabled":
        yield warning(f"the CRL bucket {name} keeps no versions: what was published when is lost", fix=deployed.restore)
    if "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(**owner):
        yield error(
            f"the CRL bucket {name} does not announce new CRLs: they count at the next sweep, not at once",
            fix=deployed.restore,
        )
    else:
        yield ok(f"the CRL bucket {name} is there and announces new CRLs")
    if not all(s3.get_public_access_block(**owner)["PublicAccessBlockConfiguration"].values()):
        yield warning(f"the CRL bucket {name} may be opened to the public", fix=deployed.restore)


CHECKS = (
    Check("stack", "the last deploy ended well", stack),
    Check("state_table", "the state table is there, and protected", state_table),
    Check("state_recovery", "the state table can be restored", recovery),
    Check("crl_bucket", "the CRL bucket keeps versions and announces new CRLs", crl_bucket),
)
