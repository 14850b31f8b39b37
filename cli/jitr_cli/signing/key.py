"""The CA's private key on this computer: read from PEM, unlocked or locked by prompt or file, never printed.

A passphrase is taken from a terminal or a file (also `/dev/fd/3`), never from the arguments or the environment: other
processes can read both.
"""

from __future__ import annotations

import getpass
import re
import warnings
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.files import read_file
from jitr_cli.console.output import say

_MAXIMUM_BYTES = 64 * 1024
_OTHERS = 0o077


def load_ca_key(path: Path, *, passphrase_file: Path | None) -> object:
    """Return the private key of a PEM file; raises CommandFailed. Not checked: kind, size, whose it is."""
    data = read_file(path, maximum=_MAXIMUM_BYTES)
    if path.stat().st_mode & _OTHERS:
        say(f"warning: {path} can be read by others on this computer: chmod 600 {path}")
    try:
        return load_pem_private_key(data, password=None)
    except TypeError:
        pass  # the one way the library says that it is encrypted
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CommandFailed(f"{path} holds no private key in PEM that can be read{_instead(data)}") from error
    try:
        return load_pem_private_key(data, password=_passphrase(path, passphrase_file))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CommandFailed(f"{path}: the passphrase is wrong, or the key is damaged") from error


def new_passphrase(path: Path, *, passphrase_file: Path | None) -> bytes:
    """Return the passphrase that a new key is to be encrypted with, asked for twice; raises CommandFailed."""
    found = _passphrase(path, passphrase_file)
    if passphrase_file is None and _asked(path, again=True) != found:
        raise CommandFailed("the passphrases are not the same; nothing was written")
    return found


def _instead(data: bytes) -> str:
    """Name the kinds of PEM blocks that a file holds instead of a key."""
    kinds = sorted({kind.decode("ascii") for kind in re.findall(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----", data)})
    return f"; it holds: {', '.join(kinds)}" if kinds else ""


def _passphrase(path: Path, passphrase_file: Path | None) -> bytes:
    if passphrase_file is None:
        found = _asked(path)
    else:
        found = read_file(passphrase_file, maximum=_MAXIMUM_BYTES).removesuffix(b"\n").removesuffix(b"\r")
    if not found:
        raise CommandFailed(f"{path}: the passphrase is empty")
    return found


def _asked(path: Path, *, again: bool = False) -> bytes:
    """Ask at the terminal, also where stdin is something else; raises CommandFailed where there is none."""
    with warnings.catch_warnings():
        # Without a terminal getpass would read stdin and echo; a passphrase is not read like that.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"Passphrase of {path}{' once more' if again else ''}: ").encode("utf-8")
        except (getpass.GetPassWarning, EOFError) as error:
            raise CommandFailed(
                f"there is no terminal to ask for the passphrase of {path}; give --passphrase-file"
            ) from error
