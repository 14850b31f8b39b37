"""`jitr policy diff`: what the templates of a checkout change, beside AWS and beside other files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from jitr_fleet.policies.authoring.diff import Side, diff_policies
from jitr_fleet.policies.authoring.diff_report import markdown
from tests.aws.fake_iot import REGION
from tests.aws.fake_iot_policies import FakePolicy
from tests.cli.conftest import Jitr
from tests.worlds.deployment import TestDeployment

MOTO_ACCOUNT = "123456789012"
ARN = f"arn:aws:iot:{REGION}:{MOTO_ACCOUNT}:"
TEMPLATE_ARN = "arn:@{partition}:iot:@{region}:@{account}:"


def policy(*topics: str, arn: str = ARN, indent: int | None = None) -> str:
    """Return a policy that allows to publish to these topics."""
    statement = {"Effect": "Allow", "Action": "iot:Publish", "Resource": [f"{arn}topic/{topic}" for topic in topics]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=indent)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one template, whose devices publish to a and b."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "default.json").write_text(policy("a", "b", arn=TEMPLATE_ARN, indent=2))
    (tmp_path / "fleet.toml").write_text(f'[deployments.test]\naccount = "{MOTO_ACCOUNT}"\nregion = "{REGION}"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITR_FLEET", raising=False)
    return tmp_path


def deploy(stack: TestDeployment, *topics: str, name: str = "jitr-test_default") -> None:
    """Put a policy into AWS IoT as the roll-out would have done."""
    stack.iot_client.create_policy(policyName=name, policyDocument=policy(*topics))


def test_nothing_to_do_is_no_difference(stack: TestDeployment, fleet: Path, jitr: Jitr) -> None:
    """Another order and other white space are not a difference."""
    deploy(stack, "b", "a")
    answer = jitr("policy", "diff")
    assert (answer.exit_code, answer.out) == (0, "default: no difference\n")


def test_an_edit_is_shown_as_rights_and_as_text(stack: TestDeployment, fleet: Path, jitr: Jitr) -> None:
    """Right a stays, b is new, c goes."""
    deploy(stack, "a", "c")
    answer = jitr("policy", "diff", "default")
    assert answer.exit_code == 1
    assert answer.out.startswith("default: gives devices more and takes rights from devices\n")
    table = [line.split() for line in answer.out.splitlines()]
    assert ["newly", "allowed", "iot:Publish", "topic/b"] in table
    assert ["no", "longer", "allowed", "iot:Publish", "topic/c"] in table
    assert "--- jitr-test_default (version 1)" in answer.out
    assert f'-        "{ARN}topic/c"' in answer.out


def test_json_holds_full_arns(stack: TestDeployment, fleet: Path, jitr: Jitr) -> None:
    """For scripts, nothing is shortened."""
    deploy(stack, "a", "c")
    (found,) = jitr("policy", "diff", "--json").json["policies"]
    assert (found["name"], found["status"]) == ("default", "changed")
    assert (found["widens"], found["narrows"]) == (True, True)
    assert found["newly_allowed"] == [{"action": "iot:Publish", "resource": f"{ARN}topic/b", "conditions": []}]
    assert found["no_longer_allowed"] == [{"action": "iot:Publish", "resource": f"{ARN}topic/c", "conditions": []}]
    assert (found["newly_denied"], found["no_longer_denied"]) == ([], [])


def test_a_policy_that_is_not_deployed_yet_is_a_difference(stack: TestDeployment, fleet: Path, jitr: Jitr) -> None:
    """The deploy makes it."""
    answer = jitr("policy", "diff")
    assert (answer.exit_code, "default: a new policy" in answer.out) == (1, True)


def test_a_policy_that_somebody_broke_by_hand_is_a_difference(stack: TestDeployment, fleet: Path, jitr: Jitr) -> None:
    """Nobody can say what it means; the text says what it is."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "iot:Connect"}]})
    stack.iot.policies["jitr-test_default"] = FakePolicy({"1": document})
    answer = jitr("policy", "diff")
    assert (answer.exit_code, "default: cannot be compared" in answer.out) == (1, True)
    assert "NotAction" in answer.out


def test_templates_with_device_values_have_nothing_to_compare(stack: TestDeployment, fleet: Path, jitr: Jitr) -> None:
    """Each device has a policy of its own, and edits do not reach those that have one."""
    template = policy("@{device.serial}", arn=TEMPLATE_ARN)
    (fleet / "policies" / "own.json").write_text(template)
    answer = jitr("policy", "diff", "own")
    assert (answer.exit_code, answer.out) == (0, "")
    assert "an edit reaches only devices to come" in answer.err


@pytest.mark.parametrize(
    ("text", "arguments", "complaint"),
    [
        ('account = "111122223333"\nregion = "us-east-1"', [], "is in account 111122223333; the credentials are 1234"),
        (f'account = "{MOTO_ACCOUNT}"\nregion = "eu-west-1"', [], "is in eu-west-1, not in us-east-1"),
        (f'account = "{MOTO_ACCOUNT}"\nregion = "us-east-1"', ["nonsense"], "no template 'nonsense'; there are: def"),
        (f'account = "{MOTO_ACCOUNT}"\nregion = "us-east-1"', ["--deployment", "x"], "no deployment 'x'"),
        (f'account = "{MOTO_ACCOUNT}"\nregion = "us-east-1"', ["--markdown", "--json"], "choose one"),
        (f'account = "{MOTO_ACCOUNT}"\nregion = "us-east-1"', ["--fleet", "none.toml"], "cannot be read"),
    ],
    ids=["account", "region", "template", "deployment", "format", "fleet"],
)
def test_a_question_about_another_place_is_usage(
    stack: TestDeployment, fleet: Path, jitr: Jitr, text: str, arguments: list[str], complaint: str
) -> None:
    """In another account every policy would seem to be missing."""
    (fleet / "fleet.toml").write_text(f"[deployments.test]\n{text}\n")
    answer = jitr("policy", "diff", *arguments)
    assert (answer.exit_code, answer.out) == (64, "")
    assert complaint in answer.err


def test_the_fleet_file_says_the_region_where_nothing_else_does(
    stack: TestDeployment, fleet: Path, jitr: Jitr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever names a deployment has said where it is."""
    deploy(stack, "a", "b")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    answer = jitr("policy", "diff", "--deployment", "test")
    assert (answer.exit_code, answer.out) == (0, "default: no difference\n"), answer.err


def test_aws_that_refuses_is_69(stack: TestDeployment, fleet: Path, jitr: Jitr) -> None:
    """Not to be taken for a difference."""
    stack.iot.quota = lambda operation: operation != "GetPolicy"
    assert jitr("policy", "diff").exit_code == 69


def test_two_files_are_compared_without_aws(fleet: Path, jitr: Jitr, tmp_path: Path) -> None:
    """As in a build that has no credentials: the file of the main branch beside the one of this branch."""
    old = tmp_path / "old" / "default.json"
    old.parent.mkdir()
    old.write_text(policy("a", arn=TEMPLATE_ARN))
    answer = jitr("policy", "diff", "--against", old)
    assert answer.exit_code == 1, answer.err
    assert ["newly", "allowed", "iot:Publish", "topic/b"] in [line.split() for line in answer.out.splitlines()]
    old.write_text(policy("b", "a", arn=TEMPLATE_ARN))
    assert jitr("policy", "diff", "default", "--against", old).exit_code == 0


def test_two_folders_are_compared_with_what_is_new_and_what_is_gone(fleet: Path, jitr: Jitr, tmp_path: Path) -> None:
    """A template that goes away matters as much as one that comes."""
    old = tmp_path / "old"
    old.mkdir()
    (old / "gone.json").write_text(policy("g"))
    (old / "default.json").write_text(policy("a", "b", arn=TEMPLATE_ARN))
    (fleet / "policies" / "new.json").write_text(policy("n"))
    found = jitr("policy", "diff", "--against", old, "--json").json["policies"]
    assert {each["name"]: each["status"] for each in found} == {"default": "same", "gone": "removed", "new": "added"}
    assert jitr("policy", "diff", "default", "--against", old).exit_code == 0


def test_a_deployments_own_folder_is_compared_where_it_is_named(fleet: Path, jitr: Jitr, tmp_path: Path) -> None:
    """A fleet file may keep its templates elsewhere."""
    with (fleet / "fleet.toml").open("a") as file:
        file.write('policies = "ours"\n')
    (fleet / "ours").mkdir()
    (fleet / "ours" / "default.json").write_text(policy("z"))
    (tmp_path / "default.json").write_text(policy("z"))
    against = ("--against", tmp_path / "default.json")
    assert jitr("policy", "diff", *against, "--deployment", "test").exit_code == 0
    assert jitr("policy", "diff", *against).exit_code == 1


def test_a_template_that_cannot_be_rendered_is_named_with_its_line(
    stack: TestDeployment, fleet: Path, jitr: Jitr
) -> None:
    """Nothing can be compared, and nothing would be deployed."""
    (fleet / "policies" / "default.json").write_text('{\n"Version": "@{acount}"}')
    answer = jitr("policy", "diff")
    assert (answer.exit_code, answer.out) == (64, "")
    assert "policies/default.json: line 2: unknown value @{acount}" in answer.err


@pytest.mark.parametrize("arguments", [["a", "default"], ["nonsense"]])
def test_a_name_that_does_not_fit_the_file_is_usage(
    fleet: Path, jitr: Jitr, tmp_path: Path, arguments: list[str]
) -> None:
    """One file, one template."""
    (tmp_path / "old.json").write_text(policy("a"))
    assert jitr("policy", "diff", *arguments, "--against", tmp_path / "old.json").exit_code == 64


def test_a_file_that_is_no_policy_leaves_nothing_to_say(fleet: Path, jitr: Jitr, tmp_path: Path) -> None:
    """Bytes that are no UTF-8, and no JSON either."""
    (fleet / "policies" / "default.json").write_bytes(b"\xff\xfe{")
    (tmp_path / "default.json").write_bytes(b"\xff\xfe{")
    answer = jitr("policy", "diff", "--against", tmp_path / "default.json")
    assert (answer.exit_code, "cannot be compared" in answer.out) == (2, True)


class _Page(HTMLParser):
    """What a browser makes of a comment: the tags, and the texts inside <code>."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.inside: list[str] = []
        self.code: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.inside.append(tag)
        if tag == "code":
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside.pop()

    def handle_data(self, data: str) -> None:
        if "code" in self.inside:
            self.code[-1] += data


HOSTILE = "a|b` ``` </code><img src=x> [x](http://e) @everyone #1 **b** $x$ \\ _i_"


def test_nothing_in_a_policy_becomes_markup_in_the_comment() -> None:
    """Templates come from pull requests: their text is shown, not obeyed."""
    before = Side(label="x", text=None)
    after = Side(label="policies/default.json", text=policy(HOSTILE, "</details>\n```\n# heading"))
    comment = markdown([diff_policies(HOSTILE, before, after)], title=HOSTILE, today=date(2026, 11, 30))
    page = _Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(comment))
    table = {"table", "thead", "tbody", "tr", "th", "td"}
    assert page.tags == {"h3", "p", "strong", "em", "code", "pre", "details", "summary", *table}
    assert page.code[0] == HOSTILE
    assert f"topic/{HOSTILE}" in page.code
    assert f'+        "{ARN}topic/</details>\\n```\\n# heading"' in page.code[-1]
    # GitHub makes more of a text than a browser does: mentions, formulas, references.
    assert not set("@$[]#") & set(re.sub(r"&#\d+;", "", comment.partition("<details>")[0].removeprefix("###")))


def test_the_comment_shows_rights_and_hides_the_text_until_it_is_asked_for(fleet: Path, jitr: Jitr) -> None:
    """A table first; and how long AWS takes."""
    (fleet / "old.json").write_text(policy("a", arn=TEMPLATE_ARN))
    answer = jitr("policy", "diff", "default", "--against", fleet / "old.json", "--markdown")
    assert answer.exit_code == 1
    assert "| newly allowed | <code>iot:Publish</code> | <code>topic/b</code> |  |" in answer.out
    assert answer.out.index("<details>") > answer.out.index("newly allowed")
    assert "6 to 8 minutes" in answer.out


def test_two_files_need_neither_credentials_nor_a_region(fleet: Path, tmp_path: Path) -> None:
    """A build of a pull request from a fork has none."""
    (tmp_path / "default.json").write_text(policy("a", "b", arn=TEMPLATE_ARN))
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "jitr_cli", "policy", "diff", "--against", "default.json"]
    done = subprocess.run(command, env=bare, cwd=fleet, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "default: no difference\n"), done.stderr
