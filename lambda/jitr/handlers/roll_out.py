"""The roll-out function: at every deploy that changes a policy it brings the shared policies up to date.

CloudFormation invokes it, with the documents as the custom resource's properties. A roll-back so brings the old ones
back, whichever code the function has by then. CloudFormation is answered on every path; a failure there rolls the
deploy back. An operator may invoke it with `{}`: it then rolls out the templates of its bundle, which is how a policy
that was changed by hand becomes what the last deploy made it.

Returns `{"policies": {name: "created" | "updated" | "unchanged"}, "failure": text or None}`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from jitr.aws.iot import IotRegistry
from jitr.aws.pacing import Pace
from jitr.errors import Reason, Undecided
from jitr.handlers.clients import BUNDLE_ROOT, PATIENT_CLIENT_CONFIG
from jitr.messages.custom_resource import DELETE, Answers, ResourceRequest, answer_without_function, patiently
from jitr.policies.rollout import PolicyRollout, shared_policies
from jitr.settings import Configuration, Environment
from jitr.telemetry.telemetry import Telemetry

# What the last AWS call and the answer may take: before there is less left, the roll-out gives up and says so.
RESERVED_SECONDS = 120.0


class RolloutFailed(Exception):  # noqa: N818 - this is the errorType that operators read
    """A roll-out that an operator asked for was not finished; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """Everything that lives as long as the container."""

    configuration: Configuration
    environment: Environment
    registry: IotRegistry
    pace: Callable[[], None]
    sleep: Callable[[float], None]
    answers: Answers
    telemetry: Telemetry

    def run(self, event: object, *, seconds_left: Callable[[], float]) -> dict[str, Any]:
        """Roll out what the event asks for; raises AnswerFailedError, RolloutFailed, ValueError for other events."""
        if event == {}:
            values = self.environment.deployment_values
            done, failure = self._rolled_out(lambda: shared_policies(self.configuration, values), seconds_left)
            if failure is not None:
                raise RolloutFailed(failure)
            return {"policies": done, "failure": None}
        request = ResourceRequest.parse(event)
        if request.request_type == DELETE:
            # Devices depend on their policies, and do not go away with the stack.
            done, failure = {}, None
        else:
            done, failure = self._rolled_out(lambda: documents_of(request.properties), seconds_left)
        self.answers.send(request, failure=failure)
        return {"policies": done, "failure": failure}

    def _rolled_out(
        self, policies: Callable[[], Mapping[str, str]], seconds_left: Callable[[], float]
    ) -> tuple[dict[str, str], str | None]:
        """Return what was done to each policy, and why not all were done; whatever goes wrong is told, not raised."""
        done: dict[str, str] = {}
        rollout = PolicyRollout(registry=self.registry, pace=self._paced(seconds_left))
        try:
            for name, document in policies().items():
                change = patiently(partial(rollout.bring_up_to_date, name, document), sleep=self.sleep)
                done[name] = change.value
        except Exception as error:  # noqa: BLE001 - CloudFormation waits for an answer
            failure = _told(error)
            self.telemetry.roll_out_failed(done, failure, error)
            return done, failure
        self.telemetry.rolled_out(done)
        return done, None

    def _paced(self, seconds_left: Callable[[], float]) -> Callable[[], None]:
        def pace() -> None:
            if seconds_left() < RESERVED_SECONDS:
                raise Undecided(Reason.AWS_UNAVAILABLE, "AWS IoT answers too slowly: the time is over")
            self.pace()

        return pace


def documents_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Return the documents by policy name that infra wrote into the properties; raises KeyError or TypeError."""
    return {each["Name"]: each["Document"] for each in properties["Policies"]}


def _told(error: Exception) -> str:
    if isinstance(error, Undecided):
        return f"{error.message} ({error.reason}: see docs/runbook.md)"
    return f"unexpected {type(error).__name__}: see the function's log"


def build_function(configuration: Configuration, environment: Environment) -> Function:
    """Make the clients and put the parts together."""
    session = boto3.Session(region_name=environment.region)
    return Function(
        configuration=configuration,
        environment=environment,
        registry=IotRegistry(session.client("iot", config=PATIENT_CLIENT_CONFIG)),
        pace=Pace(configuration.enforcement_tps, now=time.monotonic, sleep=time.sleep),
        sleep=time.sleep,
        answers=Answers(),
        telemetry=Telemetry.create(configuration.deployment),
    )


@cache
def _function() -> Function:
    return build_function(Configuration.beside(BUNDLE_ROOT), Environment.from_environ(os.environ))


def handle(event: object, context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    try:
        function = _function()
    except Exception as error:
        if event != {} and answer_without_function(ResourceRequest.parse(event), _told(error)):
            return {"policies": {}, "failure": None}
        raise
    return function.run(event, seconds_left=lambda: context.get_remaining_time_in_millis() / 1000)
