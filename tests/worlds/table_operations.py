"""Operations on the table at random: what the table in memory and DynamoDB have to answer alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

from jitr.authorities.records import CaRecords
from jitr.aws.iot import CertificateStatus
from jitr.aws.state_table import StateTable
from jitr.crls.versions import Acceptance, CrlVersion, CrlVersions
from jitr.registry.claims import Claims
from jitr.registry.rows import Registry

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

    unreadable = {"ca_certificate_id": "c" * 64, "unreadable_ids": (certificate_id,)}

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
            lambda a: Claims(a.rows).begin_undoing(key, claim=brake or "crl-1", until=until),
            lambda a: Claims(a.rows).undo(key, claim=brake or "crl-1"),
            lambda a: on_read(a, Claims(a.rows).take_back),
            lambda a: a.rows.add_known(key, certificate_id=certificate_id, facts=unreadable),
            lambda a: a.rows.is_readable(key, certificate_id),
            lambda a: a.rows.forget_by_id(certificate_id),
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
