"""Which certificates have a registry row, by their ids: AWS IoT lists ids, and rows are kept by serial number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jitr.aws.state_table import Key, StateTable, text

_KNOWN = "id#"


@dataclass(frozen=True)
class KnownCertificates:
    """The ids that are known of one deployment."""

    table: StateTable

    def remember(self, certificate_id: str, key: str) -> None:
        """Keep by its id that a certificate has a row, so that the search for unknown ones need not describe it."""
        self.table.update(_known_key(certificate_id), "SET registry_row = :row", {":row": {"S": key}})

    def key_of(self, certificate_id: str) -> str | None:
        """Return the key of the row that one certificate is known to have."""
        item = self.table.get(_known_key(certificate_id))
        return None if item is None else text(item, "registry_row")

    def unknown(self, certificate_ids: Sequence[str]) -> list[str]:
        """Return those of the ids that have no row yet, in their order."""
        known = self.table.get_many([_known_key(each) for each in certificate_ids])
        found = {item["pk"]["S"] for item in known}
        return [each for each in certificate_ids if _known_key(each)["pk"]["S"] not in found]

    def known(self, certificate_ids: Sequence[str]) -> dict[str, str]:
        """Return the row keys of those of the certificates that have one, by certificate id."""
        items = self.table.get_many([_known_key(each) for each in dict.fromkeys(certificate_ids)])
        return {item["pk"]["S"].removeprefix(_KNOWN): item["registry_row"]["S"] for item in items}


def _known_key(certificate_id: str) -> Key:
    return {"pk": {"S": f"{_KNOWN}{certificate_id}"}, "sk": {"S": "known"}}
