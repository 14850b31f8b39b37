"""What `jitr ca register` is told: the CA, the proof of its key, and what its registration is to be like."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from jitr_cli.authorities.registry import CertificateMode
from jitr_cli.authorities.verification import CandidateCa, Proof
from jitr_cli.console.aws import Aws
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import MAXIMUM_CERTIFICATE_BYTES, existing_file, read_file
from jitr_cli.console.options import gathered
from jitr_cli.signing.private_ca import PrivateCa, PrivateCaArn


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a CA's registration is to be like; `mode` as it was asked for, which Sources.mode completes."""

    mode: str | None
    active: bool
    auto_registration: bool
    device: Path | None


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the CA and the proof of its key come from."""

    certificate: Path | None
    private_ca: str | None
    verification_certificate: Path | None
    ca_key: Path | None
    passphrase_file: Path | None

    def mode(self, asked: str | None) -> CertificateMode:
        """Return the mode: what was asked for, or what a proof of the key is for; raises CommandFailed."""
        proof = self.verification_certificate or self.ca_key
        if proof and asked == CertificateMode.SNI_ONLY:
            raise CommandFailed("SNI_ONLY takes no proof of the CA's key: leave it out, or register in DEFAULT mode")
        if self.verification_certificate and self.ca_key:
            raise CommandFailed("give --verification-certificate or --ca-key, not both")
        if (self.certificate is None) == (self.private_ca is None):
            raise CommandFailed("give either --certificate or --private-ca")
        if asked is not None:
            return CertificateMode(asked)
        return CertificateMode.DEFAULT if proof else CertificateMode.SNI_ONLY

    def load(self, aws: Aws) -> tuple[CandidateCa, Proof]:
        """Return the CA and the proof; raises CommandFailed."""
        private_ca = PrivateCa.at(aws, self.private_ca) if self.private_ca else None
        if private_ca is not None:
            private_ca.verify_active()
            data, name = private_ca.certificate().encode("ascii"), private_ca.arn
        else:
            path = self.certificate or Path()
            data, name = read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES), str(path)
        proof = Proof(
            certificate=self.verification_certificate,
            ca_key=self.ca_key,
            passphrase_file=self.passphrase_file,
            private_ca=private_ca,
        )
        return CandidateCa.of(data, name=name, at=datetime.now(UTC)), proof


source_options = gathered(
    "sources",
    Sources,
    click.option("--certificate", type=existing_file(), help="the CA that directly signs the devices"),
    click.option("--private-ca", type=PrivateCaArn(), help="or that CA in AWS Private CA"),
    click.option(
        "--verification-certificate",
        type=existing_file(),
        metavar="PEM",
        help="for DEFAULT mode: what the CA's owner made of `jitr ca csr`",
    ),
    click.option("--ca-key", type=existing_file(), help="for DEFAULT mode: or the CA's key, which proves the same"),
    click.option("--passphrase-file", type=existing_file(), help="holds the passphrase of --ca-key"),
)
wish_options = gathered(
    "wish",
    Wish,
    click.option(
        "--mode",
        type=click.Choice([mode.value for mode in CertificateMode]),
        help="SNI_ONLY unless a proof of the key is given; DEFAULT: one account of a Region only, devices need no SNI",
    ),
    click.option("--active/--inactive", default=True, show_default=True, help="whether the CA is ACTIVE at once"),
    click.option(
        "--auto-registration/--no-auto-registration",
        default=True,
        show_default=True,
        help="whether unknown devices register at their first connect",
    ),
    click.option("--device", type=existing_file(), help="a device's certificate, to see that this CA signs them"),
)
