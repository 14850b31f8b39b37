"""From a deployment to the configuration that travels in the functions' bundle."""

from __future__ import annotations

from dataclasses import fields

from jitr.settings import CaSettings, Configuration, ManagedCa
from jitr_fleet.deployments.deployment import Deployment, FleetCa
from jitr_fleet.deployments.versions import own_version


def configuration_of(deployment: Deployment) -> Configuration:
    """Return what the functions of a deployment are told; holds nothing that is known no sooner than at deploy."""
    return Configuration(
        deployment=deployment.name,
        cas=tuple(_managed(ca) for ca in deployment.cas),
        policies=dict(deployment.policies),
        crl_hosts=deployment.crl_hosts,
        private_crl_hosts=deployment.private_crl_hosts,
        activation_tps=deployment.activation_tps,
        enforcement_tps=deployment.enforcement_tps,
        bulk_tps=deployment.bulk_tps,
        mode=deployment.mode,
        connects=dict(deployment.connects),
        brake_devices=deployment.brake_devices,
        brake_percent=deployment.brake_percent,
        reconciliation_hours=deployment.reconciliation_hours,
        version=own_version(),
    )


def _managed(ca: FleetCa) -> ManagedCa:
    settings = {field.name: getattr(ca, field.name) for field in fields(CaSettings)}
    return ManagedCa(**settings, known_at_deploy=ca.known_at_deploy)
