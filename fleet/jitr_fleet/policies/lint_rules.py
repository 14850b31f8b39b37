"""Every rule of the lint: its id, which stays, how bad a finding is, and in one sentence why it is a rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jitr_fleet.policies.source import Severity


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule; docs/policy-lint.md repeats `why` and adds a bad and a good example.

    `has_exceptions` where a finding can be acknowledged: not where AWS IoT would refuse the policy or misread it.
    """

    id: str
    severity: Severity
    why: str
    has_exceptions: bool = True


_REFUSED = {
    # The file
    "unreadable": "A template that cannot be read cannot be checked.",
    "file-too-large": "AWS IoT takes no document over 404,600 characters, whatever is in it.",
    "byte-order-mark": "JSON begins with no byte order mark (RFC 8259), and AWS IoT may refuse the document.",
    "not-utf8": "JSON is UTF-8 (RFC 8259); another encoding is read as other characters than were written.",
    "json-syntax": "A document that is no JSON is refused by AWS IoT when it is deployed.",
    "nested-too-deep": "A policy needs five levels; deeper nesting is a mistake, or an attack on whatever reads it.",
    "duplicate-key": "Of two equal keys only the last one counts, and a reviewer may have read the first.",
    # The grammar of policies
    "not-an-object": "A policy is one JSON object with Version and Statement.",
    "policy-version": "Only in Version 2012-10-17 are `${…}` variables; in any other they are plain text.",
    "no-statement": "AWS IoT refuses a policy without statements.",
    "missing-key": "A statement says whether (Effect), what (Action) and on what (Resource); AWS IoT needs all three.",
    "unknown-key": "AWS IoT refuses keys that its grammar does not have, and a misspelt one protects nothing.",
    "wrong-type": "AWS IoT refuses a value of another type than its grammar says.",
    "unknown-effect": "Effect is Allow or Deny, in this spelling.",
    "negated-element": "NotAction and NotResource mean everything but what is listed, all other devices included.",
    "principal": "A policy of AWS IoT applies to what it is attached to; it has no Principal.",
    "duplicate-sid": "A Sid names one statement; with two of them, nobody knows which one a finding means.",
    # The template
    "unknown-value": "Only the values in the documented notation are filled in; AWS IoT would take the rest as text.",
    "too-long": "AWS IoT refuses a policy of more than 2,048 characters without white space.",
    # Exceptions
    "expired-exception": "A reviewed exception holds until the day it names; then somebody has to look again.",
    "invalid-exception": "An exception that cannot be read acknowledges nothing.",
}
_ERRORS = {
    # Actions
    "unknown-action": "An action that does not exist allows and denies nothing.",
    "control-plane-action": "Policies of AWS IoT govern its data plane; a device has no use for anything else.",
    "wildcard-action": "A wildcard allows actions that nobody chose, and those that AWS will add.",
    "value-in-action": "AWS IoT replaces variables in Resource and Condition only.",
    # Resources
    "malformed-arn": "A resource is `*`, or an ARN whose service is spelled out as `iot`.",
    "resource-type": "A type of resource that does not exist matches nothing.",
    "action-resource": "An action and a resource of a type that it does not apply to have no effect together.",
    "wrong-deployment": "A resource of another account, Region or partition matches nothing in this deployment.",
    # What Device Defender finds
    "overly-permissive": "One stolen key would reach every device; for connections, messages, shadows and jobs Device "
    "Defender says so too.",
    "client-id-unbound": "Without the condition IsAttached, `${iot:ClientId}` is any client id (Device Defender).",
    "client-id-of-others": "Names of Things hold `-`, `_` and `:`, so `sensor-*` is also the Thing `sensor-1`.",
    "client-id-in-topic": "A device that may choose its client id may choose `+` or another device's, and reach it.",
    "mqtt-wildcard-in-deny": "`+` and `#` are plain characters in a policy: a Deny with them denies next to nothing.",
    "denied-filter-reachable": "A Deny of a topic filter is passed by a wider one, unless iot:Receive is denied too.",
    # Variables and conditions
    "unknown-variable": "A variable that does not exist is never filled in, and its statement never applies.",
    "variable-form": "`.1` and `.List` belong to variables with several values, and `.List` to conditions.",
    "empty-variable": "A variable without a value is not filled in, and its statement never applies.",
    "unknown-operator": "AWS IoT refuses a condition operator that does not exist.",
    "unknown-condition-key": "A condition on a key that does not exist is never true, or always.",
    "condition-value": "AWS does not document what such a condition means, and no case about the policy has an answer.",
}
_WARNINGS = {
    "unused-exception": "An exception for what is not found hides what is written there later.",
    "device-value": "One policy per device costs one more limited call per activation, and edits do not reach it.",
    "former-action": "AWS documents the job actions under `iotjobsdata:` now.",
    "literal-deployment-value": "A template with a literal account, Region or partition works in one deployment only.",
    "client-id-free": "Things are attached exclusively, so an attached device may still choose its client id.",
    "shared-client-id": "Two devices with one client id disconnect each other, and each may take the other's.",
    "thing-not-required": "A Thing's name without the condition IsAttached rests on what AWS's pages say differently.",
    "wildcard-after-variable": "`name*` matches `name2`, and `name_*` the Thing `name_2`: another device's resources.",
    "wildcard-without-variable": "A wildcard with no variable before it may stand for the names of other devices.",
    "mqtt-wildcard-in-topic": "Messages have no topic with `+` or `#`, so the resource matches nothing.",
    "mqtt-wildcard-in-topicfilter": "`+` and `#` allow that filter only, but it brings the messages of every device.",
    "broad-receive": "Messages sent directly need iot:Receive and no subscription, so this lets all of them in.",
    "reserved-topic": "Devices cannot publish to AWS IoT's own events, whatever a policy says.",
    "too-many-levels": "AWS IoT refuses topics with more than seven slashes.",
    "retain-without-publish": "A retained message needs iot:Publish and iot:RetainPublish on its topic.",
    "subscribe-without-receive": "A subscription brings only messages whose topics iot:Receive allows.",
    "no-connect": "Over MQTT nothing is possible without iot:Connect.",
    "thing-variable-without-thing": "Over HTTPS and for Greengrass no Thing is known, and its variables stay empty.",
    "key-without-action": "A key that the action's requests never have is missing: such a condition decides nothing.",
    "holds-without-value": "Such a condition holds for a missing key too; IAM asks for Null with false beside it.",
    "redundant-statement": "What is allowed or denied twice stays so when somebody removes it once.",
    "denied-statement": "An Allow that a Deny takes back in full allows nothing.",
}

RULES: Mapping[str, Rule] = MappingProxyType(
    {id_: Rule(id=id_, severity=Severity.ERROR, why=why, has_exceptions=False) for id_, why in _REFUSED.items()}
    | {id_: Rule(id=id_, severity=Severity.ERROR, why=why) for id_, why in _ERRORS.items()}
    | {id_: Rule(id=id_, severity=Severity.WARNING, why=why) for id_, why in _WARNINGS.items()}
)
