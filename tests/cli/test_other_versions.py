"""A command line that is newer or older than the stack says so, and goes on as far as it can."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jitr.settings import CONFIGURATION_FILE, Configuration
from jitr_cli.console.aws import Aws
from jitr_cli.console.deployed_configuration import read_configuration
from jitr_fleet.deployments.stack_outputs import DEPLOYMENT_TAG, OutputMissing, StackOutputs
from jitr_fleet.deployments.versions import is_newer, own_version, version_difference
from tests.aws.fake_iot import ACCOUNT, REGION
from tests.cli.conftest import Jitr
from tests.cli.worlds.bundle_server import BundleServer
from tests.cli.worlds.devices import active, in_the_same_account, inactive, written
from tests.cli.worlds.every_command import ARGUMENTS, ASKING, Typist, typist
from tests.cli.worlds.healthy_aws import healthy
from tests.worlds.deployment import TestDeployment

RELEASES = Path(__file__).parents[1] / "releases"
NEWER = "99.1.0"
# What 0.1.0 said of itself: no version.
BEFORE: Mapping[str, Any] = json.loads((RELEASES / "0.1.0" / "template.json").read_text(encoding="utf-8"))["Outputs"]
OUTPUTS = {StackOutputs.output_key(name) for name in StackOutputs.__dataclass_fields__}
ADDED = OUTPUTS - BEFORE.keys()
# A command may end with no, undetermined or usage (nothing to decide here), but not as if AWS or the stack were gone.
ENDINGS = {0, 1, 2, 64}


@pytest.fixture
def typed(
    stack: TestDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Typist:
    """Somebody at the keyboard, with one device that is ACTIVE."""
    in_the_same_account(monkeypatch)
    healthy(stack, monkeypatch)
    request.getfixturevalue("not_waiting")
    device = active(stack)
    return typist(tmp_path, stack.ca, device, account=ACCOUNT, region=REGION)


def test_every_command_that_asks_aws_is_tried() -> None:
    """A new one is added to the table."""
    assert sorted(ARGUMENTS) == ASKING


@pytest.mark.parametrize("name", ASKING)
def test_every_command_works_on_the_stack_of_before(
    stack: TestDeployment, typed: Typist, jitr: Jitr, name: str
) -> None:
    """It lacks what was added since; the command says so, and answers as on a stack of this version."""
    now = jitr(*typed.arguments(name))
    stack.lacking |= ADDED
    then = jitr(*typed.arguments(name))
    assert then.exit_code == now.exit_code, then.err
    assert then.exit_code in ENDINGS, then.err
    if "deployment test" in now.err:
        assert "deployment test was deployed by jitr 0.1.0 or older, and this is" in then.err


@pytest.mark.parametrize("lacking", sorted(OUTPUTS - {"Deployment", "Version"}))
def test_one_output_that_is_lacking_hides_no_deployment(
    stack: TestDeployment, typed: Typist, jitr: Jitr, lacking: str
) -> None:
    """Whatever a command cannot do without it, it says which one; all else goes on."""
    stack.lacking.add(lacking)
    for name in ("dlq list", "ca list", "device explain", "device revoke", "ca hold", "bulk list", "doctor"):
        answer = jitr(*typed.arguments(name))
        assert "no deployment" not in answer.err, name
        assert answer.exit_code in ENDINGS or f"has no output {lacking}: jitr" in answer.err, answer.err
    answer = jitr("doctor", "--json", "--only", "version")
    (finding,) = answer.json["checks"]
    assert (finding["status"], f"it has no output {lacking}" in finding["message"]) == ("warning", True)


def test_dead_letters_of_other_queues_are_listed_where_one_is_not_named(
    stack: TestDeployment, typed: Typist, jitr: Jitr
) -> None:
    """In the middle of an incident two queues are better than none."""
    stack.lacking.add("BulkDeadLetterQueue")
    answer = jitr("dlq", "list")
    assert answer.exit_code == 0
    assert "activation: about 0 dead letters" in answer.err
    assert "bulk: not looked at: the stack of deployment test has no output BulkDeadLetterQueue" in answer.err
    assert jitr("dlq", "list", "--queue", "bulk").exit_code == 69


def test_a_newer_stack_says_which_version_to_install(stack: TestDeployment, typed: Typist, jitr: Jitr) -> None:
    """Once, and the command goes on."""
    stack.outputs["Version"] = NEWER
    answer = jitr(*typed.arguments("dlq list"))
    assert answer.exit_code == 0
    assert answer.err.count(f"deployment test was deployed by jitr {NEWER}, and this is the older {own_version()}") == 1
    assert f"pipx install 'jitr=={NEWER}'" in answer.err


def test_the_same_version_says_nothing(stack: TestDeployment, typed: Typist, jitr: Jitr) -> None:
    """No command speaks of versions without a reason."""
    assert "was deployed by" not in jitr(*typed.arguments("dlq list")).err


def test_what_a_newer_configuration_says_of_a_ca_is_left_out_and_named(
    stack: TestDeployment, typed: Typist, jitr: Jitr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To look and to switch off goes on; to make a device ACTIVE needs every rule, also those of later."""
    device = inactive(stack, "device-2")
    written_by_newer(monkeypatch)
    explained = jitr(*typed.arguments("device explain"))
    assert explained.exit_code == 0, explained.err
    assert "does not know cas.quarantine, rules of deployment test; it is left out" in explained.err
    assert jitr("ca", "show", "--ca-certificate-id", "factory-1").exit_code == 0
    refused = jitr("device", "reinstate", written(device, tmp_path), "--yes")
    assert (refused.exit_code, stack.iot.status(device)) == (69, "INACTIVE")
    assert "does not know cas.quarantine, rules" in refused.err
    assert jitr("device", "revoke", written(device, tmp_path), "--yes").exit_code == 0
    assert stack.iot.status(device) == "REVOKED"


def bundle_with(configuration: str) -> bytes:
    """A bundle with this configuration."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as bundle:
        bundle.writestr(CONFIGURATION_FILE, configuration)
    return file.getvalue()


def written_by_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bundles hold what a later version might add: to the configuration, and to each CA."""
    usual = Configuration.to_json

    def to_json(configuration: Configuration) -> str:
        data = json.loads(usual(configuration))
        return json.dumps({**data, "rules": 2, "cas": [{**ca, "quarantine": "3d"} for ca in data["cas"]]})

    monkeypatch.setattr(Configuration, "to_json", to_json)


@pytest.mark.parametrize("release", sorted(each.name for each in RELEASES.glob("[0-9]*")))
def test_the_configuration_of_each_release_is_read(release: str, bundles: BundleServer) -> None:
    """What each one wrote into its bundle, this one understands whole."""
    text = (RELEASES / release / "configuration.json").read_text(encoding="utf-8")
    bundles.data = bundle_with(text)
    configuration, unknown = read_configuration(bundles.address, of="jitr-test-Activate")
    assert unknown == []
    assert {ca.name for ca in configuration.cas} == {ca["name"] for ca in json.loads(text)["cas"]} != set()


@pytest.mark.parametrize("release", sorted(each.name for each in RELEASES.glob("[0-9]*")))
def test_no_output_of_a_release_went_away(release: str) -> None:
    """Scripts and older command lines read them."""
    template = json.loads((RELEASES / release / "template.json").read_text(encoding="utf-8"))
    assert template["Outputs"].keys() <= OUTPUTS


def test_every_release_left_its_template() -> None:
    """What the changelog calls released is kept, to be deployed and upgraded in tests."""
    changelog = (RELEASES.parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    released = set(re.findall(r"^## (\d+\.\d+\.\d+) ", changelog, re.MULTILINE))
    assert released | {"0.1.0"} == {each.name for each in RELEASES.glob("[0-9]*")}


def test_a_foreign_stack_is_none_of_ours() -> None:
    """Also where it has an output called Deployment, or Function."""
    assert StackOutputs.from_outputs({"Deployment": "prod", "Function": "theirs"}) is None
    assert StackOutputs.from_outputs(dict.fromkeys(OUTPUTS - {"Deployment"}, "x")) is None


def test_what_a_stack_lacks_is_named_when_it_is_asked_for() -> None:
    """And nothing else is in the way."""
    stack = StackOutputs.from_outputs({key: key for key in OUTPUTS - {"Rule", "Version"}} | {"Deployment": "prod"})
    assert stack is not None
    assert (stack.function, stack.version, stack.missing()) == ("Function", "", ["Rule"])
    with pytest.raises(OutputMissing, match=r"deployment prod has no output Rule: jitr 0\.1\.0 or older deployed it"):
        _ = stack.rule
    assert not hasattr(stack, "nonsense")


@pytest.mark.parametrize(
    ("version", "than", "expected"),
    [("0.10.0", "0.9.9", True), ("0.2.0", "0.2.0", False), ("", "0.2.0", False), ("1.0.0+x9", "1.0.0", False)],
)
def test_versions_are_compared_by_their_numbers(version: str, than: str, *, expected: bool) -> None:
    """Not as text."""
    assert is_newer(version, than) is expected


def test_the_same_version_makes_no_difference() -> None:
    """And each other one says what to do."""
    assert version_difference("0.2.0", "0.2.0") is None
    assert "deploy it with this version" in str(version_difference("", "0.2.0"))
    assert "install that version" in str(version_difference("0.3.0", "0.2.0"))


def test_a_stack_without_outputs_is_said_to_be_unfinished(
    stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a first deploy that failed, `no deployment` alone would send people looking elsewhere."""
    failed = {
        "StackName": "prod",
        "StackStatus": "ROLLBACK_COMPLETE",
        "Tags": [{"Key": DEPLOYMENT_TAG, "Value": "prod"}],
    }
    monkeypatch.setattr(Aws, "_stacks", lambda _: iter([failed]))
    answer = jitr("dlq", "list", "--deployment", "prod")
    assert answer.exit_code == 69
    assert "no deployment 'prod' (in us-east-1: none); the stack of prod is ROLLBACK_COMPLETE" in answer.err
