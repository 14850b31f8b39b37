"""Copies of the CRLs that were enforced, to compare the next ones with: a private prefix of the CRL bucket.

A copy is trusted only if it is the very content whose SHA-256 the state table names, and verifies like any CRL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from jitr.aws.failures import aws_call
from jitr.certificates import AnyCertificate
from jitr.crls.fetched import COPIES_PREFIX
from jitr.revocation import CrlRefused, Options, VerifiedCrl, read_crl, verify_crl

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = COPIES_PREFIX
_SECOND = timedelta(seconds=1)
_ENDING = ".crl"
# The bucket's lifecycle takes two days at most.
_MISSED = timedelta(days=3)
# The tag of a copy that nothing names any more.
GIVEN_UP: Final[Mapping[str, str]] = {"jitr:given-up": "true"}


@dataclass(frozen=True)
class EnforcedCrls:
    """The copies of one deployment; publishers have no right to write below the prefix."""

    s3: S3Client
    bucket: str
    account: str

    def load(self, scope: str, crl: str, ca: AnyCertificate) -> VerifiedCrl | None:
        """Return the copy whose SHA-256 is `crl`, or None where it is gone or another: then all is compared anew."""
        with aws_call("GetObject"):
            try:
                answer = self.s3.get_object(Bucket=self.bucket, Key=_key(scope, crl), ExpectedBucketOwner=self.account)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404", "AccessDenied"):
                    return None
                raise
            data = answer["Body"].read()
        if hashlib.sha256(data).hexdigest() != crl:
            return None
        try:
            # It was fresh when it was enforced; what matters now is what it lists.
            fields = read_crl(data)
            return verify_crl(data, ca, at=fields.this_update + _SECOND, options=Options(max_age=timedelta.max))
        except CrlRefused:
            return None

    def give_up_others(self, scope: str, named: Collection[str], *, before: Collection[str], at: datetime) -> None:
        """Let the copies of a scope go but those of these CRLs; whoever calls holds the scope's lease.

        They are tagged, and the bucket's lifecycle removes what is tagged; an old version stays for its usual time. A
        copy goes because nothing names it any more, never because it is old: one that is gone would make the next sweep
        look at every entry. Storing a copy again takes the tag away. `before` are the CRLs that were named until now;
        others are tagged only if they are still there after days, which says that an earlier sweep could not.
        """
        folder = _key(scope, "").removesuffix(_ENDING)
        with aws_call("ListObjectsV2"):
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=folder, ExpectedBucketOwner=self.account
            )
            listed = [(each["Key"], each["LastModified"]) for page in pages for each in page.get("Contents", ())]
        for key, stored_at in listed:
            crl = key.removeprefix(folder).removesuffix(_ENDING)
            if crl in named or (crl not in before and at - stored_at < _MISSED):
                continue
            with aws_call("PutObjectTagging"):
                self.s3.put_object_tagging(
                    Bucket=self.bucket,
                    Key=key,
                    Tagging={"TagSet": [{"Key": tag, "Value": value} for tag, value in GIVEN_UP.items()]},
                    ExpectedBucketOwner=self.account,
                )

    def store(self, scope: str, crl: VerifiedCrl) -> None:
        """Keep a copy; storing it again changes nothing."""
        with aws_call("PutObject"):
            self.s3.put_object(
                Bucket=self.bucket, Key=_key(scope, crl.sha256), Body=crl.der, ExpectedBucketOwner=self.account
            )


def _key(scope: str, crl: str) -> str:
    return f"{PREFIX}{hashlib.sha256(scope.encode()).hexdigest()[:32]}/{crl}{_ENDING}"
