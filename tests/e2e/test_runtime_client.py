"""The real bundle under AWS's Lambda runtime interface client, in a Python that has none of our packages.

Only the Runtime API's server is ours; the client asks it for events and posts what the handler answers. The state table
is the emulator's.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_cdk import aws_lambda as lambda_

from jitr.settings import Configuration, Environment
from jitr_infra.functions.activation_function import ActivationFunction
from jitr_infra.functions.bundle import build_bundle
from jitr_infra.parts.build_target import BuildTarget
from jitr_local.checkout import CHECKOUT
from jitr_local.stack.emulator import ACCOUNT, REGION, Emulator

pytestmark = pytest.mark.e2e

RUNTIME_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
ANSWERED_WITHIN = 60.0
EVENTS = 2
STATE_TABLE = "state"
# Isolated (-I) and without site-packages (-S): the bundle and the runtime client are all there is.
START = (
    "import runpy, sys; sys.path[:0] = [sys.argv.pop(1), sys.argv.pop(1)]; "
    "runpy.run_module('awslambdaric', run_name='__main__')"
)


@dataclass
class RuntimeApi:
    """Events to hand out, and the answers by path: `response` or `error`."""

    events: list[bytes]
    answers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)


def python_of_lambda() -> tuple[str, str]:
    """Return a Python and its version: 3.13 as in AWS if one is installed, else the running one."""
    candidates = [shutil.which("python3.13"), *sorted(Path.home().glob(".pyenv/versions/3.13*/bin/python3.13"))]
    for candidate in filter(None, candidates):
        asked = subprocess.run([str(candidate), "-c", "pass"], capture_output=True, check=False)
        if asked.returncode == 0:
            return str(candidate), "3.13"
    return sys.executable, f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What the function answered to an event of a CA it does not manage, and to one that is no event."""
    folder = tmp_path_factory.mktemp("runtime")
    python, version = python_of_lambda()
    arm = platform.machine().lower() in ("aarch64", "arm64")
    target = BuildTarget(
        runtime=lambda_.Runtime(f"python{version}", lambda_.RuntimeFamily.PYTHON),
        architecture=lambda_.Architecture.ARM_64 if arm else lambda_.Architecture.X86_64,
        python=version,
    )
    for name in ("task", "runtime"):
        (folder / name).mkdir()
    build_bundle(folder / "task", configuration=Configuration(deployment="test"), target=target)
    install_runtime_client(folder / "runtime", target)
    api = RuntimeApi(events=[json.dumps(unmanaged_event()).encode(), b'{"certificateId": 7}'])
    emulator = Emulator(folder / "emulator")
    try:
        running = emulator.start()
        create_state_table(running.endpoint_url)
        with serving(api) as address:
            variables = function_variables(folder, address, running.endpoint_url)
            command = [python, "-I", "-S", "-c", START, str(folder / "task"), str(folder / "runtime")]
            function = subprocess.Popen(
                [*command, ActivationFunction.DEFINITION.handler], cwd=folder / "task", env=variables
            )
            try:
                api.done.wait(ANSWERED_WITHIN)
            finally:
                function.kill()
                function.wait()
        yield api.answers
    finally:
        emulator.stop()


def test_an_event_of_an_unmanaged_ca_is_answered_with_its_outcome(answers: list[tuple[str, dict[str, Any]]]) -> None:
    """The bundle imports, reads its configuration and answers, with nothing but itself and the runtime client."""
    path, answer = answers[0]
    assert path == "response"
    assert answer == {"certificate_id": "ab" * 32, "outcome": "unmanaged_ca", "reason": answer["reason"], "step": 1}


def test_a_malformed_event_is_an_error_that_lambda_tries_again(answers: list[tuple[str, dict[str, Any]]]) -> None:
    """Lambda sees an error with our type, whose message is the reason as JSON."""
    path, answer = answers[1]
    assert path == "error"
    assert answer["errorType"] == "UndecidedEvent"
    assert json.loads(answer["errorMessage"])["reason"] == "malformed_event"


def unmanaged_event() -> dict[str, Any]:
    """A first event as AWS IoT sends it, of a CA that nobody manages."""
    return {
        "certificateId": "ab" * 32,
        "caCertificateId": "cd" * 32,
        "timestamp": 1_795_000_000_000,
        "certificateStatus": "PENDING_ACTIVATION",
        "awsAccountId": ACCOUNT,
        "certificateRegistrationTimestamp": None,
        "sourceIp": "203.0.113.7",
    }


def function_variables(folder: Path, runtime_api: str, endpoint_url: str) -> dict[str, str]:
    """The environment of a Lambda function, and nothing of this one's but the path."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_FUNCTION_NAME": "jitr-test-Activate",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "LAMBDA_TASK_ROOT": str(folder / "task"),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        **Environment.to_environ(
            {"account": ACCOUNT, "partition": "aws", "state_table": STATE_TABLE, "crl_bucket": "crls"}
        ),
    }


def create_state_table(endpoint_url: str) -> None:
    """Make an empty table for what the function remembers."""
    dynamodb = boto3.client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    dynamodb.create_table(
        TableName=STATE_TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )


def install_runtime_client(folder: Path, target: BuildTarget) -> None:
    """Unpack the runtime client's wheels for the function's Python, in the versions of the development lock."""
    lock = (CHECKOUT / "requirements-dev.txt").read_text(encoding="utf-8")
    blocks = [re.search(rf"^{name}==(?:.*\\\n)*.*$", lock, re.MULTILINE) for name in RUNTIME_CLIENT]
    requirements = folder.with_suffix(".txt")
    requirements.write_text("\n".join(block[0] for block in blocks if block), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--implementation=cp", f"--python-version={target.python}"]
    command += [f"--platform={name}" for name in target.platforms]
    done = subprocess.run(
        [*command, f"--target={folder}", f"--requirement={requirements}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def serving(api: RuntimeApi) -> Iterator[str]:
    """Serve the Runtime API on a free port and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        """`GET …/invocation/next`, `POST …/invocation/<id>/response|error`, `POST …/init/error`."""

        def do_GET(self) -> None:
            """Hand out the next event, or wait for the end."""
            if not api.events:
                api.done.wait(ANSWERED_WITHIN)
                return
            body = api.events.pop(0)
            self.send_response(200)
            # The client crashes on an answer without a content type.
            self.send_header("Content-Type", "application/json")
            self.send_header("Lambda-Runtime-Aws-Request-Id", "11111111-2222-3333-4444-555555555555")
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 60) * 1000)))
            arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:jitr-test-Activate"
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", arn)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            """Take an answer."""
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            api.answers.append((self.path.rpartition("/")[2], json.loads(body)))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if len(api.answers) == EVENTS or "/init/" in self.path:
                api.done.set()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            api.done.set()
            server.shutdown()
            thread.join()
