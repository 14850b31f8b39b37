"""One storm: the deployment, its devices, what delivers their events, and the function at the end."""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import time as wall
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from aws_lambda_powertools import Logger

from bench.storm.aws import Aws
from bench.storm.devices import Devices, factory
from bench.storm.figures import Outcomes, Storm
from bench.storm.functions import BUCKET, DEAD_LETTERS, QUEUE, real_function, usual_handler
from bench.storm.invocations import AsynchronousQueue, Container, EventSourceMapping, Handler
from bench.storm.queues import StandardQueue
from bench.storm.quotas import Quotas
from bench.storm.revocations import Revocations
from bench.storm.scenario import Mode, Scenario, Who, crl_key
from bench.storm.virtual_time import VirtualTime
from jitr.activation.queue import MAX_RECEIVES
from jitr.activation.steps import TIME_LIMIT
from jitr.handlers.clients import Surroundings
from jitr.settings import Environment
from jitr_fleet.deployments.concurrency import concurrency_for
from jitr_fleet.deployments.configuration import configuration_of
from jitr_fleet.deployments.deployment import Deployment
from jitr_local.pki import CertificateAuthority
from tests.aws.fake_iot import ACCOUNT, QUOTA_LIMITED, REGION

ENVIRONMENT = Environment(
    account=ACCOUNT,
    region=REGION,
    partition="aws",
    state_table="storm",
    crl_bucket=BUCKET,
    activation_queue=QUEUE,
    dead_letters=DEAD_LETTERS,
)
# As the stack has them.
VISIBILITY_SECONDS, BATCH_SIZE, BATCH_WINDOW_SECONDS = 270.0, 10, 0.0
# The usual handler reserves no concurrency: it gets what a new function of an old account gets at once, or less.
_UNRESERVED = 100


def run(scenario: Scenario) -> Storm:
    """Let a storm pass and return its figures."""
    began = wall.perf_counter()
    found = World(scenario).storm()
    return found(wall.perf_counter() - began)


@dataclass
class World:
    """Everything there is in one storm; nothing in it is shared with another."""

    scenario: Scenario
    time: VirtualTime = field(default_factory=VirtualTime)
    start: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    outcomes: Outcomes = field(default_factory=Outcomes)

    @cached_property
    def random(self) -> Random:
        """Chance, the same in every run."""
        return Random(self.scenario.seed)  # noqa: S311 - the same storm in every run

    @cached_property
    def aws(self) -> Aws:
        """The account."""
        quotas = Quotas(lambda: self.time.now, others=self.scenario.others)
        return Aws(self.time, quotas, self.random)

    @cached_property
    def cas(self) -> tuple[CertificateAuthority, ...]:
        """The CAs whose devices come."""
        return (factory(self.scenario.devices)[0],)

    @cached_property
    def deployment(self) -> Deployment:
        """What is deployed."""
        return self.scenario.deployment(*self.cas)

    @cached_property
    def surroundings(self) -> Surroundings:
        """What functions take for time and chance."""
        return Surroundings(clock=self.clock, sleep=self.time.sleep, chance=self.random.random)

    def clock(self) -> datetime:
        """Return the time of day."""
        return self.start + timedelta(seconds=self.time.now)

    def storm(self) -> Callable[[float], Storm]:
        """Run everything; returns what makes the figures, once somebody says how long it took to compute."""
        with self.in_place():
            match self.scenario:
                case Scenario(mode=Mode.QUEUE):
                    return self._queued()
                case Scenario(who=Who.JITR):
                    return self._direct(concurrency_for(self.deployment.api_tps, self.deployment.activation_share))
            return self._direct(_UNRESERVED)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put virtual time and the stand-ins where the function's modules look for the real ones."""
        for number, ca in enumerate(self.cas, start=1):
            self.aws.iot.register_ca(ca)
            self.aws.objects[BUCKET, crl_key(number)] = ca.crl(next_update=self.start + timedelta(days=30))
        random.seed(self.scenario.seed)  # for the jitter of botocore and of the function
        with (
            mock.patch("botocore.endpoint.time", SimpleNamespace(sleep=self.time.sleep)),
            mock.patch("jitr.handlers.clients.boto3", SimpleNamespace(Session=self.aws.session)),
            mock.patch("jitr.telemetry.telemetry.Logger", self._logger),
            contextlib.redirect_stdout(_Nowhere()),
        ):
            yield

    def _logger(self, **_: object) -> Logger:
        # Powertools keeps one logger for each service name, with its first handler.
        return Logger(service=f"storm-{id(self)}", logger_handler=self.outcomes)

    def _containers(self, count: int) -> list[Container]:
        return [Container(self.time, self._function, TIME_LIMIT.total_seconds(), f"c{n}") for n in range(count)]

    def _function(self) -> Handler:
        if self.scenario.who is Who.USUAL:
            return usual_handler(self.aws)
        return real_function(configuration_of(self.deployment), ENVIRONMENT, self.surroundings)

    def _devices(self, publish: Callable[[Mapping[str, Any]], None]) -> Devices:
        ca, made = factory(self.scenario.devices)
        epoch = lambda: self.clock().timestamp()  # noqa: E731
        return Devices(self.aws, ca, made, self.random, publish, epoch, knocks=self.scenario.knocks)

    def _direct(self, concurrency: int) -> Callable[[float], Storm]:
        queue = AsynchronousQueue(self.time, self.random, self._containers(concurrency))
        queue.start()
        devices = self._devices(queue.send)
        self._pass(devices, lambda: queue.depth)
        return self._figures(devices, queue.finished, queue.peak, queue.dead, queue.waiting)

    def _queued(self) -> Callable[[float], Storm]:
        queue, mapping, dead = self.behind_a_queue()
        devices = self._devices(lambda event: queue.send(json.dumps(event)))
        revocations = Revocations(self.scenario.revoking, self.aws, self.cas[0], self.clock)
        if self.scenario.revoking:
            configuration = configuration_of(self.deployment)
            self.time.start(lambda: revocations.run(configuration, ENVIRONMENT, self.surroundings))
        self._pass(devices, lambda: queue.depth)
        figures = self._figures(devices, mapping.finished, queue.peak, dead, queue.waiting_bodies())
        return lambda computed: replace(figures(computed), revocations=revocations.times)

    def behind_a_queue(self) -> tuple[StandardQueue, EventSourceMapping, list[str]]:
        """Let the function poll a queue; returns both, and where the dead letters go."""
        dead: list[str] = []
        queue = StandardQueue(
            self.time,
            self.random,
            visibility=VISIBILITY_SECONDS,
            maximum_receives=MAX_RECEIVES,
            epoch=lambda: self.clock().timestamp(),
            dead=dead,
        )
        self.aws.sent = lambda url, body, delay: dead.append(body) if url == DEAD_LETTERS else queue.send(body, delay)
        self.aws.hidden = queue.hide
        mapping = EventSourceMapping(
            self.time,
            queue,
            self._containers(self.deployment.maximum_concurrency),
            batch_size=BATCH_SIZE,
            window=BATCH_WINDOW_SECONDS,
        )
        mapping.start()
        return queue, mapping, dead

    def _pass(self, devices: Devices, depth: Callable[[], int]) -> None:
        devices.begin(over_seconds=self.scenario.over_seconds)
        self.time.run(until=self.scenario.longest_seconds, done=lambda: devices.settled and not depth())

    def _figures(
        self, devices: Devices, finished: int, peak: int, dead: Sequence[object], waiting: Iterable[object]
    ) -> Callable[[float], Storm]:
        aws, scenario = self.aws, self.scenario
        active = {each.certificate_id for each in devices.devices if aws.iot.status(each) == "ACTIVE"}
        # Whatever text a device's event lies in, in a queue or among the dead letters, it is not lost.
        kept = "".join(json.dumps(each) for each in (*dead, *waiting))
        lost = [each for each in devices.devices if each.certificate_id not in active | _ids(kept)]
        bound = self.deployment.lent_tps if scenario.who is Who.JITR else scenario.quota_bound
        return lambda computed: Storm(
            who=scenario.who,
            mode=scenario.mode,
            devices=scenario.devices,
            over_seconds=scenario.over_seconds,
            activated=len(active),
            lost=len(lost),
            dead_letters=len(dead),
            seconds=max(aws.activated_at.values(), default=0.0),
            drained_after=self.time.now,
            calls=Counter({name: aws.quotas.made[name] for name in QUOTA_LIMITED if aws.quotas.made[name]}),
            throttled=aws.quotas.throttled.total(),
            events=devices.events,
            finished=finished,
            described=aws.answered.get("DescribeCertificate", 0),
            waits=[at - devices.first_at[each] for each, at in aws.activated_at.items()],
            peak_queue=peak,
            bound=bound,
            quota_bound=scenario.quota_bound,
            others=scenario.others,
            outcomes=self.outcomes.counted,
            computed_seconds=computed,
        )


def _ids(text: str) -> set[str]:
    return set(re.findall("[0-9a-f]{64}", text))


class _Nowhere(io.TextIOBase):
    """Where the function's counts go: CloudWatch is not part of the storm."""

    def write(self, text: str) -> int:
        return len(text)
