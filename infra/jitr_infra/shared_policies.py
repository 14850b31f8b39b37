"""The policies that devices share, as a custom resource: a changed document is a new version, never another policy."""

from __future__ import annotations

from collections.abc import Mapping

from constructs import Construct, IDependable

from jitr_infra.functions.roll_out_function import RollOutFunction

RESOURCE_TYPE = "Custom::JitrPolicies"


class SharedPolicies(Construct):
    """Rolls the documents out, after everything in `after`: what else can fail has then not failed.

    The documents themselves are the properties, not a hash of something in the bundle: a roll-back is an update with
    the old properties, and brings the old documents back whichever code the function has at that moment. Deleting the
    resource leaves the policies, because devices depend on them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        documents: Mapping[str, str],
        roll_out: RollOutFunction,
        after: tuple[IDependable, ...],
    ) -> None:
        super().__init__(scope, construct_id)
        properties = {"Policies": [{"Name": name, "Document": text} for name, text in documents.items()]}
        self.resource = roll_out.resource(self, "Resource", RESOURCE_TYPE, properties)
        self.resource.node.add_dependency(*after)
