"""What is allowed about a deployment's CAs, but worth a word at each synth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from jitr.crl_sources import CDP
from jitr.settings import CaStatus
from jitr_fleet.deployment import CertificateAuthority, Deployment, NewPrivateCa

# Devices live for years, and no certificate of a CA is worth more than the CA's own.
SOON = timedelta(days=365)


def warnings_of(deployment: Deployment, *, at: datetime) -> Iterator[str]:
    """Yield a sentence for each: a CA that ends soon, a CA above another one of the deployment."""
    certificates = {
        ca.name: x509.load_pem_x509_certificate(ca.certificate.encode("ascii"))
        for ca in deployment.cas
        if not ca.known_at_deploy
    }
    for ca in deployment.cas:
        certificate = certificates.get(ca.name)
        if certificate is None:
            continue
        left = certificate.not_valid_after_utc - at
        if ca.status is not CaStatus.RETIRED and left < SOON:
            yield (
                f"{deployment.name}: the certificate of CA {ca.name} expires in {left.days} days, "
                f"{certificate.not_valid_after_utc:%Y-%m-%d}: devices live longer, and no new one gets in after that"
            )
        for name, other in certificates.items():
            if name != ca.name and _issued(certificate, other):
                yield (
                    f"{deployment.name}: CA {ca.name} issued CA {name}. AWS IoT looks at no chain: to {ca.name} belong "
                    "only devices that it signed itself; leave it out if it signs CAs only"
                )


def notes_of(deployment: Deployment) -> Iterator[str]:
    """Yield what is no mistake, but easily overlooked: distribution points that lead nowhere."""
    if deployment.crl_hosts:
        return
    for ca in deployment.cas:
        if ca.crl == CDP and not _has_own_crls(ca):
            yield (
                f'{deployment.name}: CA {ca.name} has crl = "cdp", and crl_hosts is empty. Devices become '
                "ACTIVE only if their certificates name a CRL in the stack's own bucket by its S3 URL."
            )


def _has_own_crls(ca: CertificateAuthority) -> bool:
    return isinstance(ca.private_ca, NewPrivateCa)


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    if certificate.subject == certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
