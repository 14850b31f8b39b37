"""CAs in AWS Private CA: made in three steps (CA, certificate, import), and asked to sign.

AWS Private CA User Guide, "Installing the CA certificate" and "Using AWS Private CA certificate templates".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from jitr.authorities.signing_terms import SIGNING_ALGORITHMS, template_arn
from jitr_cli.console.aws import Aws
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import progress

KEY_ALGORITHMS = {
    "ec-p256": "EC_prime256v1",
    "ec-p384": "EC_secp384r1",
    "rsa-2048": "RSA_2048",
    "rsa-3072": "RSA_3072",
    "rsa-4096": "RSA_4096",
}
_ARN = re.compile(r"arn:aws[a-z-]*:acm-pca:(?P<region>[a-z0-9-]+):\d{12}:certificate-authority/[0-9a-f-]+")


class PrivateCaArn(click.ParamType[str]):
    """The ARN of a CA in AWS Private CA."""

    name = "arn"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the ARN, or end the command as a usage error."""
        if not _ARN.fullmatch(value):
            self.fail(f"{value!r} is not arn:aws:acm-pca:<region>:<account>:certificate-authority/<id>", param, ctx)
        return value


@dataclass(frozen=True, kw_only=True)
class PrivateCaState:
    """What AWS Private CA says of a CA; `key_algorithm` and `kind` (ROOT, SUBORDINATE) in its own words."""

    status: str
    key_algorithm: str
    kind: str


@dataclass(frozen=True)
class PrivateCa:
    """One CA in AWS Private CA, reached through an acm-pca client of its Region."""

    client: Any
    arn: str

    @classmethod
    def at(cls, aws: Aws, arn: str) -> PrivateCa:
        """Return the CA; raises CommandFailed where it is in another Region than the command."""
        match = _ARN.fullmatch(arn)
        if match is None or match["region"] != aws.region:
            raise CommandFailed(f"{arn} is not in Region {aws.region}: AWS IoT and its CA are used in one Region here")
        return cls(aws.client("acm-pca"), arn)

    @classmethod
    def create(cls, aws: Aws, request: Mapping[str, Any]) -> PrivateCa:
        """Create a CA without a certificate; `request` is CreateCertificateAuthority's."""
        client = aws.client("acm-pca")
        answer = client.create_certificate_authority(**request, IdempotencyToken=uuid.uuid4().hex)
        return cls(client, answer["CertificateAuthorityArn"])

    def state(self) -> PrivateCaState:
        """Read the CA's state."""
        described = self.client.describe_certificate_authority(CertificateAuthorityArn=self.arn)["CertificateAuthority"]
        algorithm = described["CertificateAuthorityConfiguration"]["KeyAlgorithm"]
        return PrivateCaState(status=described["Status"], key_algorithm=algorithm, kind=described["Type"])

    def verify_active(self) -> PrivateCaState:
        """Return the CA's state if it can sign; raises CommandFailed."""
        state = self.state()
        if state.status == "PENDING_CERTIFICATE":
            raise CommandFailed(f"{self.arn} has no certificate yet; go on with: jitr ca create --finish {self.arn}")
        if state.status != "ACTIVE":
            raise CommandFailed(f"{self.arn} is {state.status}; it must be ACTIVE")
        return state

    def certificate(self) -> str:
        """Return the CA's certificate in PEM."""
        pem: str = self.client.get_certificate_authority_certificate(CertificateAuthorityArn=self.arn)["Certificate"]
        return pem

    def request(self) -> bytes:
        """Wait for the CA's own request and return it in PEM."""
        self._wait("certificate_authority_csr_created", "waiting for the CA's key", CertificateAuthorityArn=self.arn)
        pem: str = self.client.get_certificate_authority_csr(CertificateAuthorityArn=self.arn)["Csr"]
        return pem.encode("ascii")

    def issue(self, csr: bytes, *, template: str, days: int) -> tuple[str, str | None]:
        """Have a request signed, and return certificate and chain in PEM, once they are there; raises CommandFailed."""
        algorithm = SIGNING_ALGORITHMS.get(self.state().key_algorithm)
        if algorithm is None:
            raise CommandFailed(f"the key of {self.arn} is neither RSA nor ECDSA; AWS IoT accepts these two")
        arn = self.client.issue_certificate(
            CertificateAuthorityArn=self.arn,
            Csr=csr,
            SigningAlgorithm=algorithm,
            TemplateArn=template_arn(self.arn.split(":")[1], template),
            Validity={"Value": days, "Type": "DAYS"},
            IdempotencyToken=uuid.uuid4().hex,
        )["CertificateArn"]
        names = {"CertificateAuthorityArn": self.arn, "CertificateArn": arn}
        self._wait("certificate_issued", "waiting for the certificate", **names)
        answer = self.client.get_certificate(**names)
        return answer["Certificate"], answer.get("CertificateChain")

    def install(self, certificate: str, chain: str | None) -> None:
        """Give the CA its certificate, which makes it ACTIVE."""
        more = {"CertificateChain": chain.encode("ascii")} if chain else {}
        self.client.import_certificate_authority_certificate(
            CertificateAuthorityArn=self.arn, Certificate=certificate.encode("ascii"), **more
        )

    def _wait(self, waiter: str, label: str, **names: str) -> None:
        from botocore.exceptions import WaiterError  # noqa: PLC0415 - boto3 is loaded by now, not before

        try:
            with progress(label, total=None):
                self.client.get_waiter(waiter).wait(**names)
        except WaiterError as error:
            raise CommandFailed(f"AWS Private CA, {waiter}: {error}", ExitCode.AWS) from error
