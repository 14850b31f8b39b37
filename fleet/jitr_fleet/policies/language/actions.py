"""The actions that an AWS IoT policy can allow a device: AWS's data plane, action by action, as a table.

A row says which resources an action is asked for, over which protocol, and what AWS IoT knows while it decides. The
lint, the evaluator, the editors' schema and the docs all read it. `make policy-tables` compares it with botocore's
service models and with the authorization tables of public packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

# A resource type of actions whose resource is a literal `*`.
ANY_RESOURCE: Final = "*"
CLIENT, TOPIC, TOPIC_FILTER, THING, ROLE_ALIAS = "client", "topic", "topicfilter", "thing", "rolealias"
IOT_TYPES: Final = (CLIENT, TOPIC, TOPIC_FILTER, THING, ROLE_ALIAS)
# Resources with an ARN of the service `greengrass`: components, deployments, connectivity information.
GREENGRASS: Final = "greengrass"
# Services whose actions may stand in an AWS IoT policy.
SERVICES: Final = ("iot", "iotjobsdata", "greengrass")


class Protocol(StrEnum):
    """How the device talks to AWS IoT; by HTTPS there is no client id, and a Thing only where a row says so."""

    MQTT = "mqtt"
    HTTPS = "https"


MQTT, HTTPS, BOTH = (Protocol.MQTT,), (Protocol.HTTPS,), (Protocol.MQTT, Protocol.HTTPS)


@dataclass(frozen=True, kw_only=True)
class SourcePage:
    """Where a row comes from: a page of AWS's documentation, and the day on which it was read."""

    page: str
    seen: str = "2026-11-30"

    def __str__(self) -> str:
        """Return both in one line, as the docs print them."""
        return f"{self.page} ({self.seen})"


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action: its name as AWS spells it, the types of resources it applies to, and what it lets a device do.

    `protocols` are those it can be asked over; `names_thing` where the request names the Thing over HTTPS. A Thing's
    variables have values over MQTT, and where `names_thing`.
    """

    name: str
    resource_types: tuple[str, ...]
    about: str
    protocols: tuple[Protocol, ...]
    source: SourcePage
    names_thing: bool = False

    @property
    def knows_thing(self) -> bool:
        """Whether AWS IoT can know the Thing while it decides about this action."""
        return Protocol.MQTT in self.protocols or self.names_thing

    @property
    def knows_client_id(self) -> bool:
        """Whether a client id can be known."""
        return Protocol.MQTT in self.protocols

    @property
    def types_in_words(self) -> str:
        """The resource types for people: `topic/…`, `*`, or an ARN of Greengrass."""
        words = {ANY_RESOURCE: "*", GREENGRASS: "arn:…:greengrass:…"}
        return " or ".join(words.get(each, f"{each}/…") for each in self.resource_types)


_Row = tuple[str, tuple[str, ...], str]
_GUIDE: Final = "IoT developer guide"
_ACTIONS: Final = SourcePage(page=f"{_GUIDE}, iot-policy-actions and iot-action-resources")
_DIRECT: Final = SourcePage(page=f"{_GUIDE}, direct-messaging; service authorization reference, list_iot")
_CONNECTIONS: Final = SourcePage(page=f"{_GUIDE}, mqtt; service authorization reference, list_iot")
_NAMED_SHADOWS: Final = SourcePage(
    page="service authorization reference, list_iot; API reference, ListNamedShadowsForThing"
)
_JOBS_DATA: Final = SourcePage(page=f"{_GUIDE}, iot-policy-actions; service authorization reference, list_iotjobsdata")
_ROLE: Final = SourcePage(page=f"{_GUIDE}, authorizing-direct-aws")
_DEVICE_AUTH: Final = SourcePage(page="Greengrass developer guide, device-auth; service authorization reference")


def _rows(
    source: SourcePage, protocols: tuple[Protocol, ...], rows: Iterable[_Row], *, names_thing: bool = False
) -> list[Action]:
    return [
        Action(
            name=name, resource_types=types, about=about, protocols=protocols, source=source, names_thing=names_thing
        )
        for name, types, about in rows
    ]


_TABLE: Final = (
    *_rows(
        _ACTIONS,
        MQTT,
        [
            ("iot:Connect", (CLIENT,), "connect to the message broker with this client id"),
            ("iot:Subscribe", (TOPIC_FILTER,), "subscribe with this topic filter"),
            ("iot:Receive", (TOPIC,), "receive messages of this topic, those sent directly too; checked for each one"),
        ],
    ),
    *_rows(
        _ACTIONS,
        BOTH,
        [
            ("iot:Publish", (TOPIC,), "publish to this topic"),
            ("iot:RetainPublish", (TOPIC,), "publish to this topic with the RETAIN flag; needs iot:Publish too"),
        ],
    ),
    *_rows(
        _ACTIONS,
        HTTPS,
        [
            ("iot:GetRetainedMessage", (TOPIC,), "read the retained message of this topic (HTTPS)"),
            ("iot:ListRetainedMessages", (ANY_RESOURCE,), "list the topics of all retained messages (HTTPS)"),
        ],
    ),
    *_rows(
        _DIRECT,
        HTTPS,
        [("iot:SendDirectMessage", (CLIENT,), "send a message to this client without a subscription (HTTPS)")],
    ),
    *_rows(
        _CONNECTIONS,
        HTTPS,
        [
            ("iot:GetConnection", (CLIENT,), "read how this client is connected (HTTPS)"),
            ("iot:ListSubscriptions", (CLIENT,), "list the subscriptions of this client (HTTPS)"),
            ("iot:DeleteConnection", (CLIENT,), "disconnect this client (HTTPS)"),
        ],
    ),
    *_rows(
        _ACTIONS,
        HTTPS,
        [
            ("iot:GetThingShadow", (THING,), "read this Thing's shadow (HTTPS; over MQTT it is a topic)"),
            ("iot:UpdateThingShadow", (THING,), "change this Thing's shadow (HTTPS; over MQTT it is a topic)"),
            ("iot:DeleteThingShadow", (THING,), "delete this Thing's shadow (HTTPS; over MQTT it is a topic)"),
        ],
    ),
    # The developer guide says *, the service authorization reference says thing.
    *_rows(
        _NAMED_SHADOWS,
        HTTPS,
        [("iot:ListNamedShadowsForThing", (ANY_RESOURCE, THING), "list the named shadows of a Thing (HTTPS)")],
    ),
    *_rows(
        _JOBS_DATA,
        HTTPS,
        [
            ("iotjobsdata:DescribeJobExecution", (THING,), "read a job of this Thing (HTTPS; over MQTT a topic)"),
            ("iotjobsdata:GetPendingJobExecutions", (THING,), "list this Thing's jobs (HTTPS; over MQTT a topic)"),
            (
                "iotjobsdata:StartNextPendingJobExecution",
                (THING,),
                "begin this Thing's next job (HTTPS; over MQTT a topic)",
            ),
            ("iotjobsdata:UpdateJobExecution", (THING,), "report on a job of this Thing (HTTPS; over MQTT a topic)"),
        ],
    ),
    *_rows(
        _ROLE,
        HTTPS,
        [("iot:AssumeRoleWithCertificate", (ROLE_ALIAS,), "get AWS credentials of the role behind this role alias")],
        # The header x-amzn-iot-thingname names it.
        names_thing=True,
    ),
    # Thing variables are not supported in any of these (device-auth).
    *_rows(
        _DEVICE_AUTH,
        HTTPS,
        [
            (
                "greengrass:Discover",
                (THING,),
                "find the Greengrass core devices that this client device may connect to",
            ),
            ("greengrass:GetConnectivityInfo", (THING, GREENGRASS), "read how this core device can be reached"),
            ("greengrass:UpdateConnectivityInfo", (THING, GREENGRASS), "report how this core device can be reached"),
            ("greengrass:GetComponentVersionArtifact", (ANY_RESOURCE, GREENGRASS), "fetch the artifact of a component"),
            (
                "greengrass:ResolveComponentCandidates",
                (ANY_RESOURCE, GREENGRASS),
                "find the components that a deployment needs",
            ),
            (
                "greengrass:GetDeploymentConfiguration",
                (ANY_RESOURCE, THING, GREENGRASS),
                "read the configuration of a deployment",
            ),
            (
                "greengrass:ListThingGroupsForCoreDevice",
                (ANY_RESOURCE, THING, GREENGRASS),
                "list the thing groups of a core device",
            ),
            (
                "greengrass:PutCertificateAuthorities",
                (ANY_RESOURCE, THING),
                "hand in the CA certificates that client devices trust",
            ),
            ("greengrass:VerifyClientDeviceIdentity", (ANY_RESOURCE, THING), "verify a client device's certificate"),
            (
                "greengrass:VerifyClientDeviceIoTCertificateAssociation",
                (ANY_RESOURCE, THING),
                "verify that a client device belongs to this core device",
            ),
        ],
    ),
)

ACTIONS: Final[Mapping[str, Action]] = MappingProxyType({action.name: action for action in _TABLE})

# The job actions under the prefix that older policies use for them.
FORMER_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {name.replace("iotjobsdata:", "iot:"): name for name in ACTIONS if name.startswith("iotjobsdata:")},
)
_FOLDED: Final[Mapping[str, str]] = MappingProxyType(
    {name.lower(): right for name, right in [*((each, each) for each in ACTIONS), *FORMER_NAMES.items()]}
)


def action_named(name: str) -> Action | None:
    """Return the action of a name, whatever its case and under its former prefix too; None for any other name."""
    right = _FOLDED.get(name.lower())
    return None if right is None else ACTIONS[right]
