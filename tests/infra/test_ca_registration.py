"""CAs of the fleet file in AWS IoT: which are registered, in which state, and that none is ever deleted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jitr.settings import CaStatus
from jitr_local import pki
from tests.infra.synthesis import Json, Synthesis, authority, ca, example_deployment, synthesise

CA = "AWS::IoT::CACertificate"


def registered(stack: Synthesis, name: str) -> Json:
    """Return the resource that registers a CA."""
    (resource,) = [
        each
        for each in stack.resources(CA)
        if each["Properties"]["CACertificatePem"] == pki.pem(authority(name).certificate)
    ]
    return resource


def test_a_ca_is_registered_in_sni_only_mode_without_verification(stack: Synthesis) -> None:
    """Several accounts may then register it; AWS IoT refuses a verification certificate in this mode."""
    properties = registered(stack, "active")["Properties"]
    assert properties["CertificateMode"] == "SNI_ONLY"
    assert "VerificationCertificatePem" not in properties


def test_a_ca_has_no_provisioning_template(stack: Synthesis) -> None:
    """With one AWS IoT would provision devices by itself, without any check."""
    assert not [each for each in stack.of_type(CA) if "RegistrationConfig" in each]


@pytest.mark.parametrize(
    ("name", "status", "auto_registration"),
    [("active", "ACTIVE", "ENABLE"), ("inactive", "INACTIVE", "ENABLE"), ("retired", "INACTIVE", "DISABLE")],
)
def test_the_fleet_files_status_is_aws_iots(stack: Synthesis, name: str, status: str, auto_registration: str) -> None:
    """INACTIVE stops new devices for now, retired for good."""
    properties = registered(stack, name)["Properties"]
    assert (properties["Status"], properties["AutoRegistrationStatus"]) == (status, auto_registration)


def test_an_existing_registration_is_left_alone(stack: Synthesis) -> None:
    """It is managed by the function's configuration; the template creates nothing for it."""
    names = {each["Properties"]["CACertificatePem"] for each in stack.resources(CA)}
    assert pki.pem(authority("existing").certificate) not in names
    assert len(names) == 3


def test_a_ca_outlives_the_stack_and_its_replacement(stack: Synthesis) -> None:
    """AWS IoT must not forget which CA signed the devices that it knows."""
    for resource in stack.resources(CA):
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_a_ca_comes_after_rule_and_permission(stack: Synthesis) -> None:
    """A device that knocks before somebody listens waits for its next try."""
    waited_for = {stack.type_of(each) for each in registered(stack, "active")["DependsOn"]}
    assert {"AWS::IoT::TopicRule", "AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig"} <= waited_for


def test_renaming_nothing_but_the_status_changes_no_identity() -> None:
    """A status change is an update in place: mode and certificate, which would replace the CA, stay."""
    before, after = (
        synthesise(example_deployment(cas=(ca("active", status=status),)))
        for status in (CaStatus.ACTIVE, CaStatus.RETIRED)
    )
    ids = [
        [logical_id for logical_id, each in stack.document["Resources"].items() if each["Type"] == CA]
        for stack in (before, after)
    ]
    assert ids[0] == ids[1]
    create_only = ("CACertificatePem", "CertificateMode")
    assert [[before.only(CA)[key], after.only(CA)[key]] for key in create_only] == [
        [before.only(CA)[key]] * 2 for key in create_only
    ]


def test_a_deployment_without_cas_is_fine() -> None:
    """CAs can be adopted later."""
    assert not synthesise(example_deployment(cas=())).resources(CA)


def test_what_takes_a_registration_back_is_there_before_it(stack: Synthesis) -> None:
    """So that it is asked after it in a roll-back; and asked to go in a roll-back alone."""
    undoing = dict(stack.found("Custom::JitrRegistration"))
    assert len(undoing) == len(stack.resources(CA)) == 3
    for logical_id, resource in stack.found(CA):
        (behind,) = set(resource["DependsOn"]) & undoing.keys()
        found = undoing[behind]
        assert found["Properties"]["Registration"] == logical_id
        assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    ids = {each["Properties"]["CaCertificateId"] for each in undoing.values()}
    assert ids == {authority(name).ca_certificate_id for name in ("active", "inactive", "retired")}


def test_another_ca_under_the_same_name_is_another_resource() -> None:
    """Or an update that is rolled back would be asked about the wrong one."""
    first, second = (
        synthesise(example_deployment(cas=(made,))) for made in (ca("active"), replace(ca("other"), name="active"))
    )
    (one,), (two,) = (stack.found("Custom::JitrRegistration") for stack in (first, second))
    assert one[0] != two[0]
