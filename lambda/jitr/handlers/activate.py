"""The activation function: reads its settings once, makes its clients once, and hands each event to the use case.

Returns `{"certificate_id", "outcome", "reason", "step"}`. An undecided event is raised, so that Lambda delivers it
again and at last puts it into the dead-letter queue; the error's text is that same object with a message, as JSON.

Batches of such events come from the activation queue (activation_batch.py); what is answered is which messages have to
come back (`batchItemFailures`).

With `mode = "observe"` nothing is written and nothing raised: the outcome is `observed`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jitr.activation.batch import ActivationBatch
from jitr.activation.examination import Examination
from jitr.activation.observation import AT_ONCE, Observation, UnwrittenVersions
from jitr.activation.queue import ActivationQueue, is_batch
from jitr.activation.steps import Activation
from jitr.authorities.allow_list import AllowList
from jitr.aws.lending import Part
from jitr.aws.pacing import Pace
from jitr.aws.turns import BatchTurns
from jitr.crls.cache import CrlCache
from jitr.crls.versions import CrlVersions
from jitr.errors import Undecided
from jitr.handlers.clients import BUNDLE_ROOT, Surroundings, Wiring
from jitr.messages.envelopes import open_envelope
from jitr.messages.event import age_seconds, named_certificate_id
from jitr.registry.notes import Report
from jitr.settings import Configuration, Environment, Mode, read_settings
from jitr.telemetry.activation import ActivationTelemetry

# How long a call waits for its turn outside of a batch's turns: the function has less than a minute.
_PATIENCE_SECONDS = 15.0


class UndecidedEvent(Exception):  # noqa: N818 - this is the errorType that operators read in dead letters
    """An event that nobody can decide now; its text is JSON, so that a dead letter can be read by machines too."""

    def __init__(self, error: Undecided) -> None:
        super().__init__(
            json.dumps(
                {
                    "certificate_id": error.certificate_id,
                    "outcome": error.outcome,
                    "reason": error.reason,
                    "step": error.step,
                    "message": error.message,
                }
            )
        )


@dataclass(frozen=True)
class ActivationHandler:
    """Everything that lives as long as the container."""

    activation: Activation | Observation
    telemetry: ActivationTelemetry
    batch: ActivationBatch

    def run_batch(
        self, event: Mapping[str, Any], *, request_id: str, seconds_left: Callable[[], float]
    ) -> dict[str, Any]:
        """Decide a batch of SQS messages, and name those that have to come back; a message's id owns its lease."""
        back = self.batch.run(event["Records"], request_id=request_id, seconds_left=seconds_left)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in back]}

    def run(self, payload: object, *, request_id: str) -> dict[str, Any]:
        """Decide one event; the request id, the same for all deliveries of it, owns the lease.

        An event in an envelope (envelopes.py) is taken out of it.
        """
        opened = open_envelope(payload).event
        event = payload if opened is None else opened
        self.telemetry.began(named_certificate_id(event), request_id=request_id)
        try:
            result = self.activation.activate(event, owner=request_id)
        except Undecided as error:
            ca = event.get("caCertificateId") if isinstance(event, dict) and error.step != 1 else None
            age = age_seconds(event, self.batch.now())
            self.telemetry.undecided(error, ca_certificate_id=ca, age_seconds=age, request_id=request_id)
            raise UndecidedEvent(error) from None
        self.telemetry.ended(result, request_id=request_id)
        return {
            "certificate_id": result.certificate_id,
            "outcome": result.outcome.value,
            "reason": result.reason,
            "step": result.step,
        }


def build_function(
    configuration: Configuration, environment: Environment, surroundings: Surroundings | None = None
) -> ActivationHandler:
    """Make the clients and put the parts together."""
    real = surroundings or Surroundings()
    wiring = Wiring(configuration=configuration, environment=environment)
    telemetry = wiring.telemetry(ActivationTelemetry)
    turns = BatchTurns(wiring.turns(Part.ACTIVATION, real, patience=_PATIENCE_SECONDS))
    activation = (
        _observation(wiring, real)
        if configuration.mode is Mode.OBSERVE
        else _activation(wiring, real, telemetry.noted, turns)
    )
    queue = ActivationQueue(lambda: wiring.client("sqs"), environment.activation_queue, environment.dead_letters)
    batch = ActivationBatch(
        activation=activation,
        queue=queue,
        telemetry=telemetry,
        turns=turns,
        now=real.seconds,
        chance=real.chance,
    )
    return ActivationHandler(activation, telemetry, batch)


def _activation(wiring: Wiring, real: Surroundings, report: Report, turns: BatchTurns) -> Activation:
    return Activation(
        configuration=wiring.configuration,
        environment=wiring.environment,
        authorities=wiring.authorities,
        registry=wiring.registry,
        rows=wiring.rows,
        crls=CrlCache(wiring.sources, CrlVersions(wiring.table)),
        clock=real.clock,
        report=report,
        disconnecting=wiring.disconnecting(report, clock=real.clock, sleep=real.sleep),
        turn=turns,
    )


def _observation(wiring: Wiring, real: Surroundings) -> Observation:
    account = wiring.environment.account
    examination = Examination(
        account=account,
        authorities=wiring.authorities,
        registry=wiring.registry,
        crls=CrlCache(wiring.sources, UnwrittenVersions(wiring.table)),
        allowed=AllowList(wiring.table),
        clock=real.clock,
        turn=Pace(wiring.configuration.activation_tps / AT_ONCE, now=real.seconds, sleep=real.sleep),
    )
    return Observation(examination=examination, rows=wiring.rows, clock=real.clock)


@cache
def _function() -> ActivationHandler:
    return build_function(*read_settings(BUNDLE_ROOT, os.environ))


def handle(event: object, context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    function, request_id = _function(), context.aws_request_id
    if is_batch(event):
        left = context.get_remaining_time_in_millis
        return function.run_batch(event, request_id=request_id, seconds_left=lambda: left() / 1000)
    return function.run(event, request_id=request_id)
