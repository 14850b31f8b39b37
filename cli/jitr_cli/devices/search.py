"""Finds a device by what it is called: Thing, serial number, the beginning of its certificate's id, common name.

Things and serial numbers are looked up. Beginnings of ids and common names are in no index, so certificates are read
one page after the other, the newest first and not without end; where that ends, it is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from jitr.authorities.managed import CertificateAuthorities
from jitr.authorities.records import CaRecords
from jitr.aws.iot import IotRegistry
from jitr.aws.state_table import StateTable
from jitr.certificates import common_name, issuer_key, load_certificate
from jitr.errors import Rejected, Undecided
from jitr.registry.row import row_key
from jitr.registry.rows import Registry
from jitr_cli.console.call import Call
from jitr_cli.console.deployed_configuration import deployed_configuration
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import progress, say
from jitr_fleet.issuing.revocation_lists import parse_serial

# Fewer digits than these are more likely a slip than a device.
_BEGINNING = re.compile(r"[0-9a-f]{6,63}")
# A page of 250 costs one call; a common name costs one for each certificate, at ten a second.
LISTED_AT_MOST = 25_000
READ_AT_MOST = 500
# A search is for a person who waits.
_SHOWN = 8


def find(call: Call, text: str) -> str:
    """Return the id of the one certificate that `text` means; raises CommandFailed for none, and for several."""
    search = _Search.of(call)
    ways: tuple[tuple[str, Callable[[str], Iterator[str]]], ...] = (
        ("Thing", search.by_thing),
        ("serial number", search.by_serial),
        ("beginning of an id", search.by_beginning),
        ("common name", search.by_common_name),
    )
    for what, way in ways:
        found = list(dict.fromkeys(way(text)))
        if len(found) == 1:
            say(f"{what} {text} is certificate {found[0]}")
            return found[0]
        if found:
            shown = ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
            raise CommandFailed(f"{text!r} may be any of these certificates ({what}): {shown}")
    raise CommandFailed(
        f"no device here is called {text!r}: looked for its Thing, its serial number under the deployment's CAs, and "
        f"{' and '.join(search.looked) or 'nothing more'}; the certificate's file or whole id always works"
    )


@dataclass
class _Search:
    """One search in one deployment; `looked` is what was read without an index, in words."""

    registry: IotRegistry
    rows: Registry
    authorities: CertificateAuthorities
    looked: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, call: Call) -> _Search:
        iot = IotRegistry(call.aws.client("iot"))
        table = StateTable(call.aws.client("dynamodb"), call.stack.state_table)
        configuration = deployed_configuration(call.aws, call.stack)
        authorities = CertificateAuthorities(configuration, iot, CaRecords(table), call.stack.crl_bucket)
        return cls(registry=iot, rows=Registry(table), authorities=authorities)

    def by_thing(self, name: str) -> Iterator[str]:
        """Yield the certificates that are attached to a Thing of this name."""
        if " " in name or "." in name or self.registry.find_thing(name) is None:
            return
        for principal in self.registry.principals_of(name):
            if ":cert/" in principal:
                yield principal.rpartition("/")[2]

    def by_serial(self, text: str) -> Iterator[str]:
        """Yield the certificates that the registry has under this serial number, of any CA of the deployment."""
        try:
            serial = parse_serial(text)
        except ValueError:
            return
        keys = []
        for managed in self.authorities.all(at=datetime.now(UTC)):
            try:
                keys.append(row_key(issuer_key(self.authorities.certificate(managed, at=datetime.now(UTC))), serial))
            except Undecided as unknown:
                say(f"note: devices of CA {managed.name} are not searched: {unknown.message}")
        for row in self.rows.rows(keys):
            yield from sorted(row.certificate_ids)

    def by_beginning(self, text: str) -> Iterator[str]:
        """Yield the certificates whose ids begin so."""
        start = text.lower()
        if not _BEGINNING.fullmatch(start):
            return
        looked = 0
        for identifier in self._ids(LISTED_AT_MOST):
            looked += 1
            if identifier.startswith(start):
                yield identifier
        self.looked.append(f"the ids of the newest {looked:,} certificates")

    def by_common_name(self, text: str) -> Iterator[str]:
        """Yield the certificates with this common name among the newest; each has to be read."""
        looked = 0
        with progress("reading certificates", total=None) as bar:
            for identifier in self._ids(READ_AT_MOST):
                looked += 1
                bar(1)
                if text == _common_name(self.registry.describe_certificate(identifier).pem):
                    yield identifier
        self.looked.append(f"the common names of the newest {looked:,} certificates")

    def _ids(self, at_most: int) -> Iterator[str]:
        left = at_most
        for managed in self.authorities.all(at=datetime.now(UTC)):
            for identifier, _ in self.registry.certificates_of(managed.ca_certificate_id, newest_first=True):
                if left == 0:
                    return
                left -= 1
                yield identifier


def _common_name(pem: str) -> str | None:
    """Return the common name of a certificate; None where it has none, or cannot be read."""
    try:
        return common_name(load_certificate(pem))
    except (Rejected, Undecided):
        return None
