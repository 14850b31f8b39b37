"""The topic rule: which events it takes, whom it invokes, and where an event goes that it cannot deliver."""

from __future__ import annotations

from tests.infra.synthesis import ACCOUNT, ACTIVATE, DEAD_LETTERS, NAME, REGION, Synthesis, example_deployment

RULE = "AWS::IoT::TopicRule"


def test_the_rule_takes_registrations_that_wait_for_activation_and_nothing_else(stack: Synthesis) -> None:
    """The SQL is the whole filter, in the SQL version that has the functions it needs."""
    payload = stack.only(RULE)["TopicRulePayload"]
    assert payload["Sql"] == (
        "SELECT *, clientid() AS clientid FROM '$aws/events/certificates/registered/+' "
        "WHERE certificateStatus = 'PENDING_ACTIVATION'"
    )
    assert payload["AwsIotSqlVersion"] == "2016-03-23"
    assert payload["RuleDisabled"] is False


def test_the_rules_name_has_no_hyphen(stack: Synthesis) -> None:
    """AWS IoT refuses hyphens in rule names, deployments have them."""
    assert stack.only(RULE)["RuleName"] == "jitr_prod_eu_registered"
    assert "-" in NAME


def test_the_rule_invokes_the_unqualified_function(stack: Synthesis) -> None:
    """The asynchronous configuration stands on the function itself, so an alias or version would bypass it."""
    (action,) = stack.only(RULE)["TopicRulePayload"]["Actions"]
    function = stack.id_of("AWS::Lambda::Function", FunctionName=ACTIVATE)
    assert action["Lambda"]["FunctionArn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert not stack.resources("AWS::Lambda::Alias")
    assert not stack.resources("AWS::Lambda::Version")


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(stack: Synthesis) -> None:
    """The error action sends to the same queue as the function's on-failure destination."""
    queue = stack.only(RULE)["TopicRulePayload"]["ErrorAction"]["Sqs"]["QueueUrl"]["Ref"]
    function = {"Ref": stack.id_of("AWS::Lambda::Function", FunctionName=ACTIVATE)}
    configuration = stack.only("AWS::Lambda::EventInvokeConfig", FunctionName=function)
    assert queue == stack.id_of("AWS::SQS::Queue", QueueName=DEAD_LETTERS)
    assert configuration["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [queue, "Arn"]}


def test_only_this_rule_of_this_account_may_invoke_the_function(stack: Synthesis) -> None:
    """Without SourceArn and SourceAccount any account's rule could."""
    function = stack.id_of("AWS::Lambda::Function", FunctionName=ACTIVATE)
    permission = stack.only("AWS::Lambda::Permission", FunctionName={"Fn::GetAtt": [function, "Arn"]})
    assert permission["SourceArn"] == f"arn:aws:iot:{REGION}:{ACCOUNT}:rule/{stack.only(RULE)['RuleName']}"
    assert permission["SourceAccount"] == ACCOUNT
    assert permission["Principal"] == "iot.amazonaws.com"
    assert permission["Action"] == "lambda:InvokeFunction"


def test_the_error_actions_role_is_only_for_this_rule(stack: Synthesis) -> None:
    """AWS IoT may assume it on behalf of this rule alone, and may only send."""
    roles = stack.of_type("AWS::IAM::Role")
    (trust,) = [
        statement
        for role in roles
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "iot.amazonaws.com"}
    ]
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert trust["Condition"]["ArnEquals"]["aws:SourceArn"].endswith(":rule/jitr_prod_eu_registered")


def test_the_rule_waits_for_its_permissions(stack: Synthesis) -> None:
    """A rule that is faster loses its first errors, or dead-letters its first events."""
    (rule,) = stack.resources(RULE)
    assert sorted(map(stack.type_of, rule["DependsOn"])) == ["AWS::IAM::Policy", "AWS::Lambda::Permission"]


def test_a_long_deployment_name_still_makes_a_valid_rule() -> None:
    """Rule names hold up to 128 characters of [a-zA-Z0-9_]."""
    from tests.infra.synthesis import synthesise

    stack = synthesise(example_deployment(name="a" * 12 + "-" + "b" * 11, cas=()))
    assert stack.only(RULE)["RuleName"] == f"jitr_{'a' * 12}_{'b' * 11}_registered"
