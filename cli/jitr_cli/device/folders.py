"""A new device's files: one folder for each device, which is there as a whole or not at all, and never written over.

`<out>/<common name>/` holds `device.key` (0600), `device.csr`, `device.pem` and `chain.pem`. A folder is filled beside
its place and then renamed, so an interrupted run leaves finished devices, and at most one hidden remainder that the
next run removes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from jitr.certificates import common_name
from jitr.errors import ActivationError
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.new_files import PRIVATE, PUBLIC, write_new
from jitr_cli.console.signals import terminable
from jitr_fleet.issuing.devices import DeviceFiles, verify_activatable
from jitr_fleet.issuing.signers import NotIssued

KEY, REQUEST, CERTIFICATE, CHAIN = "device.key", "device.csr", "device.pem", "chain.pem"
_PARTIAL = ".jitr-partial"


@dataclass(frozen=True)
class DeviceFolders:
    """The folder that devices' folders are in."""

    out: Path

    @contextlib.contextmanager
    def reserved(self) -> Iterator[None]:
        """Keep other runs out of the folder, made if need be, and remove what a killed one left half written."""
        try:
            self.out.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.out, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise CommandFailed(f"{self.out} cannot be used: {error.strerror}") from error
        try:
            _lock(handle, self.out)
            self._clear()
            yield
        finally:
            os.close(handle)

    def _clear(self) -> None:
        for remainder in self.out.glob(f".*{_PARTIAL}"):
            # We only ever leave folders there; a file or a link is not ours.
            if remainder.is_symlink() or not remainder.is_dir():
                raise CommandFailed(f"{remainder} is not ours, and in the way: move it away")
            try:
                shutil.rmtree(remainder)
            except OSError as error:
                raise CommandFailed(f"{remainder} cannot be removed: {error.strerror}") from error

    def folder(self, name: str) -> Path:
        """Return where a device's files are."""
        return self.out / name

    def finished(self, name: str, ca: x509.Certificate, *, keyless: bool) -> x509.Certificate | None:
        """Return the certificate of a device that is finished, None where there is nothing of this name.

        `keyless`: the device made its own request, and its key has never been here.
        Raises CommandFailed for anything else in that place: it is not ours to overwrite.
        """
        folder = self.folder(name)
        if not os.path.lexists(folder):
            return None
        try:
            certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
            chain = x509.load_pem_x509_certificates((folder / CHAIN).read_bytes())
            request = x509.load_pem_x509_csr((folder / REQUEST).read_bytes())
            public: object = request.public_key()
            if not keyless or (folder / KEY).exists():
                public = load_pem_private_key((folder / KEY).read_bytes(), password=None).public_key()
            verify_activatable(certificate, ca, at=certificate.not_valid_before_utc)
            whole = chain == [certificate, ca] and public == certificate.public_key()
            named = common_name(certificate) == name
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm, ActivationError, NotIssued):
            whole = named = False
        if not (whole and named):
            raise CommandFailed(
                f"{folder} exists, and is not a finished device {name} of this CA; it is not overwritten: move it away"
            )
        return certificate

    def write(self, name: str, files: DeviceFiles) -> Path:
        """Write a device's folder and return it; raises CommandFailed where something of its name is there already."""
        folder, partial = self.folder(name), self.out / f".{name}{_PARTIAL}"
        with terminable():
            try:
                partial.mkdir(mode=0o700)
                if files.key is not None:
                    write_new(partial / KEY, files.key, mode=PRIVATE)
                write_new(partial / REQUEST, files.request, mode=PUBLIC)
                write_new(partial / CERTIFICATE, files.certificate, mode=PUBLIC)
                write_new(partial / CHAIN, files.chain, mode=PUBLIC)
                if os.path.lexists(folder):
                    raise CommandFailed(f"{folder} exists already and is not overwritten")
                partial.rename(folder)
            except OSError as error:
                raise CommandFailed(f"{folder} cannot be written: {error.strerror}") from error
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return folder


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CommandFailed(f"another `jitr device create` is at work in {folder}") from error
