"""AWS in memory against the real adapters: the same random operations, the same answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any, cast

import pytest

from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.aws.state_table import StateTable
from jitr.crls.http_fetch import HttpFetcher
from jitr.crls.sources import CrlSources
from jitr.enforcement.copies import EnforcedCrls
from jitr.errors import Undecided
from jitr.revocation import verify_crl
from jitr_local import pki
from tests.aws.fake_iot import ACCOUNT, REGION
from tests.aws.memory_aws import MemoryEnforced, MemoryIot, MemorySources, MemoryTable
from tests.worlds.deployment import BUCKET, CRL_KEY, POLICY, TABLE, TestDeployment
from tests.worlds.seeded import seeded
from tests.worlds.table_operations import Operation, adapters, on_a_row, on_a_scope, plain

OPERATIONS = 400


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", [on_a_row, on_a_scope])
def test_the_table_in_memory_answers_as_dynamodb(
    deployment: TestDeployment, kind: Callable[[Random, datetime], Operation], seed: int
) -> None:
    """Every adapter above it, every condition, and everything that is written."""
    random, at = seeded(seed), deployment.clock()
    memory = MemoryTable()
    real, model = adapters(StateTable(deployment.dynamodb, TABLE)), adapters(cast("StateTable", memory))
    outcomes = set()
    for _ in range(OPERATIONS):
        at += timedelta(seconds=random.choice([0, 0, 1, 30]))
        operation = kind(random, at)
        answer = operation(real)
        assert plain(operation(model)) == plain(answer)
        outcomes.add(str(answer)[:20])
    stored = deployment.dynamodb.scan(TableName=TABLE)["Items"]
    for item in (*stored, *memory.items.values()):
        for value in item.values():
            if "SS" in value:
                value["SS"] = sorted(value["SS"])
    assert sorted(map(str, map(sorted_items, stored))) == sorted(map(str, map(sorted_items, memory.items.values())))
    assert {"True", "False"} <= outcomes


def sorted_items(item: Any) -> list[Any]:
    """An item in one order, its texts as plain ones."""
    return sorted((name, [(kind, str(each)) for kind, each in value.items()]) for name, value in item.items())


def answer_of(operation: Operation, adapter: Any) -> Any:
    """What an operation answers, or why it did not."""
    try:
        return operation(adapter)
    except Undecided as failure:
        return failure.reason


def on_aws_iot(
    random: Random, ids: list[str], cas: list[str], settable: list[CertificateStatus], *, policies: bool
) -> Operation:
    """One operation on a certificate, a policy or a CA, known or not."""
    known, status, name, ca = (random.choice(each) for each in (ids, settable, ["p", "q"], cas))
    arn = f"arn:aws:iot:{REGION}:{ACCOUNT}:cert/{ids[0]}"
    return random.choice(
        [
            lambda a: a.describe_certificate(known),
            lambda a: a.update_certificate(known, status),
            lambda a: a.switch_off(known, status),
            lambda a: a.attach_policy(name, arn),
            lambda a: a.create_policy(name, POLICY) if policies else None,
            lambda a: a.describe_ca(ca),
            lambda a: a.certificate_page(ca, None),
        ]
    )


def test_aws_iot_in_memory_answers_as_the_strict_one(deployment: TestDeployment) -> None:
    """Statuses, REVOKED being final, policies."""
    random, device = seeded(1), deployment.ca.issue()
    deployment.iot.connect(device, deployment.ca)
    memory = MemoryIot(cas={deployment.ca.ca_certificate_id: pki.pem(deployment.ca.certificate)})
    memory.certificates[device.certificate_id] = pki.pem(device.certificate), deployment.ca.ca_certificate_id
    memory.statuses[device.certificate_id] = CertificateStatus.PENDING_ACTIVATION
    settable = [CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.REVOKED]
    real = IotRegistry(deployment.iot_client)
    ids, cas = [device.certificate_id, "f" * 64], [deployment.ca.ca_certificate_id, "e" * 64]
    for n in range(OPERATIONS):
        operation = on_aws_iot(random, ids, cas, settable if n > OPERATIONS // 2 else settable[:2], policies=n > 20)
        assert answer_of(operation, memory) == answer_of(operation, real)
    assert memory.statuses[device.certificate_id].value == deployment.iot.status(device) == "REVOKED"
    assert {policy for policy, _ in memory.attached} == set(deployment.iot.certificates[device.certificate_id].policies)


def test_sources_and_copies_in_memory_answer_as_s3(deployment: TestDeployment) -> None:
    """Conditional reads, what is not there, copies by their content."""
    location, ca = f"s3://{BUCKET}/{CRL_KEY}", deployment.ca
    http = HttpFetcher(hosts=frozenset())
    real = CrlSources(s3=deployment.s3, http=http, own_bucket=BUCKET, account=ACCOUNT)
    memory = MemorySources()
    first = real.fetch(location, etag=None)
    assert first is not None
    memory.published[location] = first
    for etag in (None, first.etag, '"another"'):
        assert memory.fetch(location, etag=etag) == real.fetch(location, etag=etag)
    for sources in (memory, real):
        assert answer_of(lambda each: each.fetch(f"{location}2", etag=None), sources) == "no_crl"
    crl = verify_crl(first.data, ca.certificate, at=deployment.clock())
    for copies in (MemoryEnforced(), EnforcedCrls(deployment.s3, BUCKET, ACCOUNT)):
        assert copies.load("s", crl.sha256, ca.certificate) is None
        copies.store("s", crl)
        loaded = copies.load("s", crl.sha256, ca.certificate)
        assert loaded is not None
        assert loaded.der == crl.der
        assert copies.load("t", crl.sha256, ca.certificate) is None
