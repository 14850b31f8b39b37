"""The topic rule: every registration event becomes one asynchronous invocation of the activation function."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_iot as iot
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.dead_letters import DeadLetters

# AWS publishes the same topic for other changes of a certificate; only these ask for a decision.
SQL = "SELECT * FROM '$aws/events/certificates/registered/+' WHERE certificateStatus = 'PENDING_ACTIVATION'"
SQL_VERSION = "2016-03-23"


class RegistrationRule(Construct):
    """The rule, the permission that only this rule of this account has, and a role for its error action.

    The error action runs when the invocation itself fails; what the function raises goes to its own destination.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        rule_name: str,
        function: lambda_.IFunction,
        dead_letters: DeadLetters,
    ) -> None:
        super().__init__(scope, construct_id)
        account = Stack.of(self).account
        self.rule_name = rule_name
        rule_arn = Stack.of(self).format_arn(service="iot", resource="rule", resource_name=rule_name)
        role = iam.Role(
            self,
            "ErrorActionRole",
            description=f"Lets the topic rule {rule_name} send what it could not deliver to the dead-letter queue",
            assumed_by=iam.ServicePrincipal(
                "iot.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": account}, "ArnEquals": {"aws:SourceArn": rule_arn}},
            ),
        )
        dead_letters.grant_send(role)
        self.rule = iot.CfnTopicRule(
            self,
            "Rule",
            rule_name=rule_name,
            topic_rule_payload=iot.CfnTopicRule.TopicRulePayloadProperty(
                description="Certificates that registered themselves and wait for activation",
                sql=SQL,
                aws_iot_sql_version=SQL_VERSION,
                rule_disabled=False,
                actions=[
                    iot.CfnTopicRule.ActionProperty(
                        lambda_=iot.CfnTopicRule.LambdaActionProperty(function_arn=function.function_arn)
                    )
                ],
                error_action=iot.CfnTopicRule.ActionProperty(
                    sqs=iot.CfnTopicRule.SqsActionProperty(
                        queue_url=dead_letters.queue.queue_url, role_arn=role.role_arn, use_base64=False
                    )
                ),
            ),
        )
        # The role's policy is a resource of its own; without it the first errors would be lost.
        self.rule.node.add_dependency(role.node.find_child("DefaultPolicy"))
        self.permission = lambda_.CfnPermission(
            self,
            "InvokePermission",
            action="lambda:InvokeFunction",
            function_name=function.function_arn,
            principal="iot.amazonaws.com",
            source_account=account,
            source_arn=self.rule.attr_arn,
        )
