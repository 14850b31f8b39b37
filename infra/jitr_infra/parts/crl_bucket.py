"""The CRL bucket: where CRLs are published, which roles may do so, and where enforcement keeps its copies."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from jitr.enforcement.copies import GIVEN_UP, PREFIX
from jitr_fleet.deployments.deployment import Deployment, NewPrivateCa
from jitr_infra.parts.acknowledgements import acknowledge
from jitr_infra.parts.encryption import Encryption
from jitr_infra.parts.execution_role import ExecutionRole

OLD_VERSIONS_KEPT = Duration.days(90)


class CrlBucket(Construct):
    """A private, versioned bucket, TLS only, never deleted with the stack.

    Whatever is written belongs to the bucket's account from then on (no ACLs). The name is fixed, so that a deploy
    after a destroy can take the retained bucket back. Every new object is announced on the account's event bus.

    AWS Private CA hands an object over by its ACL, so beside a CA that the stack creates the bucket has ACLs, of
    which blocking public access leaves nothing but that. Publishers of other accounts would then own what they write.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        deployment: Deployment,
        *,
        encryption: Encryption,
    ) -> None:
        super().__init__(scope, construct_id)
        self._encryption = encryption
        self.name = deployment.crl_bucket
        private_cas = any(isinstance(ca.private_ca, NewPrivateCa) for ca in deployment.cas)
        self.bucket = self._bucket(with_acls=private_cas)
        self._announce()
        acknowledge(
            self.bucket,
            {
                "AwsSolutions-S1": "CRLs are public by nature and signed; versions keep what was published when, and "
                "CloudTrail data events say who, without a second bucket for access logs."
            },
        )
        if private_cas:
            self._let_private_cas_write()
        for publisher in deployment.crl_publishers:
            self._let_publish(publisher)

    def _bucket(self, *, with_acls: bool) -> s3.Bucket:
        return s3.Bucket(
            self,
            "Bucket",
            bucket_name=self.name,
            versioned=True,
            **self._encryption.of_bucket,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED
            if with_acls
            else s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=[
                s3.LifecycleRule(
                    noncurrent_version_expiration=OLD_VERSIONS_KEPT,
                    # What is left of an object of which nothing but "it was removed" is there any more.
                    expired_object_delete_marker=True,
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                ),
                # Never by age alone: enforcement tags what no CRL's state names any more.
                s3.LifecycleRule(prefix=PREFIX, tag_filters=dict(GIVEN_UP), expiration=Duration.days(1)),
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _let_publish(self, publisher: str) -> None:
        """Let a role write CRLs; reading and listing too, for it compares with what is there before it replaces it."""
        for actions, resource in (
            (["s3:GetObject", "s3:PutObject"], self.bucket.arn_for_objects("*")),
            (["s3:ListBucket"], self.bucket.bucket_arn),
        ):
            self.bucket.add_to_resource_policy(
                iam.PolicyStatement(principals=[iam.ArnPrincipal(publisher)], actions=actions, resources=[resource])
            )

    def _let_private_cas_write(self) -> None:
        """Allow what AWS Private CA asks for, to CAs of this account and Region.

        A CA's own ARN cannot be named: AWS looks for the permission when it creates the CA. AWS Private CA User Guide,
        "Access policies for CRLs in Amazon S3".
        """
        stack = Stack.of(self)
        authorities = stack.format_arn(service="acm-pca", resource="certificate-authority", resource_name="*")
        for actions, resource in (
            (["s3:PutObject", "s3:PutObjectAcl"], self.bucket.arn_for_objects("*")),
            (["s3:GetBucketAcl", "s3:GetBucketLocation"], self.bucket.bucket_arn),
        ):
            self.bucket.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("acm-pca.amazonaws.com")],
                    actions=actions,
                    resources=[resource],
                    conditions={
                        "StringEquals": {"aws:SourceAccount": stack.account},
                        "ArnLike": {"aws:SourceArn": authorities},
                    },
                )
            )

    def _announce(self) -> None:
        """Send events to EventBridge; CDK's own option for it brings a function and a role with wide permissions."""
        cfn = self.bucket.node.default_child
        if not isinstance(cfn, s3.CfnBucket):
            raise TypeError(cfn)
        cfn.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )

    def reserve_copies(self, role: ExecutionRole) -> None:
        """Let this role alone, whatever the permissions of others, write the copies of enforced CRLs.

        It tags those that no CRL's state names any more, for the bucket's lifecycle to remove.

        Deleting them stays possible: without a copy the next sweep looks at every entry. aws:PrincipalArn is the role's
        ARN for its sessions too (IAM User Guide, global condition keys).
        """
        copies = f"{self._arn}/{PREFIX}*"
        role.allow(
            ["s3:PutObject", "s3:PutObjectTagging"],
            [copies],
            because="One copy for each CRL that was enforced, named by its hash.",
        )
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject", "s3:PutObjectTagging"],
                resources=[copies],
                conditions={"ArnNotEquals": {"aws:PrincipalArn": role.role.role_arn}},
            )
        )

    @property
    def _arn(self) -> str:
        return Stack.of(self).format_arn(service="s3", region="", account="", resource=self.name)

    def grant_read(self, role: ExecutionRole) -> None:
        """Allow reading any key, and listing: without it S3 calls a missing key forbidden instead of missing."""
        role.allow(["s3:ListBucket"], [self._arn])
        role.allow(
            ["s3:GetObject"], [f"{self._arn}/*"], because="A CA may be adopted with a CRL under any key of this bucket."
        )
