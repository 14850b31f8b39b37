"""Reads `policies/<name>.cases.toml`: devices with their facts, and cases that ask about them.

Checked like the fleet file: every mistake of a file comes together, each with line and key, what was found and what is
allowed. The keys are listed in policy_case_keys.py.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any, Final

from jitr.policies.values import PolicyError
from jitr_fleet.files.mistakes import Mistake, Mistakes
from jitr_fleet.files.tables import did_you_mean, note_unknown_keys, read_table
from jitr_fleet.files.toml_lines import TomlLines
from jitr_fleet.policies.cases.case import Case, Expectation
from jitr_fleet.policies.cases.devices import read_device, said_in
from jitr_fleet.policies.cases.exceptions import read_exceptions
from jitr_fleet.policies.cases.keys import AT, CASE_KEYS, ONE_OR_MANY, REQUEST_KEYS_OF_CASES
from jitr_fleet.policies.evaluation.facts import DeviceFacts
from jitr_fleet.policies.evaluation.request import EXAMPLE_VALUES, AccessRequest, unfitting_resource, unknown_action

SUFFIX: Final = ".cases.toml"
_MAXIMUM_BYTES: Final = 1024 * 1024
# Lists multiply: three long ones would fill any memory.
_MOST_QUESTIONS: Final = 10_000
_EXPECTED: Final = "expected: TOML with [devices.<name>] and [[cases]]; see docs/policy-evaluation.md"


def cases_of(template: Path) -> Path:
    """Return where a template's cases are."""
    return template.with_name(f"{template.stem}{SUFFIX}")


def template_of(cases: Path) -> Path:
    """Return the template that a file of cases is about."""
    return cases.with_name(f"{cases.name.removesuffix(SUFFIX)}.json")


def read_cases(file: Path) -> tuple[tuple[Case, ...], tuple[Mistake, ...]]:
    """Return a file's cases, one for each device, action and resource of it, or every mistake in it.

    Not checked: whether the template exists. A file without cases is a mistake. Never raises for what is in the file.
    """
    document, mistakes = read_document(file)
    cases = [] if document is None else _Reader(file, mistakes).read(document)
    return (() if mistakes.found else tuple(cases)), mistakes.found


def read_document(file: Path) -> tuple[dict[str, Any] | None, Mistakes]:
    """Return the TOML of a file of cases, and where its mistakes go; None and a mistake for no usable TOML."""
    mistakes = Mistakes(file)
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MAXIMUM_BYTES + 1)
        if len(raw) > _MAXIMUM_BYTES:
            raise ValueError(f"more than {_MAXIMUM_BYTES:,} bytes")  # noqa: TRY301 - one place for all of them
        text = raw.decode("utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        mistakes.add("", f"cannot be read: {error.strerror}", _EXPECTED)
    except UnicodeDecodeError as error:
        mistakes.add("", f"is not UTF-8 (byte {error.start})", _EXPECTED)
    except (ValueError, RecursionError) as error:
        mistakes.add("", f"is no usable TOML: {error}", _EXPECTED)
    else:
        return document, Mistakes(file, line_of=TomlLines(text).line_of)
    return None, mistakes


@dataclass(frozen=True)
class _Reader:
    file: Path
    mistakes: Mistakes

    def read(self, document: Mapping[str, Any]) -> list[Case]:
        note_unknown_keys(document, ["devices", "cases", "exceptions"], path="", mistakes=self.mistakes)
        read_exceptions(document, self.mistakes)
        tables = document.get("devices", {})
        if not isinstance(tables, Mapping):
            self.mistakes.add("devices", "found no table", "expected: [devices.<name>]")
            tables = {}
        devices = {name: read_device(name, table, self.file, self.mistakes) for name, table in tables.items()}
        cases = document.get("cases", [])
        if not isinstance(cases, list) or not cases:
            self.mistakes.add("cases", "missing or empty", "expected: at least one [[cases]]")
            return []
        return [case for index, table in enumerate(cases) for case in self._cases(table, f"cases[{index}]", devices)]

    def _cases(self, table: object, path: str, devices: Mapping[str, DeviceFacts]) -> list[Case]:
        before = len(self.mistakes)
        values = read_table(_listed(table), CASE_KEYS, path=path, mistakes=self.mistakes)
        for name in values.get("device", ()):
            if name not in devices:
                self.mistakes.add(f"{path}.device", f'there is no device "{name}"', did_you_mean(name, devices))
        for name in ("device", "action", "resource"):
            if values.get(name) == []:
                self.mistakes.add(f"{path}.{name}", "an empty list", "name at least one")
        if len(self.mistakes) > before:
            return []
        combined = values["device"], values["action"], values["resource"] or [None]
        if (questions := math.prod(map(len, combined))) > _MOST_QUESTIONS:
            self.mistakes.add(path, f"{questions} questions", f"one case asks {_MOST_QUESTIONS} at most; make several")
            return []
        moment = _moment(values.get(AT), f"{path}.{AT}", self.mistakes)
        said = said_in(values, REQUEST_KEYS_OF_CASES)
        cases = [
            Case(
                file=self.file,
                line=self.mistakes.line_of(path) if self.mistakes.line_of else 1,
                why=values["why"],
                device=device,
                facts=replace(devices[device], now=moment, said={**devices[device].said, **said}),
                action=action,
                resource=resource,
                expect=Expectation(values["expect"]),
            )
            for device, action, resource in product(*combined)
        ]
        for case in cases:
            self._note_question(case, path)
        return cases

    def _note_question(self, case: Case, path: str) -> None:
        """Note a question whose answer would say nothing: of no action, or on a resource that it is never asked for."""
        if (wrong := unknown_action(case.action)) is not None:
            self.mistakes.add(f"{path}.action", *wrong)
            return
        try:
            request = AccessRequest.of(case.action, case.resource, case.facts, EXAMPLE_VALUES)
        except PolicyError as error:
            self.mistakes.add(f"{path}.resource", str(error), "")
            return
        if (wrong := unfitting_resource(request)) is not None:
            self.mistakes.add(f"{path}.resource", *wrong)


def _moment(text: str | None, path: str, mistakes: Mistakes) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        mistakes.add(path, f'there is no such moment as "{text}"', "expected: one such as 2026-01-31T12:00:00Z")
        return None


def _listed(table: object) -> object:
    """Return a table with a list for every key that may be one text or several."""
    if not isinstance(table, Mapping):
        return table
    return {name: [value] if name in ONE_OR_MANY and isinstance(value, str) else value for name, value in table.items()}
