"""The topic rule: every registration event becomes an asynchronous invocation of the function, or a message for it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_iot as iot
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IDependable

from jitr_fleet.deployments.registration_topic import SQL, SQL_VERSION
from jitr_infra.parts.dead_letters import DeadLetters
from jitr_infra.parts.queued_ingestion import QueuedIngestion


class RegistrationRule(Construct):
    """The rule, what only this rule of this account may do with its target, and a role for its error action.

    With `queue` events are sent to it, and no rule may invoke the function. The error action runs when that, or the
    invocation, fails; what the function raises goes to its own destination.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        rule_name: str,
        function: lambda_.IFunction,
        queue: QueuedIngestion | None,
        dead_letters: DeadLetters,
    ) -> None:
        super().__init__(scope, construct_id)
        self.rule_name = rule_name
        self._arn = Stack.of(self).format_arn(service="iot", resource="rule", resource_name=rule_name)
        error_role = self._role("ErrorActionRole", "send what it could not deliver to the dead-letter queue")
        dead_letters.grant_send(error_role)
        if queue is None:
            action, permitted = self._invocation(function)
        else:
            action, permitted = self._message(queue)
        self.rule = iot.CfnTopicRule(
            self,
            "Rule",
            rule_name=rule_name,
            topic_rule_payload=iot.CfnTopicRule.TopicRulePayloadProperty(
                description="Certificates that registered themselves and wait for activation",
                sql=SQL,
                aws_iot_sql_version=SQL_VERSION,
                rule_disabled=False,
                actions=[action],
                error_action=iot.CfnTopicRule.ActionProperty(
                    sqs=iot.CfnTopicRule.SqsActionProperty(
                        queue_url=dead_letters.queue.queue_url, role_arn=error_role.role_arn, use_base64=False
                    )
                ),
            ),
        )
        # What the rule needs comes first, also where a deploy switches its target: until then events go the old way.
        self.rule.node.add_dependency(error_role.node.find_child("DefaultPolicy"), permitted)

    def _invocation(self, function: lambda_.IFunction) -> tuple[iot.CfnTopicRule.ActionProperty, IDependable]:
        """Return the action that invokes the function, and the permission for it."""
        permission = lambda_.CfnPermission(
            self,
            "InvokePermission",
            action="lambda:InvokeFunction",
            function_name=function.function_arn,
            principal="iot.amazonaws.com",
            source_account=Stack.of(self).account,
            source_arn=self._arn,
        )
        action = iot.CfnTopicRule.LambdaActionProperty(function_arn=function.function_arn)
        return iot.CfnTopicRule.ActionProperty(lambda_=action), permission

    def _message(self, queue: QueuedIngestion) -> tuple[iot.CfnTopicRule.ActionProperty, IDependable]:
        """Return the action that sends events to the queue, and the policy of the role for it."""
        role = self._role("QueueActionRole", "send registration events to the activation queue")
        queue.grant_send(role)
        action = iot.CfnTopicRule.SqsActionProperty(
            queue_url=queue.queue.queue_url, role_arn=role.role_arn, use_base64=False
        )
        return iot.CfnTopicRule.ActionProperty(sqs=action), role.node.find_child("DefaultPolicy")

    def _role(self, construct_id: str, purpose: str) -> iam.Role:
        """Return a role that AWS IoT may assume on behalf of this rule alone."""
        conditions = {
            "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
            "ArnEquals": {"aws:SourceArn": self._arn},
        }
        return iam.Role(
            self,
            construct_id,
            description=f"Lets the topic rule {self.rule_name} {purpose}",
            assumed_by=iam.ServicePrincipal("iot.amazonaws.com", conditions=conditions),
        )
