"""A function of the bundle: its code, its role, its log and how often an asynchronous event is tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from constructs import Construct

from jitr.telemetry.metric_names import NAMESPACE
from jitr_infra.parts.acknowledgements import acknowledge
from jitr_infra.parts.dead_letters import DeadLetters
from jitr_infra.parts.execution_role import ExecutionRole
from jitr_infra.parts.target import Target

MAXIMUM_EVENT_AGE = Duration.hours(6)
RETRIES = 2


@dataclass(frozen=True, kw_only=True)
class FunctionPlan:
    """What one function is; memory in MB, `reserved` None for a function that reserves no concurrent executions.

    No attempt begins with an event that is older than `maximum_event_age`.
    """

    name: str
    description: str
    handler: str
    memory: int
    timeout: Duration
    reserved: int | None
    log_retention_days: int
    maximum_event_age: Duration = MAXIMUM_EVENT_AGE


class BundledFunction(Construct):
    """The function, its log group and a role that starts out with nothing else.

    Tracing is off: X-Ray samples, costs per trace and shows what the structured log says for every event, with the
    certificate's id. The asynchronous settings stand on the unqualified function, which is what rules invoke.
    Without `dead_letters`, whoever invokes it learns by other means that nobody answered.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        plan: FunctionPlan,
        code: lambda_.Code,
        environment: Mapping[str, str],
        dead_letters: DeadLetters | None,
        target: Target,
    ) -> None:
        super().__init__(scope, construct_id)
        log_group = self._log_group(plan)
        self.role = ExecutionRole(self, "Permissions", function_name=plan.name, log_group=log_group)
        if dead_letters is not None:
            dead_letters.grant_send(self.role.role)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=plan.name,
            description=plan.description,
            runtime=target.runtime,
            architecture=target.architecture,
            code=code,
            handler=plan.handler,
            memory_size=plan.memory,
            timeout=plan.timeout,
            role=self.role.role.without_policy_updates(),
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            environment={
                **environment,
                "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
            },
            reserved_concurrent_executions=plan.reserved,
        )
        # Permissions first: an event between the function's creation and its policy's would be refused by AWS.
        self.function.node.add_dependency(self.role.policy)
        lambda_.EventInvokeConfig(
            self,
            "Asynchronous",
            function=self.function,
            max_event_age=plan.maximum_event_age,
            retry_attempts=RETRIES,
            on_failure=None if dead_letters is None else destinations.SqsDestination(dead_letters.queue),
        )
        acknowledge(
            self.function,
            {
                "AwsSolutions-L1": "python3.13 is the runtime that the locked wheels are chosen and tested for; AWS "
                "maintains it."
            },
        )

    def _log_group(self, plan: FunctionPlan) -> logs.LogGroup:
        group = logs.LogGroup(
            self, "Log", log_group_name=f"/aws/lambda/{plan.name}", removal_policy=RemovalPolicy.DESTROY
        )
        cfn = group.node.default_child
        if not isinstance(cfn, logs.CfnLogGroup):
            raise TypeError(cfn)
        cfn.retention_in_days = plan.log_retention_days
        return group
