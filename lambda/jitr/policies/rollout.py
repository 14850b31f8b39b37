"""Bringing policies in AWS IoT up to their templates, and telling which have drifted away from them.

An edit becomes a new default version of the same policy, so everything it is attached to follows (AWS takes 6 to 8
minutes). Documents are compared by what they mean: another spelling makes no version. Everything is safe to repeat
from the start, whatever was killed wherever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from jitr.aws.iot import Policies
from jitr.errors import Reason, Undecided
from jitr.policies.comparison import same_meaning
from jitr.policies.document import PolicyDocument, parse_document
from jitr.policies.template import render_policy, uses_device_values
from jitr.policies.values import PolicyError
from jitr.settings import Configuration


class Change(StrEnum):
    """What a roll-out did to one policy."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


def shared_policies(configuration: Configuration, values: Mapping[str, str]) -> dict[str, str]:
    """Return the documents of a deployment's shared policies by their names, in order; raises PolicyError.

    `values` are the deployment values. Not among them: templates with device values, which each device gets a policy
    of its own from, at its activation.
    """
    return {
        configuration.policy_name(template): render_policy(text, values)
        for template, text in sorted(configuration.policies.items())
        if not uses_device_values(text)
    }


@dataclass(frozen=True, kw_only=True)
class PolicyRollout:
    """The use case; `pace` is called before each AWS call and may wait, or raise Undecided to give up."""

    registry: Policies
    pace: Callable[[], None] = lambda: None

    def bring_up_to_date(self, name: str, document: str) -> Change:
        """Make a policy mean what `document` says; raises Undecided, `policy_unusable` if AWS IoT refuses it."""
        deployed = self._deployed(name)
        if deployed is None:
            self.pace()
            if self.registry.create_policy(name, document):
                return Change.CREATED
            # An activation was faster, and may have known an older template.
            deployed = self._deployed(name)
        if deployed is not None and same_policy(deployed, document):
            return Change.UNCHANGED
        self._create_version(name, document)
        return Change.UPDATED

    def drifted(self, policies: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of those policies that exist and mean something else than their documents."""
        deployed = {name: self._deployed(name) for name in policies}
        return tuple(name for name, found in deployed.items() if found and not same_policy(found, policies[name]))

    def _deployed(self, name: str) -> str | None:
        self.pace()
        return self.registry.policy_document(name)

    def _create_version(self, name: str, document: str) -> None:
        """Try first: a policy seldom has as many versions as AWS allows, and asking how many costs a call."""
        self.pace()
        if self.registry.create_policy_version(name, document):
            return
        self.pace()
        spare = self.registry.oldest_spare_policy_version(name)
        if spare is not None:
            self.pace()
            self.registry.delete_policy_version(name, spare)
        self.pace()
        if not self.registry.create_policy_version(name, document):
            raise Undecided(Reason.AWS_REFUSED, f"policy {name} has all versions that AWS IoT allows")


def same_policy(deployed: str, wanted: str) -> bool:
    """Return whether two documents mean the same; what cannot be read means only what its own text does."""
    if deployed == wanted:
        return True
    try:
        return same_meaning(_read(deployed), _read(wanted))
    except (PolicyError, ValueError, RecursionError):
        return False


def _read(document: str) -> PolicyDocument:
    return parse_document(json.loads(document))
