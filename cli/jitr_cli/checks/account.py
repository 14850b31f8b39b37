"""Whether the account lets the deployment work: quotas, AWS IoT's logging, and the key that its data is under."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from jitr.aws.failures import error_code
from jitr_cli.diagnosis.deployed import Deployed
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, unknown, warning
from jitr_fleet.deployments.concurrency import UNRESERVABLE
from jitr_fleet.deployments.shared_quota import USUAL_TPS, shared_quota_warning

# Service Quotas' own codes of the three calls of one activation; the name finds a quota whose code is another one.
IOT_QUOTAS: Mapping[str, str] = {
    "DescribeCertificate API TPS": "L-FC864907",
    "UpdateCertificate API TPS": "L-77B523DC",
    "AttachPolicy API TPS": "L-CA7D4E3E",
}
_IOT = "iotcore"
_CONCURRENCY_CODE = "L-B99A9384"
_STINGY = 50
# AWS IoT Core developer guide, "AWS IoT log entries".
_REFUSED_CONNECTIONS, _OFF = "Connection.AuthNError", "DISABLED"


def iot_quotas(deployed: Deployed) -> Iterator[Finding]:
    """Compare api_tps of the last deploy with the smallest quota of the calls of an activation."""
    others = {each.deployment: int(each.api_tps) for each in deployed.others}
    quotas, api_tps = _quotas(deployed), int(deployed.stack.api_tps)
    yield from judge_iot(quotas, api_tps=api_tps, others=sum(others.values()))
    lowest = min(quotas.values(), default=USUAL_TPS)
    if told := shared_quota_warning(deployed.stack.deployment, api_tps, others, quota=lowest):
        yield warning(told, fix="divide api_tps between them in the fleet file, and deploy each")


def judge_iot(quotas: Mapping[str, float], *, api_tps: int, others: int = 0) -> Iterator[Finding]:
    """Judge api_tps by the quotas in force, by their names; those that Service Quotas does not tell are unknown.

    `others` is what other deployments here reckon with; that all of them want too much is another finding.
    """
    for name in sorted(set(IOT_QUOTAS) - set(quotas)):
        yield unknown(
            f"Service Quotas does not tell the quota {name!r}", fix="look for it in the Service Quotas console"
        )
    known = {name: quotas[name] for name in IOT_QUOTAS if name in quotas}
    if not known:
        return
    name, lowest = min(known.items(), key=lambda each: each[1])
    told = ", ".join(f"{each.partition(' ')[0]} {value:g}" for each, value in known.items())
    if lowest < api_tps:
        yield error(
            f"the fleet file reckons with api_tps = {api_tps}, AWS allows {lowest:g} a second ({told})",
            fix=f"api_tps = {lowest:g} in the fleet file and a deploy, or aws service-quotas "
            f"request-service-quota-increase --service-code {_IOT} --quota-code {IOT_QUOTAS[name]} "
            f"--desired-value {api_tps}",
        )
    elif lowest > api_tps + others:
        yield warning(
            f"AWS allows {lowest:g} calls a second ({told}), the fleet file uses api_tps = {api_tps} of them",
            fix=f"api_tps = {lowest:g} in the fleet file and a deploy, unless others need the rest; "
            "jitr plan says what it brings",
        )
    elif lowest == api_tps + others or not others:
        yield ok(f"api_tps = {api_tps} is what AWS allows ({told})")


def _quotas(deployed: Deployed) -> dict[str, float]:
    """Return the quotas in force by name; what was never raised is known by its default only (API reference)."""
    client = deployed.aws.client("service-quotas")
    names, found = {code: name for name, code in IOT_QUOTAS.items()}, {}
    for operation in ("list_aws_default_service_quotas", "list_service_quotas"):
        for page in client.get_paginator(operation).paginate(ServiceCode=_IOT):
            for quota in page["Quotas"]:
                name = names.get(quota["QuotaCode"], quota["QuotaName"])
                if name in IOT_QUOTAS:
                    found[name] = float(quota["Value"])
    return found


def concurrency(deployed: Deployed) -> Iterator[Finding]:
    """Look at how many functions may run at once in the account and Region."""
    yield judge_concurrency(deployed.aws.client("lambda").get_account_settings()["AccountLimit"])


def judge_concurrency(limit: Mapping[str, Any]) -> Finding:
    """Judge AWS Lambda's limits of an account."""
    total, left = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    request = (
        "aws service-quotas request-service-quota-increase --service-code lambda "
        f"--quota-code {_CONCURRENCY_CODE} --desired-value 1000"
    )
    if total < UNRESERVABLE:
        return warning(
            f"the account may run {total} functions at once and reserve none, so activation competes with all others",
            fix=f'{request}; until then reserved_concurrency = "off"',
        )
    if left < _STINGY:
        return warning(f"of {total} functions at once {left} are not reserved by anybody", fix=request)
    return ok(f"the account may run {total} functions at once, {left} of them unreserved")


def authentication_log(deployed: Deployed) -> Iterator[Finding]:
    """Look whether AWS IoT writes down why it refuses a connection; the account's setting, and off by default."""
    iot = deployed.aws.client("iot")
    try:
        options = iot.get_v2_logging_options()
    except ClientError as failure:
        # The API's answer where nobody has ever set it up.
        if error_code(failure) != "NotConfiguredException":
            raise
        options = {}
    yield judge_authentication_log(options)


def judge_authentication_log(options: Mapping[str, Any]) -> Finding:
    """Judge AWS IoT's logging options (API reference, GetV2LoggingOptions)."""
    levels = {each.get("eventType"): each.get("logLevel") for each in options.get("eventConfigurations", ())}
    level = levels.get(_REFUSED_CONNECTIONS, _OFF)
    if not options.get("disableAllLogs") and options.get("roleArn") and level != _OFF:
        return ok(f"AWS IoT logs why it refuses a connection ({level})")
    return warning(
        "AWS IoT does not log why it refuses a connection: a device with a wrong certificate leaves no trace",
        fix="docs/doctor.md#why-aws-iot-refuses-a-connection; it is the account's setting, which jitr does not own",
    )


def iot_key(deployed: Deployed) -> Iterator[Finding]:
    """Look whether AWS IoT's data is under a customer managed key, and whether the functions may use it."""
    answer = deployed.aws.client("iot").describe_encryption_configuration()
    if answer.get("encryptionType") != "CUSTOMER_MANAGED_KMS_KEY":
        yield ok("AWS IoT's data is under a key of its own")
        return
    key = answer["kmsKeyArn"]
    role = deployed.present_function(deployed.stack.function)["Role"]
    results = deployed.aws.client("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=["kms:Decrypt"], ResourceArns=[key]
    )["EvaluationResults"]
    yield judge_iot_key(key, allowed=all(each["EvalDecision"] == "allowed" for each in results))


def judge_iot_key(key: str, *, allowed: bool) -> Finding:
    """Judge whether the activation function may use the key that the account's AWS IoT data is under."""
    if allowed:
        return ok(f"the functions may use the key that AWS IoT's data is under ({key})")
    return error(
        f"AWS IoT's data is under {key}, which the functions may not use: AWS IoT refuses their calls",
        fix=f'iot_kms_key = "{key}" in the fleet file, and a deploy; the key\'s policy has to allow the account',
    )


CHECKS = (
    Check("iot_quotas", "AWS IoT's quotas are what the fleet file reckons with", iot_quotas),
    Check("lambda_concurrency", "AWS Lambda leaves the functions room", concurrency),
    Check("iot_key", "the functions may use the key that AWS IoT's data is under", iot_key),
    Check("authentication_log", "AWS IoT logs why it refuses connections", authentication_log),
)
