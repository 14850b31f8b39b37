"""A strict JSON reader (RFC 8259) that keeps the line of every value, and refuses what readers disagree about.

The standard library's reader keeps no positions and takes the last of duplicate keys in silence.
"""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jitr_fleet.files.tables import show

# A policy needs five levels; this bounds the recursion.
MAXIMUM_DEPTH = 20
_MAXIMUM_DIGITS = 100
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_STRINGS = json.JSONDecoder()
_UNPAIRED_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonError(ValueError):
    """What is wrong with a text that should be JSON: `rule` says which finding it is, with line and JSON Pointer."""

    def __init__(self, message: str, *, line: int, pointer: str = "", rule: str = "json-syntax") -> None:
        super().__init__(message)
        self.rule = rule
        self.line = line
        self.pointer = pointer


@dataclass(frozen=True, kw_only=True)
class JsonDocument:
    """A JSON value, the line of every value in it by JSON Pointer, and the duplicate keys (the last one counts)."""

    value: object
    lines: Mapping[str, int]
    mistakes: Sequence[JsonError]


def read_json(text: str) -> JsonDocument:
    """Read one JSON value and nothing after it; raises JsonError."""
    reader = _Reader(text)
    value, end = reader.value(reader.space(0), "", 0)
    if reader.space(end) != len(text):
        raise reader.mistake(reader.space(end), "there is more after the end of the policy; remove it", "")
    return JsonDocument(value=value, lines=reader.lines, mistakes=reader.duplicates)


def escape(token: str) -> str:
    """Return one token of a JSON Pointer."""
    return token.replace("~", "~0").replace("/", "~1")


@dataclass
class _Reader:
    text: str
    lines: dict[str, int] = field(default_factory=dict)
    duplicates: list[JsonError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._newlines = [match.start() for match in re.finditer("\n", self.text)]

    def space(self, index: int) -> int:
        """Return the index of the next character that is no white space."""
        match = _SPACE.match(self.text, index)
        return match.end() if match else index

    def line(self, index: int) -> int:
        return bisect.bisect_left(self._newlines, index) + 1

    def mistake(self, index: int, message: str, pointer: str, *, rule: str = "json-syntax") -> JsonError:
        line = self.line(index)
        column = index - (self._newlines[line - 2] if line > 1 else -1)
        return JsonError(f"column {column}: {message}", line=line, pointer=pointer, rule=rule)

    def value(self, index: int, pointer: str, depth: int) -> tuple[object, int]:
        """Read the value that begins at `index`; returns it and the index after it."""
        # A member was noted with its key, which is where people look for it.
        self.lines.setdefault(pointer, self.line(index))
        if depth > MAXIMUM_DEPTH:
            message = f"nested more than {MAXIMUM_DEPTH} levels deep; a policy needs five"
            raise self.mistake(index, message, pointer, rule="nested-too-deep")
        first = self.text[index : index + 1]
        if first == "{":
            return self._object(index + 1, pointer, depth)
        if first == "[":
            return self._array(index + 1, pointer, depth)
        if first == '"':
            return self._string(index, pointer)
        return self._scalar(index, pointer)

    def _object(self, index: int, pointer: str, depth: int) -> tuple[dict[str, object], int]:
        members: dict[str, object] = {}
        index = self.space(index)
        if self.text.startswith("}", index):
            return members, index + 1
        while True:
            if not self.text.startswith('"', index):
                raise self.mistake(index, f"expected a key in double quotes{self._hint(index)}", pointer)
            key, after = self._string(index, pointer)
            place = f"{pointer}/{escape(key)}"
            if key in members:
                message = f"the key {show(key)} is here a second time, and only the last one counts; remove one"
                self.duplicates.append(self.mistake(index, message, place))
            self.lines[place] = self.line(index)
            after = self.space(after)
            if not self.text.startswith(":", after):
                raise self.mistake(after, f"expected a colon after the key {show(key)}", place)
            members[key], index = self.value(self.space(after + 1), place, depth + 1)
            index, is_end = self._next(index, "}", pointer)
            if is_end:
                return members, index

    def _array(self, index: int, pointer: str, depth: int) -> tuple[list[object], int]:
        items: list[object] = []
        index = self.space(index)
        if self.text.startswith("]", index):
            return items, index + 1
        while True:
            item, index = self.value(index, f"{pointer}/{len(items)}", depth + 1)
            items.append(item)
            index, is_end = self._next(index, "]", pointer)
            if is_end:
                return items, index

    def _next(self, index: int, closing: str, pointer: str) -> tuple[int, bool]:
        """Return where it goes on after a member or an item, and whether that was the last one."""
        index = self.space(index)
        if self.text.startswith(closing, index):
            return index + 1, True
        if not self.text.startswith(",", index):
            raise self.mistake(index, f"expected a comma or {closing}{self._hint(index)}", pointer)
        following = self.space(index + 1)
        if self.text.startswith(closing, following):
            raise self.mistake(index, f"a comma before {closing}; remove the comma", pointer)
        return following, False

    def _string(self, index: int, pointer: str) -> tuple[str, int]:
        try:
            text, end = _STRINGS.raw_decode(self.text, index)
        except json.JSONDecodeError as error:
            raise self.mistake(error.pos, f"in a text: {error.msg}", pointer) from error
        if _UNPAIRED_SURROGATE.search(text):
            raise self.mistake(index, "a text with half a character (an unpaired surrogate); remove it", pointer)
        return text, end

    def _scalar(self, index: int, pointer: str) -> tuple[object, int]:
        for word, value in _WORDS.items():
            if self.text.startswith(word, index):
                return value, index + len(word)
        match = _NUMBER.match(self.text, index)
        if match is None:
            raise self.mistake(index, f"expected a value{self._hint(index)}", pointer)
        if len(match[0]) > _MAXIMUM_DIGITS:
            raise self.mistake(index, f"a number of more than {_MAXIMUM_DIGITS} characters; write it shorter", pointer)
        is_whole = match["fraction"] is None and match["exponent"] is None
        return int(match[0]) if is_whole else float(match[0]), match.end()

    def _hint(self, index: int) -> str:
        """Return what probably happened, for the usual mistakes."""
        if index >= len(self.text):
            return ", found the end of the file; is a bracket missing?"
        if self.text.startswith(("//", "/*", "#"), index):
            return "; JSON has no comments"
        if self.text.startswith("'", index):
            return "; JSON has double quotes only"
        return f", found {json.dumps(self.text[index], ensure_ascii=False)}"
