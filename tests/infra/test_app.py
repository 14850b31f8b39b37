"""app.py as the CDK command line runs it: which stacks, which fleet file, and what a wrong one says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from jitr_fleet.deployments.stack_outputs import NO_HOSTS, StackOutputs
from jitr_fleet.deployments.versions import own_version
from tests.infra.synthesis import (
    ACTIVATE,
    BUCKET,
    BULK,
    BULK_DEAD_LETTERS,
    BULK_WORK,
    CHECKOUT,
    DEAD_LETTERS,
    ENFORCE,
    ENFORCEMENT_DEAD_LETTERS,
    NAME,
    PREFIX,
    WITHOUT_BUNDLES,
    Json,
    Synthesis,
    example_deployment,
    feature_flags,
    synthesise,
)

NAMES = (
    "FunctionName",
    "QueueName",
    "TableName",
    "BucketName",
    "TopicName",
    "AlarmName",
    "LogGroupName",
    "Name",
    "DashboardName",
)

FLEET = """
[deployments.prod-eu]
account = "111122223333"
region = "eu-west-1"
policies = "{policies}"

[deployments.test]
account = "444455556666"
region = "eu-central-1"
policies = "{policies}"
"""


def run_app(folder: Path, *, context: Json, fleet: Path | None) -> subprocess.CompletedProcess[str]:
    """Run app.py from a foreign folder as the CDK command line does, without the function's code."""
    told = feature_flags() | WITHOUT_BUNDLES | context
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JITR_", "CDK_"))}
    environment |= {"CDK_CONTEXT_JSON": json.dumps(told), "CDK_OUTDIR": str(folder / "out")}
    if fleet is not None:
        environment["JITR_FLEET"] = str(fleet)
    program = [sys.executable, str(CHECKOUT / "app.py")]
    return subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def stacks(folder: Path) -> dict[str, str]:
    """Return the synthesised stacks and their environments."""
    manifest = json.loads((folder / "out" / "manifest.json").read_text(encoding="utf-8"))
    return {
        artifact["displayName"]: artifact["environment"]
        for artifact in manifest["artifacts"].values()
        if artifact["type"] == "aws:cloudformation:stack"
    }


def test_the_shipped_fleet_file_synthesises_as_it_stands(tmp_path: Path) -> None:
    """A placeholder account, no CAs; nothing is printed but the note on reserved concurrency."""
    result = run_app(tmp_path, context={}, fleet=None)
    assert result.returncode == 0, result.stderr
    assert stacks(tmp_path) == {"example": "aws://111122223333/eu-west-1"}
    assert result.stdout == ""


def test_each_deployment_is_a_top_level_stack_named_after_it(tmp_path: Path) -> None:
    """`cdk deploy prod-eu -c fleet=PATH` then needs no more; account and Region are the fleet file's."""
    fleet = tmp_path / "mine.toml"
    fleet.write_text(FLEET.format(policies=CHECKOUT / "policies"), encoding="utf-8")
    result = run_app(tmp_path, context={"fleet": "mine.toml"}, fleet=Path("/nowhere"))
    assert result.returncode == 0, result.stderr
    assert stacks(tmp_path) == {
        "prod-eu": "aws://111122223333/eu-west-1",
        "test": "aws://444455556666/eu-central-1",
    }


def test_a_wrong_fleet_file_stops_with_words_not_with_a_traceback(tmp_path: Path) -> None:
    """File, key, what was found, what is allowed; nothing is synthesised."""
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[deployments.prod-eu]\naccount = "1"\nregon = "eu-west-1"\n', encoding="utf-8")
    result = run_app(tmp_path, context={}, fleet=fleet)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert f'{fleet}:2: deployments.prod-eu.account: found "1"; expected: 12 digits in quotes' in result.stderr
    assert "deployments.prod-eu.regon: unknown key; did you mean region?" in result.stderr
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_the_stack_says_what_the_command_line_reads(stack: Synthesis) -> None:
    """The outputs are exactly the fields, and reading them gives the deployment back."""
    outputs = {key: output["Value"] for key, output in stack.document["Outputs"].items()}
    resolved = {
        key: stack.type_of(value["Ref"]) if isinstance(value, dict) else value for key, value in outputs.items()
    }
    assert StackOutputs.from_outputs(resolved) == StackOutputs(
        deployment=NAME,
        function="AWS::Lambda::Function",
        enforcement_function="AWS::Lambda::Function",
        state_table="AWS::DynamoDB::Table",
        crl_bucket="AWS::S3::Bucket",
        activation_queue="AWS::SQS::Queue",
        ingestion="direct",
        dead_letter_queue="AWS::SQS::Queue",
        enforcement_dead_letter_queue="AWS::SQS::Queue",
        bulk_function="AWS::Lambda::Function",
        bulk_queue="AWS::SQS::Queue",
        bulk_dead_letter_queue="AWS::SQS::Queue",
        alarm_topic="AWS::SNS::Topic",
        rule="jitr_prod_eu_registered",
        policies="default",
        crl_hosts="crl.example.com",
        bulk_tps="0.98",
        api_tps="10",
        mode="activate",
        version=own_version(),
    )
    assert len(outputs) == len(StackOutputs.__dataclass_fields__)


def test_each_output_is_that_of_its_own_function(stack: Synthesis) -> None:
    """Several functions and queues: types alone would not tell them apart."""
    outputs = {key: output["Value"] for key, output in stack.document["Outputs"].items()}
    function, queue = "AWS::Lambda::Function", "AWS::SQS::Queue"
    assert outputs["Function"] == {"Ref": stack.id_of(function, FunctionName=ACTIVATE)}
    assert outputs["EnforcementFunction"] == {"Ref": stack.id_of(function, FunctionName=ENFORCE)}
    assert outputs["DeadLetterQueue"] == {"Ref": stack.id_of(queue, QueueName=DEAD_LETTERS)}
    assert outputs["EnforcementDeadLetterQueue"] == {"Ref": stack.id_of(queue, QueueName=ENFORCEMENT_DEAD_LETTERS)}
    assert outputs["BulkFunction"] == {"Ref": stack.id_of(function, FunctionName=BULK)}
    assert outputs["BulkQueue"] == {"Ref": stack.id_of(queue, QueueName=BULK_WORK)}
    assert outputs["BulkDeadLetterQueue"] == {"Ref": stack.id_of(queue, QueueName=BULK_DEAD_LETTERS)}


def test_no_hosts_are_no_empty_output() -> None:
    """CloudFormation's outputs should not be empty."""
    outputs = synthesise(example_deployment(cas=(), crl_hosts=())).document["Outputs"]
    assert outputs["CrlHosts"]["Value"] == NO_HOSTS


def test_physical_names_carry_the_deployment(stack: Synthesis) -> None:
    """Two deployments in one account and Region do not meet, and bucket names are unique in the world."""
    assert BUCKET.startswith(PREFIX)
    names = {
        value
        for resource in stack.document["Resources"].values()
        for key, value in resource["Properties"].items()
        if key in NAMES and isinstance(value, str)
    }
    # Five functions and logs, five queues, two EventBridge rules; 30 alarms, their topic, the dashboard and four
    # queries; table and bucket.
    assert len([name for name in names if "_" not in name]) == 17 + 36 + 2
    assert {name for name in names if PREFIX not in name.replace("_", "-").replace("/", "-")} == set()


def test_everything_is_tagged_with_its_deployment(stack: Synthesis) -> None:
    """For the bill, and for whoever finds a retained resource."""
    for kind in ("AWS::Lambda::Function", "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue"):
        for each in stack.of_type(kind):
            assert {"Key": "jitr:deployment", "Value": NAME} in each["Tags"]
