"""The rules' own examples: for each a policy that breaks it and one that does not, kept beside the rules.

docs/policy-lint.md is made of them, and the tests lint every one.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "rules" / "examples"
# What belongs around an example that is one statement.
CONNECTING = (
    '{ "Effect": "Allow", "Action": "iot:Connect", '
    '"Resource": "arn:@{partition}:iot:@{region}:@{account}:client/${iot:Connection.Thing.ThingName}", '
    '"Condition": { "Bool": { "iot:Connection.Thing.IsAttached": "true" } } }'
)
# The CA of the examples has devices without Things.
_CONNECTING_BY_NAME = (
    '{ "Effect": "Allow", "Action": "iot:Connect", '
    '"Resource": "arn:@{partition}:iot:@{region}:@{account}:client/${iot:Certificate.Subject.CommonName}" }'
)
RECEIVING = (
    '{ "Effect": "Allow", "Action": "iot:Receive", '
    '"Resource": "arn:@{partition}:iot:@{region}:@{account}:topic/replies" }'
)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One example: its text, and the words behind the page's fence (`json`, `json statement`, `sh`, …)."""

    kind: str
    text: str

    @property
    def document(self) -> str:
        """The whole policy that a `statement` stands for: with one to connect and one to receive if it lacks them."""
        if "statement" not in self.kind:
            return self.text
        connecting = _CONNECTING_BY_NAME if "deployment" in self.kind else CONNECTING
        around = [] if '"iot:Connect"' in self.text else [connecting]
        around += [RECEIVING] * ('"iot:Subscribe"' in self.text and '"iot:Receive"' not in self.text)
        return f'{{"Version": "2012-10-17", "Statement": [{", ".join([self.text, *around])}]}}'


@dataclass(frozen=True, kw_only=True)
class RuleExamples:
    """The examples of one rule, with what the page says about it besides."""

    rule: str
    note: str
    bad: Example
    good: Example


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section of the page: rules on one subject."""

    title: str
    rules: tuple[RuleExamples, ...]


def read_examples() -> tuple[Section, ...]:
    """Return every section in the page's order; not checked: that each rule is there, which a test does."""
    return tuple(_section(tomllib.loads(file.read_text(encoding="utf-8"))) for file in sorted(_FOLDER.glob("*.toml")))


def _section(table: dict[str, object]) -> Section:
    rules = table["rules"]
    assert isinstance(rules, list)  # noqa: S101 - our own file
    return Section(
        title=str(table["title"]),
        rules=tuple(
            RuleExamples(
                rule=each["id"],
                note=each.get("note", ""),
                bad=Example(kind=each["bad_is"], text=each["bad"]),
                good=Example(kind=each["good_is"], text=each["good"]),
            )
            for each in rules
        ),
    )
