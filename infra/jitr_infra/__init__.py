"""The CDK constructs: a deployment's stack, and what it is made of."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jitr_infra.app import add_checks, add_deployments
    from jitr_infra.stack import DeploymentStack

__all__ = ["DeploymentStack", "add_checks", "add_deployments"]

_PLACES = {"DeploymentStack": "stack", "add_checks": "app", "add_deployments": "app"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a class or a function
    """Import what other CDK apps use when they ask for it; nothing else of the package loads the CDK for it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
