"""What a device asks to do: an action on a resource, written in full or in the short form that people use."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from jitr.policies.values import PolicyError
from jitr_fleet.files.tables import did_you_mean
from jitr_fleet.policies.evaluation.facts import DeviceFacts
from jitr_fleet.policies.language.actions import (
    ACTIONS,
    ANY_RESOURCE,
    GREENGRASS,
    IOT_TYPES,
    SERVICES,
    action_named,
)
from jitr_fleet.policies.language.control_plane import is_control_plane
from jitr_fleet.policies.language.keys import (
    CONNECT_ATTRIBUTES,
    LAST_WILL,
    LAST_WILL_TOPIC,
    REQUEST_KEYS,
    VPC_SOURCE_IP,
)

# Where no deployment is named: values that nobody takes for real ones, but that have the form of real ones.
EXAMPLE_VALUES: Final[Mapping[str, str]] = {
    "account": "123456789012",
    "partition": "aws",
    "region": "xx-example-1",
}
CONNECT: Final = "iot:Connect"
_ACTION: Final = re.compile(r"[A-Za-z]+:[A-Za-z]+")
_ARN_COLONS: Final = 5
_ARN: Final = re.compile(r"arn:(aws[a-z-]*):iot:([a-z0-9-]+):([0-9]{12}):")


@dataclass(frozen=True, kw_only=True)
class AccessRequest:
    """One question: may this device do `action` on `resource`, an ARN or `*` for actions that have no resource."""

    action: str
    resource: str
    facts: DeviceFacts

    @classmethod
    def of(cls, action: str, resource: str | None, facts: DeviceFacts, values: Mapping[str, str]) -> AccessRequest:
        """Return the request with its resource in full; without one, a connection is to the device's client id.

        `values` are the deployment's account, region and partition. Not checked: whether the action exists. Raises
        PolicyError for a question that has no answer.
        """
        if not _ACTION.fullmatch(action) or action.partition(":")[0] not in SERVICES:
            raise PolicyError(f"{action!r} is no action; one looks like iot:Publish, without wildcards")
        connects = action.lower() == CONNECT.lower()
        if resource is None:
            if not connects or facts.client_id is None:
                raise PolicyError(f"{action} needs a resource, such as topic/devices/a or an ARN")
            resource = f"client/{facts.client_id}"
        _verify(facts)
        facts = _with_will(facts, values)
        request = cls(action=action, resource=complete_resource(resource, values), facts=facts)
        if connects and facts.client_id is not None:
            expected = complete_resource(f"client/{facts.client_id}", values)
            if request.resource != expected:
                raise PolicyError(f"the device connects as {facts.client_id!r}; then the resource is {expected}")
        return request


def unknown_action(action: str) -> tuple[str, str] | None:
    """Return what is wrong with an action and what is right, or None where it exists.

    No answer about another one would say anything: it is denied by every policy.
    """
    if action_named(action) is not None or is_control_plane(action):
        return None
    return f"there is no action {action}", did_you_mean(action, ACTIONS)


def unfitting_resource(request: AccessRequest) -> tuple[str, str] | None:
    """Return what is wrong with a request's resource and what is right, or None where its action may be asked for it.

    Not checked: whether the action exists.
    """
    action = action_named(request.action)
    if action is None:
        return None
    service = request.resource.split(":", 3)[2] if request.resource.startswith("arn:") else ""
    kind = request.resource.split(":", 5)[-1].partition("/")[0]
    if (kind if service != GREENGRASS else GREENGRASS) in action.resource_types:
        return None
    return f"{request.action} is never asked for {kind}", f"expected: {action.types_in_words}"


def values_in(resources: Iterable[str]) -> dict[str, str] | None:
    """Return account, region and partition where literal ARNs all name the same ones, or None."""
    found = {match.groups() for resource in resources if (match := _ARN.match(resource))}
    if len(found) != 1:
        return None
    partition, region, account = found.pop()
    return {"account": account, "partition": partition, "region": region}


def complete_resource(resource: str, values: Mapping[str, str]) -> str:
    """Return a resource as an ARN; short forms (`topic/devices/a`) get the account, Region and partition of `values`.

    `@{account}` and its like are filled in too. Raises PolicyError for a short form of no resource type.
    """
    for name, value in values.items():
        resource = resource.replace(f"@{{{name}}}", value)
    if resource == ANY_RESOURCE:
        return resource
    if resource.startswith("arn:"):
        if resource.count(":") < _ARN_COLONS:
            raise PolicyError(f"{resource!r} is no ARN; one looks like arn:aws:iot:eu-west-1:123456789012:topic/a")
        return resource
    kind, slash, _ = resource.partition("/")
    if kind not in IOT_TYPES:
        raise PolicyError(
            f"{resource!r} is no resource; {did_you_mean(kind, IOT_TYPES)}, each with / and a name, or an ARN"
        )
    if not slash:
        raise PolicyError(f"{resource!r} is no resource; write {kind}/ and a name")
    return f"arn:{values['partition']}:iot:{values['region']}:{values['account']}:{resource}"


def _verify(facts: DeviceFacts) -> None:
    """Raise PolicyError for facts that no request can have: negated conditions would hold for them."""
    for name, values in facts.said.items():
        if not values and name in REQUEST_KEYS and not REQUEST_KEYS[name].may_lack:
            raise PolicyError(f"{name} is never without a value; say it, or leave it out")
    for address in (facts.source_ip, *facts.said.get(VPC_SOURCE_IP, ())):
        try:
            if address is not None:
                ipaddress.ip_address(address)
        except ValueError as error:
            raise PolicyError(f"{address!r} is no IP address") from error
    attributes, topics = facts.said.get(CONNECT_ATTRIBUTES), facts.said.get(LAST_WILL_TOPIC)
    if attributes is not None and topics is not None and (LAST_WILL in attributes) != bool(topics):
        raise PolicyError(f"a connection has a Last Will's topic exactly where its attributes have {LAST_WILL}")
    for topic in topics or ():
        if topic.startswith("topic/"):
            short = topic.removeprefix("topic/")
            raise PolicyError(
                f"the Last Will's topic is {topic!r}; write it as {short}, or an ARN if topic/ is its own"
            )


def _with_will(facts: DeviceFacts, values: Mapping[str, str]) -> DeviceFacts:
    """Return the facts with the topic of a Last Will as the ARN that policies compare."""
    topics = facts.said.get(LAST_WILL_TOPIC, ())
    arns = tuple(complete_resource(each if each.startswith("arn:") else f"topic/{each}", values) for each in topics)
    return replace(facts, said={**facts.said, LAST_WILL_TOPIC: arns}) if topics else facts
