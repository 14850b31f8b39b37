"""The roll-out function: CloudFormation invokes it when a deploy changes a policy."""

from __future__ import annotations

from jitr_infra.functions.custom_resource_function import CustomResourceFunction, custom_resource_definition


class RollOutFunction(CustomResourceFunction):
    """The function behind the custom resource of the shared policies."""

    DEFINITION = custom_resource_definition(
        name="RollOut",
        purpose="Brings policies up to their templates at a deploy",
        handler="jitr.handlers.roll_out.handle",
    )
