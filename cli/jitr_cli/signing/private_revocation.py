"""Device certificates that an AWS Private CA issued, put on its next CRL."""

from __future__ import annotations

from collections.abc import Sequence

from jitr.aws.failures import error_code
from jitr.certificates import Certificate, verify_issued_by
from jitr.errors import Rejected
from jitr_cli.console.failures import CommandFailed
from jitr_cli.signing.private_ca import PrivateCa

# RFC 5280's reasons in acm-pca's words. certificateHold is none of them: what is revoked there stays revoked.
REASONS = {
    "unspecified": "UNSPECIFIED",
    "keyCompromise": "KEY_COMPROMISE",
    "cACompromise": "CERTIFICATE_AUTHORITY_COMPROMISE",
    "affiliationChanged": "AFFILIATION_CHANGED",
    "superseded": "SUPERSEDED",
    "cessationOfOperation": "CESSATION_OF_OPERATION",
    "privilegeWithdrawn": "PRIVILEGE_WITHDRAWN",
    "aACompromise": "A_A_COMPROMISE",
}


def verify_issued_by_ca(certificates: Sequence[Certificate], ca: Certificate) -> None:
    """Check, before anything is revoked, that the CA issued all of them; raises CommandFailed."""
    for certificate in certificates:
        try:
            verify_issued_by(certificate, ca)
        except Rejected as refusal:
            serial = f"{certificate.serial_number:x}"
            raise CommandFailed(f"this CA is not seen to have issued serial number {serial}: {refusal}") from refusal


def revoke(authority: PrivateCa, serial: int, *, reason: str | None) -> bool:
    """Put a certificate on the CA's next CRL, which AWS writes within about half an hour.

    Returns False for one that is revoked already. Raises ClientError.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - boto3 is loaded by now, not before

    try:
        authority.client.revoke_certificate(
            CertificateAuthorityArn=authority.arn,
            CertificateSerial=_written(serial),
            RevocationReason=REASONS[reason or "unspecified"],
        )
    except ClientError as error:
        if error_code(error) == "RequestAlreadyProcessedException":
            return False
        raise
    return True


def _written(serial: int) -> str:
    """Return a serial number as `openssl x509 -text` prints it: whole octets between colons."""
    digits = f"{serial:x}"
    digits = digits.zfill(len(digits) + len(digits) % 2)
    return ":".join(digits[n : n + 2] for n in range(0, len(digits), 2))
