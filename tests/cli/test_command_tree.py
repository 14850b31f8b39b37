"""The command line as a whole: every command has help, and every ending its exit code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jitr_cli.tree import COMMANDS, SINGLE
from tests.cli.conftest import Jitr

ROOT = Path(__file__).parents[2]
ALL = [f"{group} {command}" for group, commands in COMMANDS.items() for command in commands] + sorted(SINGLE)


@pytest.mark.parametrize("command", ALL)
def test_every_command_has_help(jitr: Jitr, command: str) -> None:
    """`-h` works everywhere, and every option says what it is for."""
    answer = jitr(*command.split(), "-h")
    assert answer.exit_code == 0, answer.err
    assert answer.out.startswith(f"Usage: jitr {command}")
    # Behind a long option the help begins in the next line, far to the right.
    bare = re.findall(r"^  (?:-\w, )?--[\w-]+(?: [A-Z<\[]\S*)? *\n(?! {10,}\S)", answer.out, re.MULTILINE)
    assert bare == []


@pytest.mark.parametrize("arguments", [["nonsense"], ["ca", "nonsense"], ["ca", "adopt"], ["crl", "check", "--no"]])
def test_a_wrong_call_is_usage(jitr: Jitr, arguments: list[str]) -> None:
    """64, never 1 or 2: those mean no and undetermined."""
    assert jitr(*arguments).exit_code == 64


def test_no_credentials_is_aws_unreachable(jitr: Jitr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """69, in one line and without a traceback."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    answer = jitr("dlq", "list", "--region", "eu-west-1")
    assert (answer.exit_code, answer.out) == (69, "")
    assert "Traceback" not in answer.err


def test_an_endpoint_that_is_no_url_is_usage(jitr: Jitr, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of the caller's, not a bug of ours."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    assert jitr("dlq", "list", "--region", "eu-west-1", "--endpoint-url", "nonsense").exit_code == 64


@pytest.mark.parametrize(
    ("arguments", "exit_code"), [(["crl", "check", "-h"], 0), (["policy", "lint", "broken.json"], 1)]
)
def test_output_that_nobody_reads_changes_no_answer(tmp_path: Path, arguments: list[str], exit_code: int) -> None:
    """As with `| head`: the exit code is the command's own, and no complaint is made."""
    (tmp_path / "broken.json").write_text("{")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "jitr_cli", *arguments]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    os.close(writer)
    assert (done.returncode, "Traceback" in done.stderr, "pipe" in done.stderr) == (exit_code, False, False)


@pytest.mark.parametrize("command", ALL)
def test_every_command_is_in_the_docs(command: str) -> None:
    """A command that no page mentions is one nobody finds."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert any(f"jitr {command}" in page.read_text(encoding="utf-8") for page in pages)


def test_every_command_in_the_docs_exists() -> None:
    """Docs name no command that is not there."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        f"{group} {command}"
        for page in pages
        for group, command in re.findall(r"(?<![\w./-])jitr (\w[\w-]*) (\w[\w-]*)", page.read_text(encoding="utf-8"))
        if group in COMMANDS
    }
    assert named <= set(ALL)
    assert named


@pytest.mark.parametrize(
    ("words", "expected"),
    [("jitr ca ho", ["plain,hold"]), ("jitr ca hold --ca-certificate-id fac", ["plain,factory-1"])],
)
def test_a_shell_completes_commands_and_cas(tmp_path: Path, words: str, expected: list[str]) -> None:
    """As bash asks; exit code 0, and nothing of it in the way."""
    (tmp_path / "fleet.toml").write_text('[deployments.prod]\n[[deployments.prod.cas]]\nname = "factory-1"\n')
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_JITR_COMPLETE": "bash_complete"}
    command = [sys.executable, "-c", "from jitr_cli.__main__ import main; main()"]
    environment = {**os.environ, **asked, "JITR_FLEET": str(tmp_path / "fleet.toml")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, expected, "")


def test_the_fleet_file_here_says_region_and_account(
    jitr: Jitr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where neither option nor variable does; a profile that is not there says how to see those that are."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    assert "give --region" in jitr("dlq", "list").err
    fleet = tmp_path / "fleet.toml"
    fleet.write_text('[deployments.prod]\naccount = "111122223333"\nregion = "eu-west-1"\n')
    answer = jitr("dlq", "list")
    assert (answer.exit_code, "give --profile" in answer.err) == (69, True)
    fleet.write_text(fleet.read_text() + 'profile = "prod"\n')
    answer = jitr("dlq", "list")
    assert (answer.exit_code, "aws configure list-profiles" in answer.err) == (64, True)
