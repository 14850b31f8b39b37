"""CRLs over HTTP: from allowed hosts on public addresses, bounded in time and size, and from nowhere else."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jitr.crls.http_fetch import HttpFetcher, is_public
from jitr.errors import Reason, Undecided

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """A real server on loopback; `answers` maps paths to what happens there, `seen` lists the requests."""

    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str = "/ca.crl") -> str:
        """Return the URL of a path."""
        return f"http://localhost:{self.port}{path}"

    def fetcher(self, **options: object) -> HttpFetcher:
        """Return a fetcher that may ask this server, though its address is not public."""
        given: dict[str, object] = {"hosts": frozenset({f"localhost:{self.port}"}), "allows": lambda _: True, **options}
        return HttpFetcher(**given)  # type: ignore[arg-type]


@pytest.fixture
def server() -> Iterator[Server]:
    """Start a server for one test."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.seen.append((self.path, dict(self.headers)))
            state.answers[self.path](self)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(http.server_port)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


def body(data: bytes, status: int = 200, **headers: str) -> Answer:
    """Answer with a body."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in (
            {"Content-Length": str(len(data))} | {k.replace("_", "-"): v for k, v in headers.items()}
        ).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)

    return answer


def refused(fetcher: HttpFetcher, url: str) -> Reason:
    """Fetch what must not be fetched, and return why."""
    with pytest.raises(Undecided) as caught:
        fetcher.fetch(url, etag=None)
    return caught.value.reason


def test_a_crl_is_fetched_with_its_tag(server: Server) -> None:
    """The bytes as they are, and what names them next time."""
    server.answers["/ca.crl"] = body(b"crl", ETag='"1"')
    fetched = server.fetcher().fetch(server.url(), etag=None)
    assert fetched is not None
    assert (fetched.data, fetched.etag) == (b"crl", '"1"')
    (_, headers), *_ = server.seen
    assert (headers["Host"], headers["Accept-Encoding"]) == (f"localhost:{server.port}", "identity")


def test_an_unchanged_crl_is_not_sent_again(server: Server) -> None:
    """304 on If-None-Match."""
    server.answers["/ca.crl"] = body(b"", 304)
    assert server.fetcher().fetch(server.url(), etag='"1"') is None
    assert server.seen[0][1]["If-None-Match"] == '"1"'


@pytest.mark.parametrize(
    "url",
    [
        "ftp://localhost/ca.crl",
        "file:///etc/passwd",
        "ldap://localhost/cn=ca",
        "http:///ca.crl",
        "http://user:password@localhost/ca.crl",
        "http://other.example/ca.crl",
        "http://localhost:1/ca.crl",
        "http://localhost:99999/ca.crl",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/ca.crl",
        "http://[/ca.crl",
        "",
    ],
)
def test_what_is_not_an_allowed_host_is_never_asked(server: Server, url: str) -> None:
    """Other schemes, other hosts, other ports, and no URL at all."""
    assert refused(server.fetcher(), url) is Reason.FETCH_FAILED
    assert server.seen == []


def test_an_allowed_host_that_resolves_to_loopback_is_refused(server: Server) -> None:
    """The name is allowed, the address is not."""
    assert refused(server.fetcher(allows=is_public), server.url()) is Reason.FETCH_FAILED
    assert server.seen == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_inside_networks_are_not_public(address: str) -> None:
    """Private, loopback, link-local, shared, unspecified, multicast, documentation, and IPv4 in IPv6 clothes."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1"])
def test_addresses_on_the_internet_are_public(address: str) -> None:
    """What CRLs are fetched from."""
    assert is_public(ipaddress.ip_address(address))


def test_the_connection_goes_to_the_address_that_was_checked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves differently the second time gains nothing: it is resolved once."""
    asked: list[str] = []

    def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    real = socket.getaddrinfo
    fetcher = server.fetcher()
    server.answers["/ca.crl"] = body(b"crl")
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, *a, **k: resolve(host, port) if host == "localhost" else real(host, port, *a, **k),
    )
    assert fetcher.fetch(server.url(), etag=None) is not None
    assert asked == ["localhost"]


def test_one_forbidden_address_of_several_is_enough(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a public and a private address is refused."""
    both = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert refused(server.fetcher(allows=is_public), server.url()) is Reason.FETCH_FAILED


def test_redirects_are_followed_on_allowed_hosts(server: Server) -> None:
    """Relative and absolute."""
    server.answers["/ca.crl"] = body(b"", 302, Location="/new.crl")
    server.answers["/new.crl"] = body(b"", 301, Location=server.url("/newest.crl"))
    server.answers["/newest.crl"] = body(b"crl")
    fetched = server.fetcher().fetch(server.url(), etag=None)
    assert fetched is not None
    assert fetched.data == b"crl"


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/", "file:///etc/passwd", "http://127.0.0.1:1/", "//evil.example/x"]
)
def test_redirects_to_anywhere_else_are_refused(server: Server, target: str) -> None:
    """Each target is checked like the first."""
    server.answers["/ca.crl"] = body(b"", 302, Location=target)
    assert refused(server.fetcher(), server.url()) is Reason.FETCH_FAILED
    assert len(server.seen) == 1


def test_redirects_in_a_circle_end(server: Server) -> None:
    """Three, and no more."""
    server.answers["/ca.crl"] = body(b"", 302, Location="/ca.crl")
    assert refused(server.fetcher(), server.url()) is Reason.FETCH_FAILED
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, Reason.NO_CRL),
        (410, Reason.NO_CRL),
        (403, Reason.FETCH_FAILED),
        (500, Reason.FETCH_FAILED),
        (206, Reason.FETCH_FAILED),
    ],
)
def test_other_answers_are_no_crl(server: Server, status: int, reason: Reason) -> None:
    """Only 200 carries one."""
    server.answers["/ca.crl"] = body(b"sorry", status)
    assert refused(server.fetcher(), server.url()) is reason


def test_a_body_that_is_announced_too_large_is_not_read(server: Server) -> None:
    """Refused by its length."""
    server.answers["/ca.crl"] = body(b"x" * 2000)
    assert refused(server.fetcher(maximum_bytes=1000), server.url()) is Reason.TOO_LARGE


def test_a_body_without_end_is_cut_off(server: Server) -> None:
    """No length announced, and it goes on and on."""

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"x" * 65536)
        except OSError:
            pass

    server.answers["/ca.crl"] = endless
    assert refused(server.fetcher(maximum_bytes=1_000_000), server.url()) is Reason.TOO_LARGE


def test_a_body_that_is_cut_off_is_refused(server: Server) -> None:
    """Fewer bytes than announced."""
    server.answers["/ca.crl"] = body(b"half", Content_Length="8")
    assert refused(server.fetcher(), server.url()) is Reason.FETCH_FAILED


def test_a_body_that_drips_in_is_given_up(server: Server) -> None:
    """A byte now and then keeps every single read alive, but not the fetch."""

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            for _ in range(100):
                request.wfile.write(b"x")
                request.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    server.answers["/ca.crl"] = drip
    started = time.monotonic()
    assert refused(server.fetcher(seconds=0.4), server.url()) is Reason.FETCH_FAILED
    assert time.monotonic() - started < 3


def test_a_compressed_body_is_not_unpacked(server: Server) -> None:
    """Neither asked for nor undone: a bomb stays as small as it came, and is no CRL."""
    bomb = gzip.compress(b"\0" * 10_000_000)
    server.answers["/ca.crl"] = body(bomb, Content_Encoding="gzip")
    fetched = server.fetcher().fetch(server.url(), etag=None)
    assert fetched is not None
    assert fetched.data == bomb


def test_nobody_there(server: Server) -> None:
    """A host that does not listen, and one that does not exist."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    fetcher = HttpFetcher(hosts=frozenset({f"localhost:{port}", "nobody.invalid"}), allows=lambda _: True)
    assert refused(fetcher, f"http://localhost:{port}/ca.crl") is Reason.FETCH_FAILED
    assert refused(fetcher, "http://nobody.invalid/ca.crl") is Reason.FETCH_FAILED


PRIVATE = ["10.0.0.1", "172.16.9.9", "192.168.1.1", "100.64.0.7", "fd12:3456::1"]
OF_THE_MACHINE = [
    *("127.0.0.1", "::1", "169.254.169.254", "169.254.170.2", "fe80::1", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"),  # noqa: S104 - refused, not bound
    *("::ffff:10.0.0.1", "64:ff9b::a00:1", "240.0.0.1", "198.18.0.1"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_host_may_be_in_a_private_network(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """It is asked, and no other name that leads there is."""
    resolve_to(monkeypatch, address)
    asked: list[str] = []

    def pool(_: HttpFetcher, _scheme: str, address: str, *_others: object) -> object:
        asked.append(address)
        raise ValueError("far enough")

    monkeypatch.setattr(HttpFetcher, "_pool", pool)
    fetcher = HttpFetcher(
        hosts=frozenset({"crl.corp.example", "crl.example.com"}), private_hosts=frozenset({"crl.corp.example"})
    )
    with pytest.raises(Undecided, match="did not answer"):
        fetcher.fetch("http://crl.corp.example/ca.crl", etag=None)
    assert asked == [address]
    for other in ("http://crl.example.com/ca.crl", "http://crl.corp.example:8080/ca.crl"):
        with pytest.raises(Undecided, match=r"not public|not among"):
            fetcher.fetch(other, etag=None)
    assert asked == [address]


@pytest.mark.parametrize("address", OF_THE_MACHINE)
def test_not_even_a_private_host_leads_to_the_machine_itself(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Loopback, link-local, metadata services and what only looks like something else."""
    resolve_to(monkeypatch, address)
    fetcher = HttpFetcher(hosts=frozenset({"crl.corp.example"}), private_hosts=frozenset({"crl.corp.example"}))
    with pytest.raises(Undecided, match="not public"):
        fetcher.fetch("http://crl.corp.example/ca.crl", etag=None)


def resolve_to(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let every name have this address."""
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))]
    )
