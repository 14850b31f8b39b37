"""Reads a policy file strictly, and remembers on which line each of its values stands.

What AWS IoT or another reader might take differently is a finding: duplicate keys, a byte order mark, other encodings
than UTF-8. Values are addressed by JSON Pointers (RFC 6901), as findings are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jitr_fleet.files.json_positions import JsonError, read_json

# AWS IoT takes no request with a longer document (model of CreatePolicy), whatever white space is in it.
MAXIMUM_BYTES = 404_600
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WIDE_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class Severity(StrEnum):
    """An error stops `cdk synth`; a warning says what deserves a second look."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class LintFinding:
    """One finding of the lint; `line` counts from 1, `path` is a JSON Pointer and empty for the whole file.

    `acknowledged` is the reviewed exception, as data, that lets it stay: then it is a warning.
    """

    rule: str
    severity: Severity
    file: str
    line: int
    path: str
    message: str
    acknowledged: Mapping[str, str] | None = None

    def __str__(self) -> str:
        """Return the finding in one line, in the form that editors and build servers read from compilers."""
        return f"{self.file}:{self.line}: {self.severity}: {self.message} [{self.rule}]"


@dataclass(frozen=True, kw_only=True)
class PolicySource:
    """A policy file: its text, the JSON value in it, and the line of every value."""

    file: str
    text: str
    value: object
    lines: Mapping[str, int]

    def line_of(self, pointer: str) -> int:
        """Return the line of a value, or of the nearest one around it that exists."""
        while pointer not in self.lines and pointer:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer, 1)


def read_policy_file(path: Path, *, name: str | None = None) -> tuple[PolicySource | None, list[LintFinding]]:
    """Read a file as `read_policy_source` reads bytes; one that cannot be read is a finding too."""
    shown = name or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"the file cannot be read: {reason}; make it a file that you may read"
        return None, [_finding("unreadable", shown, 1, message)]
    return read_policy_source(shown, raw)


def read_policy_source(path_name: str, raw: bytes) -> tuple[PolicySource | None, list[LintFinding]]:
    """Read the JSON of a policy from a file's bytes; the source is None where there is no JSON to go on with.

    Not checked: anything about policies, not even that the value is an object. Never raises.
    """
    if len(raw) > MAXIMUM_BYTES:
        message = f"more than {MAXIMUM_BYTES:,} bytes, which AWS IoT does not take; a policy has 2,048 characters"
        return None, [_finding("file-too-large", path_name, 1, message)]
    findings: list[LintFinding] = []
    if raw.startswith(_BYTE_ORDER_MARK):
        message = 'the file begins with a byte order mark; save it as "UTF-8", not "UTF-8 with BOM"'
        findings.append(_finding("byte-order-mark", path_name, 1, message))
        raw = raw.removeprefix(_BYTE_ORDER_MARK)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        findings.append(_not_utf8(path_name, raw, error.start))
        return None, findings
    try:
        document = read_json(text)
    except JsonError as error:
        findings.append(_finding(error.rule, path_name, error.line, str(error), path=error.pointer))
        return None, findings
    findings.extend(
        _finding("duplicate-key", path_name, each.line, str(each), path=each.pointer) for each in document.mistakes
    )
    return PolicySource(file=path_name, text=text, value=document.value, lines=document.lines), findings


def _not_utf8(path_name: str, raw: bytes, position: int) -> LintFinding:
    found = _WIDE_ENCODINGS.get(raw[:2], f"byte 0x{raw[position]:02x} at offset {position}")
    return _finding("not-utf8", path_name, raw.count(b"\n", 0, position) + 1, f"not UTF-8: {found}; save it as UTF-8")


def _finding(rule: str, file: str, line: int, message: str, *, path: str = "") -> LintFinding:
    return LintFinding(rule=rule, severity=Severity.ERROR, file=file, line=line, path=path, message=message)
