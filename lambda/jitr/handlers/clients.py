"""How the functions' clients are made, and what every function stands on; where their bundle is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config

from jitr.authorities.client_ids import ClientIds
from jitr.authorities.managed import CertificateAuthorities
from jitr.authorities.records import CaRecords
from jitr.aws.call_counts import CallCounts
from jitr.aws.connections import Connections
from jitr.aws.iot import IotRegistry
from jitr.aws.lending import Allotment, Part
from jitr.aws.pacing import Pace, unpaced
from jitr.aws.retries import repeat_without_tokens, retrying
from jitr.aws.state_table import StateTable
from jitr.aws.turns import CERTIFICATES, LINES, TurnLine, Turns, pace_calls, tell_throttles
from jitr.crls.http_fetch import HttpFetcher
from jitr.crls.sources import CrlSources
from jitr.registry.disconnecting import Disconnecting
from jitr.registry.notes import Report
from jitr.registry.rows import Registry
from jitr.settings import Configuration, Environment, Mode
from jitr.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_s3 import S3Client

BUNDLE_ROOT = Path(__file__).parents[2]
# All attempts of one call take 35 seconds at most: less than activation may run.
CLIENT_CONFIG = retrying(4, connect_seconds=2, read_seconds=5).merge(Config(user_agent_extra="jitr"))
# For jobs, whose shifts come back no sooner than after an hour: 50 seconds at most.
BULK_CLIENT_CONFIG = CLIENT_CONFIG.merge(retrying(5, connect_seconds=2, read_seconds=5))
# For what deploys, which has minutes and nobody to deliver it again: 73 seconds at most.
PATIENT_CLIENT_CONFIG = CLIENT_CONFIG.merge(retrying(6, connect_seconds=2, read_seconds=5))
# For sweeps of thousands of devices, each of which ends with the first call that fails for good: 127 seconds at most.
SWEEPING_CLIENT_CONFIG = CLIENT_CONFIG.merge(retrying(8, connect_seconds=2, read_seconds=5))
# For what is worth one quick repetition: seven seconds at most.
HASTY_CLIENT_CONFIG = CLIENT_CONFIG.merge(retrying(2, connect_seconds=1, read_seconds=2))
# Half of the quotas of 10 a second for listing what is attached to what.
CONNECTIONS_PER_SECOND = 5.0

# How long a call waits for its turn in a function that has minutes: only a line that stands still takes so long.
LONG_PATIENCE_SECONDS = 300.0

T = TypeVar("T", bound=Telemetry)


def _now() -> datetime:
    return datetime.now(UTC)


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What differs in a simulation: the time (`clock` is UTC, `sleep` takes seconds) and chance, from 0 to 1."""

    clock: Callable[[], datetime] = _now
    sleep: Callable[[float], None] = _sleep
    chance: Callable[[], float] = random.random

    def seconds(self) -> float:
        """Return the time in epoch seconds."""
        return self.clock().timestamp()


def allotment_of(configuration: Configuration) -> Allotment:
    """Return what each part is guaranteed; who only observes may write no turns, so its part is not lent either."""
    guaranteed = {Part.ENFORCEMENT: configuration.enforcement_tps, Part.BULK: configuration.bulk_tps}
    if configuration.mode is not Mode.OBSERVE:
        guaranteed[Part.ACTIVATION] = configuration.activation_tps
    return Allotment(guaranteed)


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What one container's function stands on; each client is made once, when it is needed first."""

    configuration: Configuration
    environment: Environment
    config: Config = CLIENT_CONFIG

    @cached_property
    def _session(self) -> boto3.Session:
        session = boto3.Session(region_name=self.environment.region)
        repeat_without_tokens(session)
        return session

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's own answer to a name that it gets as text
        """Make a client; a service that several parts use has a property of its own."""
        return self._client(service, self.config)

    def _client(self, service: str, config: Config) -> Any:  # noqa: ANN401 - as above
        return self._session.client(service, config=config)  # type: ignore[call-overload]

    @cached_property
    def _iot(self) -> IoTClient:
        client: IoTClient = self.client("iot")
        return client

    @cached_property
    def s3(self) -> S3Client:
        """The client of the CRL bucket."""
        client: S3Client = self.client("s3")
        return client

    @cached_property
    def registry(self) -> IotRegistry:
        """AWS IoT's registry."""
        return IotRegistry(self._iot)

    def telemetry(self, kind: type[T]) -> T:
        """Make what the function speaks by; it counts what is asked of AWS IoT from now on."""
        return kind.create(self.configuration.deployment, CallCounts.of(self._iot))

    def disconnecting(
        self,
        report: Report,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        describe_pace: Callable[[], None] = unpaced,
    ) -> Disconnecting:
        """Make what ends the connections of devices that were switched off; its client is made with the first."""
        return Disconnecting(
            connections=Connections(lambda: self._client("iot-data", HASTY_CLIENT_CONFIG)),
            registry=self.registry,
            arn_of=self.environment.certificate_arn,
            own_client_ids=ClientIds(self.authorities, clock).own,
            pace=Pace(CONNECTIONS_PER_SECOND, now=lambda: clock().timestamp(), sleep=sleep),
            describe_pace=describe_pace,
            clock=clock,
            report=report,
        )

    @cached_property
    def table(self) -> StateTable:
        """The state table."""
        return StateTable(self.client("dynamodb"), self.environment.state_table)

    def turns(self, part: Part, real: Surroundings, *, patience: float = LONG_PATIENCE_SECONDS) -> Turns:
        """Make a part's turns at AWS IoT, and let all limited calls of this container take theirs.

        Those that need a turn of the certificates' line wait where the use case says so; the others wait by themselves,
        for `patience` seconds at most. Whatever AWS IoT throttles slows everybody down. Who only observes may write
        no turns, and must not ask for any.
        """
        allotment = allotment_of(self.configuration)
        lines = {
            name: Turns(
                line=TurnLine(self.table, name, allotment),
                part=part,
                now=real.seconds,
                sleep=real.sleep,
                chance=real.chance,
                patience=patience,
                # Many batches of activation are at work at once; a sweep or a job asks for one turn after the other.
                ahead=1 if part is Part.ACTIVATION else allotment.in_hand(part),
            )
            for name in LINES
        }
        if part in allotment.guaranteed:
            pace_calls(self._iot, lines)
            tell_throttles(self._iot, lines)
        return lines[CERTIFICATES]

    @cached_property
    def rows(self) -> Registry:
        """The registry rows in the state table."""
        return Registry(self.table)

    @cached_property
    def sources(self) -> CrlSources:
        """Where CRLs come from."""
        return CrlSources(
            s3=self.s3,
            http=HttpFetcher(
                hosts=frozenset(self.configuration.crl_hosts),
                private_hosts=frozenset(self.configuration.private_crl_hosts),
            ),
            own_bucket=self.environment.crl_bucket,
            account=self.environment.account,
        )

    @cached_property
    def authorities(self) -> CertificateAuthorities:
        """The CAs that the deployment manages."""
        return CertificateAuthorities(
            self.configuration, self.registry, CaRecords(self.table), self.environment.crl_bucket
        )
