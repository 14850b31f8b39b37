"""The authorities function: what a deploy needs of its CAs, as custom resources that CloudFormation waits for.

`Custom::JitrCaCertificate` reads the certificate of a CA in AWS Private CA, `Custom::JitrVerificationCertificate` has
one sign the proof that DEFAULT mode wants, `Custom::JitrManagedCas` refuses that a CA leaves the fleet file while it
has ACTIVE devices, `Custom::JitrRegistration` takes back what a deploy registered that is rolled back.
CloudFormation is answered on every path; a failure rolls the deploy back with its reason, and a roll-back never fails.

Returns `{"answered": text or None}`, the reason of a failure.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jitr.authorities.deployment import CaDeployment, CaRenamed, CaStillNeeded, ResourceType
from jitr.authorities.private_ca import PrivateCas
from jitr.authorities.registration_rollback import RegistrationRollback
from jitr.authorities.verification_certificate import NotVerifying
from jitr.aws.failures import aws_call
from jitr.aws.iot import IotRegistry
from jitr.aws.pacing import Pace
from jitr.handlers.clients import BUNDLE_ROOT, PATIENT_CLIENT_CONFIG, Wiring
from jitr.handlers.custom_resources import begun, paced_in_time, told
from jitr.messages.custom_resource import CREATE, DELETE, Answers, ResourceRequest, patiently
from jitr.settings import Configuration, Environment
from jitr.telemetry.deploys import DeployTelemetry

# Refusals in words of our own, which CloudFormation shows, and what stands before them.
_REFUSALS = {CaStillNeeded: "", CaRenamed: "", NotVerifying: "the verification certificate would be refused: "}
_TOO_LATE = (
    "the time is over: AWS answers too slowly, or a CA that left the fleet file has too many devices to look at each; "
    "then name the CA in released_cas if none is ACTIVE"
)
_ROLLING_BACK = "ROLLBACK"


@dataclass(frozen=True, kw_only=True)
class ResourceAnswer:
    """What a custom resource answers: what Fn::GetAtt reads, and its physical id where it is not the one before."""

    attributes: Mapping[str, str] = field(default_factory=dict)
    physical_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class AuthoritiesHandler:
    """Everything that lives as long as the container."""

    private_cas: PrivateCas
    registry: IotRegistry
    cloudformation: Any
    clock: Callable[[], datetime]
    pace: Callable[[], None]
    sleep: Callable[[float], None]
    answers: Answers
    telemetry: DeployTelemetry

    def run(self, event: object, *, seconds_left: Callable[[], float]) -> dict[str, Any]:
        """Do what CloudFormation asks for; raises AnswerFailedError, and ValueError for any other event."""
        request = ResourceRequest.parse(event)
        answer, failure = ResourceAnswer(), None
        if request.request_type == DELETE:
            self._take_back(request, seconds_left)
        else:
            try:
                answer = patiently(lambda: self._answer(request, seconds_left), sleep=self.sleep)
            except Exception as error:  # noqa: BLE001 - CloudFormation waits for an answer
                failure = told(error, _REFUSALS)
                self.telemetry.resource_failed(request.logical_id, failure, error)
        self.answers.send(request, failure=failure, attributes=answer.attributes, physical_id=answer.physical_id)
        return {"answered": failure}

    def _take_back(self, request: ResourceRequest, seconds_left: Callable[[], float]) -> None:
        """Take back a registration whose deploy is rolled back; all else that was made stays, as devices depend on it.

        Whatever happens is logged and no failure: a roll-back that fails is worse than a registration that is left.
        """
        if request.resource_type != ResourceType.REGISTRATION:
            return
        given, rollback = request.properties, self._rollback(seconds_left)
        try:
            ending = patiently(
                lambda: rollback.undo(
                    given["CaCertificateId"],
                    before=request.physical_id,
                    stack=request.stack_id,
                    registration=given["Registration"],
                ),
                sleep=self.sleep,
            )
            self.telemetry.registration_rolled_back(given["CaCertificateId"], ending)
        except Exception as error:  # noqa: BLE001 - see above
            self.telemetry.resource_failed(request.logical_id, told(error), error)

    def _rollback(self, seconds_left: Callable[[], float]) -> RegistrationRollback:
        pace = paced_in_time(self.pace, seconds_left, too_late=_TOO_LATE)
        return RegistrationRollback(registry=self.registry, cloudformation=self.cloudformation, pace=pace)

    def _answer(self, request: ResourceRequest, seconds_left: Callable[[], float]) -> ResourceAnswer:
        pace = paced_in_time(self.pace, seconds_left, too_late=_TOO_LATE)
        deployment = CaDeployment(private_cas=self.private_cas, registry=self.registry, clock=self.clock, pace=pace)
        given = request.properties
        match request.resource_type:
            case ResourceType.CA_CERTIFICATE:
                found = deployment.find(given["PrivateCa"], with_chain=given["WithChain"] == "true")
                return ResourceAnswer(attributes={"Id": found.ca_certificate_id, "Certificate": found.pem})
            case ResourceType.VERIFICATION_CERTIFICATE:
                kept = request.physical_id if _same(request, "PrivateCa", "CaCertificateId") else None
                made = deployment.verification(
                    given["PrivateCa"], ca_certificate_id=given["CaCertificateId"], issued=kept
                )
                return ResourceAnswer(attributes={"Certificate": made.pem}, physical_id=made.arn)
            case ResourceType.MANAGED_CAS:
                left, renamed = _left(request), _renamed(request)
                if (left or renamed) and not self._rolls_back(request.stack_id):
                    deployment.verify_names_kept(renamed)
                    deployment.verify_not_needed(left)
                return ResourceAnswer()
            case ResourceType.REGISTRATION:
                identifier = given["CaCertificateId"]
                # Asked once: whatever an update changes, the deploy that made it has ended.
                if request.request_type != CREATE:
                    return ResourceAnswer()
                return ResourceAnswer(physical_id=self._rollback(seconds_left).before(identifier))
        raise ValueError(request.resource_type)

    def _rolls_back(self, stack: str) -> bool:
        """Return whether CloudFormation is undoing a deploy: what that had added may leave again, whatever happened."""
        with aws_call("DescribeStacks"):
            (found,) = self.cloudformation.describe_stacks(StackName=stack)["Stacks"]
        return _ROLLING_BACK in found["StackStatus"]


def _same(request: ResourceRequest, *names: str) -> bool:
    """Return whether these properties are those of the resource as it was."""
    return all(request.old_properties.get(name) == request.properties.get(name) for name in names)


def _left(request: ResourceRequest) -> dict[str, str]:
    """Return the CAs, name by id, that an update takes out and does not name as released."""
    stay = {each["Id"] for each in request.properties["Cas"]}
    released = set(request.properties.get("Released", ()))
    before: list[Mapping[str, str]] = request.old_properties.get("Cas", [])
    return {
        each["Id"]: each["Name"]
        for each in before
        if each["Id"] not in stay and not released & {each["Id"], each["Name"]}
    }


def _renamed(request: ResourceRequest) -> dict[str, str]:
    """Return the CAs, new name by former one, whose resources an update would make anew under another name."""
    before = {each["Id"]: _deployed_as(each) for each in request.old_properties.get("Cas", ())}
    return {
        before[each["Id"]]: each["Name"]
        for each in request.properties["Cas"]
        if "Existing" not in each and before.get(each["Id"], _deployed_as(each)) != _deployed_as(each)
    }


def _deployed_as(ca: Mapping[str, str]) -> str:
    return ca.get("Formerly") or ca["Name"]


def build_function(configuration: Configuration, environment: Environment) -> AuthoritiesHandler:
    """Make the clients and put the parts together."""
    wiring = Wiring(configuration=configuration, environment=environment, config=PATIENT_CLIENT_CONFIG)
    return AuthoritiesHandler(
        private_cas=PrivateCas(wiring.client("acm-pca")),
        registry=wiring.registry,
        cloudformation=wiring.client("cloudformation"),
        clock=lambda: datetime.now(UTC),
        pace=Pace(configuration.enforcement_tps, now=time.monotonic, sleep=time.sleep),
        sleep=time.sleep,
        answers=Answers(),
        telemetry=wiring.telemetry(DeployTelemetry),
    )


@cache
def _function() -> AuthoritiesHandler:
    return build_function(Configuration.beside(BUNDLE_ROOT), Environment.from_environ(os.environ))


def handle(event: object, context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    function = begun(_function, event)
    if function is None:
        return {"answered": None}
    return function.run(event, seconds_left=lambda: context.get_remaining_time_in_millis() / 1000)
