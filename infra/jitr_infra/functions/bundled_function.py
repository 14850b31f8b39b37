"""A function of the bundle: its code, its role, its log and how often an asynchronous event is tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from constructs import Construct

from jitr.telemetry.metric_names import NAMESPACE
from jitr_fleet.deployments.deployment import Deployment
from jitr_infra.parts.acknowledgements import acknowledge
from jitr_infra.parts.build_target import BuildTarget
from jitr_infra.parts.dead_letters import DeadLetters
from jitr_infra.parts.encryption import Encryption
from jitr_infra.parts.execution_role import ExecutionRole

MAXIMUM_EVENT_AGE = Duration.hours(6)
RETRIES = 2


@dataclass(frozen=True, kw_only=True)
class FunctionDefinition:
    """What one function is, the same in each deployment; memory in MB.

    `name` is the last part of its physical name. No attempt begins with an event that is older than
    `maximum_event_age`. `sends_itself` is one that writes into the queue that invokes it: AWS Lambda would stop such a
    chain after some 16 rounds, so the function counts them itself.
    """

    name: str
    purpose: str
    handler: str
    memory: int
    timeout: Duration
    maximum_event_age: Duration = MAXIMUM_EVENT_AGE
    sends_itself: bool = False

    def physical_name(self, deployment: str) -> str:
        """Return what the function is called in AWS Lambda."""
        return f"jitr-{deployment}-{self.name}"


@dataclass(frozen=True, kw_only=True)
class FunctionSettings:
    """What the functions of one deployment have in common; `environment` are the variables that each of them gets."""

    deployment: Deployment
    code: lambda_.Code
    environment: Mapping[str, str]
    target: BuildTarget
    encryption: Encryption = field(default_factory=Encryption)

    def with_environment(self, variables: Mapping[str, str]) -> FunctionSettings:
        """Return the settings of functions that get these variables too."""
        return replace(self, environment={**self.environment, **variables})


class BundledFunction(Construct):
    """The function, its log group and a role that starts out with nothing else.

    Tracing is off: X-Ray samples, costs per trace and shows what the structured log says for every event, with the
    certificate's id. The asynchronous settings stand on the unqualified function, which is what rules invoke.
    Without `dead_letters`, whoever invokes it learns by other means that nobody answered. `reserved` is how many
    concurrent executions it reserves, None for none.
    """

    DEFINITION: ClassVar[FunctionDefinition]

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        settings: FunctionSettings,
        *,
        reserved: int | None = None,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        deployment = settings.deployment
        name = self.DEFINITION.physical_name(deployment.name)
        log_group = self._log_group(name, settings)
        self.role = ExecutionRole(self, "Permissions", function_name=name, log_group=log_group)
        settings.encryption.allow_use(self.role.role, Stack.of(self))
        self.role.allow_using_iot_key(deployment.iot_kms_key)
        if dead_letters is not None:
            dead_letters.grant_send(self.role.role)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=f"{self.DEFINITION.purpose} (deployment {deployment.name})",
            runtime=settings.target.runtime,
            architecture=settings.target.architecture,
            code=settings.code,
            handler=self.DEFINITION.handler,
            memory_size=self.DEFINITION.memory,
            timeout=self.DEFINITION.timeout,
            role=self.role.role.without_policy_updates(),
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            environment={**settings.environment, "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE},
            reserved_concurrent_executions=reserved,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if self.DEFINITION.sends_itself else None,
        )
        self._enter_network(deployment, name)
        # Permissions first: an event between the function's creation and its policies' would be refused by AWS. CDK
        # makes further policies, below the role, of what one cannot hold.
        self.function.node.add_dependency(self.role.role)
        self._set_retries(dead_letters)
        acknowledge(
            self.function,
            {
                "AwsSolutions-L1": "python3.13 is the runtime that the locked wheels are chosen and tested for; AWS "
                "maintains it."
            },
        )

    def _enter_network(self, deployment: Deployment, name: str) -> None:
        """Put the function into the organisation's subnets, where the fleet file names some."""
        if not deployment.vpc_subnets:
            return
        cfn = self.function.node.default_child
        if not isinstance(cfn, lambda_.CfnFunction):
            raise TypeError(cfn)
        cfn.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=list(deployment.vpc_subnets), security_group_ids=list(deployment.vpc_security_groups)
        )
        self.role.allow_network_interfaces(function_name=name)

    def _set_retries(self, dead_letters: DeadLetters | None) -> None:
        lambda_.EventInvokeConfig(
            self,
            "Asynchronous",
            function=self.function,
            max_event_age=self.DEFINITION.maximum_event_age,
            retry_attempts=RETRIES,
            on_failure=None if dead_letters is None else destinations.SqsDestination(dead_letters.queue),
        )

    def _log_group(self, function_name: str, settings: FunctionSettings) -> logs.LogGroup:
        group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{function_name}",
            removal_policy=RemovalPolicy.DESTROY,
            encryption_key=settings.encryption.key,
        )
        cfn = group.node.default_child
        if not isinstance(cfn, logs.CfnLogGroup):
            raise TypeError(cfn)
        cfn.retention_in_days = settings.deployment.log_retention_days
        return group
