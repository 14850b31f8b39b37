"""Telling the CA that its certificates are revoked: a CRL file signed here, or AWS Private CA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from jitr.certificates import Certificate, load_certificate
from jitr.revocation import VerifiedCrl
from jitr.revocation.entries import HOLD
from jitr_cli.console.aws import Aws
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import existing_file
from jitr_cli.console.options import gathered, passphrase_file_option
from jitr_cli.console.output import say
from jitr_cli.crl.files import Signing, load_previous, put_on_crl
from jitr_cli.signing.private_ca import PrivateCa, PrivateCaArn
from jitr_cli.signing.private_revocation import revoke, verify_issued_by_ca

# As `jitr crl revoke` has it unless told otherwise.
_DAYS = 7


@dataclass(kw_only=True)
class CaRevocation:
    """What a command was told about the CA: `signing` with the `crl` to add to, or the ARN of a Private CA.

    Everything is verified before anything is written; `verify` comes first.
    """

    signing: Signing | None
    crl: Path | None
    arn: str | None
    _ca: Certificate | None = field(default=None, init=False)
    _current: VerifiedCrl | None = field(default=None, init=False)
    _authority: PrivateCa | None = field(default=None, init=False)

    def verify(self, aws: Aws, *, reason: str | None) -> None:
        """Read the CA and its CRL; raises CommandFailed where the CA cannot be told this."""
        if self.arn is not None:
            if reason == HOLD:
                raise CommandFailed("AWS Private CA knows no certificateHold: what it revokes stays revoked")
            self._authority = PrivateCa.at(aws, self.arn)
            self._authority.verify_active()
        elif self.signing is not None and self.crl is not None:
            self._ca = self.signing.load_ca()
            self.signing.verify_out()
            self._current = load_previous(self.crl, self._ca)

    def verify_issued(self, certificates: list[Certificate]) -> None:
        """Check that the CA issued all of them; raises CommandFailed."""
        if self._authority is not None:
            verify_issued_by_ca(certificates, load_certificate(self._authority.certificate()))
        if self._ca is not None:
            verify_issued_by_ca(certificates, self._ca)

    def revoke(self, serials: Sequence[int], *, reason: str | None) -> None:
        """Tell the CA; what it knows already stays as it is. Raises CommandFailed and ClientError."""
        if self._authority is not None:
            told = sum(revoke(self._authority, serial, reason=reason) for serial in serials)
            say(f"AWS Private CA: {told} revoked, {len(serials) - told} were already; its CRL follows in half an hour")
        elif self.signing is not None and self._ca is not None and self._current is not None:
            if put_on_crl(self.signing, self._ca, self._current, dict.fromkeys(serials), reason):
                say(f"publish it: jitr crl publish {self.signing.out} --issuer {self.signing.issuer}")
            else:
                say(f"{self.crl} lists all of them already")


def _given(
    *,
    crl: Path | None,
    issuer: Path | None,
    key: Path | None,
    passphrase_file: Path | None,
    crl_out: Path | None,
    private_ca: str | None,
) -> CaRevocation | None:
    """Return which CA is to be told, None where none is; raises CommandFailed where that is not clear."""
    local = (crl, issuer, key, passphrase_file, crl_out)
    if not any(local):
        return None if private_ca is None else CaRevocation(signing=None, crl=None, arn=private_ca)
    if private_ca is not None:
        raise CommandFailed("give --private-ca, or --crl, --issuer and --key, not both")
    if crl is None or issuer is None or key is None:
        raise CommandFailed("--crl, --issuer and --key belong together")
    signing = Signing(
        issuer=issuer,
        key=key,
        passphrase_file=passphrase_file,
        days=_DAYS,
        pem=crl.read_bytes()[:1] != b"\x30",
        out=crl_out or crl,
    )
    return CaRevocation(signing=signing, crl=crl, arn=None)


# The command gets None where no CA is to be told.
ca_revocation_options = gathered(
    "ca_revocation",
    _given,
    click.option("--crl", type=existing_file(), help="put them on this CRL of the CA too"),
    click.option("--issuer", type=existing_file(), help="the CA certificate, for --crl"),
    click.option("--key", type=existing_file(), help="the CA's private key, PEM, for --crl"),
    passphrase_file_option,
    click.option("--crl-out", type=click.Path(dir_okay=False, path_type=Path), help="default: --crl"),
    click.option("--private-ca", type=PrivateCaArn(), metavar="ARN", help="revoke them in this AWS Private CA too"),
)
