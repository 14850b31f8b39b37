"""CAs as CloudFormation gets them: created, looked up and proved in AWS Private CA, and guarded when they leave."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App
from aws_cdk.assertions import Annotations, Match

from jitr.aws.retries import longest_call_seconds
from jitr.handlers.clients import PATIENT_CLIENT_CONFIG
from jitr.handlers.custom_resources import RESERVED_SECONDS
from jitr.settings import PRIVATE_CAS_VARIABLE, Mode
from jitr_fleet.deployments.deployment import Fleet, Registration
from jitr_infra.app import add_deployments
from jitr_local import pki
from tests.infra.synthesis import (
    ACCOUNT,
    ACTIVATE,
    AUTHORITIES,
    BUCKET,
    BULK,
    ENFORCE,
    PARENT,
    PRIVATE_CA,
    REGION,
    ROLL_OUT,
    WITHOUT_BUNDLES,
    Json,
    Synthesis,
    authority,
    ca,
    example_deployment,
    synthesise,
)

FUNCTION, CUSTOM = "AWS::Lambda::Function", "Custom::Jitr"
AUTHORITY, CERTIFICATE = "AWS::ACMPCA::CertificateAuthority", "AWS::ACMPCA::Certificate"
ACTIVATION, REGISTERED = "AWS::ACMPCA::CertificateAuthorityActivation", "AWS::IoT::CACertificate"
FOUND, PROVED, GUARD = f"{CUSTOM}CaCertificate", f"{CUSTOM}VerificationCertificate", f"{CUSTOM}ManagedCas"


def needed_by(stack: Synthesis, logical_id: str, seen: set[str] | None = None) -> set[str]:
    """Return the ids of everything that CloudFormation makes before a resource, by reference or by order."""
    seen = set() if seen is None else seen
    resource = stack.document["Resources"][logical_id]
    found = set(resource.get("DependsOn", ()))
    texts = json.dumps(resource["Properties"])
    found |= {each for each in stack.document["Resources"] if f'"{each}"' in texts}
    for each in found - seen - {logical_id}:
        seen.add(each)
        needed_by(stack, each, seen)
    return seen


def id_of_root(stack: Synthesis) -> str:
    """Return the logical id of the root that the stack creates."""
    return stack.id_of(AUTHORITY, Type="ROOT")


def lookup(stack: Synthesis, arn: str | Json, *, with_chain: str = "false") -> str:
    """Return the logical id of what reads a CA's certificate."""
    return stack.id_of(FOUND, PrivateCa=arn, WithChain=with_chain)


class TestCreated:
    """CAs that the stack creates."""

    def test_a_root_is_what_the_fleet_file_says(self, private: Synthesis) -> None:
        """Its CRL goes to the stack's bucket, and belongs to the bucket's account."""
        root = private.only(AUTHORITY, Type="ROOT")
        assert (root["KeyAlgorithm"], root["SigningAlgorithm"]) == ("EC_prime256v1", "SHA256WITHECDSA")
        assert root["Subject"] == {"CommonName": "Root", "Country": "DE"}
        assert root["UsageMode"] == "GENERAL_PURPOSE"
        assert root["RevocationConfiguration"] == {
            "CrlConfiguration": {
                "Enabled": True,
                "CrlType": "COMPLETE",
                "ExpirationInDays": 7,
                "S3BucketName": BUCKET,
                "S3ObjectAcl": "BUCKET_OWNER_FULL_CONTROL",
            }
        }

    def test_a_subordinate_ca_is_signed_by_its_parent_and_allows_none_below(self, private: Synthesis) -> None:
        """With the parent's chain, which the deploy reads."""
        line = private.only(AUTHORITY, Type="SUBORDINATE")
        assert line["Subject"] == {"CommonName": "Line", "Organization": "Example", "OrganizationalUnit": "Pumps"}
        crl = line["RevocationConfiguration"]["CrlConfiguration"]
        assert (crl["CrlType"], crl["ExpirationInDays"]) == ("PARTITIONED", 30)
        certificate = private.only(CERTIFICATE, CertificateAuthorityArn=PARENT)
        assert certificate["TemplateArn"] == "arn:aws:acm-pca:::template/SubordinateCACertificate_PathLen0/V1"
        assert certificate["Validity"] == {"Type": "YEARS", "Value": 5}
        assert certificate["SigningAlgorithm"] == "SHA256WITHRSA"
        chain = {"Fn::GetAtt": [lookup(private, PARENT, with_chain="true"), "Certificate"]}
        assert private.only(ACTIVATION, CertificateChain=chain)["Status"] == "ACTIVE"

    def test_it_is_active_in_the_same_deploy(self, private: Synthesis) -> None:
        """Made, signed, activated, looked up, registered: each waits for the one before."""
        root = id_of_root(private)
        arn = {"Fn::GetAtt": [root, "Arn"]}
        activation = private.id_of(ACTIVATION, CertificateAuthorityArn=arn)
        certificate = private.id_of(CERTIFICATE, CertificateAuthorityArn=arn)
        found = lookup(private, arn)
        registration = private.id_of(REGISTERED, CACertificatePem={"Fn::GetAtt": [found, "Certificate"]})
        assert {root, certificate, activation, found} <= needed_by(private, registration)
        assert {root, certificate, activation} <= needed_by(private, found)

    def test_the_bucket_lets_it_write_before_it_is_made(self, private: Synthesis) -> None:
        """AWS Private CA looks for the permission when the CA is made."""
        (policy,) = [each for each, _ in private.found("AWS::S3::BucketPolicy")]
        for ca_id, _ in private.found(AUTHORITY):
            assert policy in needed_by(private, ca_id)

    @pytest.mark.parametrize("kind", [AUTHORITY, CERTIFICATE, ACTIVATION])
    def test_a_deploy_that_is_rolled_back_leaves_no_ca_that_costs_money(self, private: Synthesis, kind: str) -> None:
        """And one that stands is kept whatever happens to the stack."""
        for each in private.resources(kind):
            assert (each["DeletionPolicy"], each["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")

    @pytest.mark.parametrize("kind", [REGISTERED, FOUND, PROVED, GUARD])
    def test_nothing_of_it_is_deleted_with_the_stack(self, private: Synthesis, kind: str) -> None:
        """A CA that is gone takes its devices with it; a deactivated one stops its CRLs."""
        resources = private.resources(kind)
        assert resources
        for each in resources:
            assert (each["DeletionPolicy"], each["UpdateReplacePolicy"]) == ("Retain", "Retain")

    def test_aws_private_ca_may_write_for_cas_of_this_account_and_region(self, private: Synthesis) -> None:
        """And nobody else in its name."""
        statements = [
            each for each in private.statements() if each.get("Principal") == {"Service": "acm-pca.amazonaws.com"}
        ]
        assert [each["Action"] for each in statements] == [
            ["s3:PutObject", "s3:PutObjectAcl"],
            ["s3:GetBucketAcl", "s3:GetBucketLocation"],
        ]
        for each in statements:
            assert each["Condition"] == {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": f"arn:aws:acm-pca:{REGION}:{ACCOUNT}:certificate-authority/*"},
            }

    def test_the_bucket_has_acls_only_where_aws_private_ca_needs_them(
        self, private: Synthesis, stack: Synthesis
    ) -> None:
        """It hands objects over by ACL; without such a CA there are none."""
        owned = [
            each.only("AWS::S3::Bucket", BucketName=BUCKET)["OwnershipControls"]["Rules"][0]["ObjectOwnership"]
            for each in (private, stack)
        ]
        assert owned == ["BucketOwnerPreferred", "BucketOwnerEnforced"]
        assert not stack.resources(AUTHORITY)
        assert "acm-pca" not in json.dumps(stack.document)

    def test_public_access_stays_blocked(self, private: Synthesis) -> None:
        """Whatever an ACL says."""
        assert set(private.only("AWS::S3::Bucket")["PublicAccessBlockConfiguration"].values()) == {True}


class TestRegistration:
    """Modes and proofs."""

    def test_default_mode_comes_with_a_proof_that_the_deploy_makes(self, private: Synthesis) -> None:
        """By the CA that is registered, whose id is told."""
        proofs = private.found(PROVED)
        assert len(proofs) == 3
        for proof, resource in proofs:
            reference = {"Fn::GetAtt": [proof, "Certificate"]}
            registered = private.only(REGISTERED, VerificationCertificatePem=reference)
            assert registered["CertificateMode"] == "DEFAULT"
            identifier = resource["Properties"]["CaCertificateId"]
            if isinstance(identifier, dict):
                found = {"Fn::GetAtt": [identifier["Fn::GetAtt"][0], "Certificate"]}
                assert registered["CACertificatePem"] == found
            else:
                assert identifier == authority("reviewed").ca_certificate_id
                assert registered["CACertificatePem"] == pki.pem(authority("reviewed").certificate)

    def test_a_proof_in_a_file_is_registered_as_it_is(self) -> None:
        """An offline CA's owner signed it."""
        proved = ca("proved", registration=Registration.DEFAULT, verification_certificate="PEM")
        registered = synthesise(example_deployment(cas=(proved,))).only(REGISTERED)
        assert (registered["CertificateMode"], registered["VerificationCertificatePem"]) == ("DEFAULT", "PEM")

    def test_a_reviewed_certificate_is_not_looked_up(self, private: Synthesis) -> None:
        """What was reviewed is what runs."""
        arns = [each["PrivateCa"] for each in private.of_type(FOUND)]
        assert PRIVATE_CA.replace("1234-", "5678-") not in arns

    def test_no_key_and_no_secret_is_in_the_template(self, private: Synthesis) -> None:
        """Keys are made where they are used, and stay there."""
        assert "PRIVATE KEY" not in json.dumps(private.document)


class TestEnvironment:
    """What the functions are told of CAs whose certificates no file holds."""

    def test_whoever_decides_about_devices_knows_them(self, private: Synthesis) -> None:
        """Id and CRL, by reference to what the deploy reads; a complete CRL has the key that AWS gives it."""
        for name in (ACTIVATE, ENFORCE):
            told = private.only(FUNCTION, FunctionName=name)["Environment"]["Variables"][PRIVATE_CAS_VARIABLE]
            separator, parts = told["Fn::Join"]
            text = "".join(part if isinstance(part, str) else "·" for part in parts)
            assert separator == ""
            assert json.loads(text) == {
                "root": {"id": "·", "crl": f"s3://{BUCKET}/crl/·.crl"},
                "subordinate": {"id": "·", "crl": "cdp"},
                "named": {"id": "·", "crl": f"s3://{BUCKET}/named.crl"},
            }
            arn = {"Fn::GetAtt": [id_of_root(private), "Arn"]}
            assert {"Fn::GetAtt": [lookup(private, arn), "Id"]} in parts
            assert {"Fn::Select": [1, {"Fn::Split": ["/", arn]}]} in parts

    def test_the_others_need_not_wait_for_them(self, private: Synthesis) -> None:
        """The function that finds them out could not exist before they are found out."""
        for name in (AUTHORITIES, ROLL_OUT, BULK):
            variables = private.only(FUNCTION, FunctionName=name)["Environment"]["Variables"]
            assert PRIVATE_CAS_VARIABLE not in variables

    def test_without_such_a_ca_the_variable_is_not_there(self, stack: Synthesis) -> None:
        """An empty one would be a difference at the next deploy."""
        for function in stack.of_type(FUNCTION):
            assert PRIVATE_CAS_VARIABLE not in function["Environment"]["Variables"]


class TestGuard:
    """CAs that leave the fleet file."""

    def test_it_knows_every_ca_by_name_and_id(self, private: Synthesis, stack: Synthesis) -> None:
        """Also those that are registered by other means, and those that only the deploy knows."""
        names = ("active", "inactive", "retired", "existing")
        known = [{"Name": name, "Id": authority(name).ca_certificate_id} for name in names]
        known[-1]["Existing"] = "true"
        assert stack.only(GUARD)["Cas"] == known
        assert [each["Name"] for each in private.only(GUARD)["Cas"]] == ["root", "subordinate", "named", "reviewed"]

    @pytest.mark.parametrize("function", [ACTIVATE, ENFORCE])
    def test_who_decides_about_devices_waits_for_it(self, stack: Synthesis, function: str) -> None:
        """A deploy that it stops has then changed nothing that decides."""
        (guard,) = [each for each, _ in stack.found(GUARD)]
        assert guard in needed_by(stack, stack.id_of(FUNCTION, FunctionName=function))

    def test_it_is_there_without_any_ca(self) -> None:
        """The last one may not leave unseen either."""
        assert synthesise(example_deployment(cas=())).only(GUARD)["Cas"] == []

    def test_released_cas_are_named(self) -> None:
        """As the fleet file does."""
        assert synthesise(example_deployment(released_cas=("gone",), cas=())).only(GUARD)["Released"] == ["gone"]


class TestFunction:
    """The function behind the custom resources."""

    def test_no_attempt_is_left_when_cloudformation_gives_up(self, private: Synthesis) -> None:
        """Its roll-back would otherwise be undone."""
        function = private.only(FUNCTION, FunctionName=AUTHORITIES)
        name = {"Ref": private.id_of(FUNCTION, FunctionName=AUTHORITIES)}
        asynchronous = private.only("AWS::Lambda::EventInvokeConfig", FunctionName=name)
        last_end = asynchronous["MaximumEventAgeInSeconds"] + function["Timeout"]
        for kind in (FOUND, PROVED, GUARD):
            for each in private.of_type(kind):
                assert last_end < int(each["ServiceTimeout"]) < 3600

    def test_a_call_and_the_answer_fit_into_the_time_that_is_kept_for_them(self, private: Synthesis) -> None:
        """Among them the one that waits for a signature."""
        call = longest_call_seconds(PATIENT_CLIENT_CONFIG)
        answer = 4 * (2 + 5) + 0.5 + 1 + 2
        assert call + answer < RESERVED_SECONDS
        assert private.only(FUNCTION, FunctionName=AUTHORITIES)["Timeout"] >= 2 * RESERVED_SECONDS


class TestObservation:
    """A deployment that only observes."""

    def test_it_registers_creates_and_rolls_out_nothing(self, observing: Synthesis) -> None:
        """CAs, policies, types and groups are somebody else's."""
        kinds = {resource["Type"] for resource in observing.document["Resources"].values()}
        assert not {kind for kind in kinds if kind.startswith(("AWS::ACMPCA::", "Custom::JitrPolicies"))}
        assert not kinds & {
            REGISTERED,
            GUARD,
            PROVED,
            "AWS::IoT::ThingType",
            "AWS::IoT::ThingGroup",
            "AWS::IoT::Policy",
        }
        names = {function["FunctionName"] for function in observing.of_type(FUNCTION)}
        assert names == {ACTIVATE, AUTHORITIES, BULK, ENFORCE}

    def test_it_reads_certificates_in_aws_private_ca_only_where_it_has_to(self, observing: Synthesis) -> None:
        """No file holds that of the one; with files there is no such function."""
        (found,) = observing.of_type(FOUND)
        assert found["PrivateCa"] == PRIVATE_CA
        reviewed = ca("existing", registration=Registration.EXISTING)
        plain = synthesise(example_deployment(mode=Mode.OBSERVE, cas=(reviewed,)))
        assert AUTHORITIES not in {function["FunctionName"] for function in plain.of_type(FUNCTION)}

    def test_its_events_still_arrive(self, observing: Synthesis) -> None:
        """The rule is what it observes by."""
        assert len(observing.of_type("AWS::IoT::TopicRule")) == 1


class TestThings:
    """Thing types and groups."""

    def test_they_are_created_and_outlive_the_stack(self, private: Synthesis) -> None:
        """Each once, tagged with the deployment."""
        types, groups = private.resources("AWS::IoT::ThingType"), private.resources("AWS::IoT::ThingGroup")
        assert [each["Properties"]["ThingTypeName"] for each in types] == ["pump"]
        assert [each["Properties"]["ThingGroupName"] for each in groups] == ["north", "pumps"]
        for each in (*types, *groups):
            assert (each["DeletionPolicy"], each["UpdateReplacePolicy"]) == ("Retain", "Retain")

    def test_no_device_knocks_before_they_are_there(self, private: Synthesis) -> None:
        """Its Thing could not be created."""
        wanted = {each for each, _ in [*private.found("AWS::IoT::ThingType"), *private.found("AWS::IoT::ThingGroup")]}
        for registration, _ in private.found(REGISTERED):
            assert wanted <= needed_by(private, registration)

    def test_where_they_are_there_already_nothing_is_created(self) -> None:
        """But activation may use them."""
        grouped = ca("grouped", thing_groups=("pumps",), thing_type="pump")
        stack = synthesise(example_deployment(cas=(grouped,), create_thing_groups=False))
        assert not stack.resources("AWS::IoT::ThingGroup")
        assert not stack.resources("AWS::IoT::ThingType")
        assert "iot:AddThingToThingGroup" in json.dumps(stack.of_type("AWS::IAM::Policy"))


def test_what_is_worth_a_word_is_said_at_synth() -> None:
    """As a warning, which `cdk deploy --strict` does not let pass."""
    soon = pki.CertificateAuthority.create("Soon", not_after=pki.now() + 100 * pki.DAY)
    ending = ca("ending", certificate=pki.pem(soon.certificate), ca_certificate_id=soon.ca_certificate_id)
    app = App(context=WITHOUT_BUNDLES)
    (stack,) = add_deployments(app, Fleet(deployments=(example_deployment(cas=(ending,)),)))
    Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp("CA ending expires in (99|100) days"))


def test_registrations_keep_their_places_in_the_template(stack: Synthesis) -> None:
    """CloudFormation knows them by these; another would be registered a second time, which AWS IoT refuses."""
    ids = {each for each, _ in stack.found(REGISTERED)}
    assert {each[: each.index("Certificate")] for each in ids} == {"Caactive", "Cainactive", "Caretired"}
