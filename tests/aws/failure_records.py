"""What Lambda writes into a dead-letter queue about an event that it gave up."""

from __future__ import annotations

EVENT = {"certificateId": "0" * 64, "caCertificateId": "1" * 64, "awsAccountId": "000000000000"}


def on_failure_record(error_message: str, *, condition: str = "RetriesExhausted") -> dict[str, object]:
    """Lambda's record of an event that it gave up."""
    return {
        "version": "1.0",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "requestContext": {"requestId": "r", "condition": condition, "approximateInvokeCount": 3},
        "requestPayload": EVENT,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": error_message, "errorType": "UndecidedEvent"},
    }
