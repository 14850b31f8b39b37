"""The activation function: decides about one device certificate at a time."""

from __future__ import annotations

from aws_cdk import Annotations, Duration
from constructs import Construct

from jitr.activation.steps import TIME_LIMIT
from jitr.settings import Environment
from jitr_fleet.deployments.deployment import Deployment
from jitr_infra.functions.bundled_function import BundledFunction, FunctionDefinition, FunctionSettings
from jitr_infra.parts.dead_letters import DeadLetters
from jitr_infra.parts.queued_ingestion import QueuedIngestion


class ActivationFunction(BundledFunction):
    """The function that decides.

    Where the topic rule invokes it, its reserved concurrency keeps it inside the AWS IoT quota. Behind a queue it
    reserves none: the mapping's maximum says how many run, and a smaller reserve would only make messages fail.
    """

    DEFINITION = FunctionDefinition(
        name="Activate",
        purpose="Decides whether a device certificate becomes ACTIVE",
        handler="jitr.handlers.activate.handle",
        memory=512,
        sends_itself=True,
        timeout=Duration.seconds(TIME_LIMIT.total_seconds()),
    )

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        settings: FunctionSettings,
        *,
        queue: QueuedIngestion,
        dead_letters: DeadLetters,
    ) -> None:
        deployment = settings.deployment
        own = {"activation_queue": queue.queue.queue_url, "dead_letters": dead_letters.queue.queue_url}
        super().__init__(
            scope,
            construct_id,
            settings.with_environment(Environment.to_environ(own)),
            reserved=None if deployment.queued else deployment.reserved_concurrency,
            dead_letters=dead_letters,
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
