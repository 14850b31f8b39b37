"""The stack on this computer: emulator, real `cdk bootstrap` and `cdk deploy`, and what ordinary clients need to know.

Used by the command line, the demo and the end-to-end tests alike. Several may run at once, each in its own folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shlex
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import boto3

from jitr_fleet.deployments.deployment import Ingestion
from jitr_fleet.deployments.stack_outputs import StackOutputs
from jitr_local.stack.cdk import Cdk, credentials
from jitr_local.stack.emulator import ACCOUNT, MQTT_HOST, REGION, Emulator, Running, clear
from jitr_local.stack.local_fleet import DEPLOYMENT, FLEET_FILE, POLICIES, LocalCa, OwnFleet, write_fleet

Progress = Callable[[str], None]
# A profile comes before credentials in variables, and a session token belongs to other credentials.
_MISLEADING = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


class LocalStackError(Exception):
    """The local stack cannot do what was asked; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A running, deployed stack; the fields are the contract of `jitr local up --json`."""

    endpoint_url: str
    region: str
    account: str
    mqtt_host: str
    mqtt_port: int
    server_ca: str
    stack: str
    crl_bucket: str
    function: str

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote; raises ValueError or TypeError on anything else."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    def shell_variables(self) -> dict[str, str]:
        """Return the environment that points ordinary clients at the stack."""
        return {
            **credentials(self.endpoint_url, self.server_ca),
            "JITR_MQTT_HOST": self.mqtt_host,
            "JITR_MQTT_PORT": str(self.mqtt_port),
            "JITR_SERVER_CA": self.server_ca,
        }

    def exports(self) -> str:
        """Return the same as lines for `eval` in a POSIX shell, without what would lead clients elsewhere."""
        lines = [f"unset {name}" for name in _MISLEADING]
        return "\n".join(
            lines + [f"export {name}={shlex.quote(value)}" for name, value in self.shell_variables().items()]
        )

    def client(self, service: str) -> Any:  # noqa: ANN401 - typed by the caller, boto3-stubs names each client
        """Return an AWS client for the stack, with the emulator's root credentials and nothing of the user's."""
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=self.region)  # noqa: S106
        return session.client(service, endpoint_url=self.endpoint_url, verify=self.server_ca)  # type: ignore[call-overload]


@dataclass(frozen=True)
class LocalStack:
    """The local stack whose state is below `folder`; `ingestion` None keeps what it was started with.

    `tls` ("1.2", "1.3") is the one version that a start lets the endpoints speak, None for both. With `own` a
    deployment of somebody's own fleet file is deployed, under its own name.
    """

    folder: Path
    ingestion: Ingestion | None = None
    tls: str | None = None
    own: OwnFleet | None = None

    @property
    def emulator(self) -> Emulator:
        """Return the emulator below this stack."""
        return Emulator(self.folder / "emulator", tls=self.tls)

    @property
    def fleet(self) -> Path:
        """Return the fleet file, as the last start or deploy wrote it."""
        return self.folder / "fleet" / FLEET_FILE

    @contextlib.contextmanager
    def reserved(self, progress: Progress = lambda _: None) -> Iterator[None]:
        """Keep other processes from starting or stopping this stack meanwhile; waits for one that does so now."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder, because stopping deletes the folder.
        with self.folder.with_suffix(".lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("waiting for another command that starts or stops the local stack")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def instance(self) -> Instance | None:
        """Return the running stack, or None: not started, not ready, or dead."""
        if self.emulator.running() is None:
            return None
        try:
            return Instance.from_json(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            return None

    def start(
        self, *, auth: bool = False, cas: Sequence[LocalCa] = (), progress: Progress = lambda _: None
    ) -> Instance:
        """Start emulator and stack; raises EmulatorFailedError or CdkFailedError, with nothing left running.

        What was there before in the folder is stopped and forgotten. Logs stay until the next start or stop.
        """
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            progress("starting the emulator")
            running = self.emulator.start(auth=auth)
            self._write_fleet(cas)
            cdk = self._cdk(running)
            progress(f"cdk bootstrap and synth (account {ACCOUNT}, {REGION})")
            cdk.bootstrap_and_synth()
            progress(f"cdk deploy of stack {self._name}")
            cdk.deploy()
        except BaseException:
            self.emulator.stop()
            raise
        return self._remember(running, cdk)

    def deploy(self, cas: Sequence[LocalCa], *options: str, policies: Path = POLICIES) -> Instance:
        """Deploy again with these CAs in the fleet file, and the templates of a folder.

        Raises LocalStackError when nothing runs, CdkFailedError.
        """
        running = self._running()
        self._write_fleet(cas, policies)
        cdk = self._cdk(running)
        cdk.synth_and_deploy(*options)
        return self._remember(running, cdk)

    def destroy(self) -> None:
        """Run `cdk destroy` on what was deployed last; retained resources stay in the emulator.

        Raises LocalStackError when nothing runs, CdkFailedError.
        """
        self._cdk(self._running()).destroy()

    def stop(self) -> bool:
        """Stop everything and forget it; return whether anything ran."""
        ran = self.emulator.running() is not None
        self.emulator.stop()
        clear(self.folder)
        return ran

    @property
    def auth(self) -> bool:
        """Return whether the running emulator enforces IAM and IoT policies."""
        running = self.emulator.running()
        return running is not None and running.auth

    @property
    def speaks(self) -> str | None:
        """Return the one version of TLS that the running emulator speaks, None for both or where none runs."""
        running = self.emulator.running()
        return None if running is None else running.tls

    @property
    def queued(self) -> bool:
        """Return whether the stack was deployed with a queue between rule and function."""
        return self._deployed_ingestion() is Ingestion.QUEUE

    @property
    def _name(self) -> str:
        return DEPLOYMENT if self.own is None else self.own.deployment

    @property
    def _record(self) -> Path:
        return self.folder / "instance.json"

    def _running(self) -> Running:
        running = self.emulator.running()
        if running is None:
            raise LocalStackError("no local stack runs: start one with `jitr local up`")
        return running

    def _cdk(self, running: Running) -> Cdk:
        if self.own is not None:
            return Cdk(
                folder=self.folder,
                endpoint_url=running.endpoint_url,
                server_ca=self.emulator.server_ca,
                fleet=self.own.file.resolve(),
                auth=running.auth,
                own=self.own.deployment,
            )
        return Cdk(
            folder=self.folder,
            endpoint_url=running.endpoint_url,
            server_ca=self.emulator.server_ca,
            fleet=self.fleet,
            auth=running.auth,
        )

    def _write_fleet(self, cas: Sequence[LocalCa], policies: Path = POLICIES) -> None:
        write_fleet(self.fleet.parent, cas, policies, self.ingestion or self._deployed_ingestion())

    def _deployed_ingestion(self) -> Ingestion:
        try:
            deployments = tomllib.loads(self.fleet.read_text(encoding="utf-8"))["deployments"]
        except FileNotFoundError:
            return Ingestion.DIRECT
        return Ingestion(deployments[DEPLOYMENT]["ingestion"])

    def _remember(self, running: Running, cdk: Cdk) -> Instance:
        outputs = StackOutputs.from_outputs(json.loads(cdk.outputs.read_text(encoding="utf-8"))[self._name])
        if outputs is None:
            raise LocalStackError(f"the stack {self._name} has other outputs than this version writes: {cdk.outputs}")
        instance = Instance(
            endpoint_url=running.endpoint_url,
            region=REGION,
            account=ACCOUNT,
            mqtt_host=MQTT_HOST,
            mqtt_port=running.mqtt_port,
            server_ca=str(self.emulator.server_ca),
            stack=self._name,
            crl_bucket=outputs.crl_bucket,
            function=outputs.function,
        )
        self._record.write_text(instance.to_json(), encoding="utf-8")
        return instance
