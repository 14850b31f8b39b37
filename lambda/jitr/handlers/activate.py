"""The activation function: reads its settings once, makes its clients once, and hands each event to the use case.

Returns `{"certificate_id", "outcome", "reason", "step"}`. An undecided event is raised, so that Lambda delivers it
again and at last puts it into the dead-letter queue; the error's text is that same object with a message, as JSON.

With `mode = "observe"` nothing is written and nothing raised: the outcome is `observed`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from jitr.activation import Activation
from jitr.allow_list import AllowList
from jitr.ca_records import CaRecords
from jitr.certificate_authorities import CertificateAuthorities
from jitr.crl_cache import CrlCache
from jitr.crl_sources import CrlSources
from jitr.crl_versions import CrlVersions
from jitr.errors import Undecided
from jitr.examination import Examination
from jitr.handlers.clients import BUNDLE_ROOT, CLIENT_CONFIG
from jitr.http_fetch import HttpFetcher
from jitr.iot_registry import IotRegistry
from jitr.observation import Observation, UnwrittenVersions
from jitr.registry import Registry
from jitr.settings import Configuration, Environment, Mode, read_settings
from jitr.state_table import StateTable
from jitr.telemetry import Telemetry


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
class Function:
    """Everything that lives as long as the container."""

    activation: Activation | Observation
    telemetry: Telemetry

    def run(self, event: object, *, request_id: str) -> dict[str, Any]:
        """Decide one event; the request id, the same for all deliveries of it, owns the lease."""
        try:
            result = self.activation.activate(event, owner=request_id)
        except Undecided as error:
            ca = event.get("caCertificateId") if isinstance(event, dict) and error.step != 1 else None
            self.telemetry.undecided(error, ca_certificate_id=ca, request_id=request_id)
            raise UndecidedEvent(error) from None
        self.telemetry.ended(result, request_id=request_id)
        return {
            "certificate_id": result.certificate_id,
            "outcome": result.outcome.value,
            "reason": result.reason,
            "step": result.step,
        }


def build_function(configuration: Configuration, environment: Environment) -> Function:
    """Make the clients and put the parts together."""
    session = boto3.Session(region_name=environment.region)
    registry = IotRegistry(session.client("iot", config=CLIENT_CONFIG))
    table = StateTable(session.client("dynamodb", config=CLIENT_CONFIG), environment.state_table)
    sources = CrlSources(
        s3=session.client("s3", config=CLIENT_CONFIG),
        http=HttpFetcher(hosts=frozenset(configuration.crl_hosts)),
        own_bucket=environment.crl_bucket,
        account=environment.account,
    )
    authorities = CertificateAuthorities(configuration, registry, CaRecords(table), environment.crl_bucket)
    telemetry = Telemetry.create(configuration.deployment)
    if configuration.mode is Mode.OBSERVE:
        examination = Examination(
            account=environment.account,
            authorities=authorities,
            registry=registry,
            crls=CrlCache(sources, UnwrittenVersions(table)),
            allowed=AllowList(table),
            clock=_now,
        )
        return Function(
            Observation(account=environment.account, examination=examination, rows=Registry(table), clock=_now),
            telemetry,
        )
    activation = Activation(
        configuration=configuration,
        environment=environment,
        authorities=authorities,
        registry=registry,
        rows=Registry(table),
        crls=CrlCache(sources, CrlVersions(table)),
        clock=_now,
    )
    return Function(activation, telemetry)


def _now() -> datetime:
    return datetime.now(UTC)


@cache
def _function() -> Function:
    return build_function(*read_settings(BUNDLE_ROOT, os.environ))


def handle(event: object, context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    return _function().run(event, request_id=context.aws_request_id)
