"""Statements that moto's DynamoDB has shown to be understood, answered from moto's own tables without its HTTP layer.

A tenth of a test's calls change the state table, and they took half of its time: moto parses expressions, checks them
and copies items anew for each. Here a statement is made on moto the first time that it meets such an item with such
values and comes to such an outcome, and the answer is compared with that of memory_aws.py. From then on memory_aws.py
works it out, on the items that moto keeps; what else reads or writes them sees no difference. A statement that
memory_aws.py does not understand, or understands otherwise, stays moto's for good, and so does whatever the state table
does not do.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from botocore.handlers import BUILTIN_HANDLERS, REGISTER_LAST
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber

from tests.aws.memory_aws import Condition, changed, condition_of

Json = dict[str, Any]
Answer = tuple[Any, Json]
_UPDATE = {
    *("TableName", "Key", "UpdateExpression", "ReturnValues"),
    *("ExpressionAttributeValues", "ExpressionAttributeNames", "ConditionExpression"),
}
# Beyond these, sizes begin to matter to DynamoDB, and with them to moto.
_LONGEST_REQUEST, _LARGEST_SET, _MOST_ITEMS = 20_000, 100, 100
_EXPECTED = "expected of moto"
# The capacity that nobody asked about is moto's addition.
_NO_PART_OF_AN_ANSWER = ("ResponseMetadata", "message", "ConsumedCapacity")

_shown: set[Hashable] = set()
_not_understood: set[Hashable] = set()
_at_a_time = threading.RLock()


@functools.cache
def install() -> None:
    """Answer from now on; once for each process, before clients are made."""
    BUILTIN_HANDLERS.append(("before-call.dynamodb", _answer, REGISTER_LAST))
    BUILTIN_HANDLERS.append(("after-call.dynamodb", _compare))


def _answer(*, model: Any, params: Json, context: Json, **_: Any) -> Answer | None:
    """Return the answer where moto has given one like it; None lets the call go to moto."""
    work_out = _OPERATIONS.get(model.name)
    if work_out is None or not botocore_stubber.enabled or ".amazonaws.com" not in params["url"]:
        return None
    if len(params["body"]) > _LONGEST_REQUEST:
        return None
    with _at_a_time:
        found = work_out(json.loads(params["body"]), context["client_region"])
        if found is None or found.statement in _not_understood:
            return None
        if found.case not in _shown:
            context[_EXPECTED] = found
            return None
        found.take_effect()
    return SimpleNamespace(status_code=400 if "Error" in found.answer else 200), {
        **found.answer,
        "ResponseMetadata": {"HTTPStatusCode": 400 if "Error" in found.answer else 200, "RetryAttempts": 0},
    }


def _compare(*, parsed: Json, context: Json, **_: Any) -> None:
    """See whether moto's answer is the expected one."""
    found: _Found | None = context.pop(_EXPECTED, None)
    if found is None:
        return
    real = {name: value for name, value in parsed.items() if name not in _NO_PART_OF_AN_ANSWER}
    if _in_order(real) == _in_order(found.answer):
        _shown.add(found.case)
    else:
        _not_understood.add(found.statement)


class _Found(SimpleNamespace):
    """What memory_aws.py makes of a call: its answer, and what it would write."""

    statement: Hashable
    case: Hashable
    answer: Json
    take_effect: Callable[[], None]


def _read(operation: str, answer: Json, *shape: Hashable) -> _Found:
    return _Found(statement=operation, case=(operation, *shape), answer=answer, take_effect=lambda: None)


def _get_item(given: Json, region: str) -> _Found | None:
    table = _table(given["TableName"], region)
    if table is None or given.keys() - {"TableName", "Key", "ConsistentRead"} or not _whole_key(given["Key"]):
        return None
    item = _item(table, given["Key"])
    return _read("GetItem", {} if item is None else {"Item": item}, item is None)


def _batch_get_item(given: Json, region: str) -> _Found | None:
    (name, wanted), *others = given["RequestItems"].items()
    keys = wanted["Keys"]
    table = _table(name, region)
    if table is None or others or given.keys() != {"RequestItems"} or wanted.keys() - {"Keys", "ConsistentRead"}:
        return None
    distinct = {(key["pk"]["S"], key["sk"]["S"]) for key in keys if _whole_key(key)}
    if not len(distinct) == len(keys) <= _MOST_ITEMS:
        return None
    items = [item for key in keys if (item := _item(table, key)) is not None]
    answer = {"Responses": {name: items}, "UnprocessedKeys": {}}
    return _read("BatchGetItem", answer, bool(items), len(items) == len(keys))


def _query(given: Json, region: str) -> _Found | None:
    table = _table(given["TableName"], region)
    asked = {"TableName", "KeyConditionExpression", "ExpressionAttributeValues", "ConsistentRead"}
    if table is None or given.keys() - asked or given["KeyConditionExpression"] != "pk = :pk":
        return None
    partition = table.items.get(_typed(given["ExpressionAttributeValues"][":pk"]), {})
    if len(partition) > _MOST_ITEMS:
        return None
    items = sorted(map(_plain, partition.values()), key=lambda item: item["sk"]["S"].encode())
    return _read("Query", {"Items": items, "Count": len(items), "ScannedCount": len(items)}, bool(items))


def _update_item(given: Json, region: str) -> _Found | None:
    table = _table(given["TableName"], region)
    update, text = given.get("UpdateExpression"), given.get("ConditionExpression")
    names: Mapping[str, str] = given.get("ExpressionAttributeNames", {})
    plain = all(word == f"#{name}" for word, name in names.items())
    if table is None or update is None or given.keys() - _UPDATE or not plain or not _whole_key(given["Key"]):
        return None
    if given.get("ReturnValues") != "ALL_NEW" or table.stream_shard is not None:
        return None
    before, values = _item(table, given["Key"]) or {}, given.get("ExpressionAttributeValues", {})
    statement = (update, text, tuple(sorted(names)), tuple(sorted(values)))
    try:
        condition: Condition | None = None if text is None else condition_of(text)
        holds = condition is None or condition(before, values)
        after = changed(given["Key"], before, update, values)
    except (LookupError, ValueError, TypeError):
        return None
    if any(len(value.get("SS", ())) > _LARGEST_SET for value in after.values()):
        return None
    kinds = tuple((name, kind, bool(content)) for name in sorted(values) for kind, content in values[name].items())
    case = (statement, holds, frozenset(before), kinds)
    if not holds:
        error = {"Code": "ConditionalCheckFailedException", "Message": "The conditional request failed"}
        return _Found(statement=statement, case=case, answer={"Error": error}, take_effect=lambda: None)
    return _Found(
        statement=statement, case=case, answer={"Attributes": after}, take_effect=lambda: _store(table, after)
    )


_OPERATIONS: dict[str, Callable[[Json, str], _Found | None]] = {
    "GetItem": _get_item,
    "BatchGetItem": _batch_get_item,
    "Query": _query,
    "UpdateItem": _update_item,
}


def _table(name: str, region: str) -> Any:
    """Return moto's table by its name, if its key is the state table's and nothing hangs on it; else None."""
    from moto.dynamodb.models import dynamodb_backends

    table = dynamodb_backends[DEFAULT_ACCOUNT_ID][region].tables.get(name)
    if table is None or (table.hash_key_attr, table.range_key_attr) != ("pk", "sk"):
        return None
    return None if table.global_indexes or table.indexes else table


def _whole_key(key: Json) -> bool:
    return key.keys() == {"pk", "sk"} and all(value.get("S") for value in key.values())


def _typed(value: Json) -> Any:
    from moto.dynamodb.models.dynamo_type import DynamoType

    return DynamoType(value)


def _item(table: Any, key: Json) -> Json | None:
    found = table.items.get(_typed(key["pk"]), {}).get(_typed(key["sk"]))
    return None if found is None else _plain(found)


def _plain(item: Any) -> Json:
    """Return an item as JSON that is the caller's own."""
    whole: Json = item.to_json()["Attributes"]
    return {
        name: {kind: list(content) if isinstance(content, list) else content for kind, content in value.items()}
        for name, value in whole.items()
    }


def _store(table: Any, item: Json) -> None:
    from moto.dynamodb.models.dynamo_type import Item, LimitedSizeDict

    hash_key, range_key = _typed(item["pk"]), _typed(item["sk"])
    stored = Item(hash_key, range_key, {})
    # Past the size check, which adds up the whole item for each attribute; what comes near the limit is moto's to do.
    stored.attrs = LimitedSizeDict()
    for name, value in item.items():
        dict.__setitem__(stored.attrs, name, _typed(value))
    table.items[hash_key][range_key] = stored


def _in_order(answer: Any) -> Any:
    """Return an answer without the order of what has none: sets, and the items of a batch."""
    if isinstance(answer, Mapping):
        return {name: sorted(each) if name == "SS" else _in_order(each) for name, each in answer.items()}
    if isinstance(answer, Iterable) and not isinstance(answer, str):
        return sorted(map(_in_order, answer), key=str)
    return answer
