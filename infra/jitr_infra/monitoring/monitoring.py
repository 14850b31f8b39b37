"""Everything that looks at a deployment: alarms, the page that shows them, saved queries."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from jitr_fleet.deployments.deployment import Deployment
from jitr_infra.functions.activation_function import ActivationFunction
from jitr_infra.functions.bulk_service import BulkService
from jitr_infra.functions.enforcement_function import EnforcementFunction
from jitr_infra.monitoring.alarms import Alarms
from jitr_infra.monitoring.bulk_alarms import BulkAlarms
from jitr_infra.monitoring.dashboard import Dashboard, DashboardSources
from jitr_infra.monitoring.enforcement_alarms import EnforcementAlarms
from jitr_infra.monitoring.log_queries import LogQueries
from jitr_infra.parts.dead_letters import DeadLetters


@dataclass(frozen=True, kw_only=True)
class MonitoredParts:
    """What is looked at; `queue` is None where the rule invokes the function itself."""

    rule_name: str
    activate: ActivationFunction
    queue: sqs.IQueue | None
    dead_letters: DeadLetters
    enforce: EnforcementFunction
    enforcement_dead_letters: DeadLetters
    bulk: BulkService


def monitor(stack: Stack, *, deployment: Deployment, parts: MonitoredParts) -> sns.ITopic:
    """Add alarms, dashboard and queries to a stack, and return the topic that the alarms speak to."""
    alarms = Alarms(stack, "Alarms", deployment=deployment.name, email=deployment.alarm_email)
    alarms.watch_dead_letters(parts.dead_letters.queue)
    alarms.watch_rule(parts.rule_name)
    alarms.watch_outcomes()
    alarms.watch_function(parts.activate.function, parts.queue)
    alarms.watch_waiting(parts.activate.function, parts.queue)
    alarms.watch_throttling()
    alarms.watch_recursion([each.function for each in (parts.activate, parts.enforce, parts.bulk.function)])
    enforcement = EnforcementAlarms(stack, "EnforcementAlarms", deployment=deployment, topic=alarms.topic)
    enforcement.watch_function(parts.enforce.function)
    enforcement.watch_dead_letters(parts.enforcement_dead_letters.queue)
    enforcement.watch_sweeps()
    enforcement.watch_passes()
    enforcement.watch_policies()
    enforcement.watch_cas()
    bulk = BulkAlarms(stack, "BulkAlarms", deployment=deployment.name, topic=alarms.topic)
    bulk.watch_work(parts.bulk.work.queue)
    bulk.watch_jobs()
    bulk.watch_dead_letters(parts.bulk.dead_letters.queue)
    watched = DashboardSources(
        activation=parts.activate.function,
        enforcement=parts.enforce.function,
        bulk=parts.bulk.function.function,
        queue=parts.queue,
        dead_letters={
            "activation": parts.dead_letters.queue,
            "enforcement": parts.enforcement_dead_letters.queue,
            "bulk work": parts.bulk.dead_letters.queue,
        },
        bulk_work=parts.bulk.work.queue,
        enforcement_period=enforcement.period,
        late_after=enforcement.late_after,
    )
    Dashboard(stack, "Dashboard", deployment=deployment.name, watched=watched)
    groups = [f"/aws/lambda/{each.function_name}" for each in watched.functions.values()]
    LogQueries(stack, "LogQueries", deployment=deployment.name, groups=groups)
    return alarms.topic
