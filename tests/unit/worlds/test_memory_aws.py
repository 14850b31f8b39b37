"""AWS in memory against the real adapters: the same random operations, the same answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jitr.authorities.records import CaRecords
from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.aws.state_table import StateTable
from jitr.crls.http_fetch import HttpFetcher
from jitr.crls.sources import CrlSources
from jitr.crls.versions import Acceptance, CrlVersion, CrlVersions
from jitr.enforcement.copies import EnforcedCrls
from jitr.errors import Undecided
from jitr.registry.claims import Claims
from jitr.registry.rows import Registry
from jitr.revocation import verify_crl
from jitr_local import pki
from tests.aws.fake_iot import ACCOUNT, REGION
from tests.aws.memory_aws import MemoryEnforced, MemoryIot, MemorySources, MemoryTable
from tests.worlds.deployment import BUCKET, CRL_KEY, POLICY, TABLE, TestDeployment
from tests.worlds.seeded import seeded

OPERATIONS = 400
Operation = Callable[[Any], Any]
FACTS = {"ca_certificate_id": "c" * 64, "not_after": 4_000_000_000}


def adapters(table: StateTable) -> Any:
    """What keeps its state in the table."""
    return SimpleNamespace(rows=Registry(table), versions=CrlVersions(table), records=CaRecords(table))


def plain(answer: Any) -> Any:
    """An answer without what has no order."""
    if hasattr(answer, "certificate_ids"):
        return {**vars(answer), "certificate_ids": sorted(answer.certificate_ids)}
    return answer


def on_a_row(random: Random, at: datetime) -> Operation:
    """One operation on one of two rows, by one of two owners."""
    key, owner = random.choice(["issuer#1", "issuer#2"]), random.choice(["one", "other"])
    certificate_id, until = random.choice(["a", "b"]) * 64, at + timedelta(seconds=random.choice([-1, 0, 1, 90]))
    wanted = random.choice([CertificateStatus.REVOKED, CertificateStatus.INACTIVE])
    brake, finisher = random.choice([None, "crl-1", "crl-2"]), random.choice([None, owner])

    def on_read(a: Any, change: Callable[[Any], Any]) -> Any:
        row = a.rows.row(key)
        return row and change(row)

    return random.choice(
        [
            lambda a: a.rows.begin_activation(
                key, certificate_id=certificate_id, owner=owner, lease_until=until, at=at, facts=FACTS
            ),
            lambda a: a.rows.finish_activation(key, owner=finisher, at=at),
            lambda a: a.rows.release_lease(key, owner=owner),
            lambda a: a.rows.note_replacement(key, owner=owner, replaces=certificate_id),
            lambda a: a.rows.want_revocation(key, certificate_id=certificate_id, wanted=wanted, facts=FACTS),
            lambda a: on_read(a, lambda row: a.rows.mark(row, wanted=wanted, braked_by=brake)),
            lambda a: a.rows.add_known(key, certificate_id=certificate_id, facts=FACTS),
            lambda a: a.rows.finish_revocation(key, done=wanted),
            lambda a: on_read(a, a.rows.clear_lease),
            lambda a: Claims(a.rows).begin_undoing(key, claim=brake or "crl-1"),
            lambda a: Claims(a.rows).undo(key, claim=brake or "crl-1"),
            lambda a: a.rows.remember(certificate_id, key),
            lambda a: a.rows.unknown(["a" * 64, "b" * 64]),
            lambda a: sorted((plain(row) for row in a.rows.rows(["issuer#1", "issuer#2"])), key=lambda row: row["key"]),
        ]
    )


def on_a_scope(random: Random, at: datetime) -> Operation:
    """One operation on one of two scopes."""
    scope, owner, crl = (random.choice(pair) for pair in (["s1", "s2"], ["one", "other"], ["crl-1", "crl-2"]))
    version = CrlVersion(
        number=random.choice([None, 1, 2, 255, 2**159]),
        this_update=at + timedelta(hours=random.choice([0, 1, 2])),
        sha256=crl,
    )
    seen = random.choice([0, 1, 2])
    return random.choice(
        [
            lambda a: a.versions.accept(scope, version, after=a.versions.acceptance(scope)),
            lambda a: a.versions.accept(scope, version, after=Acceptance(version=None, count=seen)),
            lambda a: a.versions.count_rejection(scope),
            lambda a: a.versions.lease(scope, owner=owner, until=at + timedelta(seconds=5), at=at),
            lambda a: a.versions.release(scope, owner=owner),
            lambda a: a.versions.record_enforced(scope, crl, seen=seen),
            lambda a: a.versions.record_enforced(scope, crl, seen=a.versions.state(scope).forgotten),
            lambda a: a.versions.forget_enforced(scope),
            lambda a: a.versions.record_brake(scope, crl, 101),
            lambda a: a.versions.confirm(scope, crl, by="me", at=at),
            lambda a: a.versions.reject(scope, crl, by="me", at=at),
            lambda a: a.versions.clear_brake(scope),
            lambda a: a.versions.reset(scope, by="me", at=at),
            lambda a: list(a.versions.states()),
            lambda a: a.records.count_device("c" * 64),
            lambda a: a.records.watch("c" * 64, (crl,)),
            lambda a: a.records.record("c" * 64),
        ]
    )


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
