"""Fetching a CRL over HTTP or HTTPS from an allowed host, and from nowhere that a name could be bent to.

CRLs are signed, so plain HTTP is as good as HTTPS (RFC 5280 section 4.2.1.13 even prefers it); what has to be kept out
is everything else: hosts that are not allowed, addresses inside networks, redirects to either, answers without end.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from jitr.crls.fetched import MAXIMUM_BYTES, Fetched
from jitr.errors import Reason, Undecided

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
TOTAL_SECONDS = 20.0
MAXIMUM_REDIRECTS = 3
_CHUNK = 256 * 1024
_PORTS = {"http": 80, "https": 443}
_OK, _NOT_MODIFIED, _GONE = 200, 304, (404, 410)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


# IPv6 addresses that carry an IPv4 address, and may so lead back into a network (RFC 6052, 3056, 4380).
_CARRIERS = tuple(
    map(ipaddress.IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
)


def is_public(address: Address) -> bool:
    """Return whether an address is on the public Internet: not private, loopback, link-local, multicast or reserved."""
    carried = isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _CARRIERS)
    return address.is_global and not address.is_multicast and not carried


# Networks inside organisations (RFC 1918, 6598, 4193). Not among them: loopback, link-local and whatever else is the
# machine's own.
_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
# Where EC2 has its metadata and other services of the machine (EC2 user guide, "Instance metadata").
_OF_THE_MACHINE = ipaddress.IPv6Network("fd00:ec2::/32")


def is_private_network(address: Address) -> bool:
    """Say whether an address is one inside an organisation's networks, and no service of the machine itself."""
    return any(address in network for network in _PRIVATE) and address not in _OF_THE_MACHINE


def _named(parts: SplitResult, port: int | None) -> str:
    """Return a host as the fleet file names it."""
    host = parts.hostname or ""
    return host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"


@dataclass(frozen=True, kw_only=True)
class HttpFetcher:
    """Fetches from `hosts` only (lower case, with `:port` where it is not the scheme's own).

    Those of them in `private_hosts` may have addresses in private networks.

    `allows` decides about addresses after the name was resolved; the connection then goes to that very address, so that
    a name which resolves differently the next time (DNS rebinding) gains nothing. `seconds` bounds a fetch as a whole.
    """

    hosts: frozenset[str]
    private_hosts: frozenset[str] = frozenset()
    allows: Callable[[Address], bool] = is_public
    seconds: float = TOTAL_SECONDS
    maximum_bytes: int = MAXIMUM_BYTES

    def fetch(self, url: str, *, etag: str | None) -> Fetched | None:
        """Return what is behind `url`, or None when it is still what `etag` names.

        Raises Undecided: `no_crl` (404, 410), `too_large`, `fetch_failed` (everything else). Redirects are followed
        three times, each target checked like the first. Content encodings are neither asked for nor undone.
        """
        deadline = time.monotonic() + self.seconds
        for _ in range(MAXIMUM_REDIRECTS + 1):
            parts = self._checked(url)
            response = self._request(parts, etag=etag, deadline=deadline)
            try:
                if response.status not in _REDIRECTS:
                    return self._read(response, url, deadline=deadline)
                url = urljoin(url, response.headers.get("Location", ""))
            finally:
                response.close()
        raise Undecided(Reason.FETCH_FAILED, f"more than {MAXIMUM_REDIRECTS} redirects")

    def _checked(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise Undecided(Reason.FETCH_FAILED, "the address of the CRL is no URL") from error
        if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.password:
            raise Undecided(Reason.FETCH_FAILED, "only plain http and https URLs are fetched")
        name = _named(parts, port)
        if name not in self.hosts:
            raise Undecided(Reason.FETCH_FAILED, f"host {name} is not among the allowed crl_hosts")
        return parts

    def _address(self, host: str, port: int, *, private: bool) -> str:
        """Resolve a name once; every address it has must be allowed, and the first is the one that is used."""
        try:
            found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
            addresses = sorted(
                (ipaddress.ip_address(str(each).split("%")[0]) for each in found), key=lambda a: a.version
            )
        except (OSError, UnicodeError, ValueError) as error:
            raise Undecided(Reason.FETCH_FAILED, f"host {host} cannot be resolved") from error
        for address in addresses:
            if not (self.allows(address) or (private and is_private_network(address))):
                raise Undecided(Reason.FETCH_FAILED, f"host {host} resolves to an address that is not public")
        return str(addresses[0])

    def _request(self, parts: SplitResult, *, etag: str | None, deadline: float) -> BaseHTTPResponse:
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        address = self._address(host, port, private=_named(parts, parts.port) in self.private_hosts)
        headers = {"Host": parts.netloc, "Accept-Encoding": "identity", "User-Agent": "jitr"}
        if etag is not None:
            headers["If-None-Match"] = etag
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=min(READ_SECONDS, _left(deadline)))
        target = parts.path or "/"
        target += f"?{parts.query}" if parts.query else ""
        try:
            return self._pool(parts.scheme, address, host, port, timeout).urlopen(
                "GET",
                target,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError, ValueError) as error:
            raise Undecided(Reason.FETCH_FAILED, f"{host} did not answer: {type(error).__name__}") from error

    def _pool(
        self, scheme: str, address: str, host: str, port: int, timeout: urllib3.Timeout
    ) -> urllib3.HTTPConnectionPool:
        if scheme == "http":
            return urllib3.HTTPConnectionPool(address, port, timeout=timeout, maxsize=1)
        return urllib3.HTTPSConnectionPool(
            address,
            port,
            timeout=timeout,
            maxsize=1,
            ssl_context=ssl.create_default_context(),
            server_hostname=host,
            assert_hostname=host,
        )

    def _read(self, response: BaseHTTPResponse, url: str, *, deadline: float) -> Fetched | None:
        if response.status == _NOT_MODIFIED:
            return None
        if response.status in _GONE:
            raise Undecided(Reason.NO_CRL, f"there is no CRL at {url}")
        if response.status != _OK:
            raise Undecided(Reason.FETCH_FAILED, f"{url} answered {response.status}")
        announced = response.headers.get("Content-Length", "")
        if announced.isascii() and announced.isdigit() and int(announced) > self.maximum_bytes:
            raise Undecided(Reason.TOO_LARGE, f"the CRL has {announced} bytes; {self.maximum_bytes} are allowed")
        data = bytearray()
        try:
            # read1 returns what has arrived, so that a body that drips in is noticed by the clock, not by the chunk.
            while chunk := response.read1(_CHUNK, decode_content=False):
                data += chunk
                if len(data) > self.maximum_bytes:
                    raise Undecided(Reason.TOO_LARGE, f"the CRL has more than {self.maximum_bytes} bytes")
                _left(deadline)
        except (HTTPError, OSError) as error:
            raise Undecided(Reason.FETCH_FAILED, f"{url} broke off: {type(error).__name__}") from error
        if announced.isascii() and announced.isdigit() and len(data) != int(announced):
            raise Undecided(Reason.FETCH_FAILED, f"{url} broke off before its end")
        return Fetched(data=bytes(data), etag=response.headers.get("ETag", ""))


def _left(deadline: float) -> float:
    """Return the seconds that are left of a fetch's time; raises Undecided when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise Undecided(Reason.FETCH_FAILED, "the CRL took too long to arrive")
    return left
