"""`jitr device allow`: which serial numbers may become ACTIVE."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitr.errors import Outcome, Reason
from tests.cli.conftest import Answer, Jitr
from tests.deployment import TestDeployment


@pytest.fixture
def stack(stack: TestDeployment) -> TestDeployment:
    """A deployment whose CA has an allow-list."""
    stack.configure(allow_list=True)
    return stack


def run(jitr: Jitr, stack: TestDeployment, *words: str) -> Answer:
    """Run a command for the CA."""
    return jitr("device", "allow", *words, "--ca-certificate-id", stack.ca.ca_certificate_id)


def listing(folder: Path, text: str) -> str:
    """A file with serial numbers."""
    (folder / "serials.txt").write_text(text)
    return str(folder / "serials.txt")


def test_what_is_imported_is_let_in_at_the_next_connect(stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
    """A device that waits, a list, the device again."""
    device = stack.ca.issue(serial=0xAB)
    assert stack.knock(device).reason == Reason.NOT_ALLOWED
    answer = run(jitr, stack, "import", listing(tmp_path, "# shipped in May\n0xAB\nac\nAC\n"), "--yes")
    assert answer.exit_code == 0, answer.err
    assert "add 2 serial numbers" in answer.err
    assert "Region us-east-1 · deployment test" in answer.err
    assert stack.knock(device).outcome is Outcome.ACTIVATED
    assert run(jitr, stack, "list").out.split() == ["ab", "ac"]
    assert run(jitr, stack, "list", "--json").json["serials"] == ["ab", "ac"]


def test_what_is_removed_is_not_let_in(stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
    """And what is ACTIVE stays so."""
    file = listing(tmp_path, "1\n2\n")
    run(jitr, stack, "import", file, "--yes")
    first = stack.ca.issue("first", serial=1)
    stack.knock(first)
    assert run(jitr, stack, "remove", file, "--yes").exit_code == 0
    assert stack.iot.status(first) == "ACTIVE"
    assert stack.knock(stack.ca.issue("second", serial=2)).reason == Reason.NOT_ALLOWED


def test_more_than_one_batch_is_imported(stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
    """DynamoDB takes twenty-five at once."""
    file = listing(tmp_path, "".join(f"{serial:x}\n" for serial in range(1, 61)))
    assert run(jitr, stack, "import", file, "--yes").exit_code == 0
    assert len(run(jitr, stack, "list").out.split()) == 60


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_without_a_yes_nothing_is_written(
    stack: TestDeployment, jitr: Jitr, tmp_path: Path, options: list[str]
) -> None:
    """A dry run only tells; nobody there to answer ends as interrupted."""
    answer = run(jitr, stack, "import", listing(tmp_path, "1\n"), *options)
    assert answer.exit_code == (0 if options else 130)
    assert run(jitr, stack, "list").out == ""


@pytest.mark.parametrize(("text", "told"), [("xyz\n", "line 1"), ("1\nnot hex\n", "line 2"), ("# none\n", "names no")])
def test_a_list_with_a_mistake_is_refused_as_a_whole(
    stack: TestDeployment, jitr: Jitr, tmp_path: Path, text: str, told: str
) -> None:
    """A line passed over would be a device that never gets in."""
    answer = run(jitr, stack, "import", listing(tmp_path, text), "--yes")
    assert answer.exit_code == 64
    assert told in answer.err
    assert run(jitr, stack, "list").out == ""
