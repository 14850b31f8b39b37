"""The CA certificates of the strict AWS IoT in fake_iot.py: modes, verification certificates, what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.aws.fake_iot_policies import Refused

SAME_SUBJECT = 10
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class FakeCa:
    """A registered CA; `registration_config` makes it one that provisions its devices itself (JITP)."""

    pem: str
    status: str = "ACTIVE"
    registration_config: dict[str, str] | None = None
    mode: str = "SNI_ONLY"
    auto_registration: str = "ENABLE"
    created_at: datetime = _FIRST

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate."""
        return x509.load_pem_x509_certificate(self.pem.encode())

    @property
    def validity(self) -> dict[str, dict[str, datetime]]:
        """What AWS IoT says of its validity; a certificate that cannot be read leaves it out, as its model allows."""
        try:
            begins, ends = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        except ValueError:
            return {}
        return {"validity": {"notBefore": begins, "notAfter": ends}}


@dataclass
class FakeCas:
    """The API calls about CA certificates; `cas` holds them by id, `claimed` those that another account here has.

    `claimed` ids are registered in DEFAULT mode by another account of this Region, which only one account may do.
    """

    cas: dict[str, FakeCa] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    registration_codes: int = 0
    arn_prefix: str = "arn:aws:iot:us-east-1:000000000000"

    @property
    def registration_code(self) -> str:
        """The account's and Region's code: the same until somebody deletes it."""
        return hashlib.sha256(f"code {self.registration_codes}".encode()).hexdigest()

    def _get_registration_code(self, _given: Mapping[str, Any]) -> dict[str, Any]:
        return {"registrationCode": self.registration_code}

    def _register_ca_certificate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        mode = given.get("certificateMode", "DEFAULT")
        certificate = _usable_ca(given["caCertificate"])
        identifier = certificate.fingerprint(hashes.SHA256()).hex()
        self._refuse_verification(given.get("verificationCertificate"), mode, certificate)
        if identifier in self.cas or (mode == "DEFAULT" and identifier in self.claimed):
            raise Refused("ResourceAlreadyExistsException", "The certificate is already provisioned or registered")
        if sum(ca.certificate.subject == certificate.subject for ca in self.cas.values()) >= SAME_SUBJECT:
            raise Refused("LimitExceededException", "too many CA certificates with one subject")
        self.cas[identifier] = FakeCa(
            pem=given["caCertificate"],
            status="ACTIVE" if given.get("setAsActive") else "INACTIVE",
            registration_config=given.get("registrationConfig"),
            mode=mode,
            auto_registration="ENABLE" if given.get("allowAutoRegistration") else "DISABLE",
            created_at=_FIRST + timedelta(seconds=len(self.cas)),
        )
        return {"certificateId": identifier, "certificateArn": self._ca_arn(identifier)}

    def _refuse_verification(self, pem: str | None, mode: str, ca: x509.Certificate) -> None:
        words = f"verification certificate for registering CA Certificates in {mode} mode"
        if mode == "SNI_ONLY":
            if pem is not None:
                raise Refused("InvalidRequestException", f"Cannot provide {words}")
            return
        if pem is None:
            raise Refused("InvalidRequestException", f"Need to provide {words}")
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            raise Refused(
                "InvalidRequestException", "Contents of the Verification Certificate are not correct"
            ) from None
        try:
            certificate.verify_directly_issued_by(ca)
        except (InvalidSignature, ValueError):
            raise Refused("CertificateValidationException", "not signed by the CA") from None
        _refuse_outside_validity(certificate)
        names = [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if names != [self.registration_code]:
            raise Refused("RegistrationCodeValidationException", "Registration code is invalid")

    def _describe_ca_certificate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        ca = self._ca(given)
        description = {
            "certificateId": given["certificateId"],
            "certificateArn": self._ca_arn(given["certificateId"]),
            "status": ca.status,
            "certificatePem": ca.pem,
            "ownedBy": self.arn_prefix.rpartition(":")[2],
            "creationDate": ca.created_at,
            "lastModifiedDate": ca.created_at,
            "customerVersion": 1,
            "generationId": "0b8d5c4e",
            **ca.validity,
            "autoRegistrationStatus": ca.auto_registration,
            "certificateMode": ca.mode,
        }
        answer: dict[str, Any] = {"certificateDescription": description}
        return answer | ({"registrationConfig": ca.registration_config} if ca.registration_config else {})

    def _update_ca_certificate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        ca = self._ca(given)
        status, automatic = given.get("newStatus", ca.status), given.get("newAutoRegistrationStatus")
        if status not in ("ACTIVE", "INACTIVE") or automatic not in (None, "ENABLE", "DISABLE"):
            raise Refused("InvalidRequestException", "status")
        ca.status = status
        ca.auto_registration = automatic or ca.auto_registration
        ca.registration_config = given.get("registrationConfig", ca.registration_config)
        if given.get("removeAutoRegistration"):
            ca.auto_registration, ca.registration_config = "DISABLE", None
        return {}

    def _delete_ca_certificate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if self._ca(given).status == "ACTIVE":
            raise Refused(
                "CertificateStateException",
                f"CA Certificate must be deactivated (not ACTIVE) before deletion. Id: {given['certificateId']}",
            )
        del self.cas[given["certificateId"]]
        return {}

    def _list_ca_certificates(self, given: Mapping[str, Any]) -> dict[str, Any]:
        found = sorted(self.cas.items(), key=lambda item: item[1].created_at)
        if not given.get("ascendingOrder"):
            found.reverse()
        start, size = int(given.get("marker", "0")), given.get("pageSize", 25)
        page = [
            {
                "certificateId": identifier,
                "certificateArn": self._ca_arn(identifier),
                "status": ca.status,
                "creationDate": ca.created_at,
            }
            for identifier, ca in found[start : start + size]
        ]
        more = start + size < len(found)
        return {"certificates": page} | ({"nextMarker": str(start + size)} if more else {})

    def _ca(self, given: Mapping[str, Any]) -> FakeCa:
        if given["certificateId"] not in self.cas:
            raise Refused("ResourceNotFoundException", "The specified CA certificate does not exist")
        return self.cas[given["certificateId"]]

    def _ca_arn(self, identifier: str) -> str:
        return f"{self.arn_prefix}:cacert/{identifier}"


def _usable_ca(pem: str) -> x509.Certificate:
    try:
        (certificate,) = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise Refused("CertificateValidationException", "The CA certificate is invalid") from None
    try:
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_ca = certificate.version is x509.Version.v1
    if not is_ca:
        raise Refused("CertificateValidationException", "not a CA certificate")
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        raise Refused("CertificateValidationException", "The key in the certificate is not valid")
    _refuse_outside_validity(certificate)
    return certificate


def _refuse_outside_validity(certificate: x509.Certificate) -> None:
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise Refused("CertificateValidationException", "outside its validity period")
