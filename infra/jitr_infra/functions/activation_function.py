"""The activation function: decides about one device certificate at a time."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Annotations, Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from jitr.activation.steps import TIME_LIMIT
from jitr.settings import Environment
from jitr_fleet.deployments.deployment import Deployment
from jitr_infra.functions.bundled_function import BundledFunction, FunctionPlan
from jitr_infra.parts.activation_queue import ActivationQueue
from jitr_infra.parts.dead_letters import DeadLetters
from jitr_infra.parts.target import Target

HANDLER = "jitr.handlers.activate.handle"
MEMORY_MB = 512
TIMEOUT = Duration.seconds(TIME_LIMIT.total_seconds())
FUNCTION_NAME = "jitr-{deployment}-Activate"


class ActivationFunction(BundledFunction):
    """The function that decides.

    Where the topic rule invokes it, its reserved concurrency keeps it inside the AWS IoT quota. Behind a queue it
    reserves none: the mapping's maximum says how many run, and a smaller reserve would only make messages fail.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deployment: Deployment,
        code: lambda_.Code,
        environment: Mapping[str, str],
        queue: ActivationQueue,
        dead_letters: DeadLetters,
        target: Target,
    ) -> None:
        own = {"activation_queue": queue.queue.queue_url, "dead_letters": dead_letters.queue.queue_url}
        plan = FunctionPlan(
            name=FUNCTION_NAME.format(deployment=deployment.name),
            description=f"Decides whether a device certificate becomes ACTIVE (deployment {deployment.name})",
            handler=HANDLER,
            memory=MEMORY_MB,
            timeout=TIMEOUT,
            reserved=None if deployment.queued else deployment.reserved_concurrency,
            log_retention_days=deployment.log_retention_days,
        )
        super().__init__(
            scope,
            construct_id,
            plan=plan,
            code=code,
            environment={**environment, **Environment.to_environ(own)},
            dead_letters=dead_letters,
            target=target,
        )
        queue.feed(self.function, self.role)
        self._explain_concurrency(deployment)

    def _explain_concurrency(self, deployment: Deployment) -> None:
        if deployment.reserved_concurrency is None or deployment.queued:
            return
        Annotations.of(self).add_info(
            f"{deployment.name}: activation reserves {deployment.reserved_concurrency} of the account's concurrent "
            f"executions, so that it stays inside the AWS IoT quota (api_tps = {deployment.api_tps}), and enforcement "
            "one more. Lambda leaves at least 100 unreserved; an account whose limit is 10, as new ones have, can "
            "reserve none and the deploy fails with 'decreases account's UnreservedConcurrentExecution below its "
            'minimum value\'. Then set reserved_concurrency = "off" in the fleet file, or ask Service Quotas for more '
            "concurrent executions."
        )
