"""`jitr ca csr`: the request for a verification certificate, with the account's and Region's registration code.

Exit codes: 0 written, 64 a file exists already, 69 AWS refused.
"""

from __future__ import annotations

from pathlib import Path

import click
from cryptography.hazmat.primitives import serialization

from jitr.authorities.verification_certificate import new_key, request_verification
from jitr_cli.authorities.registry import CaRegistry
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.new_files import PRIVATE, PUBLIC, verify_new, write_new
from jitr_cli.console.output import say


@reading_command("csr", deployment=None)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="where to; default: stdout, in PEM")
@click.option(
    "--key-out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="keep the request's key too, mode 0600; nothing needs it afterwards",
)
def command(call: Call, *, out: Path | None, key_out: Path | None) -> ExitCode:
    """Write the request that the owner of a CA signs to prove that they have its key.

    The registration code is that of the account and Region; a CA registered in SNI_ONLY mode needs none of this. What
    comes back from the owner goes into `jitr ca register --verification-certificate`.
    """
    verify_new(*(path for path in (out, key_out) if path is not None))
    code = CaRegistry(call.aws.client("iot")).registration_code()
    key = new_key()
    csr = request_verification(code, key).public_bytes(serialization.Encoding.PEM)
    if key_out is not None:
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_new(key_out, pem, mode=PRIVATE)
    if out is not None:
        write_new(out, csr, mode=PUBLIC)
    call.announce_account(f"registration code {code}")
    say("have the CA sign this request; any extensions will do, the common name must stay")
    text = csr.decode("ascii")
    data = {"registration_code": code, "csr": text, "file": str(out) if out else None}
    return call.finish(data, words=(lambda: click.echo(text, nl=False)) if out is None else None)
