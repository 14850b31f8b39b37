"""One key of a file that people write: what its value may be, in one place for reader, schema and docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key: its kind (`str`, `int`, `bool`, `list` of texts, `dict` of texts), and what its value may be.

    `pattern` is a regular expression for the whole text (for each text of a list or dict) and `shape` says it in words;
    `names` is one for each name of a dict. `keys` are those of a table that may stand in place of a text.
    `choices` are all the values there are, beside integers from `minimum` on where that is given too.
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
