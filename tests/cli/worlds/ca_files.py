"""A CA's files on a folder of the test, as its owner keeps them, and what ends up in a CRL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from jitr.revocation import VerifiedCrl
from jitr_fleet.issuing.crls import listed_entries, verify_previous
from jitr_local import pki

PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True)
class CaFiles:
    """A CA's certificate and key in a folder; `options` are what commands want of them."""

    folder: Path
    ca: pki.CertificateAuthority

    @property
    def options(self) -> list[str]:
        """Return --issuer, --key and --out."""
        return ["--issuer", str(self.issuer), "--key", str(self.key), "--out", str(self.out)]

    @property
    def issuer(self) -> Path:
        """Return the certificate's file."""
        return self.folder / "ca.pem"

    @property
    def key(self) -> Path:
        """Return the key's file."""
        return self.folder / "ca.key"

    @property
    def out(self) -> Path:
        """Return the CRL's file."""
        return self.folder / "ca.crl"

    def made(self) -> VerifiedCrl:
        """Return the CRL that was written."""
        return verify_previous(self.out.read_bytes(), self.ca.certificate)

    def listed(self) -> set[int]:
        """Return the serial numbers on it."""
        return set(listed_entries(self.made()))

    def encrypt_key(self, encoding: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> None:
        """Put a passphrase on the key."""
        encryption = serialization.BestAvailableEncryption(PASSPHRASE.encode())
        self.key.write_bytes(self.ca.key.private_bytes(serialization.Encoding.PEM, encoding, encryption))


def write_ca(folder: Path, ca: pki.CertificateAuthority) -> CaFiles:
    """Write a CA's certificate and unencrypted key."""
    files = CaFiles(folder, ca)
    files.issuer.write_text(pki.pem(ca.certificate))
    files.key.write_text(pki.private_pem(ca.key))
    files.key.chmod(0o600)
    return files
