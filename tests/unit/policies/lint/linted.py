"""Policies of a few statements, and what the lint finds in them."""

from __future__ import annotations

import json
from typing import Any

from jitr.settings import ThingNameSource
from jitr_fleet.policies.authoring.lint import lint_bytes
from jitr_fleet.policies.context import LintContext, PolicyCa
from jitr_fleet.policies.source import LintFinding

NO_CONTEXT = LintContext()
ARN = "arn:@{partition}:iot:@{region}:@{account}:"
# As AWS's pages write it, filled in.
AWS_ARN = "arn:aws:iot:us-east-1:123456789012:"
THING = "${iot:Connection.Thing.ThingName}"
ATTACHED = {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}


def statement(action: object, resource: object, *, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """Return one statement."""
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


# What a statement alone lacks, where the test is about something else.
PAIRS = frozenset({"no-connect", "subscribe-without-receive", "retain-without-publish"})


def findings(*statements: object, context: LintContext = NO_CONTEXT) -> list[LintFinding]:
    """Lint a policy with these statements; what they lack for a whole policy is left out."""
    return [finding for finding in all_findings(*statements, context=context) if finding.rule not in PAIRS]


def all_findings(*statements: object, context: LintContext = NO_CONTEXT) -> list[LintFinding]:
    """Lint a policy with these statements."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return lint_bytes("policy.json", json.dumps(document).encode(), context)


def rules(*statements: object, context: LintContext = NO_CONTEXT) -> set[str]:
    """Return the rules that a policy with these statements breaks, but for values that are written out."""
    return {finding.rule for finding in findings(*statements, context=context)} - {"literal-deployment-value"}


def ca(thing_name: str = "cn", **issuer_fields: tuple[str, ...]) -> LintContext:
    """Return a context of one CA and nothing else."""
    facts = PolicyCa(name="factory-1", thing_name=ThingNameSource(thing_name), issuer_fields=issuer_fields)
    return LintContext(cas=(facts,))
