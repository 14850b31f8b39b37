"""A CA that the stack creates in AWS Private CA: made, signed, activated, and never deleted with the stack.

A deploy that fails leaves none, which would cost money: RetainExceptOnCreate. Its activation goes first, which disables
the CA, and AWS deletes one that is disabled (CloudFormation, AWS::ACMPCA::CertificateAuthority).
"""

from __future__ import annotations

from aws_cdk import CfnResource, Fn, RemovalPolicy, Stack
from aws_cdk import aws_acmpca as acmpca
from constructs import Construct

from jitr.authorities.signing_terms import (
    ROOT_TEMPLATE,
    SIGNING_ALGORITHMS,
    SUBORDINATE_TEMPLATE,
    template_arn,
)
from jitr_fleet.deployments.deployment import NewPrivateCa, PrivateCaType
from jitr_infra.parts.crl_bucket import CrlBucket


class CreatedPrivateCa(Construct):
    """One CA, its certificate and its activation, which is what others have to wait for.

    Whatever is changed about it but its CRLs makes CloudFormation create another CA. It writes its CRLs into the
    deployment's bucket, owned by the bucket's account, because the bucket blocks public access.
    """

    def __init__(self, scope: Construct, construct_id: str, *, request: NewPrivateCa, crl_bucket: CrlBucket) -> None:
        super().__init__(scope, construct_id)
        self._request = request
        self.authority = acmpca.CfnCertificateAuthority(
            self,
            "Authority",
            type=request.kind.value.upper(),
            key_algorithm=request.key_algorithm,
            signing_algorithm=SIGNING_ALGORITHMS[request.key_algorithm],
            subject=acmpca.CfnCertificateAuthority.SubjectProperty(
                common_name=request.subject["CommonName"],
                organization=request.subject.get("Organization"),
                organizational_unit=request.subject.get("OrganizationalUnit"),
                country=request.subject.get("Country"),
            ),
            usage_mode="GENERAL_PURPOSE",
            revocation_configuration=acmpca.CfnCertificateAuthority.RevocationConfigurationProperty(
                crl_configuration=acmpca.CfnCertificateAuthority.CrlConfigurationProperty(
                    enabled=True,
                    crl_type=request.crl.value,
                    expiration_in_days=request.crl_days,
                    s3_bucket_name=crl_bucket.name,
                    s3_object_acl="BUCKET_OWNER_FULL_CONTROL",
                )
            ),
        )
        # AWS looks whether it may write into the bucket when the CA is made.
        self.authority.node.add_dependency(crl_bucket.bucket)
        _keep_unless_rolled_back(self.authority)
        self.arn = self.authority.attr_arn

    @property
    def crl_key(self) -> str:
        """Return the key of its complete CRL (AWS Private CA User Guide, "Set up a CRL")."""
        return f"crl/{Fn.select(1, Fn.split('/', self.arn))}.crl"

    def activate(self, *, parents: str | None) -> acmpca.CfnCertificateAuthorityActivation:
        """Have its certificate signed, and install it; `parents` is the chain from the parent on, None for a root."""
        template = ROOT_TEMPLATE if self._request.kind is PrivateCaType.ROOT else SUBORDINATE_TEMPLATE
        certificate = acmpca.CfnCertificate(
            self,
            "Certificate",
            certificate_authority_arn=self._request.parent or self.arn,
            certificate_signing_request=self.authority.attr_certificate_signing_request,
            # The family is the signer's, which a CA shares with its parent.
            signing_algorithm=SIGNING_ALGORITHMS[self._request.key_algorithm],
            template_arn=template_arn(Stack.of(self).partition, template),
            validity=acmpca.CfnCertificate.ValidityProperty(type="YEARS", value=self._request.validity_years),
        )
        activation = acmpca.CfnCertificateAuthorityActivation(
            self,
            "Activation",
            certificate_authority_arn=self.arn,
            certificate=certificate.attr_certificate,
            certificate_chain=parents,
            status="ACTIVE",
        )
        for resource in (certificate, activation):
            _keep_unless_rolled_back(resource)
        return activation


def _keep_unless_rolled_back(resource: CfnResource) -> None:
    resource.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
