"""Which of jitr's extras brings a package that is not there, and the command that adds it."""

from __future__ import annotations

import importlib.util
import sys
from typing import Final

_EXTRAS: Final = {"aws_cdk": "cdk", "cdk_nag": "cdk", "constructs": "cdk", "jsii": "cdk", "paho": "connect"}


def extra_of(module: str | None) -> str | None:
    """Return the extra that a module which cannot be imported comes with, None where it is of none."""
    return _EXTRAS.get((module or "").partition(".")[0])


def add(extra: str) -> str:
    """Return the command that adds an extra to the environment that jitr runs in, by the tool that made it."""
    wanted = f"'jitr[{extra}]'"
    parts = sys.prefix.replace("\\", "/").split("/")
    if "pipx" in parts:
        return f"pipx install --force {wanted}"
    if "uv" in parts and "tools" in parts:
        return f"uv tool install --force {wanted}"
    return f"{sys.executable} -m pip install {wanted}"


def missing(extra: str) -> bool:
    """Return whether a package of an extra is not installed; nothing is imported."""
    return any(importlib.util.find_spec(name) is None for name, owner in _EXTRAS.items() if owner == extra)
