"""What a deploy asks of the two functions behind custom resources, and what CloudFormation does with their answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from jitr.authorities.deployment import ResourceType
from jitr.settings import Configuration
from tests.aws.cloudformation import CloudFormation
from tests.aws.fake_iot_policies import MAXIMUM_VERSIONS
from tests.faults.machine import containers
from tests.faults.machine.cloud import Account, Cloud, cloud
from tests.faults.machine.delivery import Asynchronous
from tests.faults.machine.injection import Call, Fault
from tests.faults.machine.invariants import unsettled
from tests.faults.machine.told import Told
from tests.faults.stories.activations import factory, key

PRIVATE_CA = "arn:aws:acm-pca:us-east-1:000000000000:certificate-authority/0b8d5c4e"
SECONDS = 900.0
Judge = Callable[[Cloud, Mapping[str, Any]], Iterator[str]]


@dataclass
class Deploy:
    """One custom resource in one deploy: `event` asks, `undo` is what CloudFormation asks when it rolls back.

    `judged` says what is wrong once it has succeeded, `undone` what is wrong after it was rolled back.
    """

    account: Account
    container: Callable[[Cloud], Any]
    event: Any
    judged: Judge
    undo: Any = None
    undone: Callable[[Cloud], Iterator[str]] = lambda _: iter(())
    must_fail: bool = False
    configuration: Configuration = field(default_factory=lambda: Configuration(deployment="test", enforcement_tps=1e6))

    def begin(self) -> tuple[Cloud, Asynchronous]:
        """Let the clients talk to a copy of the account."""
        aws = cloud()
        aws.begin(self.account, self.configuration)

        def cold() -> Any:
            function = self.container(aws)
            ends = aws.account.clock().timestamp() + SECONDS
            left = lambda: ends - aws.account.clock().timestamp()  # noqa: E731
            return lambda event, _request_id: function.run(event, seconds_left=left)

        return aws, Asynchronous(aws, cold=cold)


def tell(deploy: Deploy, at: int, fault: Fault, *, lasting: bool) -> Told:
    """Tell a case: the call number `at` has the fault."""
    aws, way = deploy.begin()
    aws.faults.plan(at, fault, lasting=lasting)
    calls: list[Call] = []
    way.between = lambda: _after_the_fault(aws, calls, lasting=lasting)
    way.deliver(deploy.event)
    calls = calls or list(aws.faults.calls)
    aws.faults.end()
    wrong = list(_judged(aws, way, deploy, lasting=lasting))
    return Told.of(at, calls[at - 1], fault, "lasting" if lasting else "once", wrong)


def _after_the_fault(aws: Cloud, calls: list[Call], *, lasting: bool) -> None:
    calls.extend(aws.faults.calls)
    if not lasting:
        aws.faults.end()


def _judged(aws: Cloud, way: Asynchronous, deploy: Deploy, *, lasting: bool) -> Iterator[str]:
    answers = aws.account.resource_answers
    yield from unsettled(aws.account)
    if not answers and not lasting:
        yield "one fault, and CloudFormation waits in vain"
    for answer in answers:
        if answer["Status"] == "SUCCESS" and deploy.must_fail:
            yield "I4: it succeeded although it must not"
        if answer["Status"] == "FAILED" and ("unexpected" in answer["Reason"] or not answer["Reason"]):
            yield f"it failed without saying why: {answer['Reason']!r}"
    # CloudFormation takes the first answer, and rolls back where there is none in time.
    if answers and answers[0]["Status"] == "SUCCESS":
        yield from deploy.judged(aws, answers[0])
        return
    if deploy.undo is not None:
        way.deliver(deploy.undo)
        if aws.account.resource_answers[-1]["Status"] != "SUCCESS":
            yield "the roll-back failed too"
        yield from deploy.undone(aws)


# Policies


def policy(topic: str) -> str:
    """A document that allows publishing to a topic."""
    statement = {"Effect": "Allow", "Action": "iot:Publish", "Resource": topic}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _resource(kind: str, resource_type: str, properties: Mapping[str, Any], **different: Any) -> Any:
    return CloudFormation(url="https://answers.example").event(kind, resource_type, properties, **different)


def _policies(kind: str, documents: Mapping[str, str]) -> Any:
    listed = [{"Name": name, "Document": text} for name, text in documents.items()]
    return _resource(kind, "Custom::JitrPolicies", {"Policies": listed})


def _mean(documents: Mapping[str, str]) -> Callable[[Cloud], Iterator[str]]:
    def wrong(aws: Cloud) -> Iterator[str]:
        for name, document in documents.items():
            found = aws.account.iot.policies[name]
            if found.document != document:
                yield f"{name} means {found.document}"
            if len(found.versions) > MAXIMUM_VERSIONS:
                yield f"{name} has {len(found.versions)} versions"

    return wrong


def first_roll_out() -> Deploy:
    """Two policies are created."""
    wanted = {"jitr-test_a": policy("a"), "jitr-test_b": policy("b")}
    wrong = _mean(wanted)
    return Deploy(Account(), containers.rollout, _policies("Create", wanted), lambda aws, _: wrong(aws))


def edited() -> Deploy:
    """Two policies change, one of them with all the versions that AWS allows; a roll-back brings the old ones back."""
    before = {"jitr-test_a": policy("a5"), "jitr-test_b": policy("b")}
    after = {"jitr-test_a": policy("a6"), "jitr-test_b": policy("b2")}
    found = first_roll_out()
    aws, _ = found.begin()
    iot = aws.client("iot")
    iot.create_policy(policyName="jitr-test_a", policyDocument=policy("a1"))
    for n in range(2, 6):
        iot.create_policy_version(policyName="jitr-test_a", policyDocument=policy(f"a{n}"), setAsDefault=True)
    iot.create_policy(policyName="jitr-test_b", policyDocument=policy("b"))
    new, old = _mean(after), _mean(before)
    return Deploy(
        aws.account.copied(),
        containers.rollout,
        _policies("Update", after),
        lambda aws, _: new(aws),
        undo=_policies("Update", before),
        undone=old,
    )


# Certificate authorities


def _with_private_ca() -> Account:
    account = Account()
    account.private_ca.cas[PRIVATE_CA] = factory()
    return account


def found_ca() -> Deploy:
    """The id and certificate of a CA in AWS Private CA."""

    def wrong(_aws: Cloud, answer: Mapping[str, Any]) -> Iterator[str]:
        if answer["Data"]["Id"] != factory().ca_certificate_id:
            yield f"the id is {answer['Data']['Id']}"

    event = _resource("Create", ResourceType.CA_CERTIFICATE, {"PrivateCa": PRIVATE_CA, "WithChain": "false"})
    return Deploy(_with_private_ca(), containers.certificate_authorities, event, wrong)


def verification() -> Deploy:
    """The proof that DEFAULT mode wants."""

    def wrong(aws: Cloud, answer: Mapping[str, Any]) -> Iterator[str]:
        certificate = x509.load_pem_x509_certificate(answer["Data"]["Certificate"].encode())
        certificate.verify_directly_issued_by(factory().certificate)
        names = [each.value for each in certificate.subject]
        if names != [aws.account.iot.registration_code]:
            yield f"it proves {names}"
        if aws.account.private_ca.issued[answer["PhysicalResourceId"]] != answer["Data"]["Certificate"]:
            yield "the physical id is another certificate's"

    properties = {"PrivateCa": PRIVATE_CA, "CaCertificateId": factory().ca_certificate_id}
    event = _resource("Create", ResourceType.VERIFICATION_CERTIFICATE, properties)
    return Deploy(_with_private_ca(), containers.certificate_authorities, event, wrong)


def _leaving(status: str) -> Deploy:
    account = Account()
    account.iot.register_ca(factory())
    device = factory().issue("device-1", key=key())
    account.iot.connect(device, factory())
    account.iot.certificates[device.certificate_id].status = status
    account.iot.certificates[device.certificate_id].policies = ["some-policy"]
    cas = [{"Id": factory().ca_certificate_id, "Name": "factory-1"}]
    event = _resource("Update", ResourceType.MANAGED_CAS, {"Cas": []}, OldResourceProperties={"Cas": cas})
    return Deploy(account, containers.certificate_authorities, event, lambda *_: iter(()))


def leaving_ca() -> Deploy:
    """A CA without ACTIVE devices leaves the fleet file."""
    return _leaving("INACTIVE")


def needed_ca() -> Deploy:
    """A CA with an ACTIVE device must not leave, whatever goes wrong."""
    found = _leaving("ACTIVE")
    found.must_fail = True
    return found


DEPLOYS: dict[str, Callable[[], Deploy]] = {
    each.__name__: each for each in (first_roll_out, edited, found_ca, verification, leaving_ca, needed_ca)
}
