"""What one warm activation costs in CPU time, beside botocore, cryptography and the field's usual handler.

Own CPU is that of `Function.run` less that of every AWS call inside it (AWS IoT, DynamoDB, S3: from the client's
method to its return, so serialising, signing and parsing are botocore's). Its peer is what botocore spends on the three
AWS IoT calls that no activation can do without, made alone and over HTTP (iot_server.py: without TLS, which would add
to it); beside it stands what remains of that without any connection. Its floor is cryptography alone: read the
certificate, verify its signature. Activations are answered from memory (aws_stub.py). Process CPU time; blocks of
activations, calls and handlers in turn.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import boto3
from botocore.client import BaseClient
from cryptography import x509

from bench.aws_stub import AwsStub
from bench.figures import begin, figure, in_turn, ratio_by_pairs, write
from bench.iot_server import iot_server
from jitr.handlers.activate import ActivationHandler, build_function
from jitr.handlers.clients import CLIENT_CONFIG
from jitr_local.pki import CertificateAuthority, Device, pem
from tests.aws.fake_iot import ACCOUNT, REGION
from tests.worlds.deployment import CRL_KEY, ENVIRONMENT, configuration_of

ROUNDS = 41
BLOCK = 20
LISTED = 1000


@dataclass
class CallClock:
    """CPU seconds spent in clients' methods, and how many there were."""

    seconds: float = 0.0
    calls: int = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Time every call of every client."""
        real = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 - where every call goes through

        def timed(client: BaseClient, *arguments: Any) -> Any:  # noqa: ANN401
            begun = time.process_time()
            try:
                return real(client, *arguments)
            finally:
                self.seconds += time.process_time() - begun
                self.calls += 1

        with mock.patch.object(BaseClient, "_make_api_call", timed):
            yield


class Bench:
    """A warm container, its AWS, and devices that have not knocked yet."""

    def __init__(
        self,
        aws: AwsStub,
        ca: CertificateAuthority,
        function: ActivationHandler,
        client: Any,  # noqa: ANN401
        connected: Any,  # noqa: ANN401
    ) -> None:
        self.aws, self.ca, self.function, self.client, self.connected = aws, ca, function, client, connected
        self.numbers = itertools.count()
        self.clock = CallClock()

    def knocks(self, count: int = BLOCK) -> list[tuple[Device, dict[str, Any]]]:
        """Return that many new devices with their events."""
        found = []
        for _ in range(count):
            device = self.ca.issue(f"device-{next(self.numbers)}")
            self.aws.certificates[device.certificate_id] = pem(device.certificate)
            found.append((device, _event(device, self.ca)))
        return found

    def activation(self) -> tuple[float, float]:
        """Return CPU milliseconds of one activation: own, and in all calls; the mean of a block."""
        knocks = self.knocks()
        self.clock.seconds = 0.0
        with self.clock.running():
            begun = time.process_time()
            answers = [self.function.run(event, request_id=event["certificateId"]) for _, event in knocks]
            total = time.process_time() - begun
        assert {answer["outcome"] for answer in answers} == {"activated"}
        return (total - self.clock.seconds) / BLOCK * 1000, self.clock.seconds / BLOCK * 1000

    def three_calls(self, client: Any) -> float:  # noqa: ANN401
        """Return CPU milliseconds of Describe, AttachPolicy and UpdateCertificate alone."""
        knocks = self.knocks()
        self.clock.seconds = 0.0
        with self.clock.running():
            for device, _ in knocks:
                arn = f"arn:aws:iot:{REGION}:{ACCOUNT}:cert/{device.certificate_id}"
                client.describe_certificate(certificateId=device.certificate_id)
                client.attach_policy(policyName="jitr-test-default", target=arn)
                client.update_certificate(certificateId=device.certificate_id, newStatus="ACTIVE")
        return self.clock.seconds / BLOCK * 1000

    def usual_handler(self) -> float:
        """Return CPU milliseconds of the field's usual handler, calls included."""
        knocks = self.knocks()
        begun = time.process_time()
        for _, event in knocks:
            usual(self.client, event)
        return (time.process_time() - begun) / BLOCK * 1000

    def cryptography_alone(self) -> float:
        """Return CPU milliseconds of reading a certificate and verifying its signature."""
        pems = [pem(device.certificate).encode() for device, _ in self.knocks()]
        begun = time.process_time()
        for each in pems:
            x509.load_pem_x509_certificate(each).verify_directly_issued_by(self.ca.certificate)
        return (time.process_time() - begun) / BLOCK * 1000


def usual(client: Any, event: dict[str, Any]) -> None:  # noqa: ANN401
    """Do what most published handlers do: describe, look at the certificate, a policy of its own, attach, activate."""
    found = client.describe_certificate(certificateId=event["certificateId"])["certificateDescription"]
    certificate = x509.load_pem_x509_certificate(found["certificatePem"].encode())
    (common_name,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    name = f"policy-{event['certificateId']}"
    client.create_policy(policyName=name, policyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))
    client.attach_policy(policyName=name, target=found["certificateArn"])
    client.update_certificate(certificateId=event["certificateId"], newStatus="ACTIVE")
    print(json.dumps({"activated": event["certificateId"], "name": common_name.value}))


def _event(device: Device, ca: CertificateAuthority) -> dict[str, Any]:
    return {
        "certificateId": device.certificate_id,
        "caCertificateId": ca.ca_certificate_id,
        "timestamp": 1_795_000_000_000,
        "certificateStatus": "PENDING_ACTIVATION",
        "awsAccountId": ACCOUNT,
        "certificateRegistrationTimestamp": None,
        "sourceIp": "192.0.2.7",
    }


@contextlib.contextmanager
def warm() -> Iterator[Bench]:
    """Yield a container that has activated a block of devices already; what it logs goes nowhere."""
    ca = CertificateAuthority.create()
    aws = AwsStub(cas={ca.ca_certificate_id: pem(ca.certificate)}, objects={CRL_KEY: ca.crl(range(1, LISTED))})
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - closed below
    # The connected client first: clients that are made afterwards ask the stub.
    with (
        connected_client(ca) as connected,
        nowhere,
        contextlib.redirect_stdout(nowhere),
        aws.in_place_of_the_network(),
    ):
        function = build_function(configuration_of(ca), ENVIRONMENT)
        client = boto3.Session(region_name=REGION).client("iot", config=CLIENT_CONFIG)
        bench = Bench(aws, ca, function, client, connected)
        bench.activation()
        yield bench


@contextlib.contextmanager
def connected_client(ca: CertificateAuthority) -> Iterator[Any]:
    """Yield a client of AWS IoT whose calls go over a connection; all certificates are one there."""
    any_certificate = pem(ca.issue("device").certificate)
    stub = AwsStub(cas={ca.ca_certificate_id: pem(ca.certificate)}, certificates=defaultdict(lambda: any_certificate))
    with iot_server(stub) as address:
        yield boto3.Session(region_name=REGION).client("iot", config=CLIENT_CONFIG, endpoint_url=address)


def measure(bench: Bench) -> dict[str, list[float]]:
    """Return each way's values, round by round."""
    calls: list[float] = []

    def activation() -> float:
        own, in_calls = bench.activation()
        calls.append(in_calls)
        return own

    ways: dict[str, Callable[[], float]] = {
        "own": activation,
        "three": lambda: bench.three_calls(bench.connected),
        "unconnected": lambda: bench.three_calls(bench.client),
        "usual": bench.usual_handler,
        "cryptography": bench.cryptography_alone,
    }
    found = in_turn(ways, ROUNDS)
    return {**found, "calls": calls[-ROUNDS:]}


def main() -> None:
    """Measure, print and write the figures."""
    begin()
    with warm() as bench:
        found = measure(bench)
        bench.aws.calls.clear()
        bench.activation()
        calls = len(bench.aws.calls) / BLOCK
    median = {name: statistics.median(values) for name, values in found.items()}
    whole = [own + inside for own, inside in zip(found["own"], found["calls"], strict=True)]
    three = figure(
        "own CPU of a warm activation",
        median["own"],
        "ms",
        peer=median["three"],
        floor=median["cryptography"],
        beside="peer: botocore on Describe, AttachPolicy, UpdateCertificate over HTTP; floor: cryptography",
        promise="<= 0.5",
    )
    three["ratio"] = ratio_by_pairs(found["own"], found["three"])
    bare = figure(
        "own CPU of a warm activation, beside calls without a connection",
        median["own"],
        "ms",
        peer=median["unconnected"],
        beside="peer: botocore on the same calls, answered before they are sent: serialising, signing, parsing",
    )
    bare["ratio"] = ratio_by_pairs(found["own"], found["unconnected"])
    usual_one = figure(
        f"whole CPU of a warm activation, {calls:g} AWS calls",
        statistics.median(whole),
        "ms",
        peer=median["usual"],
        floor=median["unconnected"] + median["cryptography"],
        beside="peer: the field's usual handler, 4 calls and no CRL; floor: three calls and cryptography",
    )
    usual_one["ratio"] = ratio_by_pairs(whole, found["usual"])
    write("cpu", [three, bare, usual_one])


if __name__ == "__main__":
    main()
