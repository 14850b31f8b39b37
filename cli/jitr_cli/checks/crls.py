"""Whether the CRLs that decide about devices can be had, are fresh, and were taken up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from jitr.activation.observation import UnwrittenVersions
from jitr.crls.cache import CrlCache, CurrentCrl, scope_of
from jitr.crls.http_fetch import HttpFetcher
from jitr.crls.sources import CDP, HTTP_SCHEMES, NONE, CrlSources
from jitr.crls.versions import CrlVersions, ScopeState
from jitr.errors import Reason, Undecided
from jitr.revocation import Options
from jitr.settings import CaStatus, ManagedCa
from jitr_cli.checks.authorities import authorities_of
from jitr_cli.console.files import zulu
from jitr_cli.diagnosis.deployed import Deployed
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, unknown, warning
from jitr_fleet.deployments.runbook import reason_section

# As the alarm CrlLifePassed has it.
_LIFE_PASSED = 0.75
# Failures of this computer, its network or its credentials, which say nothing about the CRL.
_OURS = frozenset({Reason.ACCESS_DENIED, Reason.THROTTLED, Reason.AWS_UNAVAILABLE, Reason.AWS_REFUSED})


@dataclass(frozen=True, kw_only=True)
class Offered:
    """One address of a CA's CRLs: what lies there now, or why it cannot be used, and what the functions know of it."""

    ca: ManagedCa
    location: str
    devices: int
    state: ScopeState
    crl: CurrentCrl | None = None
    failure: Undecided | None = None


def offered_crls(deployed: Deployed) -> list[Offered]:
    """Read every CRL with the functions' own code, and write nothing."""
    return deployed.once("crls", lambda: list(_offered(deployed)))


def _offered(deployed: Deployed) -> Iterator[Offered]:
    known, versions = authorities_of(deployed), CrlVersions(deployed.table)
    cache = CrlCache(
        CrlSources(
            s3=deployed.aws.client("s3"),
            http=HttpFetcher(
                hosts=frozenset(deployed.configuration.crl_hosts),
                private_hosts=frozenset(deployed.configuration.private_crl_hosts),
            ),
            own_bucket=deployed.stack.crl_bucket,
            account=deployed.account,
        ),
        UnwrittenVersions(deployed.table),
    )
    for ca in known.all(at=deployed.now):
        locations = known.locations(ca, at=deployed.now)
        if not locations:
            continue
        certificate = known.certificate(ca, at=deployed.now)
        devices = known.devices(ca, at=deployed.now)
        for location in locations:
            crl, failure = None, None
            try:
                options = Options(max_age=ca.crl_max_age, require_crl_sign=ca.requires_crl_sign)
                crl = cache.current(location, certificate, at=deployed.now, options=options, newest=True)
            except Undecided as refusal:
                failure = refusal
            state = versions.state(scope_of(certificate, location))
            yield Offered(ca=ca, location=location, devices=devices, state=state, crl=crl, failure=failure)


def sources(deployed: Deployed) -> Iterator[Finding]:
    """Find out whether every CA has a source of CRLs."""
    known = authorities_of(deployed)
    cas = list(known.all(at=deployed.now))
    if not cas:
        yield ok("there is no CA to look at")
    for ca in cas:
        if ca.crl == NONE:
            yield warning(f"CA {ca.name} has no CRL: nobody can revoke its devices", fix="docs/revocation.md")
        elif ca.crl == CDP and not known.locations(ca, at=deployed.now):
            yield ok(f"the CRLs of CA {ca.name} are those its certificates name; none was activated yet")
        else:
            yield ok(f"the CRLs of CA {ca.name} come from {ca.crl}")


def usable(deployed: Deployed) -> Iterator[Finding]:
    """Judge each CRL: reachable, signed by its CA, fresh, and no step back."""
    found = offered_crls(deployed)
    if not found:
        yield ok("there is no CRL to look at")
    for offered in found:
        yield judge_offered(offered, deployed.now)


def judge_offered(offered: Offered, at: datetime) -> Finding:
    """Judge what lies at one address."""
    name = f"the CRL of CA {offered.ca.name} at {offered.location}"
    if offered.failure is not None:
        return _unusable(offered, name, offered.failure)
    if offered.crl is None:
        return unknown(f"{name} was not read", fix="look again later")
    crl = offered.crl.crl
    passed = 0.0 if crl.next_update is None else (at - crl.this_update) / (crl.next_update - crl.this_update)
    if passed >= _LIFE_PASSED:
        return warning(
            f"{name} has passed {passed:.0%} of its life: after {zulu(crl.next_update)} no device gets in",
            fix="docs/runbook/alarms.md#crl-life-passed",
        )
    number = "no number" if crl.number is None else f"number {crl.number}"
    return ok(f"{name} is signed by the CA and fresh: {number} of {zulu(crl.this_update)}")


def _unusable(offered: Offered, name: str, failure: Undecided) -> Finding:
    words = f"{name} cannot be used: {failure.message} ({failure.reason})"
    if failure.reason is Reason.NO_CRL and offered.ca.known_at_deploy and not offered.devices:
        return ok(f"{name} is not there yet: AWS Private CA writes it after its first certificate")
    if failure.reason in _OURS:
        return unknown(words, fix="allow reading it (s3:GetObject, s3:ListBucket, dynamodb:GetItem), or ask who may")
    if failure.reason is Reason.FETCH_FAILED and offered.location.startswith(HTTP_SCHEMES):
        return unknown(
            f"from this computer {words}", fix="is it reachable from AWS? docs/runbook/alarms.md#sweep-failed tells"
        )
    if offered.ca.status is CaStatus.RETIRED:
        return warning(words, fix=reason_section(failure.reason))
    return error(words, fix=reason_section(failure.reason))


def taken_up(deployed: Deployed) -> Iterator[Finding]:
    """Compare each CRL with the one that the functions accepted and enforced last."""
    found = offered_crls(deployed)
    if not found:
        yield ok("there is no CRL to take up")
    for offered in found:
        yield judge_taken_up(offered, observes=deployed.observes)


def judge_taken_up(offered: Offered, *, observes: bool) -> Finding:
    """Judge what the functions know of one address."""
    name, accepted = f"the CRL of CA {offered.ca.name} at {offered.location}", offered.state.accepted
    if observes:
        return ok(f"{name}: a deployment that observes takes up none")
    if accepted is None:
        return warning(
            f"no function has taken up {name} yet",
            fix="wait for the next sweep; docs/runbook/alarms.md#enforcement-silent",
        )
    if offered.crl is not None and offered.crl.version != accepted:
        return warning(
            f"{name} is newer than the one of {zulu(accepted.this_update)} that was taken up",
            fix="wait for the next sweep; docs/runbook/alarms.md#enforcement-silent",
        )
    if offered.state.enforced != accepted.sha256 and not offered.state.brake_waits:
        return warning(
            f"{name} is not enforced yet", fix="wait for the next sweep; docs/runbook/alarms.md#sweep-failed"
        )
    return ok(f"{name} was taken up and is enforced")


def brakes(deployed: Deployed) -> Iterator[Finding]:
    """Look for CRLs that list so many devices that an operator has to decide."""
    waiting = [state for state in CrlVersions(deployed.table).states() if state.brake_waits]
    for state in waiting:
        address = state.scope.partition("#")[2]
        yield error(
            f"the CRL at {address} newly lists more than {state.braked_devices - 1} devices: they are INACTIVE now",
            fix="jitr crl confirm, or jitr crl reject: docs/runbook/alarms.md#braked-devices",
        )
    if not waiting:
        yield ok("no CRL waits for a decision")


CHECKS = (
    Check("crl_source", "every CA has a source of CRLs", sources),
    Check("crl", "every CRL is reachable, signed by its CA, fresh, and no step back", usable),
    Check("crl_taken_up", "the functions accepted it and enforced it", taken_up),
    Check("crl_brake", "no CRL waits for a decision", brakes),
)
