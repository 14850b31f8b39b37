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
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files exist, and headings in them too."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
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


def test_alarm_descriptions_point_to_runbook_sections_that_exist() -> None:
    """The person on call follows the link in the alarm."""
    named = set(
        re.findall(
            r'section="([\w-]+)"',
            (ROOT / "infra" / "jitr_infra" / "monitoring" / "alarms.py").read_text(encoding="utf-8"),
        )
    )
    assert named <= anchors(ROOT / "docs" / "runbook.md")
    assert "dead-letters" in named


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
