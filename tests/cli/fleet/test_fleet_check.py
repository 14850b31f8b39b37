"""`jitr fleet check`: every mistake of a fleet file at once, for people and for programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Jitr
from tests.worlds.fleet_folder import CA_TABLE, DEPLOYMENT_TABLE, FleetFolder


@pytest.fixture
def fleet(tmp_path: Path) -> FleetFolder:
    """A folder for a fleet file, with the shipped policies and one CA."""
    return FleetFolder(tmp_path)


def test_a_right_file_is_said_to_be_right(jitr: Jitr, fleet: FleetFolder) -> None:
    """With what is in it, so that an empty or another file is not taken for it."""
    fleet.file.write_text(DEPLOYMENT_TABLE + CA_TABLE, encoding="utf-8")
    answer = jitr("fleet", "check", fleet.file)
    assert (answer.exit_code, answer.out) == (0, "")
    assert answer.err == f"{fleet.file}: 1 deployment, 1 CA, no mistakes\n"
    assert jitr("fleet", "check", fleet.file, "--json").json == {"mistakes": []}


def test_every_mistake_is_named_with_its_line(jitr: Jitr, fleet: FleetFolder) -> None:
    """In one go, one a line; 1 is for that alone."""
    fleet.file.write_text(DEPLOYMENT_TABLE.replace("eu-west-1", "eu-wst-1") + "regon = 1\n", encoding="utf-8")
    answer = jitr("fleet", "check", fleet.file)
    assert answer.exit_code == 1
    first, second = answer.out.splitlines()
    assert first.startswith(f"{fleet.file}:5: deployments.prod-eu.regon: unknown key; did you mean region?")
    assert second.startswith(f'{fleet.file}:4: deployments.prod-eu.region: found "eu-wst-1"')
    assert answer.err == f"{fleet.file}: 2 mistakes\n"


def test_programs_get_key_line_message_and_fix(jitr: Jitr, fleet: FleetFolder) -> None:
    """These keys are a contract."""
    fleet.file.write_text(DEPLOYMENT_TABLE.replace('"111122223333"', '"1"'), encoding="utf-8")
    answer = jitr("fleet", "check", fleet.file, "--json")
    assert answer.exit_code == 1
    assert answer.json == {
        "mistakes": [
            {
                "key": "deployments.prod-eu.account",
                "line": 3,
                "message": 'found "1"',
                "fix": "expected: 12 digits in quotes",
            }
        ]
    }


def test_a_mistake_in_another_file_names_that_file(jitr: Jitr, fleet: FleetFolder) -> None:
    """`line` is one of the fleet file, so the message says where else to look."""
    fleet.file.write_text(DEPLOYMENT_TABLE + CA_TABLE, encoding="utf-8")
    template = fleet.folder / "policies" / "default.json"
    template.write_text('{\n "Version": "2012-10-17",\n "Statement": [}', encoding="utf-8")
    answer = jitr("fleet", "check", fleet.file, "--json")
    assert answer.exit_code == 1
    (mistake,) = answer.json["mistakes"]
    assert mistake["message"].startswith(f"{template}")
    assert mistake["line"] is None


def test_text_that_is_no_toml_is_a_mistake_not_a_missing_file(jitr: Jitr, fleet: FleetFolder) -> None:
    """1, with the parser's line."""
    fleet.file.write_text("[deployments.prod-eu\n", encoding="utf-8")
    answer = jitr("fleet", "check", fleet.file, "--json")
    assert answer.exit_code == 1
    assert [mistake["line"] for mistake in answer.json["mistakes"]] == [1]


def test_a_file_that_is_not_there_is_usage(jitr: Jitr, tmp_path: Path) -> None:
    """64: nothing was found wrong with a file that nobody has looked into."""
    answer = jitr("fleet", "check", tmp_path / "nowhere.toml", "--json")
    assert (answer.exit_code, answer.out) == (64, "")
    assert "nowhere.toml cannot be read: No such file" in answer.err


def test_a_folder_is_usage(jitr: Jitr, tmp_path: Path) -> None:
    """As every argument that is no file."""
    assert jitr("fleet", "check", tmp_path).exit_code == 64


def test_the_file_is_found_as_a_synth_finds_it(
    jitr: Jitr, fleet: FleetFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """fleet.toml of the folder, or what JITR_FLEET names."""
    fleet.file.write_text(DEPLOYMENT_TABLE, encoding="utf-8")
    monkeypatch.chdir(fleet.folder)
    assert jitr("fleet", "check").exit_code == 0
    monkeypatch.setenv("JITR_FLEET", str(tmp_path / "other.toml"))
    assert jitr("fleet", "check").exit_code == 64


def test_it_loads_neither_boto3_nor_the_cdk(fleet: FleetFolder) -> None:
    """So that it answers at once, before a commit too."""
    fleet.file.write_text(DEPLOYMENT_TABLE + CA_TABLE, encoding="utf-8")
    program = (
        "import sys; from jitr_cli.__main__ import run; code = run(['fleet', 'check', sys.argv[1]]);"
        "sys.exit(code or sorted({'boto3', 'botocore', 'aws_cdk', 'rich'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, fleet.file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
