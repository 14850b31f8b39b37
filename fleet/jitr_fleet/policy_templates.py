"""Reads the policy templates of a folder: every <name>.json that is a policy AWS IoT could hold, as its text."""

from __future__ import annotations

import re
from pathlib import Path

from jitr.policy import PolicyError, render_policy
from jitr_fleet.keys import POLICY_NAME
from jitr_fleet.mistakes import Mistakes


def read_policy_templates(
    folder: Path, *, account: str, region: str, partition: str, key: str, mistakes: Mistakes
) -> dict[str, str]:
    """Return the templates by name, in order of names; whatever cannot be used is noted as a mistake.

    Checked: a JSON object, known `@{…}` values, at most 2,048 characters without white space once rendered, a name
    that AWS IoT accepts. Not checked: what the policy allows.
    """
    if not folder.is_dir():
        mistakes.add(key, f"there is no folder {folder}", "expected: the folder with the policy templates")
        return {}
    values = {"account": account, "region": region, "partition": partition}
    templates: dict[str, str] = {}
    for file in sorted(folder.glob("*.json")):
        if not re.fullmatch(POLICY_NAME, file.stem):
            mistakes.add("", f"the name {file.stem!r}", "letters, digits and _+=,.@-, at most 98", file=file)
            continue
        try:
            text = file.read_text(encoding="utf-8")
            render_policy(text, values)
        except PolicyError as error:
            mistakes.add(f"line {error.line}" if error.line else "", str(error), _ALLOWED, file=file)
        except (OSError, UnicodeDecodeError) as error:
            mistakes.add("", f"cannot be read: {error}", _ALLOWED, file=file)
        else:
            templates[file.stem] = text
    return templates


_ALLOWED = "expected: an AWS IoT policy document as JSON"
