"""`jitr policy lint`: which files, what is printed, and how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jitr_local import pki
from tests.cli.conftest import Jitr

ROOT = Path(__file__).parents[3]
BAD = '{\n  "Version": "2008-10-17",\n  "Statement": []\n}\n'
WARNING = """{
  "Version": "2012-10-17",
  "Statement": {
    "Effect": "Allow",
    "Action": "iot:Receive",
    "Resource": "arn:aws:iot:eu-west-1:111122223333:topic/news"
  }
}
"""
FLEET = """
[deployments.prod-eu]
account = "111122223333"
region = "eu-west-1"

[[deployments.prod-eu.cas]]
name = "factory-1"
certificate = "factory-1.pem"
crl = "none"
thing_name = "off"
policy = "quiet"

[deployments.prod-us]
account = "111122223333"
region = "us-east-1"
policies = "american"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a fleet file and templates, as the current one."""
    (tmp_path / "fleet.toml").write_text(FLEET, encoding="utf-8")
    (tmp_path / "factory-1.pem").write_text(pki.pem(pki.CertificateAuthority.create().certificate), encoding="utf-8")
    for name in ("policies", "american"):
        shutil.copytree(ROOT / "policies", tmp_path / name)
    for name in ("quiet.json", "quiet.cases.toml"):
        source = ROOT / "docs" / "cookbook" / name.replace("quiet", "bootstrap-only")
        shutil.copyfile(source, tmp_path / "policies" / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITR_FLEET", raising=False)
    return tmp_path


def test_without_files_it_covers_every_template_beside_the_fleet_file(jitr: Jitr, folder: Path) -> None:
    """From the fleet file's folder, or from elsewhere by --fleet; cases are no templates."""
    answer = jitr("policy", "lint")
    assert (answer.exit_code, answer.out) == (0, "")
    assert answer.err == "2 files: no errors, no warnings\n"
    (folder / "policies" / "bad.json").write_text(BAD, encoding="utf-8")
    answer = jitr("policy", "lint", "--fleet", folder / "fleet.toml")
    assert answer.exit_code == 1
    assert f"{folder}/policies/bad.json:2: error: " in answer.out


def test_findings_have_the_promised_keys(jitr: Jitr, folder: Path) -> None:
    """In the order of the lines."""
    (folder / "bad.json").write_text(BAD, encoding="utf-8")
    answer = jitr("policy", "lint", "bad.json", "--json")
    assert answer.exit_code == 1
    assert list(answer.json) == ["findings"]
    version, statement = answer.json["findings"]
    assert list(version) == ["rule", "severity", "file", "line", "path", "message"]
    assert version | {"message": ""} == {
        "rule": "policy-version",
        "severity": "error",
        "file": "bad.json",
        "line": 2,
        "path": "/Version",
        "message": "",
    }
    assert (statement["rule"], statement["line"], statement["path"]) == ("no-statement", 3, "/Statement")


def test_people_and_compilers_read_the_same_lines(jitr: Jitr, folder: Path) -> None:
    """File, line, severity, message with its mend, rule."""
    (folder / "bad.json").write_text(BAD, encoding="utf-8")
    answer = jitr("policy", "lint", "bad.json")
    first, second = answer.out.splitlines()
    assert first == 'bad.json:2: error: found "2008-10-17"; write "Version": "2012-10-17" [policy-version]'
    assert second.endswith("[no-statement]")
    assert answer.err == "1 file: 2 errors, no warnings\n"


def test_warnings_change_nothing_about_the_exit_code(jitr: Jitr, folder: Path) -> None:
    """A literal account is one, without a deployment to compare it with."""
    (folder / "warning.json").write_text(WARNING, encoding="utf-8")
    answer = jitr("policy", "lint", "warning.json")
    assert answer.exit_code == 0
    assert "warning.json:6: warning: " in answer.out
    assert answer.out.endswith("[literal-deployment-value]\n")


@pytest.mark.parametrize(("deployment", "exit_code"), [("prod-eu", 0), ("prod-us", 1)])
def test_with_a_deployment_literal_values_are_compared(
    jitr: Jitr, folder: Path, deployment: str, exit_code: int
) -> None:
    """Right ones are no finding, wrong ones an error."""
    (folder / "warning.json").write_text(WARNING, encoding="utf-8")
    answer = jitr("policy", "lint", "warning.json", "--deployment", deployment, "--json")
    assert answer.exit_code == exit_code
    assert [each["rule"] for each in answer.json["findings"]] == ["wrong-deployment"] * exit_code


def test_with_a_deployment_the_cas_that_use_a_template_count(jitr: Jitr, folder: Path) -> None:
    """The default template is none for a CA without Things; the one that it uses is clean."""
    assert jitr("policy", "lint", "--deployment", "prod-eu").exit_code == 0
    shutil.copyfile(folder / "policies" / "default.json", folder / "policies" / "quiet.json")
    answer = jitr("policy", "lint", "--deployment", "prod-eu", "--json")
    assert answer.exit_code == 1
    assert {(each["rule"], Path(each["file"]).name) for each in answer.json["findings"]} == {
        ("empty-variable", "quiet.json")
    }


def test_a_deployments_own_folder_is_the_one_that_is_read(jitr: Jitr, folder: Path) -> None:
    """As the fleet file names it."""
    (folder / "american" / "default.json").write_text(BAD, encoding="utf-8")
    answer = jitr("policy", "lint", "--deployment", "prod-us")
    assert answer.exit_code == 1
    assert answer.out.startswith("american/default.json:2: error: ")


def test_unreadable_content_is_a_finding_and_a_missing_file_is_usage(jitr: Jitr, folder: Path) -> None:
    """1 for the first, 64 for the second."""
    (folder / "bytes.json").write_bytes(b"\xff\xfe\x00")
    answer = jitr("policy", "lint", "bytes.json", "--json")
    assert answer.exit_code == 1
    assert [each["rule"] for each in answer.json["findings"]] == ["not-utf8"]
    assert jitr("policy", "lint", "nowhere.json").exit_code == 64


@pytest.mark.parametrize(
    "arguments",
    [["--deployment", "nowhere"], ["--fleet", "elsewhere/fleet.toml"], ["--fleet", "no.toml", "--deployment", "a"]],
    ids=["unknown deployment", "no templates there", "no fleet file"],
)
def test_what_is_not_there_is_usage(jitr: Jitr, folder: Path, arguments: list[str]) -> None:
    """64, in words."""
    answer = jitr("policy", "lint", *arguments)
    assert (answer.exit_code, answer.out) == (64, "")
    assert answer.err.startswith("jitr: ")


def test_a_folder_stands_for_its_templates(jitr: Jitr, folder: Path) -> None:
    """Each once, however it is named."""
    answer = jitr("policy", "lint", "american", "american/default.json", "policies")
    assert (answer.exit_code, answer.err) == (0, "3 files: no errors, no warnings\n")


def test_what_a_terminal_would_obey_is_not_printed(jitr: Jitr, folder: Path) -> None:
    """Templates may come from a stranger's pull request."""
    (folder / "bad.json").write_text(json.dumps({"\x1b[2J": 1}), encoding="utf-8")
    answer = jitr("policy", "lint", "bad.json")
    assert answer.exit_code == 1
    assert "\x1b" not in answer.out


def test_neither_boto3_nor_the_cdk_is_imported(folder: Path) -> None:
    """It runs before every commit."""
    program = "import sys; from jitr_cli.__main__ import run; run(['policy', 'lint']); print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder
    ).stdout
    assert not {"boto3", "aws_cdk", "rich"} & {name.partition(".")[0] for name in loaded.split()}
