"""The enforcement function: sweeps CRLs when one is published (S3) and on a schedule (all of them).

On a schedule it also compares all certificates with the registry (reconciliation.py), and the shared policies with
their templates, last of all and only to report.

With `mode = "observe"` it does nothing, and says so.

Returns `{"sweeps": [{"ca", "location", "outcome", "reason", "switched_off", "vanished"}]}`. A CRL that cannot be used
is reported and looked at again at the next schedule; a failing AWS call is raised, so that Lambda tries again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jitr.authorities.managed import CertificateAuthorities
from jitr.aws.lending import Part
from jitr.bulk.jobs import Jobs
from jitr.certificates import Certificate
from jitr.crls.cache import CrlCache
from jitr.crls.sources import CDP, NONE, NotThereForUs, S3Location
from jitr.crls.versions import CrlVersions
from jitr.enforcement.brake import Brake
from jitr.enforcement.copies import EnforcedCrls
from jitr.enforcement.passes import Passes
from jitr.enforcement.reconciliation import Reconciliation
from jitr.enforcement.sweep import Enforcement, Sweep
from jitr.enforcement.unknown_certificates import UnknownCertificates
from jitr.errors import Reason, Undecided, as_undecided
from jitr.handlers.clients import BUNDLE_ROOT, SWEEPING_CLIENT_CONFIG, Surroundings, Wiring
from jitr.handlers.reconciling import Reconciling
from jitr.policies.rollout import PolicyRollout, shared_policies
from jitr.revocation import Options
from jitr.settings import CaStatus, Configuration, Environment, ManagedCa, Mode, read_settings
from jitr.telemetry.enforcement import EnforcementTelemetry

# How many of a CA's newest certificates each scheduled sweep compares with the registry.
NEWEST = 100
# After sweeps that took longer, what is left of the function's 15 minutes is not spent on passes and policies.
_TIME_FOR_MORE = timedelta(minutes=10)
# Failures of AWS, not of a CRL: the whole invocation is worth another try.
_WORTH_A_RETRY = frozenset(
    {Reason.THROTTLED, Reason.ACCESS_DENIED, Reason.AWS_REFUSED, Reason.AWS_UNAVAILABLE, Reason.INTERNAL}
)


class SweepsFailed(Exception):  # noqa: N818 - this is the errorType that operators read in dead letters
    """Some sweeps could not be finished because AWS did not answer as it should; the text names the reasons."""


@dataclass(frozen=True, kw_only=True)
class EnforcementHandler:
    """Everything that lives as long as the container."""

    authorities: CertificateAuthorities
    enforcement: Enforcement
    unknown: UnknownCertificates
    reconciling: Reconciling
    jobs: Jobs
    drifted_policies: Callable[[], tuple[str, ...]]
    telemetry: EnforcementTelemetry
    observes: bool = False

    def run(self, event: object, *, request_id: str) -> dict[str, Any]:
        """Sweep what the event is about: the CRL that was published, or all."""
        if self.observes:
            self.telemetry.only_observes()
            return {"sweeps": []}
        published = published_object(event)
        sweeps: list[dict[str, Any]] = []
        retry: list[str] = []
        at = self.enforcement.clock()

        def unusable(ca_certificate_id: str, failure: Undecided) -> None:
            sweeps.append(self._failed(f"adopted-{ca_certificate_id[:12]}", "", failure, []))

        for ca in self.authorities.all(at=at, unusable=unusable):
            try:
                sweeps.extend(self._sweeps(ca, event, published, request_id, retry, at=at))
            except Exception as error:  # noqa: BLE001 - one CA's trouble must not keep the others' devices ACTIVE
                sweeps.append(self._failed(ca.name, ca.crl, as_undecided(error), retry))
        if published is None and self.enforcement.clock() - at < _TIME_FOR_MORE:
            self.reconciling.run(owner=request_id)
            self._compare_policies()
        if published is None:
            self._look_at_jobs()
        if retry:
            raise SweepsFailed(", ".join(sorted(set(retry))))
        return {"sweeps": sweeps}

    def _sweeps(
        self, ca: ManagedCa, event: object, published: str | None, owner: str, retry: list[str], *, at: datetime
    ) -> Iterator[dict[str, Any]]:
        """Sweep every address of one CA, and yield how each ended."""
        certificate = self.authorities.certificate(ca, at=at)
        if ca.status is not CaStatus.RETIRED and certificate.ends is not None:
            # A retired CA may expire: nothing is to be done about it.
            self.telemetry.ca_expires(ca.name, certificate.ends - at)
        if published is None and ca.crl != NONE:
            self._import(ca, certificate, retry)
        for location in self.authorities.locations(ca, at=at):
            if published in (None, location):
                yield self._sweep(ca, certificate, location, event, owner, retry)

    def _sweep(
        self, ca: ManagedCa, certificate: Certificate, location: str, event: object, owner: str, retry: list[str]
    ) -> dict[str, Any]:
        devices = self.authorities.devices(ca, at=self.enforcement.clock())
        # Of activations ever counted, monthly renewals would make more and more, and the brake would wear out.
        active = self.reconciling.reconciliation.passes.active_devices(ca.ca_certificate_id)
        try:
            options = Options(max_age=ca.crl_max_age, require_crl_sign=ca.requires_crl_sign)
            sweep = self.enforcement.sweep(
                location, certificate, devices=active, owner=owner, options=options, named=ca.crl == CDP
            )
            state = self.enforcement.versions.state(sweep.scope)
        except Exception as error:  # noqa: BLE001 - the next address is another one
            failure = as_undecided(error)
            if ca.known_at_deploy and not devices and failure.reason is Reason.NO_CRL:
                # AWS Private CA writes a CRL no sooner than after its first certificate; until then nobody is listed.
                return _answered(ca.name, location, outcome="no_crl_yet")
            return self._failed(ca.name, location, failure, retry)
        self.telemetry.swept(
            ca.name,
            location,
            sweep,
            braked_devices=state.braked_devices if state.brake_waits else 0,
            at=self.enforcement.clock(),
            published_at=published_at(event),
        )
        return _answer(ca, location, sweep)

    def _import(self, ca: ManagedCa, certificate: Certificate, retry: list[str]) -> None:
        """Bring in certificates that others activated; if there are any, every entry of the CRL is new to them."""
        try:
            self.unknown.import_newest(ca.ca_certificate_id, certificate, at_most=NEWEST)
        except Exception as error:  # noqa: BLE001 - what the CRL lists is switched off all the same
            failure = as_undecided(error)
            self.telemetry.import_failed(ca.name, failure)
            retry.append(failure.reason)

    def _compare_policies(self) -> None:
        """Report shared policies that somebody changed; whatever goes wrong here is no failure of a sweep."""
        try:
            drifted = self.drifted_policies()
        except Exception as failure:  # noqa: BLE001 - revocation matters more
            self.telemetry.policies_not_compared(failure)
        else:
            self.telemetry.compared_policies(drifted)

    def _look_at_jobs(self) -> None:
        """Report jobs of bulk work that do not move: what does not run cannot say so itself."""
        try:
            still = [job.job_id for job in self.jobs.still(at=self.enforcement.clock())]
        except Exception as failure:  # noqa: BLE001 - revocation matters more
            self.telemetry.jobs_not_looked_at(failure)
        else:
            self.telemetry.looked_at_jobs(still)

    def _failed(self, ca: str, location: str, failure: Undecided, retry: list[str]) -> dict[str, Any]:
        self.telemetry.sweep_failed(ca, location, failure)
        if failure.reason in _WORTH_A_RETRY and not isinstance(failure, NotThereForUs):
            retry.append(failure.reason)
        return _answered(ca, location, outcome="failed", reason=failure.reason.value)


def published_object(event: object) -> str | None:
    """Return `s3://bucket/key` of an S3 "Object Created" event, None for any other event (a schedule)."""
    match event:
        case {"detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return str(S3Location(bucket=bucket, key=key))
    return None


def published_at(event: object) -> datetime | None:
    """Return when S3 says that the object was created; None for a schedule."""
    match event:
        case {"time": str(text)} if published_object(event) is not None:
            try:
                return datetime.fromisoformat(text)
            except ValueError:
                return None
    return None


def _answer(ca: ManagedCa, location: str, sweep: Sweep) -> dict[str, Any]:
    done = {"switched_off": sweep.switched_off, "vanished": sweep.vanished}
    return _answered(ca.name, location, outcome=sweep.outcome.value) | done


def _answered(ca: str, location: str, *, outcome: str, reason: str | None = None) -> dict[str, Any]:
    return {
        "ca": ca,
        "location": location,
        "outcome": outcome,
        "reason": reason,
        "switched_off": 0,
        "vanished": 0,
    }


def build_function(
    configuration: Configuration, environment: Environment, surroundings: Surroundings | None = None
) -> EnforcementHandler:
    """Make the clients and put the parts together."""
    real = surroundings or Surroundings()
    wiring = Wiring(configuration=configuration, environment=environment, config=SWEEPING_CLIENT_CONFIG)
    registry, telemetry = wiring.registry, wiring.telemetry(EnforcementTelemetry)
    pace = wiring.turns(Part.ENFORCEMENT, real)
    disconnecting = wiring.disconnecting(telemetry.noted, clock=real.clock, sleep=real.sleep, describe_pace=pace)
    enforcement = Enforcement(
        registry=registry,
        rows=wiring.rows,
        crls=CrlCache(wiring.sources, CrlVersions(wiring.table)),
        enforced=EnforcedCrls(wiring.s3, environment.crl_bucket, environment.account),
        clock=real.clock,
        sleep=real.sleep,
        pace=pace,
        report=telemetry.noted,
        disconnecting=disconnecting,
        brake=Brake(configuration.brake_devices, configuration.brake_percent),
    )
    unknown = UnknownCertificates(
        registry=registry,
        rows=wiring.rows,
        versions=CrlVersions(wiring.table),
        pace=pace,
        watch=lambda ca, certificate: wiring.authorities.watch_named(ca, certificate, at=real.clock()),
        report=telemetry.noted,
        disconnecting=disconnecting,
    )
    return EnforcementHandler(
        authorities=wiring.authorities,
        enforcement=enforcement,
        unknown=unknown,
        reconciling=_reconciling(wiring, enforcement, unknown, telemetry),
        jobs=Jobs(wiring.table),
        # Rendered when it is needed: a template that cannot be used must not keep enforcement from starting.
        drifted_policies=lambda: PolicyRollout(registry=registry, pace=pace).drifted(
            shared_policies(configuration, environment.deployment_values)
        ),
        telemetry=telemetry,
        observes=configuration.mode is Mode.OBSERVE,
    )


def _reconciling(
    wiring: Wiring, enforcement: Enforcement, unknown: UnknownCertificates, telemetry: EnforcementTelemetry
) -> Reconciling:
    reconciliation = Reconciliation(
        registry=enforcement.registry,
        rows=enforcement.rows,
        unknown=unknown,
        passes=Passes(wiring.table),
        brake=enforcement.brake,
        period=timedelta(hours=wiring.configuration.reconciliation_hours),
        clock=enforcement.clock,
        pace=enforcement.pace,
        report=telemetry.noted,
    )
    return Reconciling(
        authorities=wiring.authorities,
        crls=enforcement.crls,
        reconciliation=reconciliation,
        telemetry=telemetry,
        clock=enforcement.clock,
    )


@cache
def _function() -> EnforcementHandler:
    return build_function(*read_settings(BUNDLE_ROOT, os.environ))


def handle(event: object, context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    return _function().run(event, request_id=context.aws_request_id)
