"""The real CDK command line against the emulator: bootstrap, synth, deploy and destroy, each with a log of its own.

Nothing of the user's AWS settings reaches it: no profile, no credentials, no Region.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jitr_local.checkout import CHECKOUT
from jitr_local.stack.emulator import ACCOUNT, LOOPBACK, REGION, tail

CDK: Final = CHECKOUT / "node_modules" / ".bin" / "cdk"
APP: Final = f"{shlex.quote(sys.executable)} -m jitr_local.stack.app"
_QUIET: Final = ("--no-notices", "--no-version-reporting", "--ci", "--no-color")
_PROXY_EXCEPTIONS: Final = f"{LOOPBACK},localhost"


class CdkFailedError(Exception):
    """A CDK command that failed; the message holds its last lines and where the log is."""


@dataclass(frozen=True, kw_only=True)
class Cdk:
    """The CDK command line for one emulator; works in `folder`, which also gets assembly, outputs and logs.

    `own` is the deployment to be moved here, where the fleet file is somebody's own.
    """

    folder: Path
    endpoint_url: str
    server_ca: Path
    fleet: Path
    auth: bool = False
    own: str = ""

    @property
    def outputs(self) -> Path:
        """Return the file with the stacks' outputs as JSON, written by `deploy`."""
        return self.folder / "outputs.json"

    @property
    def assembly(self) -> Path:
        """Return the folder of the synthesised app."""
        return self.folder / "cdk.out"

    def bootstrap_and_synth(self) -> None:
        """Do both at once, because neither needs the other; raises CdkFailedError."""
        with self._bootstrap() as bootstrap, self._synth() as synth:
            bootstrap.wait()
            synth.wait()
            _require_success(bootstrap)
            _require_success(synth)

    def deploy(self) -> None:
        """Deploy every stack of the assembly and write the outputs; raises CdkFailedError."""
        self._deploy(f"--app={self.assembly}", cwd=self.folder)

    def synth_and_deploy(self, *options: str) -> None:
        """Synthesise the app anew from the fleet file and deploy every stack of it; raises CdkFailedError."""
        self._deploy(*self._anew(), *options, cwd=CHECKOUT)

    def destroy(self) -> None:
        """Destroy every stack of the assembly, as it was deployed; what is retained stays. Raises CdkFailedError."""
        with self._command(
            "destroy", ["destroy", "--all", "--force", f"--app={self.assembly}"], cwd=self.folder
        ) as run:
            _require_success(run)

    def _bootstrap(self) -> contextlib.AbstractContextManager[CdkProcess]:
        # Not in the checkout: with a cdk.json in sight the command would synthesise the app first.
        return self._command("bootstrap", ["bootstrap", f"aws://{ACCOUNT}/{REGION}"], cwd=self.folder)

    def _synth(self) -> contextlib.AbstractContextManager[CdkProcess]:
        return self._command("synth", ["synth", "--quiet", *self._anew()], cwd=CHECKOUT)

    def _anew(self) -> tuple[str, str]:
        # For a command in the checkout: cdk.json there holds the feature flags.
        return f"--app={APP}", f"--output={self.assembly}"

    def _deploy(self, *options: str, cwd: Path) -> None:
        arguments = ["deploy", "--all", f"--outputs-file={self.outputs}", "--require-approval=never"]
        arguments += ["--progress=events", "--asset-parallelism", *options]
        with self._command("deploy", arguments, cwd=cwd) as deploy:
            _require_success(deploy)

    @contextlib.contextmanager
    def _command(self, name: str, arguments: Sequence[str], *, cwd: Path) -> Iterator[CdkProcess]:
        if not CDK.exists():
            raise CdkFailedError(f"{CDK} is missing: run `make install`")
        log = self.folder / f"cdk-{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(CDK), *arguments, *_QUIET],
                cwd=cwd,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield CdkProcess(name=name, process=process, log=log)
        finally:
            # Reached early on Ctrl-C or another command's failure: the app is a child of the command.
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_", "JITR_"))}
        for name in ("NO_PROXY", "no_proxy"):
            kept[name] = f"{kept[name]},{_PROXY_EXCEPTIONS}" if kept.get(name) else _PROXY_EXCEPTIONS
        return {
            **kept,
            **credentials(self.endpoint_url, str(self.server_ca)),
            "NODE_EXTRA_CA_CERTS": str(self.server_ca),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
            "JITR_LOCAL_FLEET": str(self.fleet),
            "JITR_LOCAL_AUTH": "1" if self.auth else "",
            "JITR_LOCAL_DEPLOYMENT": self.own,
        }


@dataclass(frozen=True, kw_only=True)
class CdkProcess:
    """One running CDK command and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait()


def credentials(endpoint_url: str, server_ca: str) -> dict[str, str]:
    """Return the variables that point any AWS client at the emulator, as its root."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CA_BUNDLE": server_ca,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def _require_success(run: CdkProcess) -> None:
    if run.wait() != 0:
        raise CdkFailedError(f"cdk {run.name} failed:\n{tail(run.log, 25)}\nThe whole log: {run.log}")
