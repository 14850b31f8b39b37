"""What is allowed about a deployment's CAs, but worth a word at each synth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from jitr.settings import CaStatus
from jitr_fleet.deployments.deployment import Deployment, FleetCa, NewPrivateCa
from jitr_fleet.fleet_file.sample_device import outside_validity
from jitr_fleet.issuing.cas import is_root_for_cas
from jitr_fleet.policies.authoring.acknowledging import exceptions_of

# Devices live for years, and no certificate of a CA is worth more than the CA's own.
SOON = timedelta(days=365)


def warnings_of(deployment: Deployment, *, at: datetime) -> Iterator[str]:
    """Yield a sentence for each: a CA that ends soon, one that may sign CAs only, a device that would stay out.

    A retired CA brings in no devices, so nothing is said about it.
    """
    in_use = [ca for ca in deployment.cas if ca.status is not CaStatus.RETIRED]
    certificates = {
        ca.name: x509.load_pem_x509_certificate(ca.certificate.encode("ascii"))
        for ca in in_use
        if not ca.known_at_deploy
    }
    for ca in in_use:
        certificate = certificates.get(ca.name)
        if certificate is None:
            found = [*_made_for_too_short(ca), *_long_chain(ca)]
        else:
            others = {name: other for name, other in certificates.items() if name != ca.name}
            found = [*_ends_soon(ca, certificate, at), *_signs_cas(ca, certificate, others), *_sample(ca, at)]
        yield from (f"{deployment.name}: {each}" for each in found)


def notes_of(deployment: Deployment) -> Iterator[str]:
    """Yield what is no mistake, but easily overlooked: reviewed exceptions, distribution points that lead nowhere."""
    for name in sorted(deployment.policies):
        for each in exceptions_of(deployment.policies_folder / f"{name}.json"):
            yield f"{deployment.name}: policy {name}, {each.rule} at {each.path}: {each}"
    if deployment.crl_hosts:
        return
    for ca in deployment.cas:
        if ca.crl == "cdp" and not _has_own_crls(ca):
            yield (
                f'{deployment.name}: CA {ca.name} has crl = "cdp", and crl_hosts is empty. Devices become '
                "ACTIVE only if their certificates name a CRL in the stack's own bucket by its S3 URL."
            )


def _ends_soon(ca: FleetCa, certificate: x509.Certificate, at: datetime) -> Iterator[str]:
    left = certificate.not_valid_after_utc - at
    if left < SOON:
        yield (
            f"the certificate of CA {ca.name} expires in {left.days} days, "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}: devices live longer, and no new one gets in after that"
        )


def _made_for_too_short(ca: FleetCa) -> Iterator[str]:
    """Say of a CA that the stack makes what is said of others in their last year."""
    if isinstance(ca.private_ca, NewPrivateCa) and timedelta(days=365 * ca.private_ca.validity_years) <= SOON:
        yield (
            f"the certificate of CA {ca.name} will be valid for a year (validity_years): devices live longer, and no "
            "new one gets in after that"
        )


def _long_chain(ca: FleetCa) -> Iterator[str]:
    """Say of a subordinate CA that the stack makes what the deploy may find out too late.

    Its parents' certificates travel in the answer of a custom resource, of which CloudFormation takes 4,096 bytes: one
    certificate with RSA-4096 fits, two do not.
    """
    created = ca.private_ca
    if isinstance(created, NewPrivateCa) and created.parent is not None and created.key_algorithm == "RSA_4096":
        yield (
            f"CA {ca.name} can be created with an RSA-4096 parent only if that is a root: CloudFormation takes 4,096 "
            "bytes of a chain, one such certificate. Else create the CA yourself, and say its ARN as private_ca"
        )


def _signs_cas(ca: FleetCa, certificate: x509.Certificate, others: dict[str, x509.Certificate]) -> Iterator[str]:
    """Say where a CA may sign nothing but CAs; a device that it was seen to have signed settles that."""
    if ca.sample_device is not None:
        return
    below = [name for name, other in others.items() if _issued(certificate, other)]
    for name in below:
        yield (
            f"CA {ca.name} issued CA {name}. AWS IoT looks at no chain: to {ca.name} belong only devices that it "
            "signed itself; leave it out if it signs CAs only"
        )
    if not below and is_root_for_cas(certificate):
        yield (
            f"CA {ca.name} is a root that allows CAs below it. AWS IoT wants the CA that directly signs the devices; "
            "name the certificate of one device as `device`, and synth checks that"
        )


def _sample(ca: FleetCa, at: datetime) -> Iterator[str]:
    if ca.sample_device is not None and (problem := outside_validity(ca.sample_device, at=at)):
        yield f"the sample device of CA {ca.name} would stay out: {problem}"


def _has_own_crls(ca: FleetCa) -> bool:
    return isinstance(ca.private_ca, NewPrivateCa)


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    if certificate.subject == certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
