"""The programs that people have anyway, in a shell with the local stack's variables: aws, openssl, mosquitto_pub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jitr_local.stack.local_stack import Instance

BIN = Path(sys.executable).parent
# Enough for a cold function, and for one that is yet to hear of a CA that was adopted a moment ago (half a minute).
ADMITTED_WITHIN = 45


def variables(instance: Instance) -> Mapping[str, str]:
    """What `jitr local env` exports, with the programs of this environment first on the path and nothing of AWS's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "JITR_"))}
    path = f"{BIN}{os.pathsep}{own['PATH']}"
    return {**own, **instance.shell_variables(), "PATH": path, "AWS_PAGER": "", "AWS_CONFIG_FILE": os.devnull}


def require_mosquitto_pub() -> str:
    """Return the path of mosquitto_pub; without it a test is skipped, and says how to get it."""
    program = shutil.which("mosquitto_pub", path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        reason = "mosquitto_pub is not there: `make install` brings it on Debian and its kin, else install mosquitto"
        pytest.skip(reason)
    return program


@dataclass(frozen=True)
class Terminal:
    """A person's shell in a folder, with the stack's variables; `set` adds others."""

    instance: Instance
    folder: Path
    added: dict[str, str] = field(default_factory=dict)

    def set(self, name: str, value: str) -> str:
        """Set a variable for the commands that follow, and return its value."""
        self.added[name] = value
        return value

    def attempt(self, command: str, *, answers: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command line; `answers` is what the person types."""
        environment = {**variables(self.instance), **self.added}
        program = ["sh", "-c", command]
        return subprocess.run(
            program,
            env=environment,
            cwd=self.folder,
            input=answers,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def run(self, command: str, *, answers: str = "", expect: int = 0) -> str:
        """Run a command line that has to end with an exit code, and return what it printed."""
        done = self.attempt(command, answers=answers)
        assert done.returncode == expect, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def ca(self, ca_certificate_id: str) -> tuple[str, str, str]:
        """Ask AWS IoT for a CA's status, auto-registration and mode."""
        found = json.loads(self.run(f"aws iot describe-ca-certificate --certificate-id {ca_certificate_id}"))
        description = found["certificateDescription"]
        return description["status"], description["autoRegistrationStatus"], description["certificateMode"]

    def repeat(self, command: str) -> str:
        """Run a device's command again and again, as a device does, until it succeeds; return what it printed."""
        deadline = time.monotonic() + ADMITTED_WITHIN
        while True:
            done = self.attempt(command)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < deadline, f"{command}\n{done.stdout}{done.stderr}"
            time.sleep(1)


def named(common_name: str) -> str:
    """What a person types at openssl's questions: a dot for an empty field, a common name, nothing for the rest."""
    country_to_unit = ".\n" * 5
    address_and_extras = "\n" * 3
    return f"{country_to_unit}{common_name}\n{address_and_extras}"
