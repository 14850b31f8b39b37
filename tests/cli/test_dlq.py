"""`jitr dlq list|show|redrive|drop`: see what nobody could decide, hand it over again, or remove it; no others."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from jitr.errors import Reason
from jitr.messages.dead_letters import DeadLetter
from jitr_cli.console.advice import ADVICE, registration_advice
from jitr_cli.dlq import redrive as dlq_redrive
from jitr_cli.dlq.queue import DeadLetterQueue
from tests.aws.failure_records import EVENT, on_failure_record
from tests.aws.fake_iot import REGION
from tests.cli.conftest import Jitr
from tests.cli.worlds.dead_letters import bury, letter, own_letter, queue_url, visible
from tests.worlds.deployment import TestDeployment

pytestmark = pytest.mark.usefixtures("not_waiting")

OTHER = "f" * 64
FAST = ("--yes", "--rate", "100")
LETTERS = {
    reason: registration_advice(reason, message_id="1")
    for reason, advice in ADVICE.items()
    if advice.letter and reason in Reason.__members__.values()
}
SWEEP = {"detail-type": "Object Created", "detail": {"object": {"key": "factory-1.crl"}}}


class Lambda:
    """AWS Lambda as redriving sees it: it needs a container engine, so its client is answered here instead."""

    def __init__(self) -> None:
        self.invocations: list[dict[str, Any]] = []
        self.fails_from = 1_000_000
        self.ingestion = "direct"

    @property
    def events(self) -> list[Any]:
        """What was handed over, in order."""
        return [json.loads(each["Payload"]) for each in self.invocations]

    def seen(self, params: dict[str, Any], **_: Any) -> None:
        """Note an invocation."""
        self.invocations.append(params)

    def invoked(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer an asynchronous invocation; from a certain one on the computer is switched off."""
        if len(self.invocations) >= self.fails_from:
            raise KeyboardInterrupt
        return Accepted(), {"StatusCode": 202, "ResponseMetadata": {}}

    def outputs(self, *, parsed: dict[str, Any], **_: Any) -> None:
        """Let the stack say how events are handed over."""
        for output in parsed["Stacks"][1]["Outputs"]:
            if output["OutputKey"] == "Ingestion":
                output["OutputValue"] = self.ingestion


class Accepted:
    """An answer of AWS's without an error."""

    status_code = 202


@pytest.fixture
def lambda_(stack: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> Lambda:
    """What the function was invoked with."""
    fake, through = Lambda(), boto3.Session.client

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        made = through(session, service, **options)  # type: ignore[call-overload]
        if service == "lambda":
            made.meta.events.register("provide-client-params.lambda.Invoke", fake.seen)
            made.meta.events.register("before-call.lambda.Invoke", fake.invoked)
        if service == "cloudformation":
            made.meta.events.register("after-call.cloudformation.DescribeStacks", fake.outputs)
        return made

    monkeypatch.setattr(boto3.Session, "client", client)
    return fake


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the leases of those who wrote letters have ended."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            """Two minutes from now."""
            return datetime.now(tz) + timedelta(minutes=2)

    monkeypatch.setattr(dlq_redrive, "datetime", Later)


def reasons(jitr: Jitr, *arguments: str) -> list[str]:
    """What is listed, by reason."""
    return sorted(row["reason"] for row in jitr("dlq", "list", "--json", *arguments).json["letters"])


# list


def test_the_list_shows_reason_step_and_event_and_takes_nothing_away(jitr: Jitr) -> None:
    """Listing twice shows the same; scripts find the keys that they always found, in their order."""
    bury(letter("no_crl"), letter("throttled", step=8), "garbage")
    for _ in range(2):
        rows = jitr("dlq", "list", "--json").json["letters"]
        assert sorted((row["reason"], row["step"]) for row in rows) == [
            ("no_crl", 5),
            ("throttled", 8),
            ("unreadable", None),
        ]
    assert [row["event"] for row in rows if row["reason"] == "no_crl"] == [EVENT]
    keys = ["message_id", "dead_since", "origin", "certificate_id", "step", "reason", "message", "event"]
    assert list(rows[0])[: len(keys)] == keys
    assert visible() == 3


def test_the_list_is_a_table_for_people_with_counts(jitr: Jitr) -> None:
    """Whole certificate ids, so that they can be copied."""
    bury(letter("no_crl"), letter("no_crl"))
    answer = jitr("dlq", "list")
    assert "0" * 64 in answer.out
    assert "because no_crl" in answer.out
    assert "activation: about 2 dead letters (2 no_crl)" in answer.err


def test_a_hostile_letter_neither_breaks_the_list_nor_reaches_the_terminal(jitr: Jitr) -> None:
    """Half a surrogate pair and terminal escapes: shown as what they are not, by `show` and `drop` too."""
    hostile = on_failure_record("\x1b[2J\x1b]0;owned\x07 \u202e")
    hostile["requestPayload"] = {"certificateId": "\ud800\x1b[31m"}
    (hostile_id, _) = bury(json.dumps(hostile), letter("no_crl"))
    table = jitr("dlq", "list")
    assert (table.exit_code, "\x1b" in table.out + table.err, "because no_crl" in table.out) == (0, False, True)
    assert len(jitr("dlq", "list", "--json").json["letters"]) == 2
    for command in (("show", hostile_id), ("drop", "--all", "--dry-run")):
        answer = jitr("dlq", *command)
        assert (answer.exit_code, "\x1b" in answer.out + answer.err) == (0, False)


def test_hostile_reasons_do_not_reach_the_terminal_in_counts(jitr: Jitr, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reason is text of the letter's, whoever wrote it."""
    later(monkeypatch)
    bury(own_letter("\x1b[2Jno_crl"))
    for command in (("list",), ("drop", "--all", "--dry-run"), ("redrive", "--dry-run")):
        assert "1 \N{REPLACEMENT CHARACTER}[2Jno_crl" in jitr("dlq", *command).err


def test_empty_queues_say_so(jitr: Jitr) -> None:
    """On stderr: there is no data."""
    answer = jitr("dlq", "list")
    assert (answer.exit_code, answer.out) == (0, "")
    assert answer.err.splitlines()[-1] == "no dead letters"


def test_the_list_reads_all_queues_and_one_where_told(jitr: Jitr) -> None:
    """Enforcement's records, what EventBridge could not hand over, and shifts of bulk work."""
    bury(letter("no_crl"))
    record = {**on_failure_record("throttled"), "requestPayload": SWEEP}
    bury(json.dumps(record), queue="enforcement")
    told = {"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "not authorized"}
    bury(json.dumps(SWEEP), queue="enforcement", attributes=told)
    bury(json.dumps({"job": "job-1", "turn": 3}), "garbage", queue="bulk")
    rows = jitr("dlq", "list", "--json").json["letters"]
    assert sorted((row["queue"], row["origin"], row["reason"]) for row in rows) == [
        ("activation", "function", "no_crl"),
        ("bulk", "bulk", "turn_failed"),
        ("bulk", "unknown", "unreadable"),
        ("enforcement", "eventbridge", "NO_PERMISSIONS"),
        ("enforcement", "function", "UndecidedEvent"),
    ]
    assert reasons(jitr, "--queue", "bulk") == ["turn_failed", "unreadable"]


def test_the_list_can_be_narrowed(jitr: Jitr) -> None:
    """By reason and by certificate."""
    bury(letter("no_crl"), letter("throttled"), letter("no_crl", certificate_id=OTHER))
    assert reasons(jitr, "--reason", "throttled") == ["throttled"]
    assert reasons(jitr, "--certificate-id", OTHER.upper()) == ["no_crl"]
    assert jitr("dlq", "list", "--certificate-id", "device-1").exit_code == 64


# show


def test_show_prints_one_letter_whole_and_what_to_do(jitr: Jitr) -> None:
    """Certificate, reason, step, event, and the runbook's section."""
    wanted, _ = bury(letter("no_crl"), letter("throttled"))
    answer = jitr("dlq", "show", wanted)
    assert answer.exit_code == 0
    for part in ("0" * 64, "no_crl", "because no_crl", json.dumps(EVENT), "docs/runbook/reasons.md#no_crl"):
        assert part in answer.out
    data = jitr("dlq", "show", wanted, "--json").json
    assert (data["message_id"], data["see"], data["body"]) == (
        wanted,
        "docs/runbook/reasons.md#no_crl",
        letter("no_crl"),
    )
    assert visible() == 2


@pytest.mark.parametrize(
    ("queue", "body", "section"),
    [
        ("activation", letter("not_a_reason_of_ours"), "alarms.md#function-crashes"),
        ("activation", "garbage", "reasons.md#unreadable"),
        ("activation", json.dumps(EVENT), "reasons.md#crashed"),
        ("enforcement", letter("throttled"), "alarms.md#enforcement-dead-letters"),
        ("bulk", json.dumps({"job": "job-1", "turn": 3}), "alarms.md#bulk-dead-letters"),
    ],
    ids=["lambda's words", "unreadable", "moved by SQS", "enforcement", "bulk"],
)
def test_show_links_to_a_section_whatever_the_letter_is(jitr: Jitr, queue: str, body: str, section: str) -> None:
    """A letter without a reason of ours has a section too."""
    (wanted,) = bury(body, queue=queue)
    assert jitr("dlq", "show", wanted, "--json").json["see"] == f"docs/runbook/{section}"


@pytest.mark.parametrize("reason", [*Reason, "crashed", "rule_failed", "Runtime.ExitError"])
def test_show_says_what_to_do_whatever_the_reason_is(jitr: Jitr, reason: str) -> None:
    """Not that the runbook knows it; and a command that it names is one for this reason."""
    (wanted,) = bury(own_letter(reason))
    told = jitr("dlq", "show", wanted, "--json").json["advice"]
    assert len(told) > 20
    assert "runbook" not in told or reason not in LETTERS
    assert set(re.findall(r"--reason (\S+?)`", told)) <= {reason}
    assert "{" not in told


def test_every_reason_that_leaves_an_event_undecided_has_advice_of_its_own() -> None:
    """In the order of the list of reasons, from the first of them on; and no two say the same."""
    undecided = list(Reason)[list(Reason).index(Reason.MALFORMED_EVENT) :]
    assert list(LETTERS) == undecided
    assert len(set(LETTERS.values())) == len(undecided)


def test_showing_a_letter_that_is_not_there_is_a_no(jitr: Jitr) -> None:
    """Not an error of AWS's."""
    answer = jitr("dlq", "show", "nothing")
    assert (answer.exit_code, answer.out) == (1, "")


# redrive


def test_redrive_hands_the_original_event_over_and_removes_the_letter(jitr: Jitr, lambda_: Lambda) -> None:
    """Asynchronously, so that Lambda's own retries apply again; whoever wrote the letter."""
    bury(letter("no_crl"), own_letter("throttled"))
    answer = jitr("dlq", "redrive", "--json", *FAST)
    assert answer.exit_code == 0, answer.err
    assert answer.json == {"redriven": 2, "would_be": 2, "left": 0, "too_soon": 0, "cannot_be_redriven": 0}
    assert lambda_.events == [EVENT, EVENT]
    assert {each["InvocationType"] for each in lambda_.invocations} == {"Event"}
    assert jitr("dlq", "list", "--json").json == {"letters": []}


def test_redrive_goes_into_the_activation_queue_where_there_is_one(jitr: Jitr, lambda_: Lambda) -> None:
    """The bare event, as the topic rule sends it; nothing is invoked."""
    lambda_.ingestion = "queue"
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.get_queue_url(QueueName="activation")["QueueUrl"]
    bury(own_letter("no_crl"))
    assert jitr("dlq", "redrive", *FAST).exit_code == 0
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert (json.loads(message["Body"]), lambda_.invocations, visible()) == (EVENT, [], 0)


def test_redrive_leaves_other_reasons_and_unreadable_letters(jitr: Jitr, lambda_: Lambda) -> None:
    """Only what was asked for is handed over; nothing is thrown away."""
    bury(letter("no_crl"), letter("throttled"), "garbage")
    jitr("dlq", "redrive", "--reason", "no_crl", *FAST)
    assert len(lambda_.invocations) == 1
    assert reasons(jitr) == ["throttled", "unreadable"]
    assert visible() == 2


def test_poison_stays_aside_and_blocks_nobody(jitr: Jitr, lambda_: Lambda) -> None:
    """More of it than a page, in front of the good ones: what is no event of AWS IoT's is never handed over."""
    bury(*["garbage"] * 12, *[json.dumps({"no": "event"})] * 12, *[letter("no_crl")] * 12)
    answer = jitr("dlq", "redrive", "--json", *FAST)
    assert answer.json == {"redriven": 12, "would_be": 12, "left": 0, "too_soon": 0, "cannot_be_redriven": 24}
    assert lambda_.events == [EVENT] * 12
    assert visible() == 24


def test_a_dry_run_counts_what_would_be_redriven_and_hands_nothing_over(jitr: Jitr, lambda_: Lambda) -> None:
    """With the same options as the real run, and the same number."""
    bury(letter("no_crl"), letter("no_crl", certificate_id=OTHER), letter("throttled"), "garbage")
    answer = jitr("dlq", "redrive", "--reason", "no_crl", "--dry-run", "--json")
    assert answer.json == {"redriven": 0, "would_be": 2, "left": 2, "too_soon": 0, "cannot_be_redriven": 0}
    assert "2 to hand over (2 no_crl)" in answer.err
    one = jitr("dlq", "redrive", "--certificate-id", OTHER, "--dry-run", "--json").json
    assert (one["would_be"], lambda_.invocations, visible()) == (1, [], 4)


def test_the_limit_is_on_what_is_handed_over(jitr: Jitr, lambda_: Lambda) -> None:
    """Letters that are not meant do not use it up."""
    bury(*[letter("throttled")] * 15, *[letter("no_crl")] * 15)
    assert jitr("dlq", "redrive", "--reason", "no_crl", "--limit", "11", "--json", *FAST).json["redriven"] == 11
    assert (len(lambda_.invocations), visible()) == (11, 19)


def test_an_interrupted_redrive_loses_nothing_and_can_be_repeated(jitr: Jitr, lambda_: Lambda) -> None:
    """What was not handed over is back at once, not after ten minutes."""
    bury(*(letter("no_crl", certificate_id=f"{number:064x}") for number in range(8)))
    lambda_.fails_from = 4
    assert jitr("dlq", "redrive", *FAST).exit_code == 130
    assert visible() == 5
    lambda_.fails_from = 1_000_000
    assert jitr("dlq", "redrive", "--json", *FAST).json["redriven"] == 5
    assert {each["certificateId"] for each in lambda_.events} == {f"{number:064x}" for number in range(8)}


def test_sweeps_are_redriven_to_enforcement_and_jobs_are_not(jitr: Jitr, lambda_: Lambda) -> None:
    """A job has a command of its own, which knows where it stopped."""
    bury(json.dumps({**on_failure_record("throttled"), "requestPayload": SWEEP}), queue="enforcement")
    assert jitr("dlq", "redrive", "--queue", "enforcement", *FAST).exit_code == 0
    assert [each["FunctionName"] for each in lambda_.invocations] == ["jitr-test-Enforce"]
    assert lambda_.events == [SWEEP]
    answer = jitr("dlq", "redrive", "--queue", "bulk", *FAST)
    assert (answer.exit_code, "jitr bulk resume" in answer.err) == (64, True)


def test_redrive_asks_and_a_no_changes_nothing(jitr: Jitr, lambda_: Lambda) -> None:
    """Nobody there to answer is a no; by default it is paced by half of activation's share."""
    bury(letter("no_crl"))
    answer = jitr("dlq", "redrive")
    assert (answer.exit_code, lambda_.invocations, visible()) == (130, [], 1)
    assert "1 events to jitr-test-Activate again, 2.94 a second" in answer.err


def crash(certificate_id: str = "0" * 64) -> str:
    """An event that Lambda gave up without a word of ours: the function was killed."""
    return letter_of("RequestId: 1 Error: Runtime exited with error: signal: killed", certificate_id)


def letter_of(words: str, certificate_id: str) -> str:
    """What Lambda writes of an error with such words."""
    return json.dumps({**on_failure_record(words), "requestPayload": {**EVENT, "certificateId": certificate_id}})


def test_an_event_whose_attempt_may_still_hold_its_lease_is_not_used_up(
    jitr: Jitr, lambda_: Lambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handed over now it would end as `lease_held`, done, and its letter would be gone."""
    young = [crash(f"{1:064x}"), json.dumps({**EVENT, "certificateId": f"{2:064x}"})]
    young += [letter("throttled", step=8, certificate_id=f"{3:064x}"), letter("lease_held", certificate_id=f"{4:064x}")]
    bury(*young, letter("throttled", step=7))
    answer = jitr("dlq", "redrive", "--json", *FAST)
    assert answer.json == {"redriven": 1, "would_be": 1, "left": 0, "too_soon": 4, "cannot_be_redriven": 0}
    assert "4 stay because" in answer.err
    assert (lambda_.events, visible()) == ([EVENT], 4)
    later(monkeypatch)
    assert jitr("dlq", "redrive", "--json", *FAST).json["redriven"] == 4
    assert {each["certificateId"] for each in lambda_.events[1:]} == {f"{number:064x}" for number in range(1, 5)}


def test_what_never_reached_the_function_is_handed_over_at_once(jitr: Jitr, lambda_: Lambda) -> None:
    """The topic rule's letters, and sweeps, hold no lease of a certificate."""
    payload = base64.b64encode(json.dumps(EVENT).encode()).decode()
    bury(json.dumps({"ruleName": "r", "base64OriginalPayload": payload, "failures": [{"errorMessage": "no"}]}))
    assert jitr("dlq", "redrive", "--json", *FAST).json["redriven"] == 1
    assert lambda_.events == [EVENT]


def test_an_event_that_is_none_counts_apart_from_unreadable_letters(jitr: Jitr, lambda_: Lambda) -> None:
    """Neither can be handed over; only one has nothing to be read, and is dropped as such."""
    malformed = {**on_failure_record(json.dumps({"reason": "malformed_event"})), "requestPayload": {"no": "event"}}
    bury(json.dumps(malformed), "garbage")
    redrive = jitr("dlq", "redrive", "--dry-run", "--json")
    assert (redrive.json["cannot_be_redriven"], "2 cannot be handed over" in redrive.err) == (2, True)
    assert jitr("dlq", "drop", "--unreadable", "--dry-run", "--json").json["would_be"] == 1


@pytest.mark.parametrize("command", [("redrive",), ("drop", "--all")], ids=["redrive", "drop"])
def test_a_spoken_no_is_a_no_and_no_interruption(
    jitr: Jitr, lambda_: Lambda, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """1, and words for it."""
    bury(letter("no_crl"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    answer = jitr("dlq", *command)
    assert (answer.exit_code, lambda_.invocations, visible()) == (1, [], 1)
    assert "nothing was done" in answer.err
    assert "interrupted" not in answer.err


# drop


def test_drop_removes_what_was_named_and_nothing_else(jitr: Jitr) -> None:
    """By reason, by id, by certificate, or what is unreadable."""
    first, *_ = bury(letter("no_crl"), letter("throttled"), letter("expired", certificate_id=OTHER), "garbage")
    for arguments, left in (
        (("--unreadable",), ["expired", "no_crl", "throttled"]),
        (("--reason", "throttled"), ["expired", "no_crl"]),
        (("--id", first), ["expired"]),
        (("--certificate-id", OTHER), []),
    ):
        answer = jitr("dlq", "drop", *arguments, "--yes", "--json")
        assert answer.json == {"dropped": 1, "would_be": 1}, answer.err
        assert reasons(jitr) == left


def test_drop_shows_what_is_lost_and_asks(jitr: Jitr) -> None:
    """Nobody there to answer is a no."""
    bury(letter("no_crl"), letter("throttled"))
    answer = jitr("dlq", "drop", "--reason", "no_crl")
    assert (answer.exit_code, visible()) == (130, 2)
    for part in ("1 letters to drop (1 no_crl)", "0" * 64, "because no_crl", "account", "deployment test"):
        assert part in answer.err


def test_a_dry_run_of_drop_removes_nothing(jitr: Jitr) -> None:
    """It says what would be."""
    bury(letter("no_crl"))
    assert jitr("dlq", "drop", "--all", "--dry-run", "--json").json == {"dropped": 0, "would_be": 1}
    assert visible() == 1


@pytest.mark.parametrize("arguments", [(), ("--all", "--reason", "no_crl"), ("--all", "--unreadable")])
def test_drop_wants_to_be_told_which(jitr: Jitr, arguments: tuple[str, ...]) -> None:
    """All of them only by --all, and --all means all."""
    bury(letter("no_crl"))
    assert jitr("dlq", "drop", "--yes", *arguments).exit_code == 64
    assert visible() == 1


def test_drop_empties_another_queue_only_where_told(jitr: Jitr) -> None:
    """More than a page, and none of the other queues'."""
    bury(*[letter("no_crl")] * 3)
    bury(*[json.dumps({"job": "job-1", "turn": 3})] * 12, queue="bulk")
    assert jitr("dlq", "drop", "--queue", "bulk", "--all", "--yes", "--json").json["dropped"] == 12
    assert (visible(), visible("bulk")) == (3, 0)


# The queue itself


class Cycling:
    """SQS whose letters come back while they are held, as in a redrive of an hour: pages of numbers, then nothing."""

    def __init__(self, *pages: range) -> None:
        self.pages = list(pages)
        self.visible: list[str] = []

    def receive_message(self, **_: Any) -> dict[str, Any]:
        """Answer the next page, with a receipt that is new each time."""
        page = self.pages.pop(0) if self.pages else ()
        receipt = str(len(self.pages))
        return {"Messages": [{"MessageId": str(n), "ReceiptHandle": f"{n}-{receipt}", "Body": ""} for n in page]}

    def change_message_visibility_batch(self, *, Entries: list[dict[str, Any]], **_: Any) -> None:  # noqa: N803
        """Note what was put back."""
        self.visible += [each["ReceiptHandle"] for each in Entries]


def test_letters_that_come_back_while_they_are_held_do_not_end_the_reading() -> None:
    """Two pages, four of old letters, one more: each letter is seen once, and put back by its last receipt."""
    old = range(10)
    sqs = Cycling(old, range(10, 20), old, old, old, old, range(20, 30))
    with DeadLetterQueue(client=sqs, url="").holding() as held:  # type: ignore[arg-type]
        assert [int(each.message_id) for each in held.letters()] == list(range(30))
    assert len(sqs.visible) == 30
    assert "0-1" in sqs.visible


def test_letters_that_come_back_for_ever_do_not_read_for_ever() -> None:
    """Nothing new in page after page: somebody else holds the rest, or there is none."""
    sqs = Cycling(*[range(10)] * 100)
    with DeadLetterQueue(client=sqs, url="").holding() as held:  # type: ignore[arg-type]
        assert len(list(held.letters())) == 10
    assert len(sqs.pages) > 90


def test_a_letter_whose_time_is_over_does_not_stop_putting_the_others_back() -> None:
    """Its receipt is worth nothing any more."""
    bury(letter("no_crl"), letter("no_crl"))
    with DeadLetterQueue(client=boto3.client("sqs", region_name=REGION), url=queue_url()).holding() as held:
        assert len(list(held.letters())) == 2
        held._receipts[next(iter(held._receipts))] = "worthless"
    assert visible() == 1


def test_a_letter_of_the_functions_own_is_read_like_any_other(jitr: Jitr) -> None:
    """With what arrived in the event's place where that was no event."""
    poison = DeadLetter(event=None, origin="queue", reason="malformed_event", step=1, message="no", body="\x00 garbage")
    bury(poison.to_json(), own_letter("no_crl"))
    assert reasons(jitr) == ["malformed_event", "no_crl"]
    assert jitr("dlq", "drop", "--unreadable", "--yes", "--json").json["dropped"] == 1
    assert reasons(jitr) == ["no_crl"]
