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

from aws_lambda_powertools.utilities.typing import LambdaContext

from jitr.aws.iot import Policies
from jitr.aws.pacing import Pace
from jitr.handlers.clients import BUNDLE_ROOT, PATIENT_CLIENT_CONFIG, Wiring
from jitr.handlers.custom_resources import begun, paced_in_time, told
from jitr.messages.custom_resource import DELETE, Answers, ResourceRequest, patiently
from jitr.policies.rollout import PolicyRollout, shared_policies
from jitr.settings import Configuration, Environment
from jitr.telemetry.deploys import DeployTelemetry


class RolloutFailed(Exception):  # noqa: N818 - this is the errorType that operators read
    """A roll-out that an operator asked for was not finished; the text says why."""


@dataclass(frozen=True, kw_only=True)
class RollOutHandler:
    """Everything that lives as long as the container."""

    configuration: Configuration
    environment: Environment
    registry: Policies
    pace: Callable[[], None]
    sleep: Callable[[float], None]
    answers: Answers
    telemetry: DeployTelemetry

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
        too_late = "AWS IoT answers too slowly: the time is over"
        pace = paced_in_time(self.pace, seconds_left, too_late=too_late)
        rollout = PolicyRollout(registry=self.registry, pace=pace)
        try:
            for name, document in policies().items():
                change = patiently(partial(rollout.bring_up_to_date, name, document), sleep=self.sleep)
                done[name] = change.value
        except Exception as error:  # noqa: BLE001 - CloudFormation waits for an answer
            failure = told(error)
            self.telemetry.roll_out_failed(done, failure, error)
            return done, failure
        self.telemetry.rolled_out(done)
        return done, None


def documents_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Return the documents by policy name that infra wrote into the properties; raises KeyError or TypeError."""
    return {each["Name"]: each["Document"] for each in properties["Policies"]}


def build_function(configuration: Configuration, environment: Environment) -> RollOutHandler:
    """Make the clients and put the parts together."""
    wiring = Wiring(configuration=configuration, environment=environment, config=PATIENT_CLIENT_CONFIG)
    return RollOutHandler(
        configuration=configuration,
        environment=environment,
        registry=wiring.registry,
        pace=Pace(configuration.enforcement_tps, now=time.monotonic, sleep=time.sleep),
        sleep=time.sleep,
        answers=Answers(),
        telemetry=wiring.telemetry(DeployTelemetry),
    )


@cache
def _function() -> RollOutHandler:
    return build_function(Configuration.beside(BUNDLE_ROOT), Environment.from_environ(os.environ))


def handle(event: object, context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    function = begun(_function, event)
    if function is None:
        return {"policies": {}, "failure": None}
    return function.run(event, seconds_left=lambda: context.get_remaining_time_in_millis() / 1000)
