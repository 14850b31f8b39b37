"""The policies of the strict AWS IoT in fake_iot.py: documents, versions and what AWS refuses about them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAXIMUM_VERSIONS = 5


class Refused(Exception):  # noqa: N818
    """An error answer of AWS IoT."""

    def __init__(self, code: str, message: str = "refused") -> None:
        super().__init__(message)
        self.code = code


@dataclass
class FakePolicy:
    """Documents by version id; ids only grow, and none is used twice."""

    versions: dict[str, str]
    default: str = "1"
    newest: int = 1

    @property
    def document(self) -> str:
        """What counts: the default version."""
        return self.versions[self.default]


@dataclass
class FakePolicies:
    """The API calls about policies; `policies` holds them by name."""

    policies: dict[str, FakePolicy] = field(default_factory=dict)

    def _create_policy(self, given: Mapping[str, Any]) -> dict[str, Any]:
        name, document = given["policyName"], given["policyDocument"]
        if not re.fullmatch(r"[\w+=,.@-]{1,128}", name):
            raise Refused("InvalidRequestException", "policy name")
        _refuse_malformed(document)
        if name in self.policies:
            raise Refused("ResourceAlreadyExistsException")
        self.policies[name] = FakePolicy({"1": document})
        return {"policyName": name, "policyVersionId": "1"}

    def _get_policy(self, given: Mapping[str, Any]) -> dict[str, Any]:
        policy = self._policy(given)
        return {
            "policyName": given["policyName"],
            "policyDocument": policy.document,
            "defaultVersionId": policy.default,
        }

    def _create_policy_version(self, given: Mapping[str, Any]) -> dict[str, Any]:
        policy = self._policy(given)
        _refuse_malformed(given["policyDocument"])
        if len(policy.versions) >= MAXIMUM_VERSIONS:
            raise Refused("VersionsLimitExceededException")
        policy.newest += 1
        version = str(policy.newest)
        policy.versions[version] = given["policyDocument"]
        if given.get("setAsDefault"):
            policy.default = version
        return {"policyVersionId": version, "isDefaultVersion": policy.default == version}

    def _list_policy_versions(self, given: Mapping[str, Any]) -> dict[str, Any]:
        policy = self._policy(given)
        # As AWS lists them: the newest first.
        listed = sorted(policy.versions, key=int, reverse=True)
        return {"policyVersions": [{"versionId": each, "isDefaultVersion": each == policy.default} for each in listed]}

    def _delete_policy_version(self, given: Mapping[str, Any]) -> dict[str, Any]:
        policy, version = self._policy(given), given["policyVersionId"]
        if version not in policy.versions:
            raise Refused("ResourceNotFoundException")
        if version == policy.default:
            raise Refused("DeleteConflictException", "the default version cannot be deleted")
        del policy.versions[version]
        return {}

    def _policy(self, given: Mapping[str, Any]) -> FakePolicy:
        if given["policyName"] not in self.policies:
            raise Refused("ResourceNotFoundException")
        return self.policies[given["policyName"]]


def _refuse_malformed(document: str) -> None:
    """Refuse what AWS IoT's policy grammar does not allow, and more than 2,048 characters without white space."""
    if len(re.sub(r"\s", "", document)) > 2048:
        raise Refused("MalformedPolicyException", "Policy document is Malformed: too long")
    try:
        policy = json.loads(document)
        statements = policy["Statement"]
        for each in statements if isinstance(statements, list) else [statements]:
            assert each["Effect"] in ("Allow", "Deny")
            assert each["Action"]
            assert each["Resource"]
            assert set(each) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert statements
        assert policy["Version"] in ("2008-10-17", "2012-10-17")
        assert set(policy) <= {"Version", "Id", "Statement"}
    except (ValueError, KeyError, TypeError, AssertionError):
        raise Refused("MalformedPolicyException", "Policy document is Malformed") from None
