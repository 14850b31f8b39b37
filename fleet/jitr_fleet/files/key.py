"""One key of a file that people write: what its value may be, in one place for reader, schema and docs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


def _as_it_is(value: Any) -> Any:  # noqa: ANN401 - of the key's kind
    return value


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key: its kind (`str`, `int`, `float`, `bool`, `list` of texts, `dict` of texts), and what its value may be.

    `pattern` is a regular expression for the whole text (for each text of a list or dict) and `shape` says it in words;
    `names` is one for each name of a dict. `keys` are those of a table that may stand in place of a text.
    `choices` are all the values there are, beside integers from `minimum` on where that is given too.

    `read` turns a value that is right into what its field holds. `fills` names the field where it is not called like
    the key; None for a value from which more has to be read, as a file's name.
    """

    name: str
    about: str
    kind: type = str
    required: bool = False
    default: Any = None
    pattern: str | None = None
    names: str | None = None
    shape: str = ""
    choices: tuple[Any, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    keys: tuple[Key, ...] = ()
    fills: str | None = ""
    read: Callable[[Any], Any] = _as_it_is

    @property
    def field(self) -> str | None:
        """Return the name of the field that the value goes into: the key's own unless said otherwise."""
        return self.name if self.fills == "" else self.fills


def fields_of(keys: Iterable[Key], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a table's values fill fields with; every key has to have a value, given or by default."""
    return {key.field: key.read(values[key.name]) for key in keys if key.field is not None}
