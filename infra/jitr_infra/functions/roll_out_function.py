"""The roll-out function: CloudFormation invokes it when a deploy changes a policy."""

from __future__ import annotations

from jitr_infra.functions.custom_resource_function import CustomResourceFunction


class RollOutFunction(CustomResourceFunction):
    """The function behind the custom resource of the shared policies."""

    NAME = "jitr-{deployment}-RollOut"
    DESCRIPTION = "Brings policies up to their templates at a deploy"
    HANDLER = "jitr.handlers.roll_out.handle"
