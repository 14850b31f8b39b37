"""A device's certificate chain and private key, as files: checked before they are used on the wire."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from typing_extensions import Buffer


class UnusableFileError(Exception):
    """A file that a device cannot connect with; the message names it and says why."""


@dataclass(frozen=True, kw_only=True)
class DeviceIdentity:
    """A device's certificate chain (leaf first, PEM) and the path of its private key.

    Not checked: that the chain's CA signed the leaf, and validity; the server decides about both.
    """

    chain: tuple[x509.Certificate, ...]
    key_file: Path

    @classmethod
    def load(cls, certificate: Path, key: Path, ca_certificate: Path | None = None) -> Self:
        """Read the files; `certificate` may hold the chain already, `ca_certificate` is appended if it does not.

        Raises UnusableFileError: unreadable, no PEM certificate, an encrypted key, or a key of another certificate.
        """
        chain = _certificates(certificate)
        if ca_certificate is not None:
            chain += tuple(each for each in _certificates(ca_certificate) if each not in chain)
        if _public_key_of(key) != _spki(chain[0]):
            raise UnusableFileError(f"{key}: is not the private key of the first certificate in {certificate}")
        return cls(chain=chain, key_file=key)

    @property
    def common_name(self) -> str | None:
        """Return the leaf's common name, or None without one."""
        names = self.chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else None

    def sends_issuer(self, server_ca: Path) -> bool:
        """Return whether the certificate of the CA that signed the leaf is sent; just-in-time registration needs it.

        It is where the chain holds it, and where `server_ca` does: OpenSSL completes a chain from the CAs it trusts
        (SSL_CTX_set_mode, SSL_MODE_NO_AUTO_CHAIN is off). Raises UnusableFileError.
        """
        return any(_signed(self.chain[0], each) for each in (*self.chain[1:], *_certificates(server_ca)))

    def tls_context(self, server_ca: Path) -> ssl.SSLContext:
        """Return a client context: TLS 1.2 or later, the server verified against `server_ca` alone, ALPN off.

        Raises UnusableFileError. The private key is read from its own file and copied nowhere.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = WatchedSocket
        try:
            context.load_verify_locations(cafile=str(server_ca))
        except (OSError, ssl.SSLError) as error:
            raise UnusableFileError(f"{server_ca}: no CA certificates to verify the server with ({error})") from error
        # The ssl module reads chains from files only. What is written here is public.
        with tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="ascii") as chain:
            chain.writelines(each.public_bytes(serialization.Encoding.PEM).decode("ascii") for each in self.chain)
            chain.flush()
            try:
                context.load_cert_chain(chain.name, str(self.key_file), password=_no_passphrase(self.key_file))
            except (OSError, ssl.SSLError) as error:
                raise UnusableFileError(f"{self.key_file}: cannot be used for TLS ({error})") from error
        return context


class WatchedSocket(ssl.SSLSocket):
    """A socket that closes when its handshake fails, and remembers what ended it; paho-mqtt does neither."""

    failure: OSError | None = None

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature of the ssl module
        """Shake hands, or close."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Read as SSLSocket does, and keep the error that ends the connection.

        The ssl module returns nothing for a reset as for an orderly end (it asks SSL_read_ex, whose 0 it takes for an
        end of file). What tells them apart is looked at before: a socket that was reset has no peer any more.
        """
        was_reset = self._has_no_peer()
        try:
            read = super().recv(buflen, flags)
        except OSError as error:
            self._note(error)
            raise
        if was_reset and not read:
            self._note(ConnectionResetError())
        return read

    def _has_no_peer(self) -> bool:
        try:
            self.getpeername()
        except OSError:
            return True
        return False

    def send(self, data: Buffer, flags: int = 0) -> int:
        """Write as SSLSocket does, and keep the error that ends the connection."""
        try:
            return super().send(data, flags)
        except OSError as error:
            self._note(error)
            raise

    def _note(self, error: OSError) -> None:
        if not isinstance(error, (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError, TimeoutError)):
            self.failure = self.failure or error


def _no_passphrase(key_file: Path) -> Callable[[], str]:
    def refuse() -> str:
        raise UnusableFileError(f"{key_file}: the private key is encrypted; a device cannot type a passphrase")

    return refuse


def _signed(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableFileError(f"{path}: {error.strerror or error}") from error


def _certificates(path: Path) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(_read(path)))
    except ValueError as error:
        raise UnusableFileError(f"{path}: no PEM certificate in it") from error


def _public_key_of(path: Path) -> bytes:
    data = _read(path)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except TypeError as error:
        raise UnusableFileError(f"{path}: the private key is encrypted; a device cannot type a passphrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableFileError(f"{path}: no PEM private key in it") from error
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
