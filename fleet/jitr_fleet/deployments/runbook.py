"""Where the runbook says what to do: its pages, and the anchors that alarms and commands point to."""

from __future__ import annotations

from typing import Final

ALARMS: Final = "docs/runbook/alarms.md"
REASONS: Final = "docs/runbook/reasons.md"


def alarm_section(anchor: str) -> str:
    """Return where an alarm's section is; not checked: that there is one of this name, which the tests do."""
    return f"{ALARMS}#{anchor}"


def reason_section(code: str) -> str:
    """Return where a reason code's section is; not checked: that there is one, which the tests do."""
    return f"{REASONS}#{code}"
