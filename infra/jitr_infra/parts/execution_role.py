"""A function's role: starts out with its own log group, and every wildcard is given with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from jitr.authorities.signing_terms import END_ENTITY_TEMPLATE, template_arn
from jitr_fleet.deployments.stack_outputs import DEPLOYMENT_TAG
from jitr_infra.parts.acknowledgements import acknowledge

_ANY_CERTIFICATE = "Which certificate knocks is known no sooner than it does; ids are fingerprints and share no prefix."
_ANY_CA = "CAs can be adopted at run time, so their ids are not all known at deploy; the call only reads."
_ANY_THING = "Things are named after the devices' certificates, which share no prefix."
_ANY_CLIENT = "Client ids are the devices' choice; the code ends only what is seen to be a switched-off device's own."
_OWN_POLICIES = "Policies are named after the templates, which come and go; the prefix is this deployment's own."
_DEVICE_POLICIES = "A device's own policy is named after its certificate; the prefix is this deployment's own."
# What makes a policy that exists mean something else.
_POLICY_VERSIONS = ("iot:GetPolicy", "iot:CreatePolicyVersion", "iot:ListPolicyVersions", "iot:DeletePolicyVersion")
# What AWS Lambda asks of the role of a function in a VPC (Lambda developer guide, "Giving Lambda functions access to
# resources in an Amazon VPC").
_NETWORK_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
_ANY_INTERFACE = "AWS Lambda makes the interfaces itself, with names that nobody knows before; the code is denied it."
_ANY_OF_AN_ACCOUNT = "The API has no resource type to name; the code is the account's and Region's."
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

    def allow_device_policies(self, *, policies: str) -> None:
        """Allow what an activation does with a device's own policy; `policies` is the pattern of their names."""
        arns = [self._iot_arn("policy", policies)]
        self.allow(["iot:CreatePolicy", *_POLICY_VERSIONS], arns, because=_DEVICE_POLICIES)

    def allow_observation(self) -> None:
        """Allow the AWS IoT calls of a deployment that only observes: they all read."""
        self.allow(["iot:DescribeCertificate"], [self._iot_arn("cert", "*")], because=_ANY_CERTIFICATE)
        self.allow(["iot:DescribeCACertificate"], [self._iot_arn("cacert", "*")], because=_ANY_CA)

    def allow_grouping(self, *, groups: Sequence[str]) -> None:
        """Allow to put Things into these groups; AWS evaluates the call against both."""
        things = self._iot_arn("thing", "*")
        self.allow(["iot:AddThingToThingGroup"], [things], because=_ANY_THING)
        self.allow(["iot:AddThingToThingGroup"], [self._iot_arn("thinggroup", group) for group in groups])

    def allow_reading_private_ca(self, arn: str) -> None:
        """Allow to read the certificate of one CA in AWS Private CA."""
        self.allow(["acm-pca:GetCertificateAuthorityCertificate"], [arn])

    def allow_proving_private_ca(self, arn: str) -> None:
        """Allow to have one CA sign end entities, and no CAs, and to read the registration code to be signed."""
        self.allow(["iot:GetRegistrationCode"], ["*"], because=_ANY_OF_AN_ACCOUNT)
        self.allow(
            [
                "acm-pca:DescribeCertificateAuthority",
                "acm-pca:GetCertificate",
                "acm-pca:GetCertificateAuthorityCertificate",
            ],
            [arn],
        )
        self.role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["acm-pca:IssueCertificate"],
                resources=[arn],
                conditions={
                    "StringEquals": {"acm-pca:TemplateArn": template_arn(Stack.of(self).partition, END_ENTITY_TEMPLATE)}
                },
            )
        )

    def allow_guarding_cas(self) -> None:
        """Allow to find out whether a CA has ACTIVE devices, and whether the stack is being rolled back."""
        self.allow(["iot:ListCertificatesByCA"], ["*"], because=_ANY_OF_A_CA)
        self.allow(["cloudformation:DescribeStacks"], [Stack.of(self).stack_id])

    def allow_undoing_registrations(self) -> None:
        """Allow to take back CA registrations that carry the deployment's tag, and to find out whose they are.

        Not named one by one: an update that is rolled back has lost the permissions that it brought by then.
        """
        stack = Stack.of(self)
        cas = [self._iot_arn("cacert", "*")]
        self.allow(["iot:DescribeCACertificate"], cas, because=_ANY_CA)
        self.allow(["cloudformation:DescribeStackResource"], [stack.stack_id])
        self.role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["iot:UpdateCACertificate", "iot:DeleteCACertificate"],
                resources=cas,
                conditions={"StringEquals": {f"aws:ResourceTag/{DEPLOYMENT_TAG}": stack.stack_name}},
            )
        )

    def allow_decrypting_crls(self, keys: Sequence[str]) -> None:
        """Allow to read CRLs in other buckets that are encrypted with these keys; through S3 and in no other way."""
        if keys:
            s3 = f"s3.{Stack.of(self).region}.amazonaws.com"
            self.role.add_to_principal_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt"],
                    resources=list(keys),
                    conditions={"StringEquals": {"kms:ViaService": s3}},
                )
            )

    def allow_using_iot_key(self, key: str | None) -> None:
        """Allow what AWS IoT asks of every caller where its data is under a customer managed key.

        AWS IoT Core developer guide, "Data encryption at rest": all calls but List* and Delete* need it.
        """
        if key is not None:
            self.allow(["kms:Decrypt"], [key])

    def allow_network_interfaces(self, *, function_name: str) -> None:
        """Allow AWS Lambda to put the function into a VPC, and not the function's own code to do the same."""
        self.allow(_NETWORK_INTERFACES, ["*"], because=_ANY_INTERFACE)
        arn = Stack.of(self).format_arn(
            service="lambda", resource="function", resource_name=function_name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        self.role.add_to_principal_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=list(_NETWORK_INTERFACES),
                resources=["*"],
                conditions={"ArnEquals": {"lambda:SourceFunctionArn": arn}},
            )
        )

    def allow_roll_out(self, *, policies: str) -> None:
        """Allow a roll-out: policies of this name pattern are created, read and given new versions, never deleted."""
        arns = [self._iot_arn("policy", policies)]
        self.allow(["iot:CreatePolicy", *_POLICY_VERSIONS], arns, because=_OWN_POLICIES)

    def allow_enforcement(self, *, policies: str) -> None:
        """Allow the AWS IoT calls of a scheduled run: to look certificates up and to change their status.

        Policies of this name pattern are read, to compare them with their templates.

        IAM cannot say which status, so this role could activate too; that only REVOKED and INACTIVE are ever asked for
        is in the code and its tests.
        """
        certificates = [self._iot_arn("cert", "*")]
        self.allow(["iot:DescribeCertificate", "iot:UpdateCertificate"], certificates, because=_ANY_CERTIFICATE)
        self.allow(["iot:DescribeCACertificate"], [self._iot_arn("cacert", "*")], because=_ANY_CA)
        self.allow(["iot:ListCertificatesByCA"], ["*"], because=_ANY_OF_A_CA)
        self.allow(["iot:GetPolicy"], [self._iot_arn("policy", policies)], because=_OWN_POLICIES)

    def allow_ending_connections(self) -> None:
        """Allow to end the connection of a device that was switched off, and to find out whose connection it is."""
        self.allow(["iot:GetConnection", "iot:DeleteConnection"], [self._iot_arn("client", "*")], because=_ANY_CLIENT)
        self.allow(["iot:ListThingPrincipals"], [self._iot_arn("thing", "*")], because=_ANY_THING)
        self.allow(["iot:ListPrincipalThings"], [self._iot_arn("cert", "*")], because=_ANY_CERTIFICATE)

    def allow_bulk_work(self, *, policies: str) -> None:
        """Allow the AWS IoT calls of bulk work; policies of this name pattern are read only.

        AWS evaluates AttachPolicy and DetachPolicy against the certificate, so that IAM cannot say which policy; the
        function attaches only what the deployment's templates make.
        """
        self.allow(
            ["iot:DescribeCertificate", "iot:UpdateCertificate", "iot:AttachPolicy", "iot:DetachPolicy"],
            [self._iot_arn("cert", "*")],
            because=_ANY_CERTIFICATE,
        )
        self.allow(["iot:DescribeCACertificate"], [self._iot_arn("cacert", "*")], because=_ANY_CA)
        self.allow(["iot:ListCertificatesByCA"], ["*"], because=_ANY_OF_A_CA)
        self.allow(["iot:GetPolicy"], [self._iot_arn("policy", policies)], because=_OWN_POLICIES)

    def _iot_arn(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(service="iot", resource=resource, resource_name=name)
