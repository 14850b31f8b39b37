"""Certificate requests that devices made themselves, with a key that never leaves them."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import MAXIMUM_CERTIFICATE_BYTES, read_file

_PEM = b"-----BEGIN"


def read_request(path: Path) -> tuple[x509.CertificateSigningRequest, str]:
    """Return a request (PEM or DER) and its one common name; raises CommandFailed.

    Its signature proves that whoever made it has the key. Not checked here: name and key, which are checked before the
    certificate is handed out. Extensions that it asks for are not taken over.
    """
    data = read_file(path, maximum=MAXIMUM_CERTIFICATE_BYTES)
    try:
        load = x509.load_pem_x509_csr if data.lstrip().startswith(_PEM) else x509.load_der_x509_csr
        request = load(data)
        proven = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise CommandFailed(f"{path} holds no readable certificate request: {error}") from error
    if not proven:
        raise CommandFailed(f"{path}: the request is not signed with its own key, so nobody has proved to have that")
    names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise CommandFailed(f"{path}: the request has {len(names)} common names; a device needs exactly one")
    return request, str(names[0].value)
