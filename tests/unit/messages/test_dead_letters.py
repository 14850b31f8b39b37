"""Dead letters: whatever lies in the queue can be read, and nothing in it can break the reader."""

from __future__ import annotations

import base64
import json

import pytest

from jitr.messages.dead_letters import decode_dead_letter
from tests.aws.failure_records import EVENT, on_failure_record


def test_a_record_of_an_undecided_event_keeps_reason_step_and_event() -> None:
    """What the function knew when it gave up."""
    told = {"certificate_id": "0" * 64, "outcome": "undecided", "reason": "no_crl", "step": 5, "message": "no CRL"}
    letter = decode_dead_letter(json.dumps(on_failure_record(json.dumps(told))))
    assert (letter.origin, letter.reason, letter.step, letter.message) == ("function", "no_crl", 5, "no CRL")
    assert letter.event == EVENT
    assert letter.certificate_id == "0" * 64


def test_a_record_of_a_crash_keeps_lambdas_words() -> None:
    """A time-out has no reason of ours."""
    letter = decode_dead_letter(json.dumps(on_failure_record("Task timed out after 60.00 seconds")))
    assert (letter.reason, letter.step) == ("UndecidedEvent", None)
    assert letter.message == "Task timed out after 60.00 seconds"


def test_an_event_that_grew_too_old_has_no_response() -> None:
    """Throttled for six hours: the function was never invoked."""
    record = on_failure_record("", condition="EventAgeExceeded")
    del record["responsePayload"]
    letter = decode_dead_letter(json.dumps(record))
    assert (letter.reason, letter.message) == ("EventAgeExceeded", "EventAgeExceeded")


def test_the_rules_error_action_keeps_the_event() -> None:
    """The function could not even be invoked."""
    record = {
        "ruleName": "jitr_test_registered",
        "topic": "$aws/events/certificates/registered/" + "1" * 64,
        "base64OriginalPayload": base64.b64encode(json.dumps(EVENT).encode()).decode(),
        "failures": [{"failedAction": "LambdaAction", "failedResource": "f", "errorMessage": "Access denied"}],
    }
    letter = decode_dead_letter(json.dumps(record))
    assert (letter.origin, letter.reason, letter.message) == ("rule", "rule_failed", "Access denied")
    assert letter.event == EVENT


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "{",
        "[" * 100_000,
        '{"requestContext": 1, "requestPayload": [1]}',
        '{"requestContext": {}, "requestPayload": {}, "responsePayload": "text"}',
        '{"ruleName": "x", "base64OriginalPayload": "%%%"}',
        '{"ruleName": "x", "base64OriginalPayload": 7, "failures": "none"}',
        '{"ruleName": "x", "base64OriginalPayload": "/w==", "failures": [1]}',
    ],
)
def test_no_message_can_break_the_reader(body: str) -> None:
    """Anybody with access to the queue can put anything there."""
    letter = decode_dead_letter(body)
    assert letter.certificate_id is None
    assert letter.step is None
