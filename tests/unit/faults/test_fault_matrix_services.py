"""The AWS that the fault matrix runs on, against moto's: the same requests, the same answers and error codes.

What the table does with expressions is compared in test_memory_aws.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.fake_iot import ACCOUNT
from tests.faults.machine.cloud import Account, Cloud
from tests.faults.machine.counting import summary
from tests.faults.machine.injection import Fault, Faults, telling
from tests.worlds.deployment import BUCKET, TABLE, TestDeployment

KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}


def answered(request: Callable[[], Any]) -> Any:
    """What a request ends in, without what differs each time."""
    try:
        answer = request()
    except ClientError as error:
        return error.response["Error"]["Code"]
    answer = {key: value for key, value in answer.items() if key in ("Item", "Items", "Attributes", "Body", "ETag")}
    return {key: value.read() if key == "Body" else value for key, value in answer.items()}


def s3_requests(s3: Any) -> list[Any]:
    """Reading what is missing, writing, reading again, conditionally, and somebody else's bucket."""
    tag: dict[str, str] = {}

    def read(**options: Any) -> Any:
        answer = s3.get_object(Bucket=BUCKET, Key="a", **options)
        tag["IfNoneMatch"] = answer["ETag"]
        return answer

    return [
        answered(read),
        answered(lambda: s3.put_object(Bucket=BUCKET, Key="a", Body=b"crl", ExpectedBucketOwner=ACCOUNT)),
        answered(read),
        answered(lambda: read(**tag)),
        answered(lambda: s3.put_object(Bucket=BUCKET, Key="a", Body=b"another")),
        answered(lambda: read(**tag)),
    ]


def dynamodb_requests(dynamodb: Any) -> list[Any]:
    """Reading what is missing, and writing on conditions that hold and that do not."""

    def update(condition: str) -> Any:
        return dynamodb.update_item(
            TableName=TABLE,
            Key=KEY,
            UpdateExpression="SET #state = :new ADD ids :ids",
            ConditionExpression=condition,
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":new": {"S": "x"}, ":ids": {"SS": ["a"]}},
            ReturnValues="ALL_NEW",
        )

    listed = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "p"}}}
    return [
        answered(lambda: dynamodb.get_item(TableName=TABLE, Key=KEY)),
        answered(lambda: update("attribute_not_exists(#state)")),
        answered(lambda: update("attribute_not_exists(#state)")),
        answered(lambda: update("#state = :new")),
        answered(lambda: dynamodb.get_item(TableName=TABLE, Key=KEY, ConsistentRead=True)),
        answered(lambda: dynamodb.query(TableName=TABLE, **listed)),
    ]


@pytest.mark.parametrize(("service", "requests"), [("s3", s3_requests), ("dynamodb", dynamodb_requests)])
def test_the_services_in_memory_answer_as_motos(
    deployment: TestDeployment, aws: Cloud, service: str, requests: Callable[[Any], list[Any]]
) -> None:
    """Or the matrix would prove something about another AWS."""
    aws.begin(Account(), aws.configuration)
    real = {"s3": deployment.s3, "dynamodb": deployment.dynamodb}[service]
    assert requests(aws.client(service)) == requests(real)


def test_messages_that_are_not_deleted_come_back(deployment: TestDeployment, aws: Cloud) -> None:
    """After the visibility timeout, with a receive count; and after the delay that they were sent with."""
    aws.begin(Account(), aws.configuration)
    sqs, queue = aws.account.sqs, "https://queue"
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="now")
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=100)
    assert [each.body for each in sqs.receive(queue, at_most=10, hidden_seconds=60)] == ["now"]
    assert sqs.receive(queue, at_most=10, hidden_seconds=60) == []
    aws.account.clock.advance(seconds=101)
    assert [(each.body, each.receives) for each in sqs.receive(queue, at_most=10, hidden_seconds=60)] == [
        ("now", 2),
        ("later", 1),
    ]


class Wire:
    """A client that says what happened."""

    def refusal(self, _call: Any, fault: Fault) -> Any:
        return f"refused: {fault}"

    def silence(self, _call: Any) -> Exception:
        return TimeoutError()


@pytest.mark.parametrize(
    ("fault", "effects", "answer"),
    [
        (Fault.THROTTLED, [], "refused: throttled"),
        (Fault.NOT_REACHED, [], TimeoutError),
        (Fault.ANSWER_LOST, [1], TimeoutError),
        (Fault.REPEATED, [1, 1], None),
        (Fault.CRASH, [1], BaseException),
    ],
)
def test_a_fault_is_what_it_is_called(fault: Fault, effects: list[int], answer: Any) -> None:
    """Before the effect, after it, twice, or instead; and only at the call that it was planned for."""
    happened: list[int] = []
    faults = Faults(wait=lambda _: None)
    faults.plan(2, fault, lasting=False)

    def call() -> Any:
        return faults.around("call", lambda: happened.append(1), Wire())  # type: ignore[arg-type]

    call()
    happened.clear()
    if isinstance(answer, type):
        with pytest.raises(answer):
            call()
    else:
        assert call() == answer
    assert happened == effects
    happened.clear()
    # After a crash the next call is that of another function.
    faults.buried()
    call()
    assert happened == [1]


def test_lasting_faults_meet_first_and_last_of_each_operation() -> None:
    """In the order of the calls, each once."""
    assert telling(["a", "b", "a", "a", "c"]) == [1, 2, 4, 5]  # type: ignore[list-item]


def test_the_summary_adds_up_what_all_workers_counted() -> None:
    """One line, from the reports that carry numbers; none where no case ran."""

    class Report:
        when = "teardown"
        user_properties = (("fault matrix", {"a": 1_000, "b": 2}),)

    class Other:
        when = "call"
        user_properties = (("fault matrix", {"a": 1}),)

    assert summary([Report(), Report(), Other(), object()]) == "fault matrix: 2,004 cases (a 2,000, b 4)"
    assert summary([Other()]) is None
