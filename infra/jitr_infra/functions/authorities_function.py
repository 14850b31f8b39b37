"""The authorities function: CloudFormation invokes it when a deploy needs to know or to prove something of a CA."""

from __future__ import annotations

from jitr_infra.functions.custom_resource_function import CustomResourceFunction, custom_resource_definition


class AuthoritiesFunction(CustomResourceFunction):
    """The function behind the CAs' custom resources; not the roll-out's, so no role has the other's permissions."""

    DEFINITION = custom_resource_definition(
        name="Authorities",
        purpose="Looks after certificate authorities at a deploy",
        handler="jitr.handlers.authorities.handle",
    )
