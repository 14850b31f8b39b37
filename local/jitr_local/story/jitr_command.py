"""The real `jitr` command line against the local stack, as an operator types it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

from jitr_local.stack.local_stack import Instance
from jitr_local.story.timeline import Timeline

_PATIENCE: Final = 120.0


def jitr(instance: Instance, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `jitr` in a process of its own, with the stack's variables and nothing of the user's AWS settings.

    Raises subprocess.TimeoutExpired after two minutes; the exit code is the caller's to look at.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "JITR_"))}
    environment = {**own, **instance.shell_variables(), "AWS_CONFIG_FILE": os.devnull}
    return subprocess.run(
        [sys.executable, "-m", "jitr_cli", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )


def told_jitr(instance: Instance, timeline: Timeline, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `jitr` the same way, and tell the command and what it says."""
    timeline.note(f"$ jitr {' '.join(arguments)}")
    done = jitr(instance, *arguments)
    for line in f"{done.stdout}{done.stderr}".splitlines():
        if line.strip():
            timeline.note(f"  {line.rstrip()}")
    return done
