"""What the functions write, collected from their output: log lines, and the metrics in them (EMF)."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jitr.aws.call_counts import CallCounts
from jitr.enforcement.passes import PassKind, PassState
from jitr.enforcement.sweep import Sweep, SweepOutcome
from jitr.errors import Outcome, Reason, Undecided
from jitr.messages.result import Progress
from jitr.registry.disconnecting import ENDED
from jitr.registry.notes import DeviceNote
from jitr.revocation import verify_crl
from jitr.telemetry.activation import ActivationTelemetry
from jitr.telemetry.enforcement import EnforcementTelemetry
from jitr_local import pki


class Stdout(io.StringIO):
    """Whatever stdout is when something is written: loggers live longer than a test's captured stream."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)


def follow_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the functions' logger, once it was made, write where the test looks."""
    for handler in logging.getLogger("jitr").handlers:
        monkeypatch.setattr(handler, "stream", Stdout())


@dataclass(frozen=True)
class Metric:
    """A metric as CloudWatch tells it from others; `dimensions` are their names."""

    namespace: str
    name: str
    dimensions: frozenset[str]


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return every line since the last look; the functions write nothing but JSON."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def logged(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the log lines among them."""
    return [line for line in lines if "level" in line]


def metrics(lines: Iterable[dict[str, Any]]) -> Iterator[Metric]:
    """Yield the metrics that CloudWatch makes of them (CloudWatch user guide, "embedded metric format")."""
    for line in lines:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in directive["Metrics"]:
                assert line[metric["Name"]], "a metric without a value"
                for names in directive["Dimensions"]:
                    assert all(isinstance(line[name], str) for name in names)
                    yield Metric(directive["Namespace"], metric["Name"], frozenset(names))


def everything(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let the real telemetry report everything that it can measure, and return what it wrote."""
    now = datetime.now(UTC)
    ca = pki.CertificateAuthority.create()
    crl = verify_crl(ca.crl(), ca.certificate, at=now)
    calls = CallCounts()
    telemetry = ActivationTelemetry.create("prod-eu", calls)
    follow_stdout(monkeypatch)
    for outcome in Outcome:
        calls.answered(event_name="response-received.iot.DescribeCertificate", parsed_response={})
        waited = 12.5 if outcome is Outcome.ACTIVATED else None
        reason = None if outcome is Outcome.ACTIVATED else Reason.REVOKED
        progress = Progress(certificate_id="a" * 64, ca_certificate_id="c" * 64, waited_seconds=waited)
        result = progress.result(outcome, reason, "a sentence")
        telemetry.ended(result, request_id="r")
    telemetry.undecided(
        Undecided(Reason.THROTTLED, "a sentence"), ca_certificate_id=None, age_seconds=60.0, request_id="r"
    )
    refused = Progress(certificate_id="a" * 64, refused_client_id="somebody")
    telemetry.ended(refused.result(Outcome.ACTIVATED, None, "a sentence"), request_id="r")
    telemetry.noted(DeviceNote(certificate_id="a" * 64, outcome=ENDED, reason=None, message="a sentence"))
    telemetry.put_back(3, age_seconds=None, request_id="r")
    enforcing = EnforcementTelemetry.create("prod-eu", calls)
    swept = Sweep(scope="s", outcome=SweepOutcome.ENFORCED, crl=crl, switched_off=1)
    enforcing.swept("factory-1", "s3://b/k", swept, braked_devices=0, at=now, published_at=now - timedelta(seconds=5))
    enforcing.sweep_failed("factory-1", "s3://b/k", Undecided(Reason.NO_CRL, "a sentence"))
    enforcing.ca_expires("factory-1", timedelta(days=400))
    for kind in PassKind:
        enforcing.reconciled("factory-1", PassState(ca_certificate_id="c" * 64, kind=kind).begun(at=now), at=now)
    enforcing.compared_policies(["default"])
    enforcing.looked_at_jobs(["job"])
    return written(capsys)
