"""The certificate of the local AWS endpoint, where it speaks TLS: a CA of its own, made anew for each start."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from jitr_local import pki


@dataclass(frozen=True, kw_only=True)
class EndpointCertificate:
    """The files below `folder`: `chain` (leaf first) and `key` for the server, `authority` for its clients."""

    folder: Path

    @property
    def chain(self) -> Path:
        """Return the server's chain, PEM."""
        return self.folder / "chain.pem"

    @property
    def key(self) -> Path:
        """Return the server's private key, PEM, readable by its owner alone."""
        return self.folder / "key.pem"

    @property
    def authority(self) -> Path:
        """Return the CA's certificate, PEM."""
        return self.folder / "ca.pem"

    def make(self) -> None:
        """Make all three for loopback addresses and localhost; the CA's key is thrown away."""
        ca = pki.CertificateAuthority.create("jitr local endpoint CA")
        identifier = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(a)) for a in ("127.0.0.1", "::1"))]
        server = ca.issue(
            "localhost",
            extensions=[
                (x509.SubjectAlternativeName(names), False),
                (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False),
            ],
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.authority.write_text(pki.pem(ca.certificate), encoding="ascii")
        self.chain.write_text(pki.pem(server.certificate) + pki.pem(ca.certificate), encoding="ascii")
        self.key.touch(mode=0o600)
        self.key.write_text(server.key_pem, encoding="ascii")
