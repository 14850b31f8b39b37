"""The authorities function as CloudFormation sees it: ids, certificates, proofs, and the guard over CAs that leave.

AWS Private CA is moto's, which signs everything with RSA and SHA-512 for a year and has no chain for a root; what is
asked of it is looked at in the requests. AWS IoT is the strict fake.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from moto import mock_aws

from jitr.authorities.deployment import ResourceType
from jitr.authorities.private_ca import PrivateCas
from jitr.errors import Reason, Undecided
from jitr.handlers import authorities
from jitr.handlers.authorities import AuthoritiesHandler, build_function
from jitr.handlers.custom_resources import RESERVED_SECONDS
from jitr.messages.custom_resource import PAUSE_SECONDS, TRIES, Answers
from jitr.settings import Configuration, Environment
from jitr_local import pki
from tests.aws.aws_faults import failing
from tests.aws.cloudformation import CloudFormation
from tests.aws.fake_iot import ACCOUNT, REGION, FakeIot

ENVIRONMENT = Environment(account=ACCOUNT, region=REGION, partition="aws", state_table="t", crl_bucket="b")
PLENTY = 300.0
UNKNOWN = f"arn:aws:acm-pca:{REGION}:123456789012:certificate-authority/0b8d5c4e-0000-4000-8000-000000000000"


@pytest.fixture
def iot() -> FakeIot:
    """An account."""
    return FakeIot()


@pytest.fixture
def pca(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """AWS Private CA; every call's parameters are kept in `asked`."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        client = boto3.client("acm-pca", region_name=REGION)
        client.asked = []
        client.meta.events.register(
            "provide-client-params.acm-pca",
            lambda params, model, **_: client.asked.append((model.name, dict(params))),
        )
        yield client


@dataclass
class Stacks:
    """CloudFormation's API: the stack's status."""

    status: str = "UPDATE_IN_PROGRESS"

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        """Answer as CloudFormation does."""
        return {"Stacks": [{"StackStatus": self.status}]}


@pytest.fixture
def function(iot: FakeIot, pca: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuthoritiesHandler]:
    """The function as its container builds it, with the strict AWS IoT in place of the real one."""
    clients = {"iot": iot.client(), "acm-pca": pca, "cloudformation": Stacks()}
    monkeypatch.setattr(boto3.Session, "client", lambda _, service, **__: clients[service])
    configuration = Configuration(deployment="test", enforcement_tps=1000.0)
    built = replace(build_function(configuration, ENVIRONMENT), sleep=lambda _: None, answers=Answers(anywhere=True))
    yield built
    built.answers.http.clear()


def make_root(pca: Any) -> str:
    """Make a root in AWS Private CA and return its ARN."""
    arn: str = pca.create_certificate_authority(
        CertificateAuthorityConfiguration={
            "KeyAlgorithm": "RSA_2048",
            "SigningAlgorithm": "SHA256WITHRSA",
            "Subject": {"CommonName": "Factory 1"},
        },
        CertificateAuthorityType="ROOT",
    )["CertificateAuthorityArn"]
    csr = pca.get_certificate_authority_csr(CertificateAuthorityArn=arn)["Csr"]
    issued = pca.issue_certificate(
        CertificateAuthorityArn=arn,
        Csr=csr.encode(),
        SigningAlgorithm="SHA256WITHRSA",
        TemplateArn="arn:aws:acm-pca:::template/RootCACertificate/V1",
        Validity={"Value": 10, "Type": "YEARS"},
    )["CertificateArn"]
    pem = pca.get_certificate(CertificateAuthorityArn=arn, CertificateArn=issued)["Certificate"]
    pca.import_certificate_authority_certificate(CertificateAuthorityArn=arn, Certificate=pem.encode())
    pca.asked.clear()
    return arn


def certificate_of(pca: Any, arn: str) -> x509.Certificate:
    """Return the certificate of a CA in AWS Private CA."""
    pem = pca.get_certificate_authority_certificate(CertificateAuthorityArn=arn)["Certificate"]
    pca.asked.clear()
    return x509.load_pem_x509_certificate(pem.encode())


def fingerprint(certificate: x509.Certificate) -> str:
    """Return a certificate's id in AWS IoT."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def run(function: AuthoritiesHandler, event: object, *, seconds_left: float = PLENTY) -> str | None:
    """Let the function handle an event, and return why it failed."""
    failure: str | None = function.run(event, seconds_left=lambda: seconds_left)["answered"]
    return failure


def about_certificate(arn: str, *, with_chain: bool = False) -> dict[str, str]:
    """Properties of `Custom::JitrCaCertificate`."""
    return {"PrivateCa": arn, "WithChain": "true" if with_chain else "false"}


def about_proof(arn: str, ca: x509.Certificate) -> dict[str, str]:
    """Properties of `Custom::JitrVerificationCertificate`."""
    return {"PrivateCa": arn, "CaCertificateId": fingerprint(ca)}


class TestCertificate:
    """`Custom::JitrCaCertificate`."""

    def test_it_answers_the_cas_id_and_certificate(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, pca: Any
    ) -> None:
        """What the registration and the functions are given."""
        arn = make_root(pca)
        ca = certificate_of(pca, arn)
        assert (
            run(function, cloudformation.event("Create", ResourceType.CA_CERTIFICATE, about_certificate(arn))) is None
        )
        (answer,) = cloudformation.answers
        assert (answer["Status"], answer["Data"]["Id"]) == ("SUCCESS", fingerprint(ca))
        assert x509.load_pem_x509_certificates(answer["Data"]["Certificate"].encode()) == [ca]

    def test_with_the_chain_those_above_follow(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation
    ) -> None:
        """A subordinate CA is installed with them; moto has none, so the answer is given."""
        above = pki.CertificateAuthority.create("Root")
        parent = pki.CertificateAuthority.create("Parent")
        given = {"Certificate": pki.pem(parent.certificate), "CertificateChain": pki.pem(above.certificate)}
        client = SimpleNamespace(get_certificate_authority_certificate=lambda **_: given)
        chained = replace(function, private_cas=PrivateCas(client))
        run(
            chained,
            cloudformation.event("Create", ResourceType.CA_CERTIFICATE, about_certificate(UNKNOWN, with_chain=True)),
        )
        data = cloudformation.answers[0]["Data"]
        assert data["Id"] == parent.ca_certificate_id
        found = x509.load_pem_x509_certificates(data["Certificate"].encode())
        assert found == [parent.certificate, above.certificate]

    def test_a_ca_that_is_not_there_fails_the_deploy_by_name(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation
    ) -> None:
        """The ARN is in the reason, and its code in the runbook."""
        run(function, cloudformation.event("Create", ResourceType.CA_CERTIFICATE, about_certificate(UNKNOWN)))
        (answer,) = cloudformation.answers
        assert answer["Status"] == "FAILED"
        assert answer["Reason"].startswith(f"GetCertificateAuthorityCertificate of {UNKNOWN} failed: Resource")
        assert "(aws_refused: see docs/runbook.md)" in answer["Reason"]

    def test_a_key_that_aws_iot_does_not_take_fails_the_deploy(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation
    ) -> None:
        """Before anything is registered."""
        weak = pki.CertificateAuthority.create(key="RSA-1024")
        client = SimpleNamespace(
            get_certificate_authority_certificate=lambda **_: {"Certificate": pki.pem(weak.certificate)}
        )
        chained = replace(function, private_cas=PrivateCas(client))
        failure = run(chained, cloudformation.event("Create", ResourceType.CA_CERTIFICATE, about_certificate(UNKNOWN)))
        assert failure is not None
        assert "an RSA key of 1024 bits; 2048 are required (weak_key" in failure

    def test_what_does_not_fit_into_an_answer_fails_with_a_sentence(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation
    ) -> None:
        """CloudFormation reads 4,096 bytes, and would otherwise wait for the rest."""
        parent = pki.CertificateAuthority.create("Parent")
        chain = pki.pem(pki.CertificateAuthority.create("Root").certificate) * 6
        given = {"Certificate": pki.pem(parent.certificate), "CertificateChain": chain}
        client = SimpleNamespace(get_certificate_authority_certificate=lambda **_: given)
        chained = replace(function, private_cas=PrivateCas(client))
        run(
            chained,
            cloudformation.event("Create", ResourceType.CA_CERTIFICATE, about_certificate(UNKNOWN, with_chain=True)),
        )
        (answer,) = cloudformation.answers
        assert answer["Status"] == "FAILED"
        assert "bytes; CloudFormation takes 4096: a chain of such certificates is too long" in answer["Reason"]
        assert "give the fleet file its ARN as private_ca" in answer["Reason"]


class TestProof:
    """`Custom::JitrVerificationCertificate`."""

    def test_aws_iot_takes_what_it_answers(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot, pca: Any
    ) -> None:
        """The registration code, signed by the CA as an end entity for a day."""
        arn = make_root(pca)
        ca = certificate_of(pca, arn)
        event = cloudformation.event("Create", ResourceType.VERIFICATION_CERTIFICATE, about_proof(arn, ca))
        assert run(function, event) is None
        (answer,) = cloudformation.answers
        iot.client().register_ca_certificate(
            caCertificate=ca.public_bytes(serialization.Encoding.PEM).decode(),
            verificationCertificate=answer["Data"]["Certificate"],
            certificateMode="DEFAULT",
        )
        assert iot.cas[fingerprint(ca)].mode == "DEFAULT"
        (issued,) = [given for name, given in pca.asked if name == "IssueCertificate"]
        assert issued["TemplateArn"] == "arn:aws:acm-pca:::template/EndEntityCertificate/V1"
        assert (issued["Validity"], issued["SigningAlgorithm"]) == ({"Value": 1, "Type": "DAYS"}, "SHA256WITHRSA")

    def test_the_key_leaves_the_process_in_no_way(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, pca: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither in a request, nor in the answer, nor in the log."""
        arn = make_root(pca)
        ca = certificate_of(pca, arn)
        run(function, cloudformation.event("Create", ResourceType.VERIFICATION_CERTIFICATE, about_proof(arn, ca)))
        assert "PRIVATE KEY" not in f"{pca.asked}{cloudformation.answers}{caplog.text}"

    def test_an_update_keeps_the_proof_that_the_registration_was_made_with(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, pca: Any
    ) -> None:
        """Another certificate would look like another registration, and AWS IoT refuses a second one."""
        arn = make_root(pca)
        ca = certificate_of(pca, arn)
        given = about_proof(arn, ca)
        run(function, cloudformation.event("Create", ResourceType.VERIFICATION_CERTIFICATE, given))
        first = cloudformation.answers[0]
        assert first["PhysicalResourceId"].startswith(f"{arn}/certificate/")
        again = cloudformation.event(
            "Update",
            ResourceType.VERIFICATION_CERTIFICATE,
            given,
            PhysicalResourceId=first["PhysicalResourceId"],
            OldResourceProperties={**given, "ServiceTimeout": "60"},
        )
        run(function, again)
        assert cloudformation.answers[1] == first
        assert [name for name, _ in pca.asked].count("IssueCertificate") == 1

    def test_a_certificate_that_is_not_the_cas_is_refused_before_anything_is_signed(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, pca: Any
    ) -> None:
        """The file beside the ARN was another CA's."""
        arn = make_root(pca)
        other = pki.CertificateAuthority.create().certificate
        failure = run(
            function, cloudformation.event("Create", ResourceType.VERIFICATION_CERTIFICATE, about_proof(arn, other))
        )
        assert failure == (f"the certificate in the fleet file is not that of {arn} (ca_mismatch: see docs/runbook.md)")
        assert "IssueCertificate" not in [name for name, _ in pca.asked]

    def test_a_proof_that_would_be_refused_fails_the_deploy(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, pca: Any
    ) -> None:
        """With the reason, which AWS IoT's own answer does not give."""
        arn = make_root(pca)
        ca = certificate_of(pca, arn)
        late = replace(function, clock=lambda: datetime(2999, 1, 1, tzinfo=UTC))
        failure = run(late, cloudformation.event("Create", ResourceType.VERIFICATION_CERTIFICATE, about_proof(arn, ca)))
        assert failure is not None
        assert failure.startswith("the verification certificate would be refused: it expired at ")

    def test_a_kind_of_key_that_aws_iot_does_not_know_signs_nothing(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation
    ) -> None:
        """AWS Private CA has keys that AWS IoT does not take."""
        ca = pki.CertificateAuthority.create().certificate
        described = {"CertificateAuthority": {"CertificateAuthorityConfiguration": {"KeyAlgorithm": "ML_DSA_44"}}}
        client = SimpleNamespace(
            get_certificate_authority_certificate=lambda **_: {"Certificate": pki.pem(ca)},
            describe_certificate_authority=lambda **_: described,
        )
        failure = run(
            replace(function, private_cas=PrivateCas(client)),
            cloudformation.event("Create", ResourceType.VERIFICATION_CERTIFICATE, about_proof(UNKNOWN, ca)),
        )
        assert failure is not None
        assert "is ML_DSA_44; AWS IoT takes RSA and ECDSA" in failure


def managed(**cas: str) -> dict[str, Any]:
    """Properties of `Custom::JitrManagedCas`."""
    return {"Cas": [{"Name": name, "Id": identifier} for name, identifier in cas.items()], "Released": []}


def registered(iot: FakeIot, status: str, *, devices: int = 1) -> str:
    """Register a CA with devices of a status, and return its id."""
    ca = pki.CertificateAuthority.create()
    identifier = iot.register_ca(ca)
    for number in range(devices):
        device = f"{number:064x}"
        iot.add_active(device, identifier)
        iot.certificates[device].status = status
    return identifier


class TestRegistration:
    """`Custom::JitrRegistration`: the answers; what is taken back is tested in test_registration_rollback."""

    def about(self, identifier: str) -> dict[str, str]:
        """Properties."""
        return {"CaCertificateId": identifier, "Registration": "CaCertificate1"}

    def test_the_first_answer_keeps_what_was_found(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot
    ) -> None:
        """As the physical id, which CloudFormation gives back; an update keeps it."""
        identifier = registered(iot, "ACTIVE")
        event = cloudformation.event("Create", ResourceType.REGISTRATION, self.about(identifier))
        assert run(function, event) is None
        absent = cloudformation.event("Create", ResourceType.REGISTRATION, self.about("ab" * 32))
        assert run(function, absent) is None
        update = cloudformation.event(
            "Update", ResourceType.REGISTRATION, self.about(identifier), PhysicalResourceId="registered-before"
        )
        assert run(function, update) is None
        assert [each["PhysicalResourceId"] for each in cloudformation.answers] == [
            "registered-before",
            "registered-by-this-deploy",
            "registered-before",
        ]

    def test_a_roll_back_never_fails(
        self,
        function: AuthoritiesHandler,
        cloudformation: CloudFormation,
        iot: FakeIot,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A stack that cannot be rolled back is worse than a registration that is left; the log says what happened."""
        identifier = registered(iot, "ACTIVE", devices=0)
        event = cloudformation.event(
            "Delete", ResourceType.REGISTRATION, self.about(identifier), PhysicalResourceId="registered-by-this-deploy"
        )
        broken = replace(function, cloudformation=SimpleNamespace())
        assert run(broken, event) is None
        assert cloudformation.answers[-1]["Status"] == "SUCCESS"
        assert "AttributeError" in caplog.text
        assert set(iot.cas) == {identifier}

    def test_other_resources_are_not_taken_back(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot
    ) -> None:
        """Their delete events are answered, and that is all."""
        identifier = registered(iot, "ACTIVE", devices=0)
        assert run(function, cloudformation.event("Delete", ResourceType.MANAGED_CAS, managed(ca=identifier))) is None
        assert set(iot.cas) == {identifier}


class TestGuard:
    """`Custom::JitrManagedCas`."""

    def leave(
        self, cloudformation: CloudFormation, identifier: str, *, released: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """A deploy that takes a CA out of the fleet file."""
        stay = "ab" * 32
        return cloudformation.event(
            "Update",
            ResourceType.MANAGED_CAS,
            {**managed(other=stay), "Released": list(released)},
            OldResourceProperties=managed(gone=identifier, other=stay),
        )

    def test_a_ca_with_active_devices_does_not_leave(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot
    ) -> None:
        """The deploy stops, and says what to do."""
        run(function, self.leave(cloudformation, registered(iot, "ACTIVE")))
        (answer,) = cloudformation.answers
        assert answer["Status"] == "FAILED"
        assert answer["Reason"] == (
            "CA gone left the fleet file and has ACTIVE devices, whose revocation nobody would enforce any more. "
            'Put it back (status = "retired" lets no new devices in), switch its devices off first, or name it in '
            "released_cas"
        )

    def rename(self, cloudformation: CloudFormation, before: Any, after: Any) -> dict[str, Any]:
        """A deploy after which a CA has another name, and whatever else is said of it."""
        identifier = {"Id": "ab" * 32}
        properties = {"Cas": [identifier | after], "Released": []}
        old = {"Cas": [identifier | before], "Released": []}
        return cloudformation.event("Update", ResourceType.MANAGED_CAS, properties, OldResourceProperties=old)

    def test_a_ca_that_is_renamed_without_its_former_name_stops_the_deploy(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation
    ) -> None:
        """CloudFormation would register it a second time, and AWS IoT refuse that much later."""
        run(function, self.rename(cloudformation, {"Name": "old"}, {"Name": "new"}))
        (answer,) = cloudformation.answers
        assert answer["Status"] == "FAILED"
        assert answer["Reason"] == (
            'AWS IoT has these CAs already, under another name in the stack. Say so of CA new: formerly = "old"'
        )

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({"Name": "old"}, {"Name": "new", "Formerly": "old"}),
            ({"Name": "new", "Formerly": "old"}, {"Name": "newer", "Formerly": "old"}),
            ({"Name": "new", "Formerly": "old"}, {"Name": "old"}),
            ({"Name": "old"}, {"Name": "new", "Existing": "true"}),
        ],
    )
    def test_a_ca_whose_resource_stays_may_have_any_name(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, before: Any, after: Any
    ) -> None:
        """Renamed with its first name, again, back; and one that the stack does not register has no resource."""
        assert run(function, self.rename(cloudformation, before, after)) is None

    @pytest.mark.parametrize("status", ["INACTIVE", "REVOKED", "PENDING_ACTIVATION"])
    def test_a_ca_without_active_devices_may_leave(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot, status: str
    ) -> None:
        """Whatever other devices it has, on however many pages."""
        assert run(function, self.leave(cloudformation, registered(iot, status, devices=300))) is None
        assert iot.calls == ["ListCertificatesByCA"] * 2

    def test_one_active_device_on_the_last_page_is_enough(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot
    ) -> None:
        """Every page is read."""
        identifier = registered(iot, "REVOKED", devices=300)
        iot.certificates[f"{299:064x}"].status = "ACTIVE"
        failure = run(function, self.leave(cloudformation, identifier))
        assert failure is not None
        assert failure.startswith("CA gone left the fleet file")

    def test_an_operator_may_release_it_by_name_or_id(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot
    ) -> None:
        """To another deployment, say."""
        identifier = registered(iot, "ACTIVE")
        for released in ("gone", identifier):
            assert run(function, self.leave(cloudformation, identifier, released=(released,))) is None
        assert iot.calls == []

    @pytest.mark.parametrize(
        "status",
        ["UPDATE_ROLLBACK_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"],
    )
    def test_a_rollback_takes_out_what_the_deploy_had_added(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot, status: str
    ) -> None:
        """Refusing that would leave the stack in a state that only support gets it out of."""
        undone = replace(function, cloudformation=Stacks(status))
        assert run(undone, self.leave(cloudformation, registered(iot, "ACTIVE"))) is None

    def test_without_knowing_whether_it_is_a_rollback_nothing_leaves(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot
    ) -> None:
        """Unknown is not good."""

        def refused(**_: str) -> dict[str, Any]:
            raise Undecided(Reason.ACCESS_DENIED, "DescribeStacks failed: AccessDenied")

        blind = replace(function, cloudformation=SimpleNamespace(describe_stacks=refused))
        failure = run(blind, self.leave(cloudformation, registered(iot, "ACTIVE")))
        assert failure == "DescribeStacks failed: AccessDenied (access_denied: see docs/runbook.md)"

    @pytest.mark.parametrize("kind", ["Create", "Update"])
    def test_where_none_leaves_nobody_is_asked(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot, kind: str
    ) -> None:
        """A first deploy, a new CA, another name for one."""
        identifier = registered(iot, "ACTIVE")
        old = {"OldResourceProperties": managed(before=identifier)} if kind == "Update" else {}
        properties = managed(after=identifier, new="ab" * 32)
        properties["Cas"][0]["Formerly"] = "before"
        event = cloudformation.event(kind, ResourceType.MANAGED_CAS, properties, **old)
        assert run(function, event) is None
        assert iot.calls == []

    def test_too_many_devices_to_look_at_end_in_a_sentence(
        self, function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot
    ) -> None:
        """Not in a function that Lambda ends, which nobody would hear from."""
        event = self.leave(cloudformation, registered(iot, "REVOKED"))
        failure = run(function, event, seconds_left=RESERVED_SECONDS - 1)
        assert failure is not None
        assert "the time is over" in failure
        assert "released_cas" in failure
        assert cloudformation.answers[0]["Status"] == "FAILED"


@pytest.mark.parametrize("kind", list(ResourceType))
def test_a_delete_leaves_everything(
    function: AuthoritiesHandler, cloudformation: CloudFormation, iot: FakeIot, pca: Any, kind: ResourceType
) -> None:
    """Registrations, certificates and CAs stay when a stack goes."""
    assert run(function, cloudformation.event("Delete", kind, {})) is None
    assert cloudformation.answers[0]["Status"] == "SUCCESS"
    assert (iot.calls, pca.asked) == ([], [])


@pytest.mark.parametrize("kind", [*ResourceType, "Custom::Other"])
def test_properties_that_are_not_ours_are_answered_too(
    function: AuthoritiesHandler, cloudformation: CloudFormation, kind: str
) -> None:
    """An exception is no reason to let CloudFormation wait."""
    run(function, cloudformation.event("Update", kind, {}, ResourceProperties={"x": 1}))
    (answer,) = cloudformation.answers
    assert (answer["Status"], answer["Reason"].split(" ")[0]) == ("FAILED", "unexpected")


def test_a_permission_that_was_granted_a_moment_ago_is_waited_for(
    function: AuthoritiesHandler, cloudformation: CloudFormation, pca: Any
) -> None:
    """For a minute; then it is refused for good."""
    pauses: list[float] = []
    waiting = replace(function, sleep=pauses.append)
    with failing(pca, "GetCertificateAuthorityCertificate", "AccessDeniedException"):
        failure = run(waiting, cloudformation.event("Create", ResourceType.CA_CERTIFICATE, about_certificate(UNKNOWN)))
    assert failure is not None
    assert "(access_denied: see docs/runbook.md)" in failure
    assert pauses == [PAUSE_SECONDS] * (TRIES - 1)


def test_a_function_that_cannot_begin_answers_too(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing variable fails the deploy at once."""

    def broken() -> AuthoritiesHandler:
        raise KeyError("JITR_ACCOUNT")

    monkeypatch.setattr(authorities, "_function", broken)
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloudformation.url)
    with pytest.raises(KeyError, match="JITR_ACCOUNT"):
        authorities.handle(cloudformation.event("Create", ResourceType.MANAGED_CAS, {}), None)  # type: ignore[arg-type]
    assert [answer["Status"] for answer in cloudformation.answers] == ["FAILED"]
    gone = cloudformation.event("Delete", ResourceType.MANAGED_CAS, {})
    assert authorities.handle(gone, None) == {"answered": None}  # type: ignore[arg-type]
    assert cloudformation.answers[-1]["Status"] == "SUCCESS"


@pytest.mark.parametrize("event", [None, {}, "text", {"RequestType": "Create"}])
def test_any_other_event_is_refused(function: AuthoritiesHandler, iot: FakeIot, event: object) -> None:
    """Nobody can make it write to an address by inventing half a request."""
    with pytest.raises(ValueError, match="no custom resource request"):
        run(function, event)
    assert iot.calls == []


def test_importing_the_handler_does_nothing() -> None:
    """No client, no environment variable, no file."""
    program = (
        "import sys, boto3\n"
        "def refuse(*_, **__): raise SystemExit('a client was made')\n"
        "boto3.client = boto3.Session.client = boto3.resource = refuse\n"
        "import jitr.handlers.authorities\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": "lambda", "PATH": ""})
