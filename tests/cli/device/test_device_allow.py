"""`jitr device allow`: which serial numbers may become ACTIVE."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jitr.errors import Outcome, Reason
from jitr_local.pki import CertificateAuthority, pem
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.bundle_server import BundleServer
from tests.worlds.deployment import TestDeployment

Make = Callable[[TestDeployment, Jitr], str]


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
    assert "devices that wait are activated at their next connect" in answer.err
    assert stack.knock(device).outcome is Outcome.ACTIVATED
    assert run(jitr, stack, "list").out.split() == ["AB", "AC"]
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


def without_list(stack: TestDeployment, _jitr: Jitr) -> str:
    """A CA of the fleet file that lets everybody in."""
    stack.configure(allow_list=False)
    return stack.ca.ca_certificate_id


def adopted(stack: TestDeployment, jitr: Jitr) -> str:
    """An adopted CA."""
    other = CertificateAuthority.create("Other")
    stack.iot.register_ca(other)
    jitr("ca", "adopt", "--ca-certificate-id", other.ca_certificate_id, "--crl", "none", "--yes")
    return other.ca_certificate_id


def invented(_stack: TestDeployment, _jitr: Jitr) -> str:
    """An id of no CA."""
    return "ab" * 32


class TestAListThatNothingReads:
    """It would seem to let devices in, or to keep them out."""

    CASES = pytest.mark.parametrize(
        ("make", "told"),
        [
            (without_list, "CA factory-1 has no allow-list: say allow_list = true in the fleet file and deploy"),
            (adopted, "the CA is adopted, and an adopted CA has no allow-list"),
            (invented, f"deployment test does not manage CA {'ab' * 32}, so nothing reads its list"),
        ],
        ids=["no allow_list", "adopted", "unmanaged"],
    )

    @CASES
    @pytest.mark.parametrize("option", ["--yes", "--dry-run"])
    def test_is_not_added_to(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path, make: Make, told: str, option: str
    ) -> None:
        """Nothing is written, and the way is said."""
        identifier = make(stack, jitr)
        file = listing(tmp_path, "1\n")
        answer = jitr("device", "allow", "import", file, "--ca-certificate-id", identifier, option)
        assert (answer.exit_code, told in answer.err) == (64, True), answer.err
        assert jitr("device", "allow", "list", "--ca-certificate-id", identifier).out == ""

    @CASES
    def test_may_be_filled_in_advance(
        self, stack: TestDeployment, jitr: Jitr, tmp_path: Path, make: Make, told: str
    ) -> None:
        """For the deploy that turns it on, so that nobody has to wait then; and emptied again."""
        identifier = make(stack, jitr)
        ca, file = ("--ca-certificate-id", identifier), listing(tmp_path, "1\n")
        answer = jitr("device", "allow", "import", file, *ca, "--in-advance", "--yes")
        assert (answer.exit_code, f"warning: {told}" in answer.err) == (0, True), answer.err
        assert "devices that wait" not in answer.err
        assert jitr("device", "allow", "list", *ca).out.split() == ["01"]
        answer = jitr("device", "allow", "remove", file, *ca, "--yes")
        assert (answer.exit_code, f"warning: {told}" in answer.err) == (0, True), answer.err
        assert jitr("device", "allow", "list", *ca).out == ""


def test_where_the_fleet_file_is_unknown_nothing_is_claimed(
    stack: TestDeployment, jitr: Jitr, tmp_path: Path, bundles: BundleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is filled, and what becomes of the devices is not said."""
    monkeypatch.setattr(bundles, "status", 403)
    answer = run(jitr, stack, "import", listing(tmp_path, "1\n"), "--yes")
    assert (answer.exit_code, "warning: what deployment test's fleet file says is unknown" in answer.err) == (0, True)
    assert "devices that wait" not in answer.err


@pytest.mark.parametrize("command", ["import", "remove"])
@pytest.mark.parametrize(("option", "written"), [("--yes", True), ("--dry-run", False)])
def test_a_change_is_told_as_data(
    stack: TestDeployment, jitr: Jitr, tmp_path: Path, command: str, option: str, written: bool
) -> None:
    """How many serial numbers, and whether anything was written."""
    answer = run(jitr, stack, command, listing(tmp_path, "1\n2\n"), option, "--json")
    assert answer.json == {
        "ca_certificate_id": stack.ca.ca_certificate_id,
        "deployment": "test",
        "serials": 2,
        "written": written,
    }


def test_a_folder_of_certificates_is_imported_and_a_shared_name_found(
    stack: TestDeployment, jitr: Jitr, tmp_path: Path
) -> None:
    """Secure elements often carry their part number as common name: only the first would get its Thing."""
    devices = [stack.ca.issue("ATECC608B", serial=serial) for serial in (0xA1, 0xA2)]
    for number, each in enumerate(devices):
        (tmp_path / f"{number}.pem").write_text(pem(each.certificate))
    answer = run(jitr, stack, "import", str(tmp_path), "--format", "pem", "--yes")
    assert answer.exit_code == 0, answer.err
    assert 'say thing_name = "serial" for this CA' in answer.err
    assert run(jitr, stack, "list").out.split() == ["A1", "A2"]


@pytest.mark.parametrize(
    "words",
    [
        ["--format", "csv"],
        ["--format", "microchip"],
        ["--column", "serial"],
        ["--format", "pem", "--decimal"],
        ["--format", "pem", "--column", "x"],
    ],
    ids=" ".join,
)
def test_options_that_do_not_belong_to_the_format_are_refused(
    stack: TestDeployment, jitr: Jitr, tmp_path: Path, words: list[str]
) -> None:
    """And a format without what it needs, before AWS is asked anything."""
    answer = run(jitr, stack, "import", listing(tmp_path, "1\n"), *words, "--yes")
    assert answer.exit_code == 64
    assert run(jitr, stack, "list").out == ""
