"""The state table: registry rows, accepted CRL versions, adopted CAs, operator holds."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from jitr_infra.parts.encryption import Encryption


class StateStorage(Construct):
    """One table with text keys `pk` and `sk`, on demand, recoverable to any second, never deleted with the stack.

    Encrypted with a key that DynamoDB owns unless the fleet file names one: ids, states and times, but no secrets and
    no personal data are in it, and a customer key adds a cost and a way to lose the table. Nothing expires: a
    revocation must be remembered. The name is fixed, so that a deploy after a destroy can take the retained table back.
    """

    def __init__(self, scope: Construct, construct_id: str, *, table_name: str, encryption: Encryption) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            table_name=table_name,
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            **encryption.of_table,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def grant_observation(self, grantee: iam.IGrantable) -> None:
        """Allow to read single items, and nothing else."""
        self._grant(grantee, "GetItem")

    def grant_activation(self, grantee: iam.IGrantable) -> None:
        """Allow what an activation does to single items: no scans, no deletes."""
        self._grant(grantee, "GetItem", "UpdateItem")

    def grant_enforcement(self, grantee: iam.IGrantable) -> None:
        """Allow what a sweep does: the same to single items, and reading the rows of many serials and all CAs."""
        self._grant(grantee, "GetItem", "UpdateItem", "BatchGetItem", "Query")

    def _grant(self, grantee: iam.IGrantable, *calls: str) -> None:
        actions = [f"dynamodb:{call}" for call in calls]
        grantee.grant_principal.add_to_principal_policy(
            iam.PolicyStatement(actions=actions, resources=[self.table.table_arn])
        )
