"""From a deployment to the configuration that travels in the functions' bundle."""

from __future__ import annotations

from jitr.settings import Configuration, ManagedCa
from jitr_fleet.deployments.deployment import CertificateAuthority, Deployment

SECONDS_PER_HOUR = 3600


def configuration_of(deployment: Deployment) -> Configuration:
    """Return what the functions of a deployment are told; holds nothing that is known no sooner than at deploy."""
    return Configuration(
        deployment=deployment.name,
        cas=tuple(_managed(ca) for ca in deployment.cas),
        policies=dict(deployment.policies),
        crl_hosts=deployment.crl_hosts,
        activation_tps=deployment.activation_tps,
        enforcement_tps=deployment.enforcement_tps,
        bulk_tps=deployment.bulk_tps,
        mode=deployment.mode,
    )


def _managed(ca: CertificateAuthority) -> ManagedCa:
    return ManagedCa(
        name=ca.name,
        ca_certificate_id=ca.ca_certificate_id,
        certificate=ca.certificate,
        crl=ca.crl,
        policy=ca.policy,
        status=ca.status,
        thing_name=ca.thing_name,
        on_existing_thing=ca.on_existing_thing,
        crl_max_age_seconds=None if ca.crl_max_age_hours is None else ca.crl_max_age_hours * SECONDS_PER_HOUR,
        allow_list=ca.allow_list,
        thing_type=ca.thing_type,
        thing_groups=ca.thing_groups,
        thing_attributes=dict(ca.thing_attributes),
        known_at_deploy=ca.known_at_deploy,
    )
