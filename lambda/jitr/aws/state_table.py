"""The state table: what happens at run time, kept in one DynamoDB table, read and written with conditions.

| pk                      | sk            | what                                              | module          |
|-------------------------|---------------|---------------------------------------------------|-----------------|
| `<issuer key>#<serial>` | `certificate` | registry row of one certificate                   | registry.py     |
| `id#<certificate id>`   | `known`       | that a certificate has a registry row             | known.py        |
| `id#<certificate id>`   | `certificate` | registry row of one without serial number or CA   | row.py          |
| `reconciliation`        | `<CA>#<kind>` | how far a pass over a CA's certificates is        | passes.py       |
| `crl`                   | `<scope>`     | accepted, enforced, braked CRL of one address     | crl_versions.py |
| `ca`                    | `<CA id>`     | adoption, hold, number of devices, CRL addresses  | ca_records.py   |
| `allow#<CA id>`         | `<serial>`    | that a serial number may become ACTIVE            | allow_list.py   |
| `bulk`                  | `<job>`       | job of bulk work: what, how far, by whom          | bulk_jobs.py    |
| `bulk-list#<job>`       | `<page>`      | certificate ids that a job was given              | bulk_jobs.py    |
| `bulk-failed#<job>`     | `<cert. id>`  | why a job could not do one certificate            | bulk_jobs.py    |
| `turns`                 | `<line>`      | until when turns at AWS IoT are taken, by whom    | turns.py        |

Every write that matters is conditional, so that two containers, a retry and an operator cannot undo one another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from jitr.aws.failures import aws_call, error_code
from jitr.errors import Reason, Undecided

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CONDITION_FAILED = "ConditionalCheckFailedException"
_BATCH = 100  # keys in one BatchGetItem
# How often, and with which pauses (seconds), the keys are asked for that DynamoDB put off: six seconds in all.
_ATTEMPTS = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
# Our attributes that are DynamoDB's words too; expressions write them with #.
_RESERVED = ("state", "hold")

Key = Mapping[str, Any]
Item = Mapping[str, Any]


@dataclass(frozen=True)
class StateTable:
    """The state table of one deployment: items by key, nothing known of what they mean."""

    client: DynamoDBClient
    name: str
    sleep: Callable[[float], None] = time.sleep

    def get(self, key: Key) -> Item | None:
        """Read one item consistently."""
        with aws_call("GetItem"):
            answer = self.client.get_item(TableName=self.name, Key=key, ConsistentRead=True)
        return answer.get("Item")

    def get_many(self, keys: Sequence[Key]) -> Iterator[Item]:
        """Yield the items that exist, read consistently, in no order.

        What DynamoDB puts off is asked again after a pause that doubles; raises Undecided (`throttled`) where it still
        puts off something after ten times (BatchGetItem, "UnprocessedKeys").
        """
        for start in range(0, len(keys), _BATCH):
            wanted: Any = {self.name: {"Keys": list(keys[start : start + _BATCH]), "ConsistentRead": True}}
            for attempt in range(_ATTEMPTS):
                with aws_call("BatchGetItem"):
                    answer = self.client.batch_get_item(RequestItems=wanted)
                yield from answer["Responses"].get(self.name, [])
                wanted = answer.get("UnprocessedKeys")
                if not wanted:
                    break
                self.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))
            else:
                raise Undecided(Reason.THROTTLED, "BatchGetItem puts off keys again and again")

    def query(self, pk: str) -> Iterator[Item]:
        """Yield all items of one partition, read consistently."""
        with aws_call("Query"):
            pages = self.client.get_paginator("query").paginate(
                TableName=self.name,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": pk}},
                ConsistentRead=True,
            )
            for page in pages:
                yield from page["Items"]

    def update(self, key: Key, update: str, values: Mapping[str, Any], *, condition: str | None = None) -> Item | None:
        """Write one item and return what it is now; None, and nothing written, when the condition does not hold."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "Key": key,
            "UpdateExpression": update,
            "ReturnValues": "ALL_NEW",
        }
        if values:
            request["ExpressionAttributeValues"] = values
        if condition:
            request["ConditionExpression"] = condition
        if names := {f"#{name}": name for name in _RESERVED if f"#{name}" in f"{update}{condition}"}:
            request["ExpressionAttributeNames"] = names
        with aws_call("UpdateItem"):
            try:
                return self.client.update_item(**request)["Attributes"]
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise
                return None


def text(item: Item, name: str) -> str | None:
    """Return a text attribute, None where it is absent."""
    value: str | None = item.get(name, {}).get("S")
    return value


def number(item: Item, name: str) -> int:
    """Return a number attribute, 0 where it is absent."""
    return int(item.get(name, {}).get("N", "0"))
