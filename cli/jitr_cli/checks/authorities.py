"""Whether CAs may bring in devices, in AWS IoT and here, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jitr.authorities.managed import CertificateAuthorities
from jitr.authorities.obstacles import CaFacts, Obstacle, obstacles
from jitr.authorities.records import CaRecord, CaRecords
from jitr.aws.iot import IotRegistry
from jitr.aws.pacing import Pace
from jitr.certificates import Unreadable, fingerprint, load_certificate
from jitr.errors import Undecided
from jitr.settings import CaStatus, ManagedCa
from jitr_cli.authorities.registry import DESCRIBED_PER_SECOND, CaRegistry, DescribedCa
from jitr_cli.console.files import zulu
from jitr_cli.diagnosis.deployed import Deployed
from jitr_cli.diagnosis.finding import Check, Finding, error, ok, warning

_SOON = timedelta(days=90)


@dataclass(frozen=True, kw_only=True)
class SeenCa:
    """A CA under management, as AWS IoT and the state table know it; `mode` is what the fleet file wants, if known."""

    ca: ManagedCa
    registration: DescribedCa | None
    record: CaRecord | None
    mode: str | None = None

    def kept_out_by(self, obstacle: Obstacle, at: datetime) -> bool:
        """Return whether one reason keeps its new devices out, as everything that asks decides it."""
        on_hold = self.record is not None and self.record.on_hold
        facts = CaFacts() if self.registration is None else self.registration.facts
        return obstacle in obstacles(replace(facts, wanted=self.ca.status, on_hold=on_hold), at=at)


def authorities_of(deployed: Deployed) -> CertificateAuthorities:
    """Return the deployment's CAs as its functions see them."""
    return CertificateAuthorities(
        deployed.configuration,
        IotRegistry(deployed.aws.client("iot")),
        CaRecords(deployed.table),
        deployed.stack.crl_bucket,
    )


def seen_cas(deployed: Deployed) -> list[SeenCa]:
    """Read every managed CA, at half the quota."""
    return deployed.once("cas", lambda: list(_seen(deployed)))


def _seen(deployed: Deployed) -> Iterator[SeenCa]:
    registry = CaRegistry(deployed.aws.client("iot"))
    records = {each.ca_certificate_id: each for each in CaRecords(deployed.table).records()}
    wanted = {each.name: each.registration for each in deployed.wanted.cas} if deployed.wanted else {}
    pace = Pace(DESCRIBED_PER_SECOND, now=time.monotonic, sleep=time.sleep)
    for ca in authorities_of(deployed).all(at=deployed.now):
        pace()
        yield SeenCa(
            ca=ca,
            registration=registry.find(ca.ca_certificate_id),
            record=records.get(ca.ca_certificate_id),
            mode=wanted.get(ca.name),
        )


def registered(seen: SeenCa, at: datetime) -> Finding:  # noqa: ARG001 - one signature for all
    """Judge whether AWS IoT knows the CA, in the mode that the fleet file wants."""
    ca, found = seen.ca, seen.registration
    if found is None:
        return error(
            f"CA {ca.name} is not registered in AWS IoT here: none of its devices gets in",
            fix="jitr ca register, or registration in the fleet file and a deploy",
        )
    if seen.mode in ("DEFAULT", "SNI_ONLY") and seen.mode != found.mode:
        return error(
            f"CA {ca.name} is registered in mode {found.mode}, the fleet file wants {seen.mode}",
            fix="docs/certificate-authorities.md: only deleting and registering it again changes the mode",
        )
    return ok(f"CA {ca.name} is registered, mode {found.mode}")


def active(seen: SeenCa, at: datetime) -> Finding:  # noqa: ARG001
    """Judge the CA's status in AWS IoT by what the fleet file wants."""
    ca, found = seen.ca, seen.registration
    wants = ca.status is CaStatus.ACTIVE
    if found is None or found.active == wants:
        return ok(f"CA {ca.name} is {found.status if found else 'not registered'}, the fleet file says {ca.status}")
    if wants:
        return error(
            f"CA {ca.name} is INACTIVE in AWS IoT: no new device of it is registered",
            fix=f"ask who deactivated it, then jitr ca activate --ca-certificate-id {ca.ca_certificate_id}",
        )
    return warning(
        f"CA {ca.name} is ACTIVE in AWS IoT, the fleet file says {ca.status}: its new devices register, and wait",
        fix=f"jitr ca deactivate --ca-certificate-id {ca.ca_certificate_id}",
    )


def auto_registration(seen: SeenCa, at: datetime) -> Finding:
    """Judge whether unknown devices of the CA are registered at their first connect."""
    ca, found = seen.ca, seen.registration
    if not seen.kept_out_by(Obstacle.AUTO_REGISTRATION_OFF, at) or ca.status is not CaStatus.ACTIVE:
        return ok(f"auto-registration of CA {ca.name} is {'on' if found and found.auto_registration else 'off'}")
    return error(
        f"auto-registration of CA {ca.name} is off: its unknown devices are turned away",
        fix=f"jitr ca auto-registration on --ca-certificate-id {ca.ca_certificate_id}",
    )


def template(seen: SeenCa, at: datetime) -> Finding:
    """Judge whether AWS IoT itself activates the CA's devices."""
    ca = seen.ca
    if not seen.kept_out_by(Obstacle.PROVISIONING_TEMPLATE, at):
        return ok(f"CA {ca.name} has no provisioning template")
    return error(
        f"CA {ca.name} has a provisioning template (JITP): AWS IoT activates its devices past every check",
        fix=f"aws iot update-ca-certificate --certificate-id {ca.ca_certificate_id} --remove-auto-registration, then "
        "jitr ca auto-registration on",
    )


def same_certificate(seen: SeenCa, at: datetime) -> Finding:  # noqa: ARG001
    """Compare AWS IoT's certificate of the CA with the reviewed one."""
    ca, found = seen.ca, seen.registration
    if found is None:
        return ok(f"CA {ca.name} is not registered: nothing to compare")
    if ca.certificate and load_certificate(ca.certificate) != found.certificate:
        same = False
    else:
        same = bool(ca.certificate) or not ca.known_at_deploy or fingerprint(found.certificate) == ca.ca_certificate_id
    if same:
        return ok(f"AWS IoT holds the certificate of CA {ca.name} that was reviewed")
    return error(
        f"AWS IoT holds another certificate for CA {ca.name} than the fleet file",
        fix="docs/runbook/reasons.md#ca_mismatch",
    )


def lifetime(seen: SeenCa, at: datetime) -> Finding:
    """Judge how long the CA's certificate lasts."""
    ca, found = seen.ca, seen.registration
    if found is None:
        return ok(f"CA {ca.name} is not registered: nothing to look at")
    read = found.read
    begins, ends = (None, None) if isinstance(read, Unreadable) else (read.begins, read.ends)
    if begins is None or ends is None:
        return error(f"the validity of CA {ca.name} cannot be read", fix="docs/runbook/reasons.md#ca_expired")
    left = ends - at
    if ca.status is not CaStatus.RETIRED and not begins <= at <= ends:
        when = f"expired {-left.days} days ago" if begins <= at else f"is not valid before {zulu(begins)}"
        return error(f"the certificate of CA {ca.name} {when}", fix="docs/runbook/reasons.md#ca_expired")
    if ca.status is CaStatus.RETIRED or left >= _SOON:
        return ok(f"the certificate of CA {ca.name} is valid for {left.days} days")
    return warning(
        f"the certificate of CA {ca.name} expires in {left.days} days", fix="docs/runbook/alarms.md#ca-days-left"
    )


def hold(seen: SeenCa, at: datetime) -> Finding:
    """Find out whether an operator holds the CA."""
    ca, record = seen.ca, seen.record
    if record is None or not seen.kept_out_by(Obstacle.ON_HOLD, at):
        return ok(f"CA {ca.name} is not on hold")
    return warning(
        f"CA {ca.name} is on hold, by {record.held_by}: no device of it becomes ACTIVE",
        fix=f"ask why; then jitr ca resume --ca-certificate-id {ca.ca_certificate_id}",
    )


def adoptions(deployed: Deployed) -> Iterator[Finding]:
    """Find out whether CAs that were adopted without a deploy are usable as they were adopted."""
    owned: Mapping[str, ManagedCa] = {ca.ca_certificate_id: ca for ca in deployed.configuration.cas}
    known, found = authorities_of(deployed), False
    for record in CaRecords(deployed.table).records():
        identifier = record.ca_certificate_id
        if record.adopted_policy is None:
            continue
        found = True
        if identifier in owned:
            yield warning(
                f"CA {owned[identifier].name} is in the fleet file and adopted: the fleet file counts",
                fix=f"jitr ca release --ca-certificate-id {identifier}",
            )
            continue
        try:
            known.find(identifier, at=deployed.now)
        except Undecided as failure:
            yield error(f"the adoption of CA {identifier} is not valid: {failure.message}", fix="jitr ca adopt again")
        else:
            yield ok(f"CA {identifier} is adopted, policy {record.adopted_policy}, CRL {record.adopted_crl}")
    if not found:
        yield ok("no CA is adopted")


def _each(judge: Callable[[SeenCa, datetime], Finding]) -> Callable[[Deployed], Iterable[Finding]]:
    """Return the check that judges every CA."""

    def look(deployed: Deployed) -> Iterator[Finding]:
        seen = seen_cas(deployed)
        if not seen:
            yield ok("there is no CA to look at")
        for each in seen:
            yield judge(each, deployed.now)

    return look


def registrations(deployed: Deployed) -> Iterator[Finding]:
    """Judge every CA's registration, and whether there is any: the other checks of CAs have nothing to say then."""
    if seen_cas(deployed):
        yield from _each(registered)(deployed)
    else:
        yield warning("the deployment manages no CA", fix="add one to the fleet file, or jitr ca adopt")


CHECKS = (
    Check("ca_registered", "each CA is registered in AWS IoT, in the mode that the fleet file wants", registrations),
    Check("ca_status", "each is ACTIVE where the fleet file wants it so", _each(active)),
    Check("ca_auto_registration", "each registers its unknown devices", _each(auto_registration)),
    Check("ca_template", "none has a provisioning template, which activates past every check", _each(template)),
    Check("ca_certificate", "AWS IoT holds the certificate that was reviewed", _each(same_certificate)),
    Check("ca_expiry", "its certificate is valid for 90 days or more", _each(lifetime)),
    Check("ca_hold", "none is on hold", _each(hold)),
    Check("ca_adoptions", "adopted CAs are usable as they were adopted", adoptions),
)
