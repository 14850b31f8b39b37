"""The docs keep their word: links lead somewhere, targets and flags exist, examples are what the program accepts."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import pytest

from jitr_fleet.files.key import Key
from jitr_fleet.fleet_file.ca_keys import CA_KEYS, PRIVATE_CA_KEYS
from jitr_fleet.fleet_file.deployment_keys import DEPLOYMENT_KEYS
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_fleet.policies.cases.keys import CASE_KEYS, CERTIFICATE_KEYS, DEVICE_KEYS, THING_KEYS
from jitr_fleet.policies.cases.suite import run_suite
from jitr_local import pki

ROOT = Path(__file__).parents[3]
# Each folder by name: .venv and node_modules hold pages of others.
FOLDERS = (".", "bench", "docs", "examples", "findings", "local", "policies", "tests", "tools")
PAGES = sorted({page for folder in FOLDERS for page in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")})
SOURCES = [file for root in ("lambda", "fleet", "infra", "cli", "local") for file in (ROOT / root).rglob("*.py")]


def prose(page: Path) -> str:
    """Return a page without its code blocks, whose comments look like headings."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files exist, and headings in them too."""
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {target}"


def test_every_make_target_in_the_docs_exists() -> None:
    """`make nonsense` is nowhere."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named <= targets
    assert {"demo", "test", "install"} <= named


def test_every_page_that_the_program_names_is_there() -> None:
    """A command's advice, or an alarm's, is a link that can be followed."""
    named = {
        (page, anchor)
        for file in SOURCES
        for page, anchor in re.findall(r"\b(docs/[\w/-]+\.md)(?:#([\w-]+))?", file.read_text(encoding="utf-8"))
    }
    assert ("docs/runbook/alarms.md", "rule-failure") in named
    assert [each for each in named if not (ROOT / each[0]).exists()] == []
    assert [each for each in named if each[1] and each[1] not in anchors(ROOT / each[0])] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """In the words of the checkout: `lambda/jitr/errors.py`, `tests/e2e`, with or without a test's name behind it."""
    roots = "lambda|fleet|infra|cli|local|tests|bench|docs|tools|examples|findings"
    named = re.findall(rf"`((?:{roots})/[\w./-]*)(?:::(\w+))?`", page.read_text(encoding="utf-8"))
    assert [file for file, _ in named if not (ROOT / file).exists()] == []
    tests = {(file, name) for file, name in named if name}
    assert [each for each in tests if not re.search(rf"^ *(?:def|class) {each[1]}\b", text_of(each[0]), re.M)] == []


def text_of(file: str) -> str:
    """Return the text of a file of the checkout."""
    return (ROOT / file).read_text(encoding="utf-8")


def test_every_page_is_reached_from_the_front_door() -> None:
    """docs/README.md names each page, so that nobody has to know that it exists."""
    door = ROOT / "docs" / "README.md"
    linked = {(door.parent / each.partition("#")[0]).resolve() for each in re.findall(r"\]\(([^)]+)\)", prose(door))}
    pages = {page for page in PAGES if page.parent == door.parent and page != door}
    assert sorted(page.name for page in pages - linked) == []


def test_every_module_that_the_architecture_names_is_there() -> None:
    """`jitr.activation.steps` is a module, `jitr.activation` a room; and every room is named."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    places = {"jitr": "lambda", "jitr_fleet": "fleet", "jitr_infra": "infra", "jitr_cli": "cli", "jitr_local": "local"}
    named = set(re.findall(r"`((?:jitr|jitr_\w+)(?:\.\w+)+)`", page))
    paths = {name: ROOT / places[name.partition(".")[0]] / name.replace(".", "/") for name in named}
    assert [name for name, path in paths.items() if not (path.is_dir() or path.with_suffix(".py").exists())] == []
    rooms = {
        f"{root}.{room.name}"
        for root, folder in places.items()
        for room in (ROOT / folder / root).iterdir()
        if (room / "__init__.py").exists()
    }
    assert sorted(rooms - named) == []


@pytest.mark.parametrize("key", [*DEPLOYMENT_KEYS, *CA_KEYS, *PRIVATE_CA_KEYS], ids=lambda key: key.name)
def test_the_fleet_files_page_describes_every_key(key: Key) -> None:
    """In the words that editors and error messages use."""
    page = (ROOT / "docs" / "fleet-file.md").read_text(encoding="utf-8")
    assert f"| `{key.name}` | {key.about} |" in page


@pytest.mark.parametrize("page", ["README.md", "docs/fleet-file.md"])
def test_the_fleet_files_in_the_docs_are_accepted(page: str, tmp_path: Path) -> None:
    """Copied, pasted, and read without a complaint."""
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "fleet.toml"
    file.write_text(textwrap.dedent(example), encoding="utf-8")
    (tmp_path / "cas").mkdir()
    (tmp_path / "cas" / "factory-1.pem").write_text(pki.pem(pki.CertificateAuthority.create().certificate))
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    (deployment,) = read_fleet(file).deployments
    assert [ca.name for ca in deployment.cas] == ["factory-1"]


@pytest.mark.parametrize("key", [*CASE_KEYS, *DEVICE_KEYS, *THING_KEYS, *CERTIFICATE_KEYS], ids=lambda key: key.name)
def test_the_page_about_cases_describes_every_key(key: Key) -> None:
    """In the words that editors and error messages use."""
    page = (ROOT / "docs" / "policy-evaluation.md").read_text(encoding="utf-8")
    assert f"| `{key.name}` | {key.about} |" in page


def test_the_cases_in_the_docs_pass(tmp_path: Path) -> None:
    """Copied, pasted beside the shipped template, and run."""
    page = (ROOT / "docs" / "policy-evaluation.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    shutil.copy(ROOT / "policies" / "default.json", tmp_path)
    (tmp_path / "default.cases.toml").write_text(example, encoding="utf-8")
    suite = run_suite(tmp_path / "default.json")
    assert (suite.passed, len(suite.results)) == (True, 6)
