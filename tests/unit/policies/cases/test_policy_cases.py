"""Policy cases, run against their template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jitr_fleet.policies.cases.case import CaseResult, run_case
from jitr_fleet.policies.cases.suite import run_suite, suites_in
from jitr_fleet.policies.evaluation.request import EXAMPLE_VALUES
from tests.unit.policies.cases.policy_case_files import CASE, DEVICE, TEMPLATE, cases_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a template."""
    (tmp_path / "own.json").write_text(TEMPLATE, encoding="utf-8")
    return tmp_path


def changed(line: str) -> str:
    """The case with one line more, or another value for a key it has."""
    name = line.partition("=")[0].strip()
    kept = [each for each in CASE.splitlines() if each.partition("=")[0].strip() != name]
    return DEVICE + "\n".join([*kept, line])


class TestRunning:
    """Each case against the template."""

    def result(self, folder: Path, line: str, template: str = TEMPLATE) -> CaseResult:
        """The one result of the case with another line."""
        (case,) = cases_in(folder, changed(line))
        return run_case(case, template, EXAMPLE_VALUES, name="own.json")

    @pytest.mark.parametrize(
        ("resource", "expect", "passed"),
        [
            ("topic/a", "allowed", True),
            ("topic/a", "denied", False),
            ("topic/b", "denied", True),
            ("topic/b", "implicit_deny", True),
            ("topic/b", "explicit_deny", False),
            ("topic/b", "allowed", False),
        ],
    )
    def test_the_answer_is_compared_with_the_right_one(
        self, folder: Path, resource: str, expect: str, *, passed: bool
    ) -> None:
        """Denied is denied by whatever; the two kinds can be told apart."""
        text = changed(f'expect = "{expect}"').replace("topic/a", resource)
        (case,) = cases_in(folder, text)
        assert run_case(case, TEMPLATE, EXAMPLE_VALUES, name="own.json").passed is passed

    def test_an_explicit_deny_is_told_from_an_implicit_one(self, folder: Path) -> None:
        """The same case with a Deny in the template."""
        denying = TEMPLATE.replace("Allow", "Deny")
        assert self.result(folder, 'expect = "explicit_deny"', denying).passed
        assert not self.result(folder, 'expect = "implicit_deny"', denying).passed

    def test_a_failure_explains_itself(self, folder: Path) -> None:
        """What was expected, what came, and why."""
        result = self.result(folder, 'expect = "denied"')
        assert result.summary == "expected denied, got allowed"
        assert result.explanation[0] == "allowed by own.json /Statement"

    @pytest.mark.parametrize(
        ("template", "words"),
        [
            (TEMPLATE.replace("@{account}", "@{acount}"), "unknown value @{acount}"),
            (TEMPLATE.replace("topic/a", "topic/@{device.serial}"), "there is no value for @{device.serial}"),
            (TEMPLATE.replace('"Allow"', '"allow"'), 'Effect "allow" does not exist'),
            (
                TEMPLATE.replace('"Action"', '"Condition": {"Bol": {"iot:ClientId": "x"}}, "Action"'),
                "did you mean Bool",
            ),
        ],
    )
    def test_a_template_that_gives_no_answer_fails_the_case(self, folder: Path, template: str, words: str) -> None:
        """Whatever was expected: undetermined is not denied."""
        result = self.result(folder, 'expect = "denied"', template)
        assert (result.passed, result.decision) == (False, None)
        assert words in result.summary

    def test_device_values_come_from_the_devices_facts(self, folder: Path) -> None:
        """Each device is asked with a policy of its own."""
        template = TEMPLATE.replace("topic/a", "topic/@{device.thing_name}/a")
        device = '[devices.sensor]\nthing = { name = "s1" }\n[devices.other]\nthing = { name = "s2" }\n'
        text = device + CASE.replace("topic/a", "topic/s1/a").replace('"sensor"', '["sensor", "other"]')
        results = [run_case(case, template, EXAMPLE_VALUES, name="own.json") for case in cases_in(folder, text)]
        assert [result.passed for result in results] == [True, False]


class TestSuites:
    """A template and its cases belong together."""

    def test_all_of_a_folder(self, folder: Path) -> None:
        """Templates without cases, and cases without a template, are mistakes."""
        (folder / "other.cases.toml").write_text(DEVICE + CASE)
        (folder / "README.md").write_text("")
        found = [run_suite(template) for template in suites_in([folder])]
        other, own = [str(mistake) for suite in found for mistake in suite.mistakes]
        assert other.startswith(f"{folder}/other.cases.toml: there is no template other.json beside it; name the cases")
        assert own.startswith(f"{folder}/own.json: has no cases: there is no own.cases.toml beside it; write at least")
        assert not any(suite.passed for suite in found)

    def test_a_file_stands_for_its_template(self, folder: Path) -> None:
        """Named twice it is run once."""
        (folder / "own.cases.toml").write_text(DEVICE + CASE)
        (template,) = suites_in([folder / "own.cases.toml", folder / "own.json", folder])
        suite = run_suite(template)
        assert (suite.passed, len(suite.results)) == (True, 1)

    def test_a_template_of_one_account_is_asked_there(self, folder: Path) -> None:
        """Short resources are completed as its own ARNs are."""
        literal = (
            TEMPLATE.replace("@{partition}", "aws").replace("@{region}", "eu-west-1").replace("@{account}", "1" * 12)
        )
        (folder / "own.json").write_text(literal)
        (folder / "own.cases.toml").write_text(DEVICE + CASE)
        assert run_suite(folder / "own.json").passed
        elsewhere = {"account": "2" * 12, "partition": "aws", "region": "eu-west-1"}
        assert not run_suite(folder / "own.json", elsewhere).passed

    @pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"Version": "x", "Version": "y"}', b"[" * 100_000])
    def test_a_template_that_cannot_be_read_is_a_mistake(self, folder: Path, content: bytes) -> None:
        """With its line, and no case is run."""
        (folder / "own.json").write_bytes(content)
        (folder / "own.cases.toml").write_text(DEVICE + CASE)
        suite = run_suite(folder / "own.json")
        assert (suite.results, suite.passed) == ((), False)
        assert re.match(rf"{folder}/own\.json:\d+: ", str(suite.mistakes[0]))
