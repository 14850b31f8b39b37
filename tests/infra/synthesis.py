"""Builds deployments and reads what CDK makes of them: resources by type and property, never by logical id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from aws_cdk import App

from jitr.settings import CaStatus, Mode, OnExistingThing, ThingNameSource
from jitr_fleet.deployments.deployment import (
    CrlKind,
    Deployment,
    Fleet,
    FleetCa,
    Ingestion,
    NewPrivateCa,
    PrivateCaType,
    Registration,
)
from jitr_infra.app import add_deployments
from jitr_infra.parts.build_target import BuildTarget
from jitr_local import pki
from tests.worlds.private_keys import assert_no_private_key

CHECKOUT = Path(__file__).parents[2]
ACCOUNT = "111122223333"
REGION = "eu-west-1"
NAME = "prod-eu"
PREFIX = f"jitr-{NAME}"
BUCKET = f"{PREFIX}-crl-{ACCOUNT}-{REGION}"
ELSEWHERE = "s3://other-bucket/crls/factory-2.crl"
ACTIVATE = f"{PREFIX}-Activate"
ENFORCE = f"{PREFIX}-Enforce"
ROLL_OUT = f"{PREFIX}-RollOut"
AUTHORITIES = f"{PREFIX}-Authorities"
DEAD_LETTERS = f"{PREFIX}-dead-letters"
ENFORCEMENT_DEAD_LETTERS = f"{PREFIX}-enforcement-dead-letters"
ACTIVATION_QUEUE = f"{PREFIX}-activation"
BULK = f"{PREFIX}-Bulk"
BULK_WORK = f"{PREFIX}-bulk-work"
BULK_DEAD_LETTERS = f"{PREFIX}-bulk-dead-letters"
PRIVATE_CA = f"arn:aws:acm-pca:{REGION}:{ACCOUNT}:certificate-authority/12345678-1234-1234-1234-123456789012"
PARENT = PRIVATE_CA.replace("12345678", "87654321")
PUBLISHER = "arn:aws:iam::444455556666:role/crl-publisher"
WITHOUT_BUNDLES: dict[str, Any] = {"aws:cdk:bundling-stacks": []}

Json: TypeAlias = dict[str, Any]


@cache
def feature_flags() -> Json:
    """Return the context of cdk.json."""
    context: Json = json.loads((CHECKOUT / "cdk.json").read_text(encoding="utf-8"))["context"]
    return context


@cache
def authority(common_name: str) -> pki.CertificateAuthority:
    """Return a CA, the same for the same name."""
    return pki.CertificateAuthority.create(common_name)


def ca(name: str, **different: Any) -> FleetCa:
    """Return a CA of the fleet file; every default is valid."""
    made = authority(name)
    values: Json = {
        "name": name,
        "certificate": pki.pem(made.certificate),
        "ca_certificate_id": made.ca_certificate_id,
        "registration": Registration.SNI_ONLY,
        "status": CaStatus.ACTIVE,
        "crl": f"s3://{BUCKET}/{name}.crl",
        "policy": "default",
        "thing_name": ThingNameSource.CN,
        "on_existing_thing": OnExistingThing.REFUSE,
    }
    return FleetCa(**values | different)


def example_deployment(**different: Any) -> Deployment:
    """Return a deployment with a CA of every kind, a publisher and an alarm address."""
    values: Json = {
        "name": NAME,
        "account": ACCOUNT,
        "region": REGION,
        "crl_hosts": ("crl.example.com",),
        "crl_publishers": (PUBLISHER,),
        "alarm_email": "on-call@example.com",
        "reserved_concurrency": 3,
        "log_retention_days": 90,
        "policies": {"default": (CHECKOUT / "policies" / "default.json").read_text(encoding="utf-8")},
        "cas": (
            ca("active"),
            ca("inactive", status=CaStatus.INACTIVE, crl=ELSEWHERE),
            ca("retired", status=CaStatus.RETIRED, crl="none"),
            ca("existing", registration=Registration.EXISTING, crl="http://crl.example.com/existing.crl"),
        ),
    }
    return Deployment(**values | different)


def queued_deployment(**different: Any) -> Deployment:
    """Return the example deployment with a queue between rule and function."""
    return example_deployment(**{"ingestion": Ingestion.QUEUE, "cas": ()} | different)


def private_ca(name: str, private_ca: str | NewPrivateCa, **different: Any) -> FleetCa:
    """Return a CA in AWS Private CA whose certificate no file holds."""
    return ca(name, certificate="", ca_certificate_id="", private_ca=private_ca, **different)


def root(**different: Any) -> NewPrivateCa:
    """Return a root that the stack creates."""
    values: Json = {"kind": PrivateCaType.ROOT, "parent": None, "subject": {"CommonName": "Root", "Country": "DE"}}
    return NewPrivateCa(**values | different)


def private_deployment(**different: Any) -> Deployment:
    """Return a deployment with a CA of every kind in AWS Private CA, whose devices have grouped Things."""
    subordinate = root(
        kind=PrivateCaType.SUBORDINATE,
        parent=PARENT,
        subject={"CommonName": "Line", "Organization": "Example", "OrganizationalUnit": "Pumps"},
        key_algorithm="RSA_2048",
        validity_years=5,
        crl=CrlKind.PARTITIONED,
        crl_days=30,
    )
    groups: Json = {"thing_type": "pump", "thing_groups": ("pumps", "north")}
    values: Json = {
        "crl_publishers": (PUBLISHER.replace("444455556666", ACCOUNT),),
        "cas": (
            private_ca("root", root(), crl=""),
            private_ca("subordinate", subordinate, crl="cdp", registration=Registration.DEFAULT),
            private_ca("named", PRIVATE_CA, registration=Registration.DEFAULT, **groups),
            ca("reviewed", private_ca=PRIVATE_CA.replace("1234-", "5678-"), registration=Registration.DEFAULT),
        ),
    }
    return example_deployment(**values | different)


def observing_deployment(**different: Any) -> Deployment:
    """Return a deployment that only observes, with CAs that are registered already."""
    cas = (
        ca("existing", registration=Registration.EXISTING, crl=ELSEWHERE),
        private_ca("named", PRIVATE_CA, registration=Registration.EXISTING),
    )
    return example_deployment(**{"mode": Mode.OBSERVE, "cas": cas} | different)


@dataclass(frozen=True)
class Synthesis:
    """One synthesised stack."""

    document: Json

    def of_type(self, kind: str) -> list[Json]:
        """Return the properties of every resource of a type."""
        return [resource["Properties"] for resource in self.resources(kind)]

    def only(self, kind: str, **named: str | Json) -> Json:
        """Return the properties of the one resource of a type, or of those that have the given properties."""
        ((_, resource),) = self.found(kind, **named)
        return dict(resource["Properties"])

    def id_of(self, kind: str, **named: str | Json) -> str:
        """Return the logical id of the resource that `only` finds."""
        ((logical_id, _),) = self.found(kind, **named)
        return logical_id

    def found(self, kind: str, **named: str | Json) -> list[tuple[str, Json]]:
        """Return the resources of a type that have the given properties, whole, with their logical ids."""
        return [
            (logical_id, resource)
            for logical_id, resource in self.document["Resources"].items()
            if resource["Type"] == kind
            and all(resource["Properties"].get(name) == value for name, value in named.items())
        ]

    def resources(self, kind: str) -> list[Json]:
        """Return every resource of a type, whole."""
        return [resource for _, resource in self.found(kind)]

    def type_of(self, logical_id: str) -> str:
        """Return the type behind a logical id that another resource refers to."""
        return str(self.document["Resources"][logical_id]["Type"])

    def text(self, value: Any) -> str:
        """Return a value as text, references by the physical names of what they refer to."""
        if isinstance(value, str):
            return value
        ((function, given),) = value.items()
        if function == "Fn::Join":
            return str(given[0]).join(map(self.text, given[1]))
        logical_id = given if function == "Ref" else given[0]
        resource = self.document["Resources"].get(logical_id, {}).get("Properties", {})
        named = (resource[key] for key in ("FunctionName", "QueueName", "AlarmName") if key in resource)
        return str(next(named, logical_id))

    def statements(self, *, effect: str = "Allow") -> Iterator[Json]:
        """Yield every policy statement of the template: roles', keys', queues', topics' and buckets'."""
        for resource in self.document["Resources"].values():
            for name in ("PolicyDocument", "KeyPolicy"):
                for statement in resource["Properties"].get(name, {}).get("Statement", []):
                    if statement["Effect"] == effect:
                        yield {**statement, "of": resource["Type"]}


_synthesised: dict[str, str] = {}


def synthesise(deployment: Deployment, *, target: BuildTarget | None = None) -> Synthesis:
    """Synthesise one deployment as app.py does, but without the function's code and the checks.

    What was synthesised before is only read again: equal input gives equal templates.
    """
    if target is not None:
        return Synthesis(document=_template(deployment, target))
    if (text := repr(deployment)) not in _synthesised:
        _synthesised[text] = json.dumps(_template(deployment, target))
    return Synthesis(document=json.loads(_synthesised[text]))


def _template(deployment: Deployment, target: BuildTarget | None) -> Json:
    with TemporaryDirectory() as folder:
        app = App(outdir=folder, context=feature_flags() | WITHOUT_BUNDLES)
        (stack,) = add_deployments(app, Fleet(deployments=(deployment,)), target=target)
        document: Json = app.synth().get_stack_by_name(stack.stack_name).template
    assert_no_private_key(document)
    return document


def variables(function: Json, *, without: tuple[str, ...] = ()) -> Json:
    """Return a function's environment variables, without some."""
    return {name: value for name, value in function["Environment"]["Variables"].items() if name not in without}


# What only activation is told: its queue, and where it buries events itself.
QUEUES_OF_ACTIVATION = ("JITR_ACTIVATION_QUEUE", "JITR_DEAD_LETTERS")


def texts(value: str | list[str]) -> list[str]:
    """Return a policy's one-or-many as a list."""
    return [value] if isinstance(value, str) else value
