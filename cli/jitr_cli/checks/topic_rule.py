"""Whether registration events reach the deployment, and no other code that would act on them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jitr_cli.diagnosis.deployed import Deployed
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, warning
from jitr_fleet.deployments.registration_topic import EARLIER_SQL, SQL, SQL_VERSION, TOPIC

_RULE_FAILURE = "docs/runbook/alarms.md#rule-failure"
# What these actions run may be code that activates; all others only store or forward to what stores.
_RUNS_CODE = frozenset({"lambda", "stepFunctions", "sqs", "sns", "http", "republish", "kinesis", "kafka", "iotEvents"})
_FROM = re.compile(r"\bFROM\s+'([^']*)'", re.IGNORECASE)
_ANY_PRINCIPAL = ("*", {"AWS": "*"})
_IOT = "iot.amazonaws.com"


def rule_enabled(deployed: Deployed) -> Iterator[Finding]:
    """Find out whether the topic rule is there, and switched on."""
    name = deployed.stack.rule
    if deployed.rule is None:
        yield error(f"the topic rule {name} is gone: no event reaches the function", fix=deployed.restore)
    elif deployed.rule.get("ruleDisabled"):
        yield error(
            f"the topic rule {name} is disabled: devices register and are never activated",
            fix=f"aws iot enable-topic-rule --rule-name {name}",
        )
    else:
        yield ok(f"the topic rule {name} is enabled")


def rule_sql(deployed: Deployed) -> Iterator[Finding]:
    """Compare the rule's statement with the one that the stack deploys."""
    rule = deployed.present_rule()
    if rule.get("sql") in EARLIER_SQL:
        yield warning(
            "the rule's statement is that of an earlier version: it does not say which client ids devices connect by",
            fix="cdk deploy",
        )
    elif rule.get("sql") != SQL or rule.get("awsIotSqlVersion", SQL_VERSION) != SQL_VERSION:
        yield error(f"somebody changed the statement of the rule: {rule.get('sql')}", fix=deployed.restore)
    else:
        yield ok("the rule's statement is the deployed one")


def rule_target(deployed: Deployed) -> Iterator[Finding]:
    """Compare where the rule sends events with where the deployment waits for them."""
    actions = deployed.present_rule().get("actions", [])
    if deployed.queued:
        found = [action["sqs"]["queueUrl"] for action in actions if "sqs" in action]
        wanted, name = deployed.stack.activation_queue, "the activation queue"
    else:
        found = [action["lambda"]["functionArn"] for action in actions if "lambda" in action]
        wanted, name = deployed.present_function(deployed.stack.function)["FunctionArn"], deployed.stack.function
    if wanted not in found:
        yield error(f"the rule does not send events to {name}", fix=deployed.restore)
    elif len(actions) > 1:
        others = ", ".join(sorted(kind for action in actions for kind in action))
        yield warning(f"the rule sends events to {name}, and has other actions besides: {others}", fix=deployed.restore)
    else:
        yield ok(f"the rule sends events to {name}")


def rule_error_action(deployed: Deployed) -> Iterator[Finding]:
    """Find out where events end that the rule cannot deliver."""
    action = (deployed.present_rule().get("errorAction") or {}).get("sqs") or {}
    if action.get("queueUrl") == deployed.stack.dead_letter_queue:
        yield ok("what the rule cannot deliver goes to the dead-letter queue")
    else:
        yield error("what the rule cannot deliver is lost: it has no dead-letter queue", fix=deployed.restore)


def rule_permission(deployed: Deployed) -> Iterator[Finding]:
    """Find out whether the rule may deliver, and whether others may invoke the function."""
    rule = deployed.present_rule()
    policy = deployed.function_policy(deployed.stack.function)
    statements = json.loads(policy)["Statement"] if policy else []
    if deployed.queued:
        role = next((action["sqs"]["roleArn"] for action in rule.get("actions", []) if "sqs" in action), None)
        yield from may_send(role, deployed.queue(deployed.stack.activation_queue)["QueueArn"], deployed)
    else:
        yield may_invoke(statements, rule["ruleArn"], deployed)
    for each in statements:
        if _lets_others_in(each, rule["ruleArn"]):
            sid = each.get("Sid", "")
            yield error(
                f"statement {sid!r} of the function's policy lets others invoke it",
                fix=f"aws lambda remove-permission --function-name {deployed.stack.function} --statement-id '{sid}'",
            )
    role = ((rule.get("errorAction") or {}).get("sqs") or {}).get("roleArn")
    yield from may_send(role, deployed.queue(deployed.stack.dead_letter_queue)["QueueArn"], deployed)


def may_invoke(statements: Sequence[Mapping[str, Any]], rule_arn: str, deployed: Deployed) -> Finding:
    """Judge whether the function's resource policy lets the rule in, and only that of this account."""
    named = [each for each in statements if _names(each, rule_arn)]
    if not named:
        return error("the rule may not invoke the function: its events end as rule failures", fix=_RULE_FAILURE)
    if not any(_condition(each, "aws:sourceaccount") == deployed.account for each in named):
        return warning("the rule's permission names no account: another's rule could use it", fix=deployed.restore)
    return ok("the rule may invoke the function")


def _names(statement: Mapping[str, Any], rule_arn: str) -> bool:
    return _service(statement) == _IOT and _condition(statement, "aws:sourcearn") == rule_arn


def _lets_others_in(statement: Mapping[str, Any], rule_arn: str) -> bool:
    """Return whether a statement is about more than the rule: any of AWS IoT's, or the whole world."""
    if statement.get("Effect") != "Allow" or _names(statement, rule_arn):
        return False
    public = statement.get("Principal") in _ANY_PRINCIPAL and not statement.get("Condition")
    return public or _service(statement) == _IOT


def may_send(role: str | None, queue: str, deployed: Deployed) -> Iterator[Finding]:
    """Ask IAM whether a role of the rule may send to a queue; the queue's own policy is not simulated."""
    name = queue.rpartition(":")[2]
    if role is None:
        yield error(f"the rule has no role to send to {name} with", fix=deployed.restore)
        return
    answer = deployed.aws.client("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["sqs:SendMessage"], ResourceArns=[queue]
    )
    if all(each["EvalDecision"] == "allowed" for each in answer["EvaluationResults"]):
        yield ok(f"the rule may send to {name}")
    else:
        yield error(f"the rule's role may not send to {name}", fix=deployed.restore)


def other_rules(deployed: Deployed) -> Iterator[Finding]:
    """Look for rules that get registration events too, and run something that may activate past the check."""
    found = False
    for listed in deployed.rules:
        name = listed["ruleName"]
        if name == deployed.stack.rule or listed.get("ruleDisabled") or not _may_match(listed.get("topicPattern")):
            continue
        rule = deployed.rule_named(name)
        kinds = sorted(kind for action in rule.get("actions", []) for kind in action if kind in _RUNS_CODE)
        if not kinds or not _may_match(_pattern(rule)) or _is_ours(rule, deployed) or name in deployed.accepted_rules:
            continue
        found = True
        yield other_rule(name, kinds, observes=deployed.observes)
    if not found:
        yield ok("no other rule hands registration events to anything that could activate")


def other_rule(name: str, kinds: list[str], *, observes: bool) -> Finding:
    """Judge one such rule; a deployment that only observes stands beside another handler on purpose."""
    listed = ", ".join(kinds)
    if observes:
        return ok(f"the rule {name} gets registration events too ({listed}); this deployment only observes")
    return error(
        f"the rule {name} hands registration events to something else ({listed}), which may activate devices past "
        "every check",
        fix=f"aws iot disable-topic-rule --rule-name {name}; if it activates nothing: --accept-rule {name}",
    )


def matches_registration(pattern: str) -> bool:
    """Return whether a topic filter gets registration events of any CA.

    A filter that begins with a wildcard gets no topic that begins with `$` (MQTT 5.0, section 4.7.2).
    """
    wanted, levels = TOPIC.split("/"), pattern.split("/")
    if levels[0] in ("+", "#"):
        return False
    for number, level in enumerate(levels):
        if level == "#":
            return True
        # The last level is the CA's id: a filter that names one gets the events of that one.
        if number >= len(wanted) or (number < len(wanted) - 1 and level not in ("+", wanted[number])):
            return False
    return len(levels) == len(wanted)


def _may_match(pattern: str | None) -> bool:
    """Return whether a filter may get registration events; one that is not known may."""
    return pattern is None or matches_registration(pattern)


def _pattern(rule: Mapping[str, Any]) -> str | None:
    found = _FROM.search(rule.get("sql", ""))
    return found[1] if found else None


def _is_ours(rule: Mapping[str, Any], deployed: Deployed) -> bool:
    """Return whether a rule belongs to another deployment here: it decides about CAs of its own only."""
    targets = {target for each in deployed.others for target in deployed.targets_of(each)}
    sent_to = [_sent_to(action) for action in rule.get("actions", []) if set(action) & _RUNS_CODE]
    return bool(sent_to) and targets.issuperset(sent_to)


def _sent_to(action: Mapping[str, Any]) -> str | None:
    """Return the function or queue that an action hands events to, None for anything else."""
    found = action.get("lambda", {}).get("functionArn") or action.get("sqs", {}).get("queueUrl")
    return None if found is None else str(found)


def _service(statement: Mapping[str, Any]) -> object:
    principal = statement.get("Principal")
    return principal.get("Service") if isinstance(principal, dict) else principal


def _condition(statement: Mapping[str, Any], name: str) -> object:
    """Return what a statement asks of a global condition key, whose case does not matter."""
    for values in statement.get("Condition", {}).values():
        for key, value in values.items():
            if key.lower() == name:
                return value
    return None


CHECKS = (
    Check("rule_enabled", "the topic rule is there and switched on", rule_enabled),
    Check("rule_sql", "its statement is the deployed one", rule_sql),
    Check("rule_target", "it sends events to the live function or queue, and nowhere else", rule_target),
    Check("rule_error_action", "what it cannot deliver goes to the dead-letter queue", rule_error_action),
    Check("rule_permission", "it may deliver, and nobody else may", rule_permission),
    Check("other_rules", "no other rule gets registration events and may activate past the check", other_rules),
)
