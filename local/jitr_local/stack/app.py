"""The CDK app of the local stack: the same stack as the real app's, built for this computer.

Run by the CDK command line as `python -m jitr_local.stack.app`, told by environment variables: JITR_LOCAL_FLEET is the
fleet file, JITR_LOCAL_AUTH is not empty when the emulator enforces permissions, and JITR_LOCAL_DEPLOYMENT names the
deployment of somebody's own fleet file that is to be moved here.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Final

from aws_cdk import App, CliCredentialsStackSynthesizer
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from jitr_fleet.deployments.deployment import Deployment
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_infra.parts.build_target import BuildTarget
from jitr_infra.stack import DeploymentStack
from jitr_local.stack.emulator import EMULATOR_PYTHON
from jitr_local.stack.local_fleet import moved_here

WALKTHROUGH: Final = "walkthrough"


def local_target(*, auth: bool) -> BuildTarget:
    """Return what functions run on here: this machine's architecture and the emulator's own Python.

    With `auth` the emulator refuses to publish assets through the bootstrap roles, which AWS does not.
    """
    version = emulator_python()
    arm = platform.machine().lower() in ("aarch64", "arm64")
    return BuildTarget(
        runtime=lambda_.Runtime(f"python{version}", lambda_.RuntimeFamily.PYTHON),
        architecture=lambda_.Architecture.ARM_64 if arm else lambda_.Architecture.X86_64,
        python=version,
        synthesizer=CliCredentialsStackSynthesizer() if auth else None,
        interpreter=str(EMULATOR_PYTHON),
    )


def emulator_python() -> str:
    """Ask the emulator's Python for its version, as `3.13`."""
    program = "import sys; print('{}.{}'.format(*sys.version_info))"
    answer = subprocess.run([str(EMULATOR_PYTHON), "-c", program], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def build(app: App, fleet: Path, *, auth: bool, own: str = "") -> None:
    """Add the fleet file's deployments to the app; of somebody's `own` fleet file the one of this name, moved here."""
    found = read_fleet(fleet).deployments
    for read in found if not own else [moved_here(each) for each in found if each.name == own]:
        deployment = ask_for_no_thing(read) if auth else read
        stack = DeploymentStack(app, deployment=deployment, target=local_target(auth=auth))
        leave_out_what_is_unknown(stack)
        if auth:
            meet_the_evaluator(stack)
            leave_copies_open(stack)


def ask_for_no_thing(deployment: Deployment) -> Deployment:
    """Leave the condition out of template `walkthrough`, that the certificate has a Thing.

    The emulator looks for a Thing by the client id only, AWS by the certificate, to which jitr attaches it
    exclusively. Of a device with any client id the emulator would say that it has none.
    """
    if WALKTHROUGH not in deployment.policies:
        return deployment
    document = json.loads(deployment.policies[WALKTHROUGH])
    for statement in document["Statement"]:
        statement.pop("Condition", None)
    return dataclasses.replace(deployment, policies={**deployment.policies, WALKTHROUGH: json.dumps(document)})


def leave_out_what_is_unknown(stack: DeploymentStack) -> None:
    """Leave out what the emulator refuses: saved log queries, and metric math, whose alarms then watch nothing."""
    stack.node.try_remove_child("LogQueries")
    for alarm in stack.node.find_all():
        if isinstance(alarm, cloudwatch.CfnAlarm) and alarm.metrics is not None:
            alarm.add_property_deletion_override("Metrics")
            nothing = {"Namespace": "jitr-local", "MetricName": "Nothing", "Statistic": "Sum", "Period": 300}
            for name, value in nothing.items():
                alarm.add_property_override(name, value)


def meet_the_evaluator(stack: DeploymentStack) -> None:
    """Grant four calls on the resources that the emulator evaluates them against, which are not those of AWS.

    Every function that reads a CA needs one of them: activation, enforcement, bulk work.
    """
    allow = stack.activate.role.role.add_to_principal_policy
    allow(iam.PolicyStatement(actions=["iot:AttachPolicy", "iot:DescribeCACertificate"], resources=["*"]))
    stack.enforce.role.role.add_to_principal_policy(
        iam.PolicyStatement(actions=["iot:DescribeCACertificate"], resources=["*"])
    )
    stack.bulk.function.role.role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=["iot:AttachPolicy", "iot:DetachPolicy", "iot:DescribeCACertificate"], resources=["*"]
        )
    )
    things = stack.format_arn(service="iot", resource="thing", resource_name="*")
    allow(iam.PolicyStatement(actions=["iot:AttachThingPrincipal"], resources=[things]))


def leave_copies_open(stack: DeploymentStack) -> None:
    """Leave out who may not write the copies of enforced CRLs: the emulator does not know aws:PrincipalArn.

    It would refuse the enforcement function, which AWS does not; the statement is checked by template assertion.
    """
    policy = stack.crl_bucket.bucket.policy
    bucket_policy = policy.node.default_child if policy is not None else None
    if policy is None or not isinstance(bucket_policy, s3.CfnBucketPolicy):
        raise TypeError(policy)
    statements = stack.resolve(policy.document)["Statement"]
    kept = [each for each in statements if "aws:PrincipalArn" not in each.get("Condition", {}).get("ArnNotEquals", {})]
    bucket_policy.add_property_override("PolicyDocument.Statement", kept)


def main() -> None:
    """Synthesise."""
    app = App()
    auth, own = bool(os.environ.get("JITR_LOCAL_AUTH")), os.environ.get("JITR_LOCAL_DEPLOYMENT", "")
    build(app, Path(os.environ["JITR_LOCAL_FLEET"]), auth=auth, own=own)
    app.synth()


if __name__ == "__main__":
    main()
