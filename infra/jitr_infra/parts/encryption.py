"""What the deployment's own data is encrypted with: AWS's keys, or one that the organisation manages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from jitr_fleet.deployments.deployment import Deployment

# Each new data key is a request that has a price.
_DATA_KEY_REUSE = Duration.hours(1)
_READ = ("kms:Decrypt", "kms:DescribeKey")
# What DynamoDB, S3 and SQS ask for on behalf of whoever writes (their developer guides, "Encryption at rest").
_WRITE = (
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
_STORES = ("dynamodb", "s3", "sqs")


@dataclass(frozen=True, kw_only=True)
class Encryption:
    """The key of bucket, table, queues and logs; None: those of the services, which cost nothing.

    The key's own policy is the organisation's: it has to let CloudWatch Logs and EventBridge use it
    (docs/fleet-file.md).
    """

    key: kms.IKey | None = None

    @classmethod
    def of(cls, scope: Construct, deployment: Deployment) -> Encryption:
        """Return what the fleet file says."""
        arn = deployment.kms_key
        return cls(key=None if arn is None else kms.Key.from_key_arn(scope, "CustomerKey", arn))

    @property
    def of_queue(self) -> dict[str, Any]:
        """Return a queue's options."""
        if self.key is None:
            return {"encryption": sqs.QueueEncryption.SQS_MANAGED}
        return {
            "encryption": sqs.QueueEncryption.KMS,
            "encryption_master_key": self.key,
            "data_key_reuse": _DATA_KEY_REUSE,
        }

    @property
    def of_bucket(self) -> dict[str, Any]:
        """Return a bucket's options; with a bucket key, or every CRL that is read would be a request to AWS KMS."""
        if self.key is None:
            return {"encryption": s3.BucketEncryption.S3_MANAGED}
        return {"encryption": s3.BucketEncryption.KMS, "encryption_key": self.key, "bucket_key_enabled": True}

    @property
    def of_table(self) -> dict[str, Any]:
        """Return a table's options."""
        if self.key is None:
            return {"encryption": dynamodb.TableEncryption.DEFAULT}
        return {"encryption": dynamodb.TableEncryption.CUSTOMER_MANAGED, "encryption_key": self.key}

    def allow_use(self, grantee: iam.IGrantable, stack: Stack) -> None:
        """Allow a function's role to use the key through the stores that it works with, and in no other way."""
        self._allow(grantee, (*_READ, *_WRITE), [f"{store}.{stack.region}.amazonaws.com" for store in _STORES])

    def allow_sending(self, grantee: iam.IGrantable, stack: Stack) -> None:
        """Allow whoever sends into a queue what SQS asks for on its behalf."""
        self._allow(grantee, ("kms:Decrypt", "kms:GenerateDataKey"), [f"sqs.{stack.region}.amazonaws.com"])

    def _allow(self, grantee: iam.IGrantable, actions: tuple[str, ...], services: list[str]) -> None:
        if self.key is not None:
            grantee.grant_principal.add_to_principal_policy(
                iam.PolicyStatement(
                    actions=list(actions),
                    resources=[self.key.key_arn],
                    conditions={"StringEquals": {"kms:ViaService": services}},
                )
            )
