"""How large a deployment may get: 300 CAs deploy, and beyond a limit the synth stops and says how to go on."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Annotations as Found
from aws_cdk.assertions import Match
from cryptography.hazmat.primitives.asymmetric import rsa

from jitr_fleet.deployments.deployment import Fleet, FleetCa
from jitr_infra.app import add_deployments
from jitr_infra.parts.crl_objects import MOST_CHARACTERS, object_arns, statements
from jitr_infra.parts.template_limits import MANAGED_POLICY, RESOURCES, TEMPLATE_BYTES, too_large
from jitr_infra.program import main
from jitr_local import pki
from tests.infra.synthesis import (
    ACTIVATE,
    BUCKET,
    NAME,
    WITHOUT_BUNDLES,
    Json,
    Synthesis,
    ca,
    example_deployment,
    feature_flags,
    synthesise,
)
from tests.infra.test_app import run_app

FUNCTION, CA = "AWS::Lambda::Function", "AWS::IoT::CACertificate"
PARTITION = "aws"


@cache
def large_certificate() -> tuple[str, str]:
    """Return PEM and id of a CA with RSA-4096, the largest that AWS IoT takes, and a name of usual length."""
    key = rsa.generate_private_key(65537, 4096)
    made = pki.CertificateAuthority.create("Factory 001 device issuing CA of Example Devices", key=key)
    return pki.pem(made.certificate), made.ca_certificate_id


def ca_of(name: str, **different: str) -> FleetCa:
    """Return the CA "active" under another name, and otherwise different."""
    return replace(ca("active"), name=name, **different)  # type: ignore[arg-type]


def many(count: int, *, elsewhere: str | None = None) -> tuple[FleetCa, ...]:
    """Return CAs that are as large as they get; AWS IoT would want certificates that differ, a template does not."""
    pem, _ = large_certificate()
    return tuple(
        ca_of(
            f"factory-{n:03}",
            certificate=pem,
            ca_certificate_id=f"{n:064x}",
            crl=f"s3://{BUCKET}/factory-{n:03}.crl" if elsewhere is None else elsewhere.format(n=n),
        )
        for n in range(count)
    )


def bytes_of(stack: Synthesis) -> int:
    """Return how large a template is as it is uploaded: without white space."""
    return len(json.dumps(stack.document, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.fixture(scope="module")
def three_hundred() -> Synthesis:
    """300 CAs, each with its CRL in a bucket of its own: what takes most room everywhere."""
    return synthesise(example_deployment(cas=many(300, elsewhere="s3://factory-{n:03}-example-devices-pki/ca.crl")))


def test_three_hundred_cas_fit_into_a_template(three_hundred: Synthesis) -> None:
    """With room to spare for what releases add."""
    assert len(three_hundred.of_type(CA)) == 300
    assert len(three_hundred.document["Resources"]) < RESOURCES - 50
    assert bytes_of(three_hundred) < TEMPLATE_BYTES * 0.97
    assert not list(too_large(three_hundred.document, size=bytes_of(three_hundred)))


def test_crls_in_three_hundred_buckets_can_all_be_read(three_hundred: Synthesis) -> None:
    """By both functions, in policies that IAM takes, and before the functions are there."""
    for name in (ACTIVATE, f"jitr-{NAME}-Enforce"):
        ((_, function),) = three_hundred.found(FUNCTION, FunctionName=name)
        role = function["Properties"]["Role"]["Fn::GetAtt"][0]
        of_role = [
            (logical_id, each)
            for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
            for logical_id, each in three_hundred.found(kind)
            if {"Ref": role} in each["Properties"]["Roles"]
        ]
        text = json.dumps([each["Properties"]["PolicyDocument"] for _, each in of_role])
        assert all(f"arn:aws:s3:::factory-{n:03}-example-devices-pki/ca.crl" in text for n in range(300))
        assert {logical_id for logical_id, _ in of_role} <= set(function["DependsOn"])


def test_four_hundred_cas_stop_the_synth_with_a_way_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too many bytes for CloudFormation: the program ends with 1, and its words have the way out and the page."""
    fleet = Fleet(deployments=(example_deployment(cas=many(400)),))
    monkeypatch.setattr("jitr_infra.program.read_fleet", lambda _: fleet)
    monkeypatch.setattr("aws_cdk.App", lambda: App(outdir=str(tmp_path), context=feature_flags() | WITHOUT_BUNDLES))
    assert main(tmp_path / "fleet.toml") == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "prod-eu: a template of 1,1" in told
    assert "with 400 CAs; CloudFormation takes 1,000,000 (JitrTemplateBytes)" in told
    assert "divide api_tps between them (docs/sizing.md, Many CAs)" in told
    assert 'registration = "existing"' in told


def with_resources(count: int) -> Json:
    """Return a template with so many resources."""
    return {"Resources": {f"R{n}": {"Type": CA, "Properties": {}} for n in range(count)}}


def with_policy(kind: str, characters: int, *, policies: int = 1) -> Json:
    """Return a template whose one role has policies of that length."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ""}
    empty = len(json.dumps({"Statement": [statement]}, separators=(",", ":")))
    document = {"Statement": [statement | {"Resource": "x" * (characters - empty)}]}
    return {
        "Resources": {
            f"P{n}": {"Type": kind, "Properties": {"PolicyDocument": document, "Roles": [{"Ref": "Role"}]}}
            for n in range(policies)
        }
    }


@pytest.mark.parametrize(
    ("fits", "over", "rule"),
    [
        ((with_resources(500), 1), (with_resources(501), 1), "JitrTemplateResources"),
        ((with_resources(1), 1_000_000), (with_resources(1), 1_000_001), "JitrTemplateBytes"),
        (
            (with_policy("AWS::IAM::ManagedPolicy", 6_144), 1),
            (with_policy("AWS::IAM::ManagedPolicy", 6_145), 1),
            "JitrManagedPolicy",
        ),
        (
            (with_policy("AWS::IAM::ManagedPolicy", 100, policies=10), 1),
            (with_policy("AWS::IAM::ManagedPolicy", 100, policies=11), 1),
            "JitrManagedPolicies",
        ),
        (
            (with_policy("AWS::IAM::Policy", 5_120, policies=2), 1),
            (with_policy("AWS::IAM::Policy", 5_121, policies=2), 1),
            "JitrInlinePolicies",
        ),
    ],
)
def test_each_limit_is_aws_s_own(fits: tuple[Json, int], over: tuple[Json, int], rule: str) -> None:
    """The last that AWS takes passes; one more does not, and each says what to do."""
    assert list(too_large(fits[0], size=fits[1])) == []
    (found,) = too_large(over[0], size=over[1])
    assert found.rule == rule
    assert found.fix


class TestObjectsOfOtherBuckets:
    """Which objects a function may read: as few words as IAM takes, and no more objects than that needs."""

    def test_a_few_are_named_each(self) -> None:
        """Nothing else in their buckets may be read."""
        sources = [f"s3://pki/crls/{n}.crl" for n in range(30)]
        assert object_arns(sources, partition=PARTITION) == tuple(
            sorted(f"arn:aws:s3:::pki/crls/{n}.crl" for n in range(30))
        )

    def test_many_of_one_folder_are_taken_together(self) -> None:
        """And one that stands alone is still named."""
        sources = [f"s3://pki/crls/factory-{n}.crl" for n in range(100)]
        assert object_arns([*sources, "s3://other/x/a.crl"], partition=PARTITION) == (
            "arn:aws:s3:::other/x/a.crl",
            "arn:aws:s3:::pki/crls/*",
        )

    def test_many_folders_are_taken_together_by_bucket(self) -> None:
        """A folder for each CA would fill a policy as well."""
        sources = [f"s3://pki/factory-{n}/{part}.crl" for n in range(100) for part in (1, 2)]
        assert object_arns(sources, partition=PARTITION) == ("arn:aws:s3:::pki/*",)

    def test_no_statement_is_larger_than_a_policy(self) -> None:
        """Whatever is left is spread over several."""
        arns = object_arns([f"s3://bucket-{n:04}/ca.crl" for n in range(300)], partition=PARTITION)
        parts = list(statements(arns))
        assert [arn for part in parts for arn in part] == list(arns)
        assert all(sum(map(len, part)) <= MOST_CHARACTERS < MANAGED_POLICY for part in parts)


def logical_ids(*cas: FleetCa) -> set[str]:
    """Return the ids of the resources that register CAs."""
    return {logical_id for logical_id, _ in synthesise(example_deployment(cas=cas)).found(CA)}


def test_a_renamed_ca_stays_the_same_resource() -> None:
    """CloudFormation would register it again under a new one, and AWS IoT refuse that."""
    assert logical_ids(ca("active")) == logical_ids(ca_of("line-7", formerly="active"))
    assert logical_ids(ca("active")) != logical_ids(ca_of("line-7"))


@pytest.mark.parametrize(("api_tps", "warned"), [(10, True), (5, False)])
def test_deployments_that_share_a_quota_are_warned_of(tmp_path: Path, api_tps: int, warned: bool) -> None:
    """One account and Region has one; another Region's deployment has its own."""
    made = [example_deployment(name=name, cas=(), api_tps=api_tps) for name in ("one", "two")]
    far = example_deployment(name="far", cas=(), region="eu-central-1")
    app = App(outdir=str(tmp_path), context=feature_flags() | WITHOUT_BUNDLES)
    stacks = add_deployments(app, Fleet(deployments=(*made, far)))
    words = Match.string_like_regexp("one, two are in one account and Region and reckon together with 20")
    found = [bool(Found.from_stack(stack).find_warning("*", words)) for stack in stacks]
    assert found == [warned, warned, False]


def test_a_synth_of_one_deployment_bundles_only_that_one(tmp_path: Path) -> None:
    """`cdk synth NAME` tells the app so; of a file with fifty deployments the others cost no bundle."""
    text = "".join(
        f'[deployments.line-{n}]\naccount = "111122223333"\nregion = "eu-west-1"\napi_tps = 2\n'
        f'policies = "{Path.cwd() / "policies"}"\n'
        for n in range(3)
    )
    (tmp_path / "fleet.toml").write_text(text, encoding="utf-8")
    done = run_app(tmp_path, context={"aws:cdk:bundling-stacks": ["line-1"]}, fleet=tmp_path / "fleet.toml")
    assert done.returncode == 0, done.stderr
    assert len(bundles(tmp_path / "out")) == 1


def bundles(folder: Path) -> list[Any]:
    """Return the assets of an assembly that are a function's bundle with its configuration."""
    return [each for each in folder.glob("asset.*") if (each / "jitr-configuration.json").exists()]
