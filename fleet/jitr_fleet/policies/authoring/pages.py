"""The pages that are made of the code's own tables: docs/policy-lint.md and docs/policy-language.md.

`python -m jitr_fleet.policies.authoring.pages` writes them; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from jitr_fleet.policies.authoring.examples import Example, RuleExamples, read_examples
from jitr_fleet.policies.language.actions import ACTIONS, FORMER_NAMES, Action
from jitr_fleet.policies.language.keys import REQUEST_KEYS
from jitr_fleet.policies.language.operators import OPERATORS
from jitr_fleet.policies.language.variables import VARIABLES
from jitr_fleet.policies.lint_rules import RULES

_INTRODUCTION = Path(__file__).parent.parent / "rules" / "examples" / "introduction.md"


def lint_page() -> str:
    """Return docs/policy-lint.md: the introduction, and every rule with its reason and its examples."""
    lines = [_INTRODUCTION.read_text(encoding="utf-8").rstrip()]
    for section in read_examples():
        lines.append(f"## {section.title}")
        for each in section.rules:
            lines.extend(_rule(each))
    return "\n\n".join(lines) + "\n"


def language_page() -> str:
    """Return docs/policy-language.md: every action, condition key and variable, each with its source."""
    return "\n\n".join([_LANGUAGE, *_actions(), *_keys(), *_variables(), *_operators()]) + "\n"


def write_pages(docs: Path) -> None:
    """Write both pages into a folder."""
    (docs / "policy-lint.md").write_text(lint_page(), encoding="utf-8")
    (docs / "policy-language.md").write_text(language_page(), encoding="utf-8")


def _rule(examples: RuleExamples) -> Iterator[str]:
    rule = RULES[examples.rule]
    yield f"### {rule.id}"
    yield f"{rule.severity.capitalize()}. {rule.why}" + ("" if rule.has_exceptions else " It has no exceptions.")
    if examples.note:
        yield examples.note.strip()
    yield from _example("Bad", examples.bad)
    yield from _example("Good", examples.good)


def _example(name: str, example: Example) -> Iterator[str]:
    yield f"{name}:"
    yield f"```{example.kind}\n{example.text}\n```"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _actions() -> Iterator[str]:
    yield "## Actions"
    yield (
        "Over HTTPS there is no client id, and a Thing only where the request names it; else the Thing's variables "
        "stay empty. `jitr policy lint` says so (thing-variable-without-thing), and `jitr policy simulate` takes the "
        "protocol from this table."
    )
    rows = (
        (f"`{each.name}`", each.types_in_words, ", ".join(each.protocols), _thing(each), each.about, str(each.source))
        for each in ACTIONS.values()
    )
    yield _table(("action", "resource", "protocol", "Thing known", "lets a device", "source"), rows)
    former = ", ".join(f"`{old}` for `{new}`" for old, new in FORMER_NAMES.items())
    yield f"Former names, of which AWS no longer says whether they work: {former}."


def _thing(action: Action) -> str:
    if action.names_thing:
        return "yes, the request names it"
    return "over MQTT" if action.knows_thing else "no"


def _keys() -> Iterator[str]:
    yield "## Condition keys of the request"
    yield (
        "Every variable below is a condition key too. A key whose value the question does not say makes the answer "
        "undetermined: the option (of `jitr policy simulate`) or the key in a file of cases says it."
    )
    rows = (
        (
            f"`{each.name}`",
            each.about + (f": {_code(each.values)}" if each.values else ""),
            _code(each.actions) or "all",
            f"`{each.option}`",
            f"`{each.case_key}`",
            str(each.source),
        )
        for each in REQUEST_KEYS.values()
    )
    yield _table(("key", "what it holds", "actions", "option", "in cases", "source"), rows)


def _variables() -> Iterator[str]:
    yield "## Variables"
    yield (
        "Those with several values mean the first one; `.1` is the second, `.List` all of them, for conditions with "
        "`ForAllValues:` or `ForAnyValue:`."
    )
    rows = (
        (
            f"`${{{each.name}}}`",
            each.about,
            "several" if each.multi_valued else "one",
            f"`{each.option}`",
            f"`{each.case_key}`",
            str(each.source),
        )
        for each in VARIABLES.values()
    )
    yield _table(("variable", "what it holds", "values", "option", "in cases", "source"), rows)


def _operators() -> Iterator[str]:
    yield "## Condition operators"
    forms = "each but `Null` with `IfExists` behind it, or `ForAllValues:` or `ForAnyValue:` before it"
    yield f"IAM's: {_code(OPERATORS)}; {forms}."


_LANGUAGE = """# The language of AWS IoT policies

Made from the tables that the lint, the evaluator and the editors' schema read
(`python -m jitr_fleet.policies.authoring.pages`). Each row names AWS's page and the day on which it was read;
`make policy-tables` compares them with the service models and with the authorization tables of public packages."""

if __name__ == "__main__":
    write_pages(Path(__file__).parents[4] / "docs")
