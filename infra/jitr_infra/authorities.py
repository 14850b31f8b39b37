"""The CAs of a deployment: what the deploy finds out about them, and what keeps one from leaving too early."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import RemovalPolicy, Stack, Token
from constructs import Construct, IDependable

from jitr.authorities.deployment import ResourceType
from jitr.settings import Environment
from jitr_fleet.deployments.deployment import FleetCa, NewPrivateCa, Registration
from jitr_infra.ca_registration import CaRegistration
from jitr_infra.created_private_ca import CreatedPrivateCa
from jitr_infra.functions.authorities_function import AuthoritiesFunction
from jitr_infra.functions.bundled_function import FunctionSettings
from jitr_infra.parts.crl_bucket import CrlBucket

# What takes a registration back is a resource for each CA, and CloudFormation takes 500 in all. A deployment of more
# CAs than this has been deployed before; without it a registration that a roll-back leaves is named "existing".
MOST_TAKEN_BACK = 100


@dataclass(frozen=True, kw_only=True)
class KnownCa:
    """A CA as the stack knows it, by value or by reference; `arn` is its name in AWS Private CA, None outside."""

    ca: FleetCa
    ca_certificate_id: str
    pem: str
    crl: str
    arn: str | None


class Authorities(Construct):
    """Creates CAs in AWS Private CA, and reads the certificates that no file holds.

    Whoever decides about devices waits for `guard`: a CA that leaves the fleet file too early stops a deploy before it
    has changed anything that decides.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        settings: FunctionSettings,
        *,
        crl_bucket: CrlBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        self._deployment = deployment = settings.deployment
        self._crl_bucket = crl_bucket
        self.function: AuthoritiesFunction | None = None
        if not deployment.observes or any(ca.known_at_deploy for ca in deployment.cas):
            self.function = AuthoritiesFunction(self, "Function", settings)
        self._read: set[str] = set()
        self.known = tuple(self._known(ca) for ca in deployment.cas)
        self.guard = None if deployment.observes else self._guard()

    @property
    def environment(self) -> dict[str, str]:
        """Return what those functions are told that have to know the CAs whose certificates no file holds."""
        found = {
            each.ca.name: {"id": each.ca_certificate_id, "crl": each.crl}
            for each in self.known
            if each.ca.known_at_deploy
        }
        return Environment.to_environ({"private_cas": Stack.of(self).to_json_string(found)}) if found else {}

    def register(self, *, after: tuple[IDependable, ...]) -> tuple[CaRegistration, ...]:
        """Register every CA that the deployment registers, after everything in `after`."""
        registered = [each for each in self.known if each.ca.registration is not Registration.EXISTING]
        if registered:
            self._required().role.allow_undoing_registrations()
        undone = len(registered) <= MOST_TAKEN_BACK
        return tuple(self._registration(each, after, undone=undone) for each in registered)

    def _registration(self, known: KnownCa, after: tuple[IDependable, ...], *, undone: bool) -> CaRegistration:
        """Register one CA, behind what takes the registration back where this very deploy is rolled back."""
        made = CaRegistration(
            Stack.of(self),
            f"Ca-{known.ca.deployed_as}",
            ca=known.ca,
            pem=known.pem,
            verification=self._verification(known),
            after=after,
        )
        if not undone:
            return made
        properties = {
            "CaCertificateId": known.ca_certificate_id,
            "Registration": Stack.of(self).get_logical_id(made.ca_certificate),
        }
        undoing = self._required().resource(
            self,
            f"Registration-{self._which(known)}",
            ResourceType.REGISTRATION,
            properties,
            # Asked to go only where the deploy that made it is rolled back.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        made.ca_certificate.node.add_dependency(undoing)
        return made

    @staticmethod
    def _which(known: KnownCa) -> str:
        """Return a name that another CA under the same one does not share: it is another resource then."""
        for identity in (known.ca_certificate_id, known.arn):
            if identity is not None and not Token.is_unresolved(identity):
                return f"{known.ca.deployed_as}-{identity[-12:]}"
        return known.ca.deployed_as

    def _known(self, ca: FleetCa) -> KnownCa:
        created = ca.private_ca if isinstance(ca.private_ca, NewPrivateCa) else None
        if created is not None:
            made = CreatedPrivateCa(self, f"PrivateCa-{ca.deployed_as}", request=created, crl_bucket=self._crl_bucket)
            parents = None if created.parent is None else self._chain(ca.deployed_as, created.parent)
            active = made.activate(parents=parents)
            identifier, pem = self._certificate(f"Certificate-{ca.deployed_as}", made.arn, after=active)
            crl = ca.crl or f"s3://{self._crl_bucket.name}/{made.crl_key}"
            return KnownCa(ca=ca, ca_certificate_id=identifier, pem=pem, crl=crl, arn=made.arn)
        arn = ca.private_ca if isinstance(ca.private_ca, str) else None
        identifier, pem = ca.ca_certificate_id, ca.certificate
        if ca.known_at_deploy and arn is not None:
            identifier, pem = self._certificate(f"Certificate-{ca.deployed_as}", arn)
        return KnownCa(ca=ca, ca_certificate_id=identifier, pem=pem, crl=ca.crl, arn=arn)

    def _certificate(
        self, construct_id: str, arn: str, *, after: IDependable | None = None, with_chain: bool = False
    ) -> tuple[str, str]:
        """Return id and certificate of a CA in AWS Private CA, as references to what the deploy reads."""
        function = self._required()
        if arn not in self._read:
            self._read.add(arn)
            function.role.allow_reading_private_ca(arn)
        properties = {"PrivateCa": arn, "WithChain": "true" if with_chain else "false"}
        resource = function.resource(self, construct_id, ResourceType.CA_CERTIFICATE, properties)
        if after is not None:
            resource.node.add_dependency(after)
        return resource.get_att_string("Id"), resource.get_att_string("Certificate")

    def _chain(self, name: str, parent: str) -> str:
        _, chain = self._certificate(f"Parents-{name}", parent, with_chain=True)
        return chain

    def _verification(self, known: KnownCa) -> str | None:
        if known.ca.registration is not Registration.DEFAULT:
            return None
        if known.arn is None:
            return known.ca.verification_certificate
        function = self._required()
        function.role.allow_proving_private_ca(known.arn)
        properties = {"PrivateCa": known.arn, "CaCertificateId": known.ca_certificate_id}
        # Another CA is another resource: an update that is rolled back would have another certificate signed.
        name = known.ca.deployed_as
        which = name if Token.is_unresolved(known.arn) else f"{name}-{known.arn[-12:]}"
        resource = function.resource(self, f"Verification-{which}", ResourceType.VERIFICATION_CERTIFICATE, properties)
        return resource.get_att_string("Certificate")

    def _guard(self) -> IDependable:
        function = self._required()
        function.role.allow_guarding_cas()
        properties = {
            "Cas": [_guarded(each) for each in self.known],
            "Released": list(self._deployment.released_cas),
        }
        return function.resource(self, "Guard", ResourceType.MANAGED_CAS, properties)

    def _required(self) -> AuthoritiesFunction:
        if self.function is None:
            raise TypeError("a deployment that only observes registers nothing")
        return self.function


def _guarded(known: KnownCa) -> dict[str, str]:
    """Return what the guard compares: a CA that is registered already has no resource that a new name would replace."""
    found = {"Name": known.ca.name, "Id": known.ca_certificate_id}
    if known.ca.formerly is not None:
        found["Formerly"] = known.ca.formerly
    if known.ca.registration is Registration.EXISTING:
        found["Existing"] = "true"
    return found
