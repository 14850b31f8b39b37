"""What people install: built as a release is, from the sdist, and used in an environment that holds nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from jitr_fleet.files.extras import add, extra_of
from tests.infra.synthesis import CHECKOUT

BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
# Runs in the empty environment: the help of every command, and which could not be had.
EVERY_HELP = """
import sys
from jitr_cli.__main__ import run
from jitr_cli.tree import COMMANDS, SINGLE
calls = [[group, name] for group, names in COMMANDS.items() for name in names] + [[name] for name in SINGLE]
print("failed:", *(" ".join(call) for call in calls if run([*call, "--help"]) != 0), sep="\\n")
print("of", len(calls), file=sys.stderr)
"""
BUNDLE = """
import sys
from pathlib import Path
from jitr.settings import Configuration
from jitr_infra.functions.bundle import build_bundle
from jitr_infra.parts.build_target import BuildTarget
import jitr_infra
assert Path(sys.argv[1]) in Path(jitr_infra.__file__).parents, jitr_infra.__file__
build_bundle(Path(sys.argv[2]), configuration=Configuration(deployment="test"), target=BuildTarget())
"""


@dataclass(frozen=True)
class Release:
    """The two files of a release."""

    sdist: Path
    wheel: Path


def run(*command: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program without the variables that would show it this checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JITR_", "PYTHON"))}
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Build the sdist of what git knows or may know, and the wheel from the unpacked sdist, as `python -m build`."""
    folder = tmp_path_factory.mktemp("release")
    source, built = folder / "source", folder / "built"
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=CHECKOUT).stdout.splitlines()
    for name in filter(lambda each: (CHECKOUT / each).is_file(), listed):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, source / name)
    run(sys.executable, "-c", BUILD, "build_sdist", built, cwd=source)
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        packed.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    run(sys.executable, "-c", BUILD, "build_wheel", built, cwd=unpacked)
    (wheel,) = built.glob("*.whl")
    return Release(sdist, wheel)


def test_the_wheel_holds_everything_that_is_needed(release: Release) -> None:
    """Every module of the five roots, and what is no Python: lock, policies, cookbook, schemas, starter."""
    names = set(zipfile.ZipFile(release.wheel).namelist())
    roots = {"jitr": "lambda", "jitr_fleet": "fleet", "jitr_infra": "infra", "jitr_cli": "cli", "jitr_local": "local"}
    modules = {
        str(file.relative_to(CHECKOUT / folder))
        for root, folder in roots.items()
        for file in (CHECKOUT / folder / root).rglob("*.py")
    }
    files = {
        f"jitr_fleet/shipped/{file.relative_to(CHECKOUT)}"
        for folder in ("policies", "schemas", "docs/cookbook", "starter")
        for file in (CHECKOUT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert modules | files | {"jitr_fleet/shipped/lambda/requirements.txt"} <= names
    assert [name for name in names if name.startswith(("tests", "bench", "tools", "build"))] == []


def test_it_says_what_it_needs_and_under_which_terms(release: Release) -> None:
    """Requirements, extras, licence and version."""
    packed = zipfile.ZipFile(release.wheel)
    (metadata,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
    text = packed.read(metadata).decode("utf-8")
    needed = set(re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", text, re.M))
    assert needed == {"boto3", "click", "cryptography", "rich"}
    assert set(re.findall(r"^Provides-Extra: (\w+)$", text, re.M)) == {"cdk", "connect", "local", "dev"}
    assert "License-Expression: Apache-2.0" in text
    assert "Version: 0.2.0" in text
    assert any(name.endswith("licenses/LICENSE") for name in packed.namelist())


def test_functions_are_bundled_from_the_installed_package(release: Release, tmp_path: Path) -> None:
    """The same source and lock as in a checkout; only the wheels that were fetched already are taken over."""
    installed, bundle, cache = tmp_path / "installed", tmp_path / "bundle", tmp_path / "cache"
    zipfile.ZipFile(release.wheel).extractall(installed)  # noqa: S202 - our own wheel
    (CHECKOUT / "build").mkdir(exist_ok=True)
    cache.mkdir()
    (cache / "jitr").symlink_to(CHECKOUT / "build", target_is_directory=True)
    bundle.mkdir()
    variables = {"PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(cache)}
    run(sys.executable, "-c", BUNDLE, installed, bundle, cwd=tmp_path, **variables)
    source = CHECKOUT / "lambda"
    modules = {str(file.relative_to(source)) for file in (source / "jitr").rglob("*.py")}
    assert modules == {str(file.relative_to(bundle)) for file in (bundle / "jitr").rglob("*.py")}
    assert (bundle / "boto3").is_dir()


def test_every_command_runs_in_an_empty_environment(release: Release, tmp_path: Path) -> None:
    """First with what every command needs; what another extra brings is named, and there once it is added."""
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    locked = (CHECKOUT / "requirements.txt").read_text(encoding="utf-8")
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("\n".join(re.findall(r"^[\w.-]+==[\w.]+", locked, re.M)), encoding="utf-8")
    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", constraints)
    run(*install, release.wheel, cwd=tmp_path)
    done = run(python, "-c", EVERY_HELP, cwd=tmp_path)
    _, *failed = done.stdout.partition("failed:")[2].splitlines()
    assert failed == ["device connect", "local demo"]
    assert f"this needs the extra connect, which is not installed; add it with: {python} -m pip install" in done.stderr
    jitr = tmp_path / "venv" / "bin" / "jitr"
    assert run(jitr, "--version", cwd=tmp_path).stdout.strip() == "jitr, version 0.2.0"
    made = ("--name", "prod-eu", "--account", "111122223333", "--region", "eu-west-1", "--yes")
    assert "extra cdk" in run(jitr, "init", "fleet", *made, cwd=tmp_path).stderr
    assert run(jitr, "fleet", "check", "fleet/fleet.toml", "--json", cwd=tmp_path).stdout == '{"mistakes": []}\n'
    run(*install, f"{release.wheel}[connect]", cwd=tmp_path)
    done = run(python, "-c", EVERY_HELP, cwd=tmp_path)
    assert done.stdout.partition("failed:")[2].strip() == ""


@pytest.mark.parametrize(
    ("module", "extra"), [("aws_cdk.aws_iot", "cdk"), ("paho.mqtt.client", "connect"), ("nonsense", None), (None, None)]
)
def test_an_extra_is_known_by_what_it_brings(module: str | None, extra: str | None) -> None:
    """Another module that is missing is a bug, and no extra mends it."""
    assert extra_of(module) == extra


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/a/.local/share/pipx/venvs/jitr", "pipx install --force 'jitr[cdk]'"),
        ("/home/a/.local/share/uv/tools/jitr", "uv tool install --force 'jitr[cdk]'"),
        ("/home/a/venv", f"{sys.executable} -m pip install 'jitr[cdk]'"),
    ],
)
def test_an_extra_is_added_by_the_tool_that_installed_jitr(
    monkeypatch: pytest.MonkeyPatch, prefix: str, command: str
) -> None:
    """The environments of pipx and uv are not for pip."""
    monkeypatch.setattr(sys, "prefix", prefix)
    assert add("cdk") == command
