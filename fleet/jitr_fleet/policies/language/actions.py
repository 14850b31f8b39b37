"""The actions that an AWS IoT policy can allow a device: AWS's data plane, action by action.

Sources: "AWS IoT Core policy actions" and "AWS IoT Core action resources" in the developer guide, the model of the
data-plane APIs for what is newer than these, and for Greengrass its "Device authentication and authorization".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

# A resource type of actions whose resource is a literal `*`.
ANY_RESOURCE = "*"
CLIENT, TOPIC, TOPIC_FILTER, THING, ROLE_ALIAS = "client", "topic", "topicfilter", "thing", "rolealias"
# Services whose actions may stand in an AWS IoT policy.
SERVICES = ("iot", "iotjobsdata", "greengrass")


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action: its name as AWS spells it, the types of resources it applies to, and what it lets a device do."""

    name: str
    resource_types: tuple[str, ...]
    about: str


def _by_name(*groups: Iterable[tuple[str, tuple[str, ...], str]]) -> Mapping[str, Action]:
    actions = (Action(name=name, resource_types=types, about=about) for group in groups for name, types, about in group)
    return MappingProxyType({action.name: action for action in actions})


_MESSAGES = (
    ("iot:Connect", (CLIENT,), "connect to the message broker with this client id"),
    ("iot:Publish", (TOPIC,), "publish to this topic"),
    ("iot:RetainPublish", (TOPIC,), "publish to this topic with the RETAIN flag; needs iot:Publish too"),
    ("iot:Subscribe", (TOPIC_FILTER,), "subscribe with this topic filter"),
    ("iot:Receive", (TOPIC,), "receive messages of this topic; checked for each message that is delivered"),
    ("iot:GetRetainedMessage", (TOPIC,), "read the retained message of this topic (HTTP)"),
    ("iot:ListRetainedMessages", (ANY_RESOURCE,), "list the topics of all retained messages (HTTP)"),
    ("iot:SendDirectMessage", (CLIENT,), "send a message to this client without a subscription (HTTP)"),
    ("iot:GetConnection", (CLIENT,), "read how this client is connected (HTTP)"),
    ("iot:ListSubscriptions", (CLIENT,), "list the subscriptions of this client (HTTP)"),
    ("iot:DeleteConnection", (CLIENT,), "disconnect this client (HTTP)"),
)
_SHADOWS = (
    ("iot:GetThingShadow", (THING,), "read this Thing's shadow (HTTP; over MQTT it is a topic)"),
    ("iot:UpdateThingShadow", (THING,), "change this Thing's shadow (HTTP; over MQTT it is a topic)"),
    ("iot:DeleteThingShadow", (THING,), "delete this Thing's shadow (HTTP; over MQTT it is a topic)"),
    # The developer guide says *, the service authorization reference says thing.
    ("iot:ListNamedShadowsForThing", (ANY_RESOURCE, THING), "list the named shadows of a Thing (HTTP)"),
)
_JOBS = (
    ("iotjobsdata:DescribeJobExecution", (THING,), "read a job of this Thing (HTTP; over MQTT it is a topic)"),
    ("iotjobsdata:GetPendingJobExecutions", (THING,), "list this Thing's jobs (HTTP; over MQTT it is a topic)"),
    ("iotjobsdata:StartNextPendingJobExecution", (THING,), "begin this Thing's next job (HTTP; over MQTT a topic)"),
    ("iotjobsdata:UpdateJobExecution", (THING,), "report on a job of this Thing (HTTP; over MQTT it is a topic)"),
)
_CREDENTIALS = (
    ("iot:AssumeRoleWithCertificate", (ROLE_ALIAS,), "get AWS credentials of the role behind this role alias"),
)
# Greengrass's own resources are ARNs of another service: what they may be is not this project's to know.
_GREENGRASS = tuple(
    (f"greengrass:{name}", (), about)
    for name, about in (
        ("Discover", "find the Greengrass core devices that this client device may connect to"),
        ("GetComponentVersionArtifact", "fetch the artifact of a component"),
        ("ResolveComponentCandidates", "find the components that a deployment needs"),
        ("GetDeploymentConfiguration", "read the configuration of a deployment"),
        ("ListThingGroupsForCoreDevice", "list the thing groups of a core device"),
        ("PutCertificateAuthorities", "hand in the CA certificates that client devices trust"),
        ("VerifyClientDeviceIdentity", "verify the certificate of a client device"),
        ("VerifyClientDeviceIoTCertificateAssociation", "verify that a client device belongs to this core device"),
    )
)

ACTIONS = _by_name(_MESSAGES, _SHADOWS, _JOBS, _CREDENTIALS, _GREENGRASS)

# The job actions under the prefix that older policies use for them.
FORMER_NAMES: Mapping[str, str] = MappingProxyType(
    {name.replace("iotjobsdata:", "iot:"): name for name, _, _ in _JOBS},
)

# Verbs that the names of AWS IoT's control-plane operations begin with (the model of the service `iot`).
_CONTROL_PLANE_VERBS = (
    "Accept", "Add", "Associate", "Attach", "Cancel", "Clear", "Close", "Confirm", "Create", "Delete", "Deprecate",
    "Describe", "Detach", "Disable", "Disassociate", "Enable", "Get", "List", "Open", "Put", "Register", "Reject",
    "Remove", "Replace", "Rotate", "Search", "Set", "Start", "Stop", "Tag", "Test", "Transfer", "Untag", "Update",
    "Validate",
)  # fmt: skip


def is_control_plane(name: str) -> bool:
    """Say whether `name` looks like an operation of AWS IoT's control plane, which no device policy can allow.

    Decided by the form `iot:<Verb><Noun>` and not being one of ACTIONS; not checked: that AWS has this operation.
    """
    service, _, operation = name.partition(":")
    if service != "iot" or name in ACTIONS or name in FORMER_NAMES:
        return False
    return any(
        operation.startswith(verb) and operation[len(verb) : len(verb) + 1].isupper() for verb in _CONTROL_PLANE_VERBS
    )
