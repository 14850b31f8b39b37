"""What a cold container of the activation function costs in CPU time, beside boto3, an IoT client and cryptography.

Whole processes in turn, their CPU time as the operating system counts it, less that of one that does nothing. Two
stretches: the import of the handler alone, and all that happens before the first event is decided (import, session,
every client). The handler comes from the bundle as it is deployed, built for this computer; the peer from the same
libraries as their authors ship them. Each with compiled modules, and from source: the bundle carries no bytecode,
because its bytes would depend on the Python that made it, so a cold start on AWS is the latter.
"""

from __future__ import annotations

import compileall
import importlib.util
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from aws_cdk import aws_lambda as lambda_

from bench.figures import Figure, begin, figure, in_turn, ratio_by_pairs, write
from jitr.settings import Configuration
from jitr_infra.functions.bundle import build_bundle
from jitr_infra.parts.build_target import BuildTarget

ROUNDS = 11
LIBRARIES = ("boto3", "botocore", "s3transfer", "urllib3", "dateutil", "jmespath", "cryptography", "cffi")
SINGLE_FILES = ("six", "_cffi_backend")
HANDLER = "import jitr.handlers.activate"
READY = """
from jitr.handlers.activate import build_function
from jitr.settings import Configuration, Environment
environment = dict(account="000000000000", region="eu-west-1", partition="aws", state_table="t", crl_bucket="b")
build_function(Configuration(deployment="bench"), Environment(**environment))
"""
PEER = "import boto3, cryptography.x509; boto3.Session(region_name='eu-west-1').client('iot')"


def this_computer() -> BuildTarget:
    """Return a target whose wheels run here."""
    arm = platform.machine().lower() in ("aarch64", "arm64")
    return BuildTarget(
        architecture=lambda_.Architecture.ARM_64 if arm else lambda_.Architecture.X86_64,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )


def copy_libraries(folder: Path) -> None:
    """Copy the peer's libraries, whole, from this environment."""
    for name in (*LIBRARIES, *SINGLE_FILES):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"{name} is not installed")
        origin = Path(spec.origin)
        if name in SINGLE_FILES:
            shutil.copy(origin, folder / origin.name)
        else:
            shutil.copytree(origin.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def process(program: str, folder: Path, *options: str) -> Callable[[], float]:
    """Return what runs a program with one folder on its path, and returns its CPU milliseconds."""
    # -I and -S leave out this environment; -B leaves nothing behind.
    start = f"import sys; sys.path.insert(0, {str(folder)!r})\n{program}"
    command = [sys.executable, "-I", "-S", "-B", *options, "-c", start]
    environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    def run() -> float:
        child = subprocess.Popen(command, env=environment)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, command)
        return (used.ru_utime + used.ru_stime) * 1000

    return run


def measure(folder: Path) -> list[Figure]:
    """Return the figures; `folder` is empty."""
    bundle, libraries, nowhere = (folder / name for name in ("bundle", "libraries", "no-bytecode"))
    for each in (bundle, libraries, nowhere):
        each.mkdir()
    build_bundle(bundle, configuration=Configuration(deployment="bench"), target=this_computer())
    copy_libraries(libraries)
    for each in (bundle, libraries):
        compileall.compile_dir(each, quiet=2)
    source = ("-X", f"pycache_prefix={nowhere}")
    found = in_turn(
        {
            "nothing": process("pass", bundle),
            "peer": process(PEER, libraries),
            "import": process(HANDLER, bundle),
            "ready": process(READY, bundle),
            "peer from source": process(PEER, libraries, *source),
            "ready from source": process(READY, bundle, *source),
        },
        ROUNDS,
    )
    net = {
        name: [each - nothing for each, nothing in zip(values, found["nothing"], strict=True)]
        for name, values in found.items()
    }
    stretches = (
        ("import of the handler, compiled", "import", "peer"),
        ("cold start until the first event, compiled", "ready", "peer"),
        ("cold start until the first event, from source as on AWS", "ready from source", "peer from source"),
    )
    return [_figure(name, net[ours], net[theirs]) for name, ours, theirs in stretches]


def _figure(name: str, ours: list[float], theirs: list[float]) -> Figure:
    found = figure(
        name,
        statistics.median(ours),
        "ms CPU",
        peer=statistics.median(theirs),
        beside="peer: boto3, one IoT client and cryptography",
        promise="<= 1.2",
    )
    return {**found, "ratio": ratio_by_pairs(ours, theirs)}


def main() -> None:
    """Measure, print and write the figures."""
    begin()
    with tempfile.TemporaryDirectory() as folder:
        write("cold-start", measure(Path(folder)))


if __name__ == "__main__":
    main()
