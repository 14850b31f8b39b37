"""The configuration that a deployment runs with, read from the function's own bundle in AWS Lambda.

The fleet file on this computer says what somebody wants; the bundle says what runs. It is some megabytes, of which
one small file is wanted: a zip archive has its table of contents at the end, so a few ranges of it are enough.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

from jitr.settings import CONFIGURATION_FILE, PRIVATE_CAS_VARIABLE, Configuration, ManagedCa
from jitr_cli.console.aws import Aws
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import say
from jitr_fleet.deployments.stack_outputs import StackOutputs
from jitr_fleet.deployments.versions import own_version, version_words

_SECONDS = 20.0
_BUFFER = 256 * 1024
_PARTIAL, _OK = 206, 200


def deployed_configuration(aws: Aws, stack: StackOutputs, *, whole: bool = False) -> Configuration:
    """Return the configuration in the activation function's bundle; raises CommandFailed (69) and ClientError.

    What only the deploy knew of CAs in AWS Private CA comes from the function's environment, as for the function. Needs
    lambda:GetFunction. What a newer version of jitr wrote into it and this one does not know is named and left out, but
    refused where the configuration has to be `whole`: who makes a device ACTIVE must know every rule. Not checked: that
    the enforcement function has the same one; one deploy writes both.
    """
    function = aws.client("lambda").get_function(FunctionName=stack.function)
    location = as_served(function["Code"]["Location"], aws.endpoint_url)
    configuration, unknown = read_configuration(location, of=stack.function)
    if unknown:
        words = f"this jitr {own_version()} does not know {', '.join(unknown)} of deployment {stack.deployment}"
        if whole:
            raise CommandFailed(f"{words}: use jitr {version_words(stack.version)}", ExitCode.AWS)
        say(f"warning: {words}; it is left out")
    variables = function["Configuration"].get("Environment", {}).get("Variables", {})
    try:
        return configuration.completed(variables.get(PRIVATE_CAS_VARIABLE, ""))
    except (KeyError, TypeError, ValueError) as error:
        raise CommandFailed(f"{stack.function} does not know all its CAs: deploy again", ExitCode.AWS) from error


def as_served(location: str, endpoint_url: str | None) -> str:
    """Return a bundle's address with https where the endpoint that gave it out has its port and speaks TLS.

    An emulator behind TLS says http all the same. Whatever another server holds is left as it is.
    """
    bundle, endpoint = urlsplit(location), urlsplit(endpoint_url or "")
    if endpoint.scheme == "https" and endpoint.port is not None and bundle.port == endpoint.port:
        return bundle._replace(scheme="https").geturl()
    return location


def read_configuration(location: str, *, of: str) -> tuple[Configuration, list[str]]:
    """Return the configuration of the bundle at an address that AWS Lambda gave out, and which of its keys are unknown.

    Raises CommandFailed (69).
    """
    import urllib3  # noqa: PLC0415 - comes with boto3, and only commands that reach AWS pay for it

    problem = f"the configuration of {of} cannot be read from its bundle"
    if urlsplit(location).scheme not in ("http", "https"):
        raise CommandFailed(f"{problem}: no address", ExitCode.AWS)
    try:
        with io.BufferedReader(RemoteFile(location), _BUFFER) as file, zipfile.ZipFile(file) as bundle:
            text = bundle.read(CONFIGURATION_FILE).decode("utf-8")
        data = json.loads(text)
        unknown = _take_unknown(data)
        return Configuration.from_json(json.dumps(data)), unknown
    except (OSError, urllib3.exceptions.HTTPError, zipfile.BadZipFile) as error:
        # The address carries a signature and is not repeated.
        raise CommandFailed(f"{problem}: {type(error).__name__}", ExitCode.AWS) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CommandFailed(f"{problem}: it was deployed by another version of jitr", ExitCode.AWS) from error


def _take_unknown(data: dict[str, Any]) -> list[str]:
    """Take out of a configuration, in place, what this version has no field for, and return its keys."""
    unknown = _beyond(data, Configuration)
    for ca in data["cas"]:
        for key in _beyond(ca, ManagedCa):
            del ca[key]
            unknown.append(f"cas.{key}")
    return sorted(set(unknown))


def _beyond(data: Mapping[str, Any], kind: type[Configuration] | type[ManagedCa]) -> list[str]:
    known = {each.name for each in fields(kind)}
    return [key for key in data if key not in known]


class RemoteFile(io.RawIOBase):
    """A file behind an HTTP address, read in ranges; a server that knows none sends it whole, and it is kept."""

    def __init__(self, address: str) -> None:
        import urllib3  # noqa: PLC0415 - see above

        self._address = address
        self._at = 0
        self._whole: bytes | None = None
        # The CAs that boto3 trusts: where somebody named others, these answer for the bundle's address as well.
        authorities = os.environ.get("AWS_CA_BUNDLE") or None
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(_SECONDS), retries=urllib3.Retry(2), ca_certs=authorities
        )
        first = self._request("bytes=0-0")
        self._size = int(first.headers["Content-Range"].rpartition("/")[2]) if self._whole is None else len(self._whole)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to where the next read begins."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever can be written into, as the base class says
        """Read the next bytes into a buffer and return how many they are."""
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        data = self._whole[self._at : end] if self._whole is not None else self._range(end)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Give the connections back."""
        self._http.clear()
        super().close()

    def _range(self, end: int) -> bytes:
        data: bytes = self._request(f"bytes={self._at}-{end - 1}").data
        return data[: end - self._at]

    def _request(self, range_: str) -> Any:  # noqa: ANN401 - urllib3 is not imported here
        response = self._http.request("GET", self._address, headers={"Range": range_})
        if response.status == _OK:
            self._whole = response.data
        elif response.status != _PARTIAL:
            raise OSError(f"HTTP {response.status}")
        return response
