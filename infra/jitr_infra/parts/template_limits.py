"""What AWS refuses of a template because of its size, said at synth together with how to go on.

CloudFormation: 500 resources and 1,000,000 bytes a template. IAM: 6,144 characters a managed policy, 10,240 in all
inline policies of a role, white space not counted, ten managed policies a role (IAM and AWS STS quotas).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jsii
from aws_cdk import (
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
    Stack,
    Stage,
    Validations,
)

RESOURCES: Final = 500
TEMPLATE_BYTES: Final = 1_000_000
MANAGED_POLICY: Final = 6_144
INLINE_POLICIES: Final = 10_240
MANAGED_POLICIES: Final = 10
# What a reference becomes at deploy: the longest ARN of ours, a log group's.
_REFERENCE: Final = 160
_CA, _POLICY, _MANAGED = "AWS::IoT::CACertificate", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"
_FEWER_CAS: Final = (
    "Let another deployment of the same account and Region manage some of the CAs: both share the account's quota, so "
    "divide api_tps between them (docs/sizing.md, Many CAs). Or register some by `jitr ca register` and say "
    'registration = "existing": they take no room in the template'
)
_FEWER_BUCKETS: Final = (
    "Copy CRLs into fewer buckets, or into the stack's own (`jitr crl publish`), or let another deployment manage some "
    "of the CAs (docs/sizing.md, Many CAs)"
)


@dataclass(frozen=True, kw_only=True)
class TooLarge:
    """A limit that a template is over: which, by how much, and how to go on."""

    rule: str
    found: str
    fix: str


def too_large(template: Mapping[str, Any], *, size: int) -> Iterator[TooLarge]:
    """Yield the limits that a template of `size` bytes is over."""
    resources: Mapping[str, Any] = template.get("Resources", {})
    cas = Counter(each["Type"] for each in resources.values())[_CA]
    if len(resources) > RESOURCES:
        found = f"{len(resources):,} resources, {cas} of them CAs; CloudFormation takes {RESOURCES}"
        yield TooLarge(rule="JitrTemplateResources", found=found, fix=_FEWER_CAS)
    if size > TEMPLATE_BYTES:
        found = f"a template of {size:,} bytes, with {cas} CAs; CloudFormation takes {TEMPLATE_BYTES:,}"
        yield TooLarge(rule="JitrTemplateBytes", found=found, fix=_FEWER_CAS)
    yield from _policies(resources)


def _policies(resources: Mapping[str, Any]) -> Iterator[TooLarge]:
    inline: dict[str, int] = defaultdict(int)
    managed: Counter[str] = Counter()
    for name, each in resources.items():
        if each["Type"] not in (_POLICY, _MANAGED):
            continue
        size = _characters(each["Properties"]["PolicyDocument"])
        for role in map(json.dumps, each["Properties"].get("Roles", ())):
            if each["Type"] == _MANAGED:
                managed[role] += 1
            else:
                inline[role] += size
        if each["Type"] == _MANAGED and size > MANAGED_POLICY:
            found = f"policy {name} has {size:,} characters; IAM takes {MANAGED_POLICY:,} in a managed policy"
            yield TooLarge(rule="JitrManagedPolicy", found=found, fix=_FEWER_BUCKETS)
    for role, size in inline.items():
        if size > INLINE_POLICIES:
            found = f"the policies of {role} have {size:,} characters; IAM takes {INLINE_POLICIES:,} inline"
            yield TooLarge(rule="JitrInlinePolicies", found=found, fix=_FEWER_BUCKETS)
    for role, count in managed.items():
        if count > MANAGED_POLICIES:
            found = f"{role} has {count} managed policies; IAM takes {MANAGED_POLICIES}"
            yield TooLarge(rule="JitrManagedPolicies", found=found, fix=_FEWER_BUCKETS)


def _characters(document: object) -> int:
    """Return how long a policy is at most once every reference in it is an ARN; white space is not counted."""
    return len(json.dumps(_resolved(document), separators=(",", ":")).replace(" ", ""))


def _resolved(value: object) -> object:
    match value:
        case dict():
            if any(key == "Ref" or key.startswith("Fn::") for key in value):
                return "x" * _REFERENCE
            return {key: _resolved(inner) for key, inner in value.items()}
        case list():
            return [_resolved(inner) for inner in value]
    return value


@jsii.implements(IPolicyValidationPlugin)
class _Limits:
    """CDK's validation of one stack's template, which stops a synth and prints the report."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    @property
    def name(self) -> str:
        """Return the plugin's name, as reports have it."""
        return f"jitr limits of {self._stack.stack_name}"

    @property
    def version(self) -> str | None:
        """Return nothing: it goes with the stack."""
        return None

    @property
    def rule_ids(self) -> list[str] | None:
        """Return nothing: no rule may be left out."""
        return None

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        """Look at the stack's own template."""
        paths = [Path(each) for each in context.template_paths if Path(each).name == self._stack.template_file]
        violations = [
            PolicyViolation(
                rule_name=each.rule,
                description=f"{self._stack.stack_name}: {each.found}",
                fix=each.fix,
                severity="fatal",
                violating_resources=[
                    PolicyViolatingResource(
                        locations=[], resource_logical_id=self._stack.artifact_id, template_path=str(path)
                    )
                ],
            )
            for path in paths
            for each in too_large(json.loads(path.read_text(encoding="utf-8")), size=path.stat().st_size)
        ]
        return PolicyValidationPluginReport(success=not violations, violations=violations)


def add_limits(stack: Stack) -> None:
    """Let a synth stop where AWS would refuse the stack's template because of its size."""
    stage = Stage.of(stack)
    if stage is not None:
        Validations.of(stage).add_plugins(_Limits(stack))
