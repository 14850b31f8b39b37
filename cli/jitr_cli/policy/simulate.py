"""`jitr policy simulate`: whether a device may do something by its policies, and why.

Exit codes: 0 allowed; 1 denied; 2 the answer depends on what no option says, the policies cannot be evaluated, or AWS
decides otherwise; 64 a question without sense, a file or deployment that is not there; 69 AWS unreachable or refused
(only with --aws).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from jitr.policies.document import PolicyDocument, Statement, parse_document
from jitr.policies.template import device_values_in
from jitr.policies.values import PolicyError
from jitr_cli.console.aws import Aws
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.fleet import deployment_values, fleet_deployment_option, fleet_option, read_deployment
from jitr_cli.console.output import printable, say
from jitr_cli.policy.aws_authorization import AwsAnswer, ask_aws
from jitr_cli.policy.device_facts import device_options, with_client_id
from jitr_cli.policy.template_files import template_file
from jitr_fleet.deployments.names import partition_of
from jitr_fleet.policies.cases.case import policy_of
from jitr_fleet.policies.evaluation.decision import Decision, evaluate
from jitr_fleet.policies.evaluation.facts import DeviceFacts
from jitr_fleet.policies.evaluation.request import (
    EXAMPLE_VALUES,
    AccessRequest,
    unfitting_resource,
    unknown_action,
    values_in,
)
from jitr_fleet.policies.source import read_policy_file


@reading_command("simulate", deployment=fleet_deployment_option)
@click.option(
    "--policy",
    "files",
    required=True,
    multiple=True,
    metavar="NAME|FILE",
    help="a template by name, or a file; repeatable, for a device that has several",
)
@click.option("--action", required=True, metavar="ACTION", help="such as iot:Publish")
@click.option(
    "--resource", metavar="RESOURCE", help="topic/devices/a and so on, or an ARN; iot:Connect takes the client id"
)
@device_options
@fleet_option
@click.option("--aws", "ask", is_flag=True, help="ask AWS too (TestAuthorization), about --certificate")
def command(
    call: Call,
    *,
    facts: DeviceFacts,
    files: tuple[str, ...],
    action: str,
    resource: str | None,
    fleet: Path,
    ask: bool,
) -> ExitCode:
    """Say whether a device may do ACTION on RESOURCE by these policies, and why.

    Account and Region are those of --deployment; else of the ARNs in question or policy; else examples. What no option
    says is not taken for absent: if the answer depends on it, it is undetermined. Exit code: 0 allowed, 1 denied,
    2 undetermined, the policies cannot be evaluated or, with --aws, AWS decides otherwise.
    """
    aws = call.aws if ask else None
    try:
        templates = [_template(template_file(file, _folder(fleet, call.deployment))) for file in files]
        values = _values(fleet, call.deployment, aws) or _values_of(resource, templates)
        request = _request(action, resource, facts, values)
        documents = [_document(template, values, request.facts) for template in templates]
        decision = evaluate(documents, request)
    except PolicyError as error:
        say(f"undetermined: {printable(str(error))}")
        data = {"decision": None, "statement": None, "problem": str(error)}
        return call.finish(data, ExitCode.UNDETERMINED)
    answer = None if aws is None else ask_aws(aws.client("iot"), request, principal=_principal(request.facts, values))
    return call.finish(
        _as_data(decision, request, files, answer),
        _exit_code(decision, answer),
        words=lambda: click.echo("\n".join(map(printable, decision.explanation(files)))),
    )


def _exit_code(decision: Decision, answer: AwsAnswer | None) -> ExitCode:
    """Return how it ends; what leaves it open is said on stderr."""
    if decision.decision is None:
        say(printable(decision.problem))
        return ExitCode.UNDETERMINED
    if answer is not None and (answer.decision is not decision.decision or answer.missing):
        say(_difference(decision, answer))
        return ExitCode.UNDETERMINED
    return ExitCode.DONE if decision.allowed else ExitCode.NO


def _folder(fleet: Path, deployment: str | None) -> Path:
    return read_deployment(fleet, deployment).policies_folder if deployment is not None else fleet.parent / "policies"


def _template(file: Path) -> str:
    source, findings = read_policy_file(file)
    if source is None or findings:
        raise PolicyError("\n".join(map(str, findings)))
    return source.text


def _values(fleet: Path, deployment: str | None, aws: Aws | None) -> dict[str, str] | None:
    """Return account, Region and partition of the deployment named, or of where AWS is asked."""
    if deployment is not None:
        values = deployment_values(read_deployment(fleet, deployment))
        if aws is not None and aws.region != values["region"]:
            raise CommandFailed(f"deployment {deployment} is in {values['region']}, AWS is asked in {aws.region}")
        return values
    if aws is not None:
        return {"account": aws.account(), "region": aws.region, "partition": partition_of(aws.region)}
    return None


def _values_of(resource: str | None, templates: Sequence[str]) -> Mapping[str, str]:
    """Return the account, Region and partition that question or policies name, or else examples."""
    found = values_in([resource or ""]) or values_in(_literal_arns(templates))
    if found is None and any("@{" in template for template in templates):
        say(f"account {EXAMPLE_VALUES['account']} and Region {EXAMPLE_VALUES['region']} are examples; see --deployment")
    return found or EXAMPLE_VALUES


def _literal_arns(templates: Sequence[str]) -> Iterator[str]:
    for template in templates:
        for statement in parse_document(json.loads(template)).statements:
            yield from statement.texts


def _request(action: str, resource: str | None, facts: DeviceFacts, values: Mapping[str, str]) -> AccessRequest:
    """Return the question; one whose answer would say nothing is refused as in cases."""
    try:
        request = AccessRequest.of(action, resource, with_client_id(facts, action, resource), values)
    except PolicyError as error:
        raise CommandFailed(str(error)) from error
    if (wrong := unknown_action(action) or unfitting_resource(request)) is not None:
        raise CommandFailed("; ".join(wrong))
    return request


def _document(template: str, values: Mapping[str, str], facts: DeviceFacts) -> PolicyDocument:
    missing = sorted(device_values_in(template) - facts.device_values().keys())
    if missing:
        raise CommandFailed(f"the template asks for @{{{missing[0]}}}: give --certificate or --thing-name")
    return policy_of(template, values, facts)


def _principal(facts: DeviceFacts, values: Mapping[str, str]) -> str:
    identity = facts.certificate.certificate_id
    if identity is None:
        raise CommandFailed("--aws asks about a certificate: give --certificate")
    return f"arn:{values['partition']}:iot:{values['region']}:{values['account']}:cert/{identity}"


def _difference(decision: Decision, answer: AwsAnswer) -> str:
    policies = ", ".join(answer.policies) or "none"
    missing = f"; AWS had no value for {', '.join(answer.missing)}" if answer.missing else ""
    if answer.decision is decision.decision:
        return printable(f"AWS says {answer.decision} too{missing}: its answer may be another one for a real request")
    return printable(
        f"AWS says {answer.decision} where this computer says {decision.decision}. AWS looked at the policies attached "
        f"to the certificate ({policies}), which may not be these files{missing}"
    )


def _as_data(
    decision: Decision, request: AccessRequest, names: Sequence[str], answer: AwsAnswer | None
) -> dict[str, Any]:
    statement = None
    if decision.statement is not None and decision.policy is not None:
        statement = _statement_as_data(decision.statement, names[decision.policy])
    data: dict[str, Any] = {
        "decision": None if decision.decision is None else decision.decision.value,
        "statement": statement,
        "problem": decision.problem or None,
        "action": request.action,
        "resource": request.resource,
        "client_id": request.facts.client_id,
        "explanation": decision.explanation(names),
        "statements": [
            {**_statement_as_data(each.statement, names[each.policy]), "applies": each.applies, "reason": each.reason}
            for each in decision.results
        ],
        "variables": [{"name": each.name, "value": each.value, "problem": each.problem} for each in decision.variables],
    }
    if answer is not None:
        data["aws"] = {"decision": answer.decision.value, "policies": answer.policies, "missing": answer.missing}
        data["differs"] = answer.decision is not decision.decision
    return data


def _statement_as_data(statement: Statement, name: str) -> dict[str, Any]:
    return {
        "policy": name,
        "path": statement.pointer,
        "index": statement.index,
        "sid": statement.sid,
        "effect": statement.effect.value,
    }
