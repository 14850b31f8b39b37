"""Certificates that others activated: brought into the registry, so that revocation reaches them too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from cryptography import x509

from jitr import certificates
from jitr.errors import ActivationError, Reason, Rejected, Undecided
from jitr.iot_registry import IotRegistry
from jitr.registry import Registry

# Statuses of certificates that can connect, or could again without passing us.
MATTERS = ("ACTIVE", "INACTIVE", "PENDING_TRANSFER")


@dataclass(frozen=True, kw_only=True)
class UnknownCertificates:
    """Finds certificates without a registry row; `pace` waits before each quota-limited call."""

    registry: IotRegistry
    rows: Registry
    pace: Callable[[], None]

    def import_newest(self, ca_certificate_id: str, ca: x509.Certificate, *, at_most: int) -> int:
        """Import the unknown ones among a CA's newest certificates; returns how many rows are new."""
        newest = islice(self.registry.certificates_of(ca_certificate_id, newest_first=True), at_most)
        return self.import_these((each for each, status in newest if status in MATTERS), ca_certificate_id, ca)

    def import_these(self, certificate_ids: Iterable[str], ca_certificate_id: str, ca: x509.Certificate) -> int:
        """Import those of the certificates that have no row; returns how many rows are new. Safe to repeat."""
        unknown: Sequence[str] = self.rows.unknown(list(dict.fromkeys(certificate_ids)))
        return sum(self.import_one(each, ca_certificate_id, ca) for each in unknown)

    def import_one(self, certificate_id: str, ca_certificate_id: str, ca: x509.Certificate) -> bool:
        """Describe one certificate and write its row; returns False where nothing had to be written.

        A certificate that is gone, unreadable, or not signed by this CA's key cannot be on its CRL and gets no row.
        Raises Undecided for everything that may be different the next time.
        """
        self.pace()
        try:
            certificate = certificates.load_certificate(self.registry.describe_certificate(certificate_id).pem)
            certificates.verify_issued_by(certificate, ca)
        except ActivationError as error:
            gone = error.reason in (Reason.CERTIFICATE_NOT_FOUND, Reason.MALFORMED_CERTIFICATE)
            if isinstance(error, Undecided) and not gone:
                raise
            if isinstance(error, Rejected) and error.reason is Reason.WEAK_SIGNATURE:
                # A signature we would not accept today does not make the serial number less revoked.
                return self._write(certificate_id, ca_certificate_id, certificate, ca)
            return False
        return self._write(certificate_id, ca_certificate_id, certificate, ca)

    def _write(
        self, certificate_id: str, ca_certificate_id: str, certificate: x509.Certificate, ca: x509.Certificate
    ) -> bool:
        key = f"{certificates.issuer_key(ca)}#{certificate.serial_number:x}"
        facts = {
            "ca_certificate_id": ca_certificate_id,
            "not_after": int(certificate.not_valid_after_utc.timestamp()),
        }
        added = self.rows.add_known(key, certificate_id=certificate_id, facts=facts)
        self.rows.remember(certificate_id, key)
        return added
