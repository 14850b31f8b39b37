"""AWS in plain memory, for explorations that run the use cases hundreds of thousands of times.

In place of `StateTable` stands a table that evaluates the same DynamoDB expressions, so the real `Registry`,
`CrlVersions` and `CaRecords` run above it with their own conditions. In place of `IotRegistry`, `CrlSources` and
`EnforcedCrls` stand objects with the same methods. tests/aws/test_memory_aws.py compares all of them with the real
adapters on moto and the strict AWS IoT.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography import x509

from jitr.aws.iot import CertificatePage, CertificateStatus, ListedCertificate, RegisteredCa, RegisteredCertificate
from jitr.aws.state_table import Item, Key
from jitr.crls.fetched import Fetched
from jitr.crls.sources import CDP, named_locations
from jitr.errors import Reason, Undecided
from jitr.revocation import VerifiedCrl
from tests.aws.fake_iot import ACCOUNT, REGION, REGISTERED
from tests.worlds.interleaving import frozen

Condition = Callable[[Item, Item], bool]
_TOKEN = re.compile(r"\s*(attribute_not_exists|attribute_exists|contains|NOT|AND|OR|<=|>=|<>|<|>|=|\(|\)|,|[:#]?\w+)")
_COMPARISONS = {"=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}


def _comparable(value: Any) -> tuple[str, Any]:
    ((kind, content),) = value.items()
    return kind, int(content) if kind == "N" else sorted(content) if kind == "SS" else content


def _compare(name: str, sign: str, value: str) -> Condition:
    def holds(item: Item, values: Item) -> bool:
        if name not in item:
            return sign == "<>"
        kind, left = _comparable(item[name])
        other, right = _comparable(values[value])
        if sign == "<>":
            return (kind, left) != (other, right)
        return kind == other and bool(_COMPARISONS[sign](left, right))

    return holds


def _contains(name: str, value: str) -> Condition:
    return lambda item, values: values[value]["S"] in item.get(name, {}).get("SS", ())


class _Parser:
    """Reads a condition: OR of ANDs of comparisons, existence tests and parentheses."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        if "".join(self._tokens) != re.sub(r"\s", "", text):
            raise ValueError(f"not understood: {text}")

    def whole(self) -> Condition:
        condition = self._any()
        if self._tokens:
            raise ValueError(f"left over: {self._tokens}")
        return condition

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._next_is("OR"):
            parts.append(self._all())
        return lambda item, values: any(part(item, values) for part in parts)

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._next_is("AND"):
            parts.append(self._one())
        return lambda item, values: all(part(item, values) for part in parts)

    def _one(self) -> Condition:
        token = self._tokens.pop(0)
        if token == "NOT":
            negated = self._one()
            return lambda item, values: not negated(item, values)
        if token == "(":
            inner = self._any()
            self._tokens.pop(0)
            return inner
        if token.startswith("attribute_"):
            _, name, _ = (self._tokens.pop(0) for _ in range(3))
            wanted, name = token == "attribute_exists", _name(name)
            return lambda item, _values: (name in item) is wanted
        if token == "contains":
            _, name, _, value, _ = (self._tokens.pop(0) for _ in range(5))
            return _contains(_name(name), value)
        return _compare(_name(token), self._tokens.pop(0), self._tokens.pop(0))

    def _next_is(self, word: str) -> bool:
        if self._tokens[:1] != [word]:
            return False
        self._tokens.pop(0)
        return True


def _name(token: str) -> str:
    return token.removeprefix("#")


@lru_cache
def condition_of(text: str) -> Condition:
    """Return what a condition expression says of an item and values; raises ValueError where it is not understood."""
    return _Parser(text).whole()


@lru_cache
def _changes(update: str) -> tuple[tuple[str, str, str], ...]:
    """Return (clause, attribute, value name) for each part of an update expression."""
    words = re.split(r"\b(SET|ADD|REMOVE|DELETE)\b", update)[1:]
    changes = []
    for clause, body in zip(words[::2], words[1::2], strict=True):
        for part in body.split(","):
            attribute, _, value = part.strip().replace(" = ", " ").partition(" ")
            changes.append((clause, _name(attribute), value.strip()))
    return tuple(changes)


def changed(key: Key, before: Item, update: str, values: Item) -> dict[str, Any]:
    """Return what an update expression makes of an item."""
    item = {**key, **before}
    for clause, attribute, value in _changes(update):
        if clause == "REMOVE":
            item.pop(attribute, None)
        elif clause == "SET":
            item[attribute] = values[value]
        elif clause == "DELETE":
            left = set(item.pop(attribute, {"SS": []})["SS"]) - set(values[value]["SS"])
            item |= {attribute: {"SS": sorted(left)}} if left else {}
        else:
            item[attribute] = _added(item.get(attribute), values[value])
    return item


@dataclass
class MemoryTable:
    """`StateTable` in memory. Items are never changed in place, so a reader may keep what it was given."""

    items: dict[tuple[str, str], Item] = field(default_factory=dict)
    digests: dict[tuple[str, str], int] = field(default_factory=dict)

    def get(self, key: Key) -> Item | None:
        return self.items.get(_identity(key))

    def get_many(self, keys: Sequence[Key]) -> list[Item]:
        return [self.items[each] for each in map(_identity, keys) if each in self.items]

    def query(self, pk: str) -> list[Item]:
        return [item for (partition, _), item in sorted(self.items.items()) if partition == pk]

    def update(self, key: Key, update: str, values: Item, *, condition: str | None = None) -> Item | None:
        before = self.items.get(_identity(key), {})
        if condition is not None and not condition_of(condition)(before, values):
            return None
        item = changed(key, before, update, values)
        self.items[_identity(key)] = item
        self.digests[_identity(key)] = hash(frozen(item))
        return item


def _identity(key: Key) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _added(before: Any, value: Any) -> dict[str, Any]:
    if "N" in value:
        return {"N": str(int((before or {"N": "0"})["N"]) + int(value["N"]))}
    return {"SS": sorted({*(before or {"SS": []})["SS"], *value["SS"]})}


@dataclass
class MemoryIot:
    """`IotRegistry` in memory: certificates by id as (PEM, CA id), and their statuses; one CA, no Things."""

    cas: dict[str, str]
    certificates: dict[str, tuple[str, str]] = field(default_factory=dict)
    statuses: dict[str, CertificateStatus] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    attached: set[tuple[str, str]] = field(default_factory=set)

    def describe_certificate(self, certificate_id: str) -> RegisteredCertificate:
        if certificate_id not in self.certificates:
            raise Undecided(Reason.CERTIFICATE_NOT_FOUND, "AWS IoT knows no such certificate")
        pem, ca_certificate_id = self.certificates[certificate_id]
        return RegisteredCertificate(
            certificate_id=certificate_id,
            arn=f"arn:aws:iot:{REGION}:{ACCOUNT}:cert/{certificate_id}",
            ca_certificate_id=ca_certificate_id,
            owner=ACCOUNT,
            status=self.statuses[certificate_id],
            pem=pem,
            registered_at=REGISTERED,
        )

    def certificate_page(self, ca_certificate_id: str, marker: str | None) -> CertificatePage:
        listed = (
            ListedCertificate(each, self.statuses[each], REGISTERED)
            for each, (_, ca) in self.certificates.items()
            if ca == ca_certificate_id
        )
        return CertificatePage(tuple(listed), None)

    def update_certificate(self, certificate_id: str, status: CertificateStatus) -> None:
        now = self.statuses.get(certificate_id)
        if now is None:
            raise Undecided(Reason.AWS_REFUSED, "UpdateCertificate failed: ResourceNotFoundException")
        if now is CertificateStatus.REVOKED and status is not CertificateStatus.REVOKED:
            raise Undecided(Reason.AWS_REFUSED, "UpdateCertificate failed: CertificateStateException")
        self.statuses[certificate_id] = status

    def switch_off(self, certificate_id: str, status: CertificateStatus) -> None:
        if self.statuses.get(certificate_id, CertificateStatus.REVOKED) is not CertificateStatus.REVOKED:
            self.statuses[certificate_id] = status

    def describe_ca(self, ca_certificate_id: str) -> RegisteredCa:
        if ca_certificate_id not in self.cas:
            raise Undecided(Reason.CA_NOT_FOUND, "AWS IoT knows no such CA certificate")
        pem = self.cas[ca_certificate_id]
        return RegisteredCa(ca_certificate_id=ca_certificate_id, active=True, pem=pem, provisions_itself=False)

    def attach_policy(self, policy_name: str, certificate_arn: str) -> bool:
        if policy_name not in self.policies:
            return False
        self.attached.add((policy_name, certificate_arn))
        return True

    def create_policy(self, policy_name: str, document: str) -> bool:
        created = policy_name not in self.policies
        self.policies.setdefault(policy_name, document)
        return created


@dataclass
class MemorySources:
    """`CrlSources` in memory: what is published at each address, its tag changing with each publication."""

    published: dict[str, Fetched] = field(default_factory=dict)
    own_bucket: str = ""

    def locations(self, source: str, distribution_points: Sequence[str]) -> tuple[str, ...]:
        if source != CDP:
            return (source,)
        found = named_locations(distribution_points, self.own_bucket)
        if not found:
            raise Undecided(Reason.NO_CRL, "the certificate names no CRL distribution point with an http(s) URL")
        return found

    def fetch(self, location: str, *, etag: str | None) -> Fetched | None:
        if location not in self.published:
            raise Undecided(Reason.NO_CRL, f"there is no CRL at {location}")
        fetched = self.published[location]
        return None if etag == fetched.etag else fetched


@dataclass
class MemoryEnforced:
    """`EnforcedCrls` in memory."""

    copies: dict[tuple[str, str], VerifiedCrl] = field(default_factory=dict)

    def load(self, scope: str, crl: str, ca: x509.Certificate) -> VerifiedCrl | None:
        return self.copies.get((scope, crl))

    def store(self, scope: str, crl: VerifiedCrl) -> None:
        self.copies[scope, crl.sha256] = crl

    def give_up_others(self, scope: str, named: Collection[str], *, before: Collection[str], at: datetime) -> None:
        for key in [key for key in self.copies if key[0] == scope and key[1] in set(before) - set(named)]:
            del self.copies[key]
