"""MiniStack, the AWS on this computer, as a process of its own: started on free ports, found again, stopped wholly.

Whether an instance runs is known by a lock that its process holds for as long as it lives, never by a process id
alone: ids are used again. Its home is one folder; nothing is written outside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from jitr_local.checkout import CHECKOUT
from jitr_local.stack.endpoint_certificate import EndpointCertificate
from jitr_local.stack.first_handshake import shake_hands

EMULATOR_PYTHON: Final = CHECKOUT / ".venv" / "emulator" / "bin" / "python"
ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"
MQTT_HOST: Final = "localhost"
LOOPBACK: Final = "127.0.0.1"

_READY_WITHIN: Final = 60.0
_STOP_WITHIN: Final = 5.0
_POLL: Final = 0.1
_PORT_ATTEMPTS: Final = 3


class EmulatorFailedError(Exception):
    """The emulator did not start; the message says what was seen and where its log is."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A running emulator: its process (also its process group) and where it listens."""

    pid: int
    gateway_port: int
    mqtt_port: int
    auth: bool
    tls: str | None = None

    @property
    def endpoint_url(self) -> str:
        """Return the endpoint for AWS clients; an address, because S3 clients put bucket names before host names."""
        return f"{'https' if self.auth else 'http'}://{LOOPBACK}:{self.gateway_port}"


@dataclass(frozen=True)
class Emulator:
    """The emulator at home in `folder`, for one caller at a time; `tls` is the one version it speaks, None for both."""

    folder: Path
    tls: str | None = None

    @property
    def log(self) -> Path:
        """Return the file with everything it prints, the functions' output included."""
        return self.folder / "emulator.log"

    @property
    def server_ca(self) -> Path:
        """Return the PEM file of the CAs behind the MQTT server's certificate and, with auth, the endpoint's."""
        return self.folder / "server-ca.pem"

    def running(self) -> Running | None:
        """Return the running instance, or None; a record left behind by one that died counts as none."""
        with self._lock() as free:
            if free is not None:
                return None
        try:
            return Running(**json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def start(self, *, auth: bool = False) -> Running:
        """Start it and return when HTTP and MQTT answer; raises EmulatorFailedError, with nothing left running."""
        if not EMULATOR_PYTHON.exists():
            raise EmulatorFailedError(f"{EMULATOR_PYTHON} is missing: run `make install`")
        self.folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            # A free port may be taken by somebody else before the emulator binds it; then other ports are tried.
            with contextlib.suppress(_PortTakenError):
                return self._start_once(auth=auth, last=attempt == _PORT_ATTEMPTS)
        raise EmulatorFailedError(f"no free ports were kept in {_PORT_ATTEMPTS} attempts; its log: {self.log}")

    def stop(self) -> None:
        """Stop it with everything it started; does nothing when none runs."""
        running = self.running()
        if running is None:
            return
        _signal_group(running.pid, signal.SIGTERM)
        self._wait_until_gone(_STOP_WITHIN)
        # The functions' processes are in the same group; one that is busy outlives the gentle signal.
        _signal_group(running.pid, signal.SIGKILL)
        self._wait_until_gone(_STOP_WITHIN)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(running.pid, 0)
        self._record.unlink(missing_ok=True)

    def _start_once(self, *, auth: bool, last: bool) -> Running:
        with self._lock() as lock:
            if lock is None:
                raise EmulatorFailedError(f"another emulator still runs in {self.folder}")
            gateway_port, mqtt_port = free_ports(2)
            variables = environment(self.folder, gateway_port, mqtt_port)
            if auth:
                variables |= enforcing(self.folder)
            variables |= {} if self.tls is None else speaking_only(self.tls, self.folder)
            process = self._spawn(lock, variables)
        running = Running(pid=process.pid, gateway_port=gateway_port, mqtt_port=mqtt_port, auth=auth, tls=self.tls)
        try:
            # Written first: whoever interrupts us from here on leaves a record to stop it by.
            self._record.write_text(json.dumps(asdict(running)), encoding="utf-8")
            self._wait_until_ready(process, running, last=last)
            self._write_server_ca(running)
            if not shake_hands(MQTT_HOST, mqtt_port, self.server_ca, within=_READY_WITHIN):
                raise EmulatorFailedError(f"no TLS on its MQTT port {mqtt_port}: {self.log}")  # noqa: TRY301
        except BaseException:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
            self._record.unlink(missing_ok=True)
            raise
        # It outlives this object on purpose; `stop` or init reaps it. Popen need not warn about that.
        process.returncode = 0
        return running

    def _write_server_ca(self, running: Running) -> None:
        authorities = _get(f"{running.endpoint_url}/_ministack/iot/ca.pem", self.folder)
        if running.auth:
            authorities += certificate_files(self.folder).authority.read_bytes()
        self.server_ca.write_bytes(authorities)

    def _spawn(self, lock: IO[bytes], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        for name in ("tmp", "s3", "state"):
            (self.folder / name).mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [str(EMULATOR_PYTHON), "-m", "ministack"],
                cwd=self.folder,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock.fileno(),),
                start_new_session=True,
            )

    def _wait_until_ready(self, process: subprocess.Popen[bytes], running: Running, *, last: bool) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            if process.poll() is not None:
                if not last and "already in use" in tail(self.log):
                    raise _PortTakenError
                raise EmulatorFailedError(
                    f"the emulator ended with {process.returncode}:\n{tail(self.log)}\n{self.log}"
                )
            state = _readiness(running.endpoint_url, self.folder)
            if state == "listening":
                return
            if state == "degraded":
                raise _PortTakenError
            time.sleep(_POLL)
        raise EmulatorFailedError(f"the emulator was not ready within {_READY_WITHIN:.0f} s; its log: {self.log}")

    @property
    def _record(self) -> Path:
        return self.folder / "emulator.json"

    @contextlib.contextmanager
    def _lock(self) -> Iterator[IO[bytes] | None]:
        """Yield the lock's file if no process holds it, else None; a child that inherits it holds it on."""
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True)
        with (self.folder / "emulator.lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield file

    def _wait_until_gone(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.running() is not None:
            time.sleep(_POLL)


class _PortTakenError(Exception):
    """A port was taken between looking and binding."""


def environment(folder: Path, gateway_port: int, mqtt_port: int) -> dict[str, str]:
    """Return the emulator's environment: nothing of the user's AWS settings, every file below `folder`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
    return {
        **kept,
        "GATEWAY_PORT": str(gateway_port),
        "IOT_MTLS_PORT": str(mqtt_port),
        "BIND_HOST": LOOPBACK,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "LAMBDA_EXECUTOR": "local",
        "SFTP_ENABLED": "0",
        # Every API call is kept in memory: `aws cloudtrail lookup-events` shows what the function really called.
        "CLOUDTRAIL_RECORDING": "1",
        "TMPDIR": str(folder / "tmp"),
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        "PYTHONUNBUFFERED": "1",
    }


def enforcing(folder: Path) -> dict[str, str]:
    """Make a certificate for the endpoint and return what to add for an emulator that enforces permissions.

    Then TLS is needed too: the stack's resources refuse callers who come without it.
    """
    files = certificate_files(folder)
    files.make()
    return {
        "AUTH": "true",
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(files.chain),
        "MINISTACK_SSL_KEY": str(files.key),
        # Inherited by the functions, whose clients come back to the endpoint.
        "AWS_CA_BUNDLE": str(files.authority),
    }


def speaking_only(tls: str, folder: Path) -> dict[str, str]:
    """Write OpenSSL's settings for one version of TLS, "1.2" or "1.3", and return what makes the emulator read them."""
    settings = folder / "openssl.cnf"
    limits = f"MinProtocol = TLSv{tls}\nMaxProtocol = TLSv{tls}\n"
    settings.write_text(f"openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n{limits}")
    return {"OPENSSL_CONF": str(settings)}


def free_ports(count: int) -> list[int]:
    """Return ports that are free on every interface now; nothing keeps them free."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, or nothing if there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def clear(folder: Path) -> None:
    """Delete an emulator's home; not checked: that none runs there."""
    shutil.rmtree(folder, ignore_errors=True)


def certificate_files(folder: Path) -> EndpointCertificate:
    """Return the files of the endpoint's certificate below an emulator's home."""
    return EndpointCertificate(folder=folder / "endpoint")


def _readiness(endpoint_url: str, folder: Path) -> str | None:
    """Return the MQTT listener's state once everything else is ready, else None."""
    try:
        answer: dict[str, Any] = json.loads(_get(f"{endpoint_url}/_ministack/ready", folder))
    except (OSError, ValueError):
        return None
    return str(answer.get("iot_mtls"))


def _get(url: str, folder: Path) -> bytes:
    # No proxy from the environment: the emulator is on this computer.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if url.startswith("https:"):
        trust = ssl.create_default_context(cafile=str(certificate_files(folder).authority))
        handlers.append(urllib.request.HTTPSHandler(context=trust))
    with urllib.request.build_opener(*handlers).open(url, timeout=10) as response:
        data: bytes = response.read()
        return data


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
