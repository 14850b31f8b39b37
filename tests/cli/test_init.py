"""`jitr init`: a repository that can be checked and synthesised at once, and that a second run does not harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jitr_fleet.fleet_file.reader import read_fleet
from tests.cli.conftest import Jitr
from tests.infra.synthesis import WITHOUT_BUNDLES

CHECKOUT = Path(__file__).parents[2]
ALL = ("--name", "prod-eu", "--account", "111122223333", "--region", "eu-west-1", "--yes")


@pytest.fixture
def repository(jitr: Jitr, tmp_path: Path) -> Path:
    """A repository that was just made."""
    assert jitr("init", tmp_path / "our-fleet", *ALL).exit_code == 0
    return tmp_path / "our-fleet"


def written(folder: Path) -> dict[str, str]:
    """Return every file by its path."""
    return {str(each.relative_to(folder)): each.read_text() for each in sorted(folder.rglob("*")) if each.is_file()}


def test_it_holds_what_a_deployment_needs(repository: Path) -> None:
    """Fleet file, policies with cases, a place for CAs, CDK app, pinned command line, owners and workflows."""
    files = written(repository)
    assert {
        ".github/CODEOWNERS",
        ".github/workflows/deploy.yml",
        ".github/workflows/policies.yml",
        ".gitignore",
        "app.py",
        "cas/README.md",
        "cdk.json",
        "fleet.toml",
        "package.json",
        "policies/default.cases.toml",
        "policies/default.json",
        "requirements.txt",
        "schemas/fleet.schema.json",
    } <= files.keys()
    ours = json.loads((CHECKOUT / "package.json").read_text())
    assert json.loads(files["package.json"])["devDependencies"] == ours["devDependencies"]
    assert json.loads(files["cdk.json"])["context"] == json.loads((CHECKOUT / "cdk.json").read_text())["context"]
    assert [path for path, text in files.items() if "@NAME@" in text or "@REGION@" in text or "@ACCOUNT@" in text] == []
    assert "*.key" in files[".gitignore"].splitlines()
    assert ".python" in files[".gitignore"].splitlines()


def test_its_fleet_file_is_right_at_once(jitr: Jitr, repository: Path) -> None:
    """With what was asked for."""
    assert jitr("fleet", "check", repository / "fleet.toml").exit_code == 0
    (deployment,) = read_fleet(repository / "fleet.toml").deployments
    assert (deployment.name, deployment.account, deployment.region) == ("prod-eu", "111122223333", "eu-west-1")


def test_its_app_synthesises_at_once(repository: Path) -> None:
    """The command of its cdk.json, as the CDK runs it: by a shell, in that folder."""
    cdk = json.loads((repository / "cdk.json").read_text())
    context = cdk["context"] | WITHOUT_BUNDLES
    out = repository / "cdk.out"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JITR_", "CDK_"))}
    environment |= {"CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": str(out)}
    done = subprocess.run(
        ["sh", "-c", cdk["app"]],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (out / "prod-eu.template.json").is_file()


def test_it_uses_the_python_that_jitr_runs_in(repository: Path) -> None:
    """Which git ignores, so that a build uses its own."""
    assert (repository / ".python").read_text() == f"{sys.executable}\n"


def test_a_second_run_changes_nothing(jitr: Jitr, repository: Path) -> None:
    """What people have written since is theirs; what they removed comes back."""
    (repository / "app.py").write_text("# ours\n")
    (repository / ".gitignore").unlink()
    before = written(repository)
    answer = jitr("init", repository, "--yes", "--json")
    assert answer.exit_code == 0
    assert answer.json["written"] == [".gitignore"]
    after = written(repository)
    assert {path: text for path, text in after.items() if path != ".gitignore"} == before
    assert after["README.md"].startswith("# prod-eu\n")


def test_a_dry_run_writes_nothing(jitr: Jitr, tmp_path: Path) -> None:
    """And says what it would write."""
    answer = jitr("init", tmp_path / "new", *ALL, "--dry-run", "--json")
    assert answer.exit_code == 0
    assert "fleet.toml" in answer.json["written"]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("missing", ["--name", "--account", "--region"])
@pytest.mark.parametrize("yes", [True, False])
def test_what_nobody_says_is_named(
    jitr: Jitr, tmp_path: Path, missing: str, yes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --yes, and where nobody is there to be asked."""
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)
    options = [each for each in ALL if each != "--yes"] + ["--yes"] * yes
    at = options.index(missing)
    answer = jitr("init", tmp_path / "new", *options[:at], *options[at + 2 :])
    assert answer.exit_code == 64
    assert f"{missing} is missing" in answer.err
    assert not (tmp_path / "new").exists()


def test_nobody_there_to_agree_means_yes_is_to_be_given(jitr: Jitr, tmp_path: Path) -> None:
    """And nothing is written."""
    answer = jitr("init", tmp_path / "new", *ALL[:-1])
    assert answer.exit_code == 130
    assert "give --yes" in answer.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--name", "Prod EU", "a lower-case letter"),
        ("--account", "1", "12 digits"),
        ("--region", "eu-wst-1", "did you mean eu-west-1?"),
    ],
)
def test_what_the_fleet_file_would_refuse_is_refused(
    jitr: Jitr, tmp_path: Path, option: str, value: str, words: str
) -> None:
    """Before anything is written."""
    options = list(ALL)
    options[options.index(option) + 1] = value
    answer = jitr("init", tmp_path / "new", *options)
    assert answer.exit_code == 64
    assert words in answer.err
    assert not (tmp_path / "new").exists()
