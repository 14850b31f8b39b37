"""`jitr policy test`: every case of every template, for people, for programs and for build servers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.conftest import Jitr
from tests.worlds.fleet_folder import CA_TABLE, DEPLOYMENT_TABLE, POLICIES, FleetFolder

ROOT = Path(__file__).parents[3]
TELEMETRY = "topic/devices/sensor-1/telemetry"


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetFolder:
    """A folder with a fleet file and the shipped policies; commands run in it."""
    folder = FleetFolder(tmp_path)
    folder.file.write_text(DEPLOYMENT_TABLE + CA_TABLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITR_FLEET", raising=False)
    return folder


@pytest.fixture
def broken(fleet: FleetFolder) -> FleetFolder:
    """The same, where somebody took a right away."""
    template = fleet.folder / "policies" / "default.json"
    template.write_text(template.read_text().replace("topic/devices/", "topic/device/"))
    return fleet


def junit() -> ET.Element:
    """Read results.xml of the folder that commands run in."""
    return ET.parse("results.xml").getroot()  # noqa: S314 - our own, written a moment ago


def test_the_shipped_cases_pass(fleet: FleetFolder, jitr: Jitr) -> None:
    """All of the folder beside the fleet file, without a word on stdout."""
    answer = jitr("policy", "test")
    assert (answer.exit_code, answer.out) == (0, "")
    assert " passed, 0 failed" in answer.err


def test_a_failing_case_is_shown_with_its_reason(broken: FleetFolder, jitr: Jitr) -> None:
    """As a row of a table, then sentence by sentence."""
    answer = jitr("policy", "test")
    assert answer.exit_code == 1
    row = next(line for line in answer.out.splitlines() if TELEMETRY in line and "iot:Publish" in line)
    assert "policies/default.cases.toml:" in row
    assert row.split()[-2:] == ["allowed", "implicit_deny"]
    assert "  implicitly denied: no statement applies\n" in answer.out
    assert "  ${iot:Connection.Thing.ThingName} = 'sensor-1'\n" in answer.out


def test_json_has_every_case(broken: FleetFolder, jitr: Jitr) -> None:
    """Passed and failed, each with file, line, question, answer and explanation."""
    answer = jitr("policy", "test", "--json")
    data = answer.json
    assert (answer.exit_code, data["passed"], data["mistakes"]) == (1, False, [])
    failed = next(case for case in data["cases"] if not case["passed"])
    assert failed["explanation"].pop(0) == "implicitly denied: no statement applies"
    assert failed.pop("explanation")
    assert failed.pop("line") > 1
    assert failed == {
        "file": "policies/default.cases.toml",
        "template": "policies/default.json",
        "why": "A device sends, receives and subscribes below its own name.",
        "device": "sensor",
        "action": "iot:Publish",
        "resource": TELEMETRY,
        "expect": "allowed",
        "decision": "implicit_deny",
        "passed": False,
        "problem": None,
    }


def test_files_and_folders_can_be_named(fleet: FleetFolder, jitr: Jitr) -> None:
    """A file of cases, its template, a folder: the same."""
    shutil.move(fleet.folder / "policies", fleet.folder / "ours")
    for path in ("ours", "ours/default.cases.toml", "ours/default.json"):
        assert jitr("policy", "test", path).exit_code == 0
    assert jitr("policy", "test", "nowhere").exit_code == 64
    missing = jitr("policy", "test")
    assert (missing.exit_code, "there is no folder policies" in missing.err) == (64, True)


def test_no_cases_at_all_is_a_failure(fleet: FleetFolder, jitr: Jitr, tmp_path: Path) -> None:
    """A pipeline that tests nothing must not be green."""
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = jitr("policy", "test", "empty")
    assert (answer.exit_code, "there are no cases" in answer.err) == (1, True)
    assert jitr("policy", "test", "empty", "--json").json == {"passed": False, "cases": [], "mistakes": []}


def test_a_template_without_cases_is_a_failure(fleet: FleetFolder, jitr: Jitr) -> None:
    """Also beside others that have some."""
    shutil.copy(POLICIES / "default.json", fleet.folder / "policies" / "gateway.json")
    answer = jitr("policy", "test", "--json")
    assert answer.exit_code == 1
    (mistake,) = answer.json["mistakes"]
    assert (mistake["file"], mistake["line"]) == ("policies/gateway.json", None)
    assert "there is no gateway.cases.toml beside it" in mistake["message"]


def test_mistakes_in_cases_are_told_by_line(fleet: FleetFolder, jitr: Jitr) -> None:
    """On stdout, as compilers write them, and no case of the file runs."""
    file = fleet.folder / "policies" / "default.cases.toml"
    file.write_text(file.read_text() + '\n[[cases]]\nwy = "?"\n')
    answer = jitr("policy", "test")
    assert answer.exit_code == 1
    assert "cases.toml:" in answer.out
    assert "wy: unknown key; did you mean why?" in answer.out
    assert "0 passed, 0 failed, 5 mistakes in the files" in answer.err


def test_a_deployments_own_values_are_used(fleet: FleetFolder, jitr: Jitr) -> None:
    """A template that names the account fits one deployment only."""
    template = fleet.folder / "policies" / "default.json"
    template.write_text(template.read_text().replace("@{account}", "444455556666"))
    assert jitr("policy", "test").exit_code == 1
    assert jitr("policy", "test", "--deployment", "prod-eu").exit_code == 1
    fleet.file.write_text(fleet.file.read_text().replace("111122223333", "444455556666"))
    assert jitr("policy", "test", "--deployment", "prod-eu").exit_code == 0
    unknown = jitr("policy", "test", "--deployment", "prod-us")
    assert (unknown.exit_code, "no deployment 'prod-us'" in unknown.err) == (64, True)


def test_a_deployments_own_folder_is_used(fleet: FleetFolder, jitr: Jitr) -> None:
    """Where the fleet file says that templates are kept."""
    shutil.move(fleet.folder / "policies", fleet.folder / "ours")
    fleet.file.write_text(DEPLOYMENT_TABLE + 'policies = "ours"\n' + CA_TABLE)
    answer = jitr("policy", "test", "--deployment", "prod-eu", "--json")
    assert {case["template"] for case in answer.json["cases"]} == {"ours/default.json"}


def test_junit_says_the_same(broken: FleetFolder, jitr: Jitr) -> None:
    """One testcase for each case; counts agree; mistakes are errors, wrong answers failures."""
    shutil.copy(POLICIES / "default.json", broken.folder / "policies" / "gateway.json")
    data = jitr("policy", "test", "--junit", "results.xml", "--json").json
    root = junit()
    failures = root.findall("testsuite/testcase/failure")
    assert root.tag == "testsuites"
    assert len(failures) == sum(not case["passed"] for case in data["cases"]) > 0
    assert failures[0].attrib["message"] == "expected allowed, got implicit_deny"
    assert "implicitly denied: no statement applies" in (failures[0].text or "")
    assert {name: int(root.attrib[name]) for name in ("tests", "failures", "errors")} == {
        "tests": len(data["cases"]) + 1,
        "failures": len(failures),
        "errors": 1,
    }
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite)
        for case in suite:
            assert all(case.attrib[name] for name in ("name", "classname", "file", "line"))


def test_junit_holds_whatever_cases_hold(fleet: FleetFolder, jitr: Jitr) -> None:
    """Characters that XML cannot hold, and those that it must escape."""
    file = fleet.folder / "policies" / "default.cases.toml"
    text = '[devices.a]\n[[cases]]\nwhy = "<&\\"\\u0001\\uFFFE>"\ndevice = "a"\naction = "iot:Publish"\n'
    file.write_text(text + 'resource = "topic/]]>\\u0000"\nexpect = "allowed"\n')
    assert jitr("policy", "test", "--junit", "results.xml").exit_code == 1
    (case,) = junit().findall("testsuite/testcase")
    assert case.attrib["name"] == '<&"\ufffd\ufffd> (a iot:Publish topic/]]>\ufffd)'


def test_a_report_that_cannot_be_written_is_usage(fleet: FleetFolder, jitr: Jitr) -> None:
    """Rather than a green build without a report."""
    assert jitr("policy", "test", "--junit", "nowhere/results.xml").exit_code == 64


@pytest.mark.parametrize(
    "arguments",
    [
        ["policy", "test", "policies"],
        ["policy", "simulate", "--policy", "policies/default.json", "--action", "iot:Connect", "--thing-name", "a"],
    ],
    ids=["test", "simulate"],
)
def test_neither_boto3_nor_the_cdk_is_loaded(arguments: list[str]) -> None:
    """These run in every pull request, without AWS at hand."""
    code = (
        "import sys; from jitr_cli.__main__ import run; "
        f"code = run({arguments!r}); "
        "sys.exit(code or bool({'boto3', 'botocore', 'aws_cdk'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
