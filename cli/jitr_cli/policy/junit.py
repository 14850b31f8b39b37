"""Writes the results of policy cases as JUnit XML, which build servers show beside other tests."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from jitr_fleet.policies.cases.suite import SuiteResult

# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, suites: Sequence[SuiteResult]) -> None:
    """Write one <testsuite> for each template, one <testcase> for each case; raises OSError.

    A wrong answer is a failure; a mistake in a file, and a case that could not be evaluated, are errors.
    """
    root = ET.Element("testsuites", name="jitr policy test")
    for suite in suites:
        root.append(_suite(suite))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(each.attrib[count]) for each in root)))
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _suite(suite: SuiteResult) -> ET.Element:
    element = ET.Element("testsuite", name=_clean(str(suite.template)))
    name = _clean(suite.template.stem)
    for result in suite.results:
        case = result.case
        attributes = {"file": str(case.file), "line": str(case.line), "name": f"{case.why} ({case.question})"}
        test = ET.SubElement(element, "testcase", {key: _clean(text) for key, text in attributes.items()})
        test.set("classname", f"policies.{name}")
        if not result.passed:
            kind = "error" if result.decision is None else "failure"
            outcome = ET.SubElement(test, kind, message=_clean(result.summary), type=str(case.expect))
            outcome.text = _clean("\n".join(result.explanation))
    for mistake in suite.mistakes:
        attributes = {
            "file": str(mistake.file),
            "line": str(mistake.line or 1),
            "name": f"{mistake.file.name} is usable",
        }
        test = ET.SubElement(element, "testcase", {key: _clean(text) for key, text in attributes.items()})
        test.set("classname", f"policies.{name}")
        ET.SubElement(test, "error", message=_clean(str(mistake)), type="mistake")
    element.set("tests", str(len(element)))
    for kind in ("failure", "error"):
        element.set(f"{kind}s", str(len(element.findall(f"testcase/{kind}"))))
    return element


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
