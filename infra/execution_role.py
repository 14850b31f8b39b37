"""A function's role: starts out with its own log group, and every wildcard is given with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from infra.acknowledgements import acknowledge

_ANY_CERTIFICATE = "Which certificate knocks is known no sooner than it does; ids are fingerprints and share no prefix."
_ANY_CA = "CAs can be adopted at run time, so their ids are not all known at deploy; the call only reads."
_ANY_THING = "Things are named after the devices' certificates, which share no prefix."
_OWN_POLICIES = "Policies are made from the templates when first needed; the prefix is this deployment's own."
_ANY_OF_A_CA = "The API has no resource type to name; the call only lists ids and states."


class ExecutionRole(Construct):
    """A role that Lambda may assume; no managed policy, because AWS's own lets it write to every log group."""

    def __init__(self, scope: Construct, construct_id: str, *, function_name: str, log_group: logs.ILogGroup) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(
            self,
            "Role",
            description=f"Execution role of {function_name}",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        self.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])

    @property
    def policy(self) -> IConstruct:
        """Return what holds the permissions: a resource of its own, which others may have to wait for."""
        return self.role.node.find_child("DefaultPolicy")

    def allow(self, actions: Sequence[str], resources: Sequence[str], *, because: str | None = None) -> None:
        """Allow actions on resources; `because` is the reason why a wildcard in a resource is right."""
        self.role.add_to_principal_policy(iam.PolicyStatement(actions=list(actions), resources=list(resources)))
        if because is not None:
            acknowledge(self.role, {f"AwsSolutions-IAM5[Resource::{resource}]": because for resource in resources})

    def allow_activation(self, *, policies: str) -> None:
        """Allow the AWS IoT calls of an activation; `policies` is the name pattern of the policies it may create.

        AWS evaluates AttachPolicy and AttachThingPrincipal against the certificate, so that IAM cannot say which
        policy or Thing is attached to it (Service Authorization Reference, AWS IoT).
        """
        self.allow(
            ["iot:DescribeCertificate", "iot:UpdateCertificate", "iot:AttachPolicy", "iot:AttachThingPrincipal"],
            [self._iot_arn("cert", "*")],
            because=_ANY_CERTIFICATE,
        )
        self.allow(["iot:DescribeCACertificate"], [self._iot_arn("cacert", "*")], because=_ANY_CA)
        self.allow(["iot:CreatePolicy"], [self._iot_arn("policy", policies)], because=_OWN_POLICIES)
        self.allow(
            ["iot:CreateThing", "iot:DescribeThing", "iot:UpdateThing"],
            [self._iot_arn("thing", "*")],
            because=_ANY_THING,
        )

    def allow_enforcement(self) -> None:
        """Allow the AWS IoT calls of a sweep: to look certificates up and to change their status.

        IAM cannot say which status, so this role could activate too; that only REVOKED and INACTIVE are ever asked for
        is in the code and its tests.
        """
        certificates = [self._iot_arn("cert", "*")]
        self.allow(["iot:DescribeCertificate", "iot:UpdateCertificate"], certificates, because=_ANY_CERTIFICATE)
        self.allow(["iot:DescribeCACertificate"], [self._iot_arn("cacert", "*")], because=_ANY_CA)
        self.allow(["iot:ListCertificatesByCA"], ["*"], because=_ANY_OF_A_CA)

    def _iot_arn(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(service="iot", resource=resource, resource_name=name)
