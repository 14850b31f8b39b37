"""What the lint knows of the deployment that a template is for: its account and Region, and the CAs that use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from cryptography import x509

from jitr.settings import ThingNameSource
from jitr_fleet.deployments.deployment import Deployment, FleetCa, NewPrivateCa
from jitr_fleet.policies.language.variables import NAME_FIELDS

_FIELDS = {oid: name for name, oid in NAME_FIELDS.items()}


@dataclass(frozen=True, kw_only=True)
class PolicyCa:
    """One CA whose devices get the policy: where Thing names come from, and the issuer's fields with their values.

    `issuer_fields` is the CA's subject, which is the issuer of each of its devices' certificates; None where only the
    deploy can know it.
    """

    name: str
    thing_name: ThingNameSource
    issuer_fields: Mapping[str, tuple[str, ...]] | None = field(default_factory=dict)

    @classmethod
    def of(cls, ca: FleetCa) -> PolicyCa:
        """Return what a CA of the fleet file tells; its certificate, where there is a file, was read before."""
        if ca.known_at_deploy:
            created = ca.private_ca if isinstance(ca.private_ca, NewPrivateCa) else None
            known = None if created is None else {name: (value,) for name, value in created.subject.items()}
            return cls(name=ca.name, thing_name=ca.thing_name, issuer_fields=known)
        subject = x509.load_pem_x509_certificate(ca.certificate.encode("ascii")).subject
        fields: dict[str, tuple[str, ...]] = {}
        for attribute in subject:
            if (name := _FIELDS.get(attribute.oid.dotted_string)) is not None:
                fields[name] = (*fields.get(name, ()), str(attribute.value))
        return cls(name=ca.name, thing_name=ca.thing_name, issuer_fields=fields)


@dataclass(frozen=True, kw_only=True)
class LintContext:
    """The deployment a template is linted for; None and empty where nothing is known.

    `literal_is_error` makes a literal account, Region or partition an error where there is no deployment to compare
    it with: for templates that are made to be used in any account. `today` decides which reviewed exceptions have run
    out; None is the day on which the lint runs.
    """

    account: str | None = None
    region: str | None = None
    partition: str | None = None
    cas: tuple[PolicyCa, ...] = ()
    literal_is_error: bool = False
    today: date | None = None

    def deployment_values(self) -> Mapping[str, str]:
        """Return those of the template's deployment values that are known."""
        values = {"account": self.account, "region": self.region, "partition": self.partition}
        return {name: value for name, value in values.items() if value is not None}


def context_of(deployment: Deployment, policy: str, *, partition: str) -> LintContext:
    """Return what is known where a deployment uses a template: by the CAs of the fleet file, not by adopted ones."""
    return LintContext(
        account=deployment.account,
        region=deployment.region,
        partition=partition,
        cas=tuple(PolicyCa.of(ca) for ca in deployment.cas if ca.policy == policy),
    )
