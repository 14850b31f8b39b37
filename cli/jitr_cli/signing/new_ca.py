"""A new CA whose key is in a file: what a command was told about it, and its two files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file, load_issuer_to_sign
from jitr_cli.console.new_files import PRIVATE, PUBLIC, verify_new, write_new
from jitr_cli.console.options import gathered
from jitr_cli.console.output import say
from jitr_cli.signing.key import load_ca_key, new_passphrase
from jitr_fleet.issuing.cas import CaRequest, new_private_key, sign_intermediate, sign_root, verify_may_sign_ca
from jitr_fleet.issuing.signers import NotIssued, PrivateKey, verify_pair

_DEEPEST = 8


@dataclass(frozen=True, kw_only=True)
class KeyFiles:
    """Where a new CA's certificate and key go, and what encrypts the key; `out` is None where only AWS has it."""

    out: Path | None
    key_out: Path | None
    passphrase_file: Path | None
    no_passphrase: bool


@dataclass(frozen=True, kw_only=True)
class IssuerFiles:
    """The CA that signs a new one; None of it for a root."""

    certificate: Path | None
    key: Path | None
    passphrase_file: Path | None


@dataclass(frozen=True, kw_only=True)
class NewCa:
    """A CA to be made on this computer; nothing is asked or written before everything else is known to be right."""

    files: KeyFiles
    issuer: IssuerFiles
    path_length: int

    def is_mentioned(self) -> bool:
        """Return whether any option was given that only a CA on this computer has."""
        return any((self.files.key_out, self.files.passphrase_file, self.files.no_passphrase, self.path_length)) or any(
            (self.issuer.certificate, self.issuer.key, self.issuer.passphrase_file)
        )

    def make(self, *, common_name: str, organization: str | None, days: int, key_type: str) -> x509.Certificate:
        """Make key and certificate, and write both files; raises CommandFailed."""
        if self.files.out is None or self.files.key_out is None:
            raise CommandFailed("give --out and --key-out: where certificate and key are written")
        if self.files.no_passphrase and self.files.passphrase_file:
            raise CommandFailed("give --passphrase-file or --no-passphrase, not both")
        if (self.issuer.certificate is None) != (self.issuer.key is None):
            raise CommandFailed("give --issuer and --issuer-key together")
        verify_new(self.files.out, self.files.key_out)
        request = CaRequest(common_name=common_name, organization=organization, days=days, path_length=self.path_length)
        try:
            request.subject()
            certificate, key = self._sign(request, key_type)
        except NotIssued as error:
            raise CommandFailed(str(error)) from error
        self._write(self.files.out, self.files.key_out, certificate, key)
        return certificate

    def _sign(self, request: CaRequest, key_type: str) -> tuple[x509.Certificate, PrivateKey]:
        at = datetime.now(UTC)
        if self.issuer.certificate is None or self.issuer.key is None:
            key = new_private_key(key_type)
            return sign_root(request, key, at=at), key
        issuer = load_issuer_to_sign(self.issuer.certificate)
        verify_may_sign_ca(issuer, path_length=request.path_length, at=at)
        loaded = load_ca_key(self.issuer.key, passphrase_file=self.issuer.passphrase_file)
        issuer_key = verify_pair(issuer, loaded)
        key = new_private_key(key_type)
        return sign_intermediate(request, key, issuer=issuer, issuer_key=issuer_key, at=at), key

    def _write(self, out: Path, key_out: Path, certificate: x509.Certificate, key: PrivateKey) -> None:
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if self.files.no_passphrase:
            say("warning: the key is not encrypted; who can read the file can sign devices")
        else:
            passphrase = new_passphrase(key_out, passphrase_file=self.files.passphrase_file)
            encryption = serialization.BestAvailableEncryption(passphrase)
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        write_new(key_out, pem, mode=PRIVATE)
        try:
            write_new(out, certificate.public_bytes(serialization.Encoding.PEM), mode=PUBLIC)
        except BaseException:
            # A key without a certificate is of no use, and would keep the next attempt from writing.
            key_out.unlink(missing_ok=True)
            raise


def _new_ca(
    *,
    issuer: Path | None,
    issuer_key: Path | None,
    issuer_passphrase_file: Path | None,
    path_length: int,
    **files: Any,  # noqa: ANN401 - whatever click hands over
) -> NewCa:
    signer = IssuerFiles(certificate=issuer, key=issuer_key, passphrase_file=issuer_passphrase_file)
    return NewCa(files=KeyFiles(**files), issuer=signer, path_length=path_length)


_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
new_ca_options = gathered(
    "new_ca",
    _new_ca,
    click.option("--out", type=_NEW_FILE, help="where the certificate is written, in PEM"),
    click.option("--key-out", type=_NEW_FILE, help="where the private key is written, mode 0600"),
    click.option(
        "--passphrase-file",
        type=existing_file(),
        help="holds the new key's passphrase (also /dev/fd/N); without it, it is asked for",
    ),
    click.option("--no-passphrase", is_flag=True, help="leave the key unencrypted"),
    click.option(
        "--path-length",
        type=click.IntRange(0, _DEEPEST),
        default=0,
        show_default=True,
        help="how many levels of CAs may stand below it; 0 for the CA that signs devices",
    ),
    click.option("--issuer", type=existing_file(), help="the CA that signs it; default: a root"),
    click.option("--issuer-key", type=existing_file(), help="the issuer's private key, PEM"),
    click.option(
        "--issuer-passphrase-file",
        type=existing_file(),
        help="holds the passphrase of the issuer's key; without it an encrypted key's is asked for",
    ),
)
