"""Envelopes: whatever an event arrives in, the original comes out; whatever else arrives, nothing breaks."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitr.messages.dead_letters import DeadLetter, decode_dead_letter
from jitr.messages.envelopes import Origin, open_envelope, open_text

EVENT = {"certificateId": "0" * 64, "caCertificateId": "1" * 64, "awsAccountId": "000000000000", "timestamp": 1}


def on_failure_record(event: object) -> dict[str, Any]:
    """Lambda's record of an event that it gave up."""
    told = {"reason": "no_crl", "step": 5, "message": "there is no CRL"}
    return {
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": event,
        "responsePayload": {"errorType": "UndecidedEvent", "errorMessage": json.dumps(told)},
    }


def error_action(event: object) -> dict[str, Any]:
    """The rule's error action."""
    payload = base64.b64encode(json.dumps(event).encode()).decode()
    return {"ruleName": "jitr_x_registered", "base64OriginalPayload": payload, "failures": [{"errorMessage": "denied"}]}


def own_letter(event: object) -> dict[str, Any]:
    """A letter of the function's own."""
    letter = DeadLetter(event=event, origin="queue", reason="throttled", step=2, message="too many")
    decoded: dict[str, Any] = json.loads(letter.to_json())
    return decoded


WRAPPERS: list[Callable[[object], dict[str, Any]]] = [on_failure_record, error_action, own_letter]


def test_a_bare_event_is_itself() -> None:
    """Nothing is known about it but what it says."""
    envelope = open_text(json.dumps(EVENT))
    assert (envelope.event, envelope.origin, envelope.reason) == (EVENT, Origin.BARE, "")


@pytest.mark.parametrize(
    ("wrapper", "said"),
    [
        (on_failure_record, (Origin.FUNCTION, "no_crl", 5, "there is no CRL")),
        (error_action, (Origin.RULE, "rule_failed", None, "denied")),
        (own_letter, (Origin.QUEUE, "throttled", 2, "too many")),
    ],
    ids=["on-failure", "error-action", "own"],
)
def test_an_envelope_says_why_the_event_was_given_up(wrapper: Any, said: tuple[Any, ...]) -> None:
    """Origin, reason, step and message, beside the original event."""
    envelope = open_envelope(wrapper(EVENT))
    assert (envelope.origin, envelope.reason, envelope.step, envelope.message) == said
    assert envelope.event == EVENT


@pytest.mark.parametrize("outer", WRAPPERS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("inner", WRAPPERS, ids=lambda each: each.__name__)
def test_an_envelope_in_an_envelope_is_opened_too(inner: Any, outer: Any) -> None:
    """As after a redrive by hand that failed again: the outermost says why, the event is the innermost."""
    envelope = open_text(json.dumps(outer(inner(EVENT))))
    assert envelope.event == EVENT
    assert envelope.reason == open_envelope(outer(EVENT)).reason


def test_envelopes_without_end_hold_no_event() -> None:
    """Somebody built them on purpose."""
    payload: object = EVENT
    for _ in range(50):
        payload = on_failure_record(payload)
    assert open_envelope(payload).event is None


HOSTILE = [
    "",
    "null",
    "[]",
    "7",
    '"text"',
    "{",
    "\x00",
    "[" * 100_000,
    '{"a":' * 5_000 + "1" + "}" * 5_000,
    '{"jitrDeadLetter": 1}',
    '{"jitrDeadLetter": 1, "event": [1]}',
    '{"jitrDeadLetter": null, "event": "x", "reason": {}, "step": true, "message": 7}',
    '{"requestContext": [], "requestPayload": null}',
    '{"requestContext": {"condition": {}}, "requestPayload": 1, "responsePayload": {"errorMessage": [[]]}}',
    '{"ruleName": null, "base64OriginalPayload": null}',
    '{"ruleName": 1, "base64OriginalPayload": "W10="}',
]


@pytest.mark.parametrize("body", HOSTILE, ids=[f"body-{number}" for number in range(len(HOSTILE))])
def test_no_text_breaks_the_reader(body: str) -> None:
    """Anybody with access to a queue can put anything there; what is no event is unreadable or has no certificate."""
    letter = decode_dead_letter(body)
    assert letter.certificate_id is None
    assert isinstance(letter.reason, str)
    assert letter.step is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "jitrDeadLetter",
                    "event",
                    "requestPayload",
                    "requestContext",
                    "responsePayload",
                    "ruleName",
                    "errorMessage",
                ]
            )
            | st.just("base64OriginalPayload")
            | st.just("failures"),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_whatever_is_opened_is_an_object_or_nothing(payload: object) -> None:
    """The one promise that everything behind relies on."""
    envelope = open_envelope(payload)
    assert envelope.event is None or isinstance(envelope.event, dict)
    assert isinstance(envelope.reason, str)
    assert isinstance(envelope.message, str)


def test_an_event_that_sqs_moved_by_itself_is_a_crash() -> None:
    """The function never said how it ended; the body is the event as the rule sent it."""
    letter = decode_dead_letter(json.dumps(EVENT))
    assert (letter.event, letter.origin, letter.reason, letter.step) == (EVENT, "queue", "crashed", None)


def test_a_letter_about_a_long_body_is_cut_to_fit_into_a_message() -> None:
    """SQS takes 256 KB; what escapes to twelve bytes a character still fits."""
    letter = DeadLetter(
        event=None, origin="queue", reason="unreadable", step=None, message="x", body="\U0001f600" * 10**6
    )
    assert len(letter.to_json()) < 250_000
    assert decode_dead_letter(letter.to_json()).reason == "unreadable"
