"""`jitr dlq list` and `jitr dlq redrive`: see what nobody could decide, and hand it over again."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from tests.cli.conftest import Jitr
from tests.deployment import TestDeployment
from tests.fake_iot import REGION
from tests.unit.test_dead_letters import EVENT, on_failure_record


@pytest.fixture
def queue_url(stack: TestDeployment) -> str:
    """The deployment's dead-letter queue."""
    url: str = boto3.client("sqs", region_name=REGION).get_queue_url(QueueName="dead-letters")["QueueUrl"]
    return url


@pytest.fixture
def invocations(stack: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the function was invoked with: Lambda needs a container engine, so its client is watched instead."""
    seen: list[dict[str, Any]] = []
    through = boto3.Session.client

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        made = through(session, service, **options)  # type: ignore[call-overload]
        if service == "lambda":
            made.meta.events.register("provide-client-params.lambda.Invoke", lambda params, **_: seen.append(params))
            made.meta.events.register("before-call.lambda.Invoke", lambda **_: (Accepted(), {}))
        return made

    monkeypatch.setattr(boto3.Session, "client", client)
    return seen


class Accepted:
    """Lambda's answer to an asynchronous invocation."""

    status_code = 202


def bury(url: str, *bodies: str) -> None:
    """Put letters into the queue."""
    for body in bodies:
        boto3.client("sqs", region_name=REGION).send_message(QueueUrl=url, MessageBody=body)


def letter(reason: str, step: int = 5) -> str:
    """An event that Lambda gave up for a reason of ours."""
    return json.dumps(on_failure_record(json.dumps({"reason": reason, "step": step, "message": f"because {reason}"})))


def test_the_list_shows_reason_step_and_event_and_takes_nothing_away(jitr: Jitr, queue_url: str) -> None:
    """Listing twice shows the same."""
    bury(queue_url, letter("no_crl"), letter("throttled", step=8), "garbage")
    for _ in range(2):
        rows = jitr("dlq", "list", "--json").json
        assert sorted((row["reason"], row["step"]) for row in rows) == [
            ("no_crl", 5),
            ("throttled", 8),
            ("unreadable", None),
        ]
    assert [row["event"] for row in rows if row["reason"] == "no_crl"] == [EVENT]


def test_the_list_is_a_table_for_people(jitr: Jitr, queue_url: str) -> None:
    """Whole certificate ids, so that they can be copied."""
    bury(queue_url, letter("no_crl"))
    answer = jitr("dlq", "list")
    assert "0" * 64 in answer.out
    assert "because no_crl" in answer.out


def test_a_hostile_letter_neither_breaks_the_list_nor_reaches_the_terminal(jitr: Jitr, queue_url: str) -> None:
    """Half a surrogate pair and terminal escapes: shown as what they are not."""
    hostile = on_failure_record("\x1b[2J\x1b]0;owned\x07 \u202e")
    hostile["requestPayload"] = {"certificateId": "\ud800\x1b[31m"}
    bury(queue_url, json.dumps(hostile), letter("no_crl"))
    table = jitr("dlq", "list")
    assert (table.exit_code, "\x1b" in table.out, "because no_crl" in table.out) == (0, False, True)
    assert len(jitr("dlq", "list", "--json").json) == 2


def test_an_empty_queue_says_so(jitr: Jitr, queue_url: str) -> None:
    """On stderr: there is no data."""
    answer = jitr("dlq", "list")
    assert (answer.exit_code, answer.out, answer.err.strip()) == (0, "", "no dead letters")


def test_redrive_hands_the_original_event_over_and_removes_the_letter(
    jitr: Jitr, queue_url: str, invocations: list[dict[str, Any]]
) -> None:
    """Asynchronously, so that Lambda's own retries apply again."""
    bury(queue_url, letter("no_crl"), letter("throttled"))
    answer = jitr("dlq", "redrive", "--yes", "--rate", "100")
    assert answer.exit_code == 0, answer.err
    assert [json.loads(each["Payload"]) for each in invocations] == [EVENT, EVENT]
    assert {each["InvocationType"] for each in invocations} == {"Event"}
    assert jitr("dlq", "list", "--json").json == []


def test_redrive_leaves_other_reasons_and_unreadable_letters(
    jitr: Jitr, queue_url: str, invocations: list[dict[str, Any]]
) -> None:
    """Only what was asked for is handed over; nothing is thrown away."""
    bury(queue_url, letter("no_crl"), letter("throttled"), "garbage")
    jitr("dlq", "redrive", "--yes", "--rate", "100", "--reason", "no_crl")
    assert len(invocations) == 1
    assert {row["reason"] for row in jitr("dlq", "list", "--json").json} == {"throttled", "unreadable"}


def test_a_dry_run_hands_nothing_over(jitr: Jitr, queue_url: str, invocations: list[dict[str, Any]]) -> None:
    """It only says how many there are."""
    bury(queue_url, letter("no_crl"))
    answer = jitr("dlq", "redrive", "--dry-run")
    assert (answer.exit_code, "about 1 dead letters" in answer.err) == (0, True)
    assert invocations == []
    assert len(jitr("dlq", "list", "--json").json) == 1
