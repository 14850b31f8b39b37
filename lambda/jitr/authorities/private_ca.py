"""AWS Private CA, as a deploy needs it: the certificate of a CA, and one certificate that the CA signs.

The only module of the functions that calls acm-pca. Every failure leaves it as Undecided with a reason code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jitr.authorities.signing_terms import END_ENTITY_TEMPLATE, SIGNING_ALGORITHMS, template_arn
from jitr.aws.failures import aws_call
from jitr.errors import Reason, Undecided

# How often and how long AWS is asked whether a certificate is there: a minute at most.
_WAITING = {"Delay": 2, "MaxAttempts": 30}


@dataclass(frozen=True, kw_only=True)
class CaPems:
    """What AWS Private CA holds of a CA, in PEM: its certificate, and those above it (empty for a root)."""

    certificate: str
    chain: str


@dataclass(frozen=True)
class PrivateCas:
    """CAs of AWS Private CA, each by its ARN; `client` is boto3's for acm-pca."""

    client: Any

    def certificate(self, arn: str) -> CaPems:
        """Read a CA's certificate; raises Undecided, also for a CA that has none yet."""
        with aws_call(f"GetCertificateAuthorityCertificate of {arn}"):
            answer = self.client.get_certificate_authority_certificate(CertificateAuthorityArn=arn)
        return CaPems(certificate=answer["Certificate"], chain=answer.get("CertificateChain") or "")

    def issue(self, arn: str, csr: bytes, *, days: int) -> str:
        """Have a CA sign a request for an end entity, wait until it has, and return the certificate's ARN."""
        with aws_call(f"DescribeCertificateAuthority of {arn}"):
            described = self.client.describe_certificate_authority(CertificateAuthorityArn=arn)
        kind = described["CertificateAuthority"]["CertificateAuthorityConfiguration"]["KeyAlgorithm"]
        if kind not in SIGNING_ALGORITHMS:
            raise Undecided(Reason.AWS_REFUSED, f"the key of {arn} is {kind}; AWS IoT takes RSA and ECDSA")
        with aws_call(f"IssueCertificate of {arn}"):
            issued: str = self.client.issue_certificate(
                CertificateAuthorityArn=arn,
                Csr=csr,
                SigningAlgorithm=SIGNING_ALGORITHMS[kind],
                TemplateArn=template_arn(arn.split(":")[1], END_ENTITY_TEMPLATE),
                Validity={"Value": days, "Type": "DAYS"},
            )["CertificateArn"]
            self.client.get_waiter("certificate_issued").wait(
                CertificateAuthorityArn=arn, CertificateArn=issued, WaiterConfig=_WAITING
            )
        return issued

    def issued(self, arn: str, certificate_arn: str) -> str:
        """Read a certificate that a CA has signed, in PEM."""
        with aws_call(f"GetCertificate of {arn}"):
            answer = self.client.get_certificate(CertificateAuthorityArn=arn, CertificateArn=certificate_arn)
        pem: str = answer["Certificate"]
        return pem
