"""The smaller AWS services of the fault matrix, each with the few operations that the functions call.

Each operation is a method of its API name; what AWS would refuse is raised as Refused with AWS's error code.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.response import StreamingBody
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from jitr_local import pki
from tests.aws.fake_iot import ACCOUNT
from tests.aws.fake_iot_policies import Refused
from tests.aws.memory_aws import MemoryTable


@dataclass
class MemoryDynamoDb:
    """One table, whatever its name."""

    table: MemoryTable = field(default_factory=MemoryTable)

    def __deepcopy__(self, _memo: Any) -> MemoryDynamoDb:
        # Items are never changed in place.
        return MemoryDynamoDb(MemoryTable(dict(self.table.items), dict(self.table.digests)))

    def GetItem(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        item = self.table.get(given["Key"])
        return {} if item is None else {"Item": item}

    def BatchGetItem(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        ((name, wanted),) = given["RequestItems"].items()
        return {"Responses": {name: self.table.get_many(wanted["Keys"])}, "UnprocessedKeys": {}}

    def Query(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert given["KeyConditionExpression"] == "pk = :pk"
        return {"Items": self.table.query(given["ExpressionAttributeValues"][":pk"]["S"])}

    def UpdateItem(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert all(word == f"#{name}" for word, name in given.get("ExpressionAttributeNames", {}).items())
        item = self.table.update(
            given["Key"],
            given["UpdateExpression"],
            given.get("ExpressionAttributeValues", {}),
            condition=given.get("ConditionExpression"),
        )
        if item is None:
            raise Refused("ConditionalCheckFailedException", "The conditional request failed")
        return {"Attributes": item}


@dataclass
class MemoryS3:
    """Objects by bucket and key, all in buckets of this account."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def GetObject(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        data = self.objects.get(self._checked(given))
        if data is None:
            raise Refused("NoSuchKey", "The specified key does not exist.")
        tag = _tag(data)
        if given.get("IfNoneMatch") == tag:
            raise Refused("304", "Not Modified")
        body = StreamingBody(io.BytesIO(data), len(data))
        return {"Body": body, "ContentLength": len(data), "ETag": tag}

    def PutObject(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        # botocore has made a file of the bytes.
        data = self.objects[self._checked(given)] = given["Body"].getvalue()
        return {"ETag": _tag(data)}

    def ListObjectsV2(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        bucket = f"s3://{given['Bucket']}/"
        keys = (each.removeprefix(bucket) for each in self.objects if each.startswith(bucket))
        found = sorted(each for each in keys if each.startswith(given["Prefix"]))
        return {"Contents": [{"Key": each, "LastModified": pki.now()} for each in found], "IsTruncated": False}

    def PutObjectTagging(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        if self._checked(given) not in self.objects:
            raise Refused("NoSuchKey", "The specified key does not exist.")
        return {}

    def _checked(self, given: Mapping[str, Any]) -> str:
        if given.get("ExpectedBucketOwner", ACCOUNT) != ACCOUNT:
            raise Refused("AccessDenied", "Access Denied")
        return f"s3://{given['Bucket']}/{given['Key']}"


def _tag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


@dataclass
class MemoryPrivateCa:
    """CAs of AWS Private CA by ARN, and what they have signed."""

    cas: dict[str, pki.CertificateAuthority] = field(default_factory=dict)
    issued: dict[str, str] = field(default_factory=dict)

    def __deepcopy__(self, _memo: Any) -> MemoryPrivateCa:
        return MemoryPrivateCa(self.cas, dict(self.issued))

    def GetCertificateAuthorityCertificate(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Certificate": pki.pem(self._ca(given).certificate)}

    def DescribeCertificateAuthority(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._ca(given)
        return {"CertificateAuthority": {"CertificateAuthorityConfiguration": {"KeyAlgorithm": "EC_prime256v1"}}}

    def IssueCertificate(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        ca, request = self._ca(given), x509.load_pem_x509_csr(given["Csr"])
        signed = (
            x509.CertificateBuilder(subject_name=request.subject, issuer_name=ca.certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(pki.now() - pki.DAY)
            .not_valid_after(pki.now() + pki.DAY)
            .sign(ca.key, hashes.SHA256())
        )
        arn = f"{given['CertificateAuthorityArn']}/certificate/{len(self.issued)}"
        self.issued[arn] = signed.public_bytes(Encoding.PEM).decode()
        return {"CertificateArn": arn}

    def GetCertificate(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Certificate": self.issued[given["CertificateArn"]]}

    def _ca(self, given: Mapping[str, Any]) -> pki.CertificateAuthority:
        if given["CertificateAuthorityArn"] not in self.cas:
            raise Refused("ResourceNotFoundException", "no such CA")
        return self.cas[given["CertificateAuthorityArn"]]


@dataclass
class MemoryStacks:
    """CloudFormation's stacks: one, in some status."""

    status: str = "UPDATE_IN_PROGRESS"

    def DescribeStacks(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Stacks": [{"StackName": given["StackName"], "StackStatus": self.status}]}
