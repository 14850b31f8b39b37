"""The function's code: our package, its configuration and the locked wheels, put together without Docker.

Wheels come from lambda/requirements.txt, hash-checked, for the target's platform and Python. They are unpacked once
for a lock and target, in a checkout below the git-ignored build/, else in the user's cache; a second synth copies.
Equal input gives equal bytes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

import jitr
from jitr.settings import CONFIGURATION_FILE, Configuration
from jitr_fleet.files.shipped import checkout, shipped
from jitr_infra.functions.service_models import reduce_service_models
from jitr_infra.parts.build_target import BuildTarget


def _cache() -> Path:
    """Return the folder for what costs time to make again; XDG base directory specification."""
    here = checkout()
    return here / "build" if here else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jitr"


SOURCE: Final = Path(jitr.__file__).parent
LOCK: Final = shipped("lambda/requirements.txt")
CACHE: Final = _cache() / "wheels"

# The AWS services whose API models stay in the bundle; the other four hundred make up most of botocore.
SERVICES: Final = frozenset({"acm-pca", "cloudformation", "dynamodb", "iot", "iot-data", "s3", "sqs", "sts"})
# Part of the cache key: raise it when the pruning below changes.
_PRUNING: Final = "2"
_NEVER_RUN: Final = (
    *("**/__pycache__", "**/tests", "**/*.pyi", "bin", "boto3/examples", "botocore/docs/bcdoc/*.rst"),
    # A page for browsers, of Powertools' part that answers HTTP.
    *("aws_lambda_powertools/event_handler/openapi/swagger_ui/*.js", "**/swagger_ui/*.css"),
)
_INSTALLER_RECORDS: Final = ("RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json", "top_level.txt")
# Compiled files carry time stamps, editors and Finder leave their own.
_FOREIGN: Final = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*~", "*.orig", "*.rej")


class BundleError(Exception):
    """The bundle cannot be built; the message says why and what to do."""


def build_bundle(destination: Path, *, configuration: Configuration, target: BuildTarget) -> None:
    """Write the function's code into an existing folder; raises BundleError when wheels cannot be had.

    Not checked: that the code runs; the tests do that under the Lambda runtime interface client.
    """
    shutil.copytree(fetch_wheels(target), destination, dirs_exist_ok=True)
    shutil.copytree(SOURCE, destination / "jitr", ignore=_FOREIGN)
    _compile(destination / "jitr", target, root=destination)
    (destination / CONFIGURATION_FILE).write_text(configuration.to_json(), encoding="utf-8")


def function_code(configuration: Configuration, target: BuildTarget) -> lambda_.Code:
    """Return the bundle as a CDK asset whose hash is that of its content."""
    return lambda_.Code.from_asset(
        str(SOURCE),
        asset_hash_type=AssetHashType.OUTPUT,
        bundling=BundlingOptions(
            # Never pulled: CDK wants an image named even where bundling is local.
            image=DockerImage.from_registry("docker-is-not-used"),
            # Makes every synth build anew: CDK would otherwise give two deployments one bundle, because all else that
            # it compares is equal, and would take over what an interrupted synth left half done.
            environment={"SYNTH": secrets.token_hex(8)},
            local=_WithoutDocker(lambda folder: build_bundle(folder, configuration=configuration, target=target)),
        ),
    )


@jsii.implements(ILocalBundling)
class _WithoutDocker:
    """Bundling for CDK that either succeeds here or stops the synth: it never falls back to Docker."""

    def __init__(self, build: Callable[[Path], None]) -> None:
        self._build = build

    def try_bundle(self, output_dir: str, *_options: Any, **_keywords: Any) -> bool:  # noqa: ANN401 - CDK's signature
        """Fill `output_dir` and return True."""
        self._build(Path(output_dir))
        return True


def fetch_wheels(target: BuildTarget) -> Path:
    """Return a folder with the unpacked, pruned wheels: made once, and complete or not there at all.

    Raises BundleError when pip fails; worth calling before CDK bundles, which would wrap the error in its own.
    """
    key = hashlib.sha256(LOCK.read_bytes())
    compiled = () if target.interpreter is None else ("compiled",)
    key.update("\0".join((_PRUNING, target.python, *target.platforms, *sorted(SERVICES), *compiled)).encode())
    ready = CACHE / key.hexdigest()[:24]
    if ready.is_dir():
        return ready
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        unpacked = Path(scratch) / "wheels"
        if target.interpreter is None:
            fetch_whole_wheels(unpacked, target)
            _prune(unpacked)
        else:
            shutil.copytree(fetch_wheels(replace(target, interpreter=None)), unpacked)
            _compile(unpacked, target, root=unpacked)
        try:
            unpacked.rename(ready)
        except OSError:
            # Another synth was faster; what it left there is complete, because a rename is all or nothing.
            if not ready.is_dir():
                raise
    return ready


def fetch_whole_wheels(destination: Path, target: BuildTarget) -> None:
    """Unpack the wheels of the lock, nothing left out, into a folder that pip makes; raises BundleError."""
    if importlib.util.find_spec("pip") is None:
        raise BundleError("there is no pip beside jitr to fetch the function's dependencies with: add jitr's extra cdk")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-compile", "--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={target.python}", f"--target={destination}", f"--requirement={LOCK}"]
    command += [f"--platform={platform}" for platform in target.platforms]
    # A user's pip settings may add --user or --target; certificates and indexes set by variable stay in force.
    environment = {name: value for name, value in os.environ.items() if name not in ("PIP_USER", "PIP_TARGET")}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BundleError(
            f"pip could not fetch the function's dependencies for Python {target.python} on {target.platforms[0]}; "
            f"Docker is not used instead. pip said:\n{result.stderr.strip() or result.stdout.strip()}"
        )


def _prune(root: Path) -> None:
    """Remove what never runs, and what differs from one computer to the next."""
    for pattern in _NEVER_RUN:
        _remove(root.glob(pattern))
    for package in ("boto3", "botocore"):
        reduce_service_models(root / package / "data", SERVICES)
    for name in _INSTALLER_RECORDS:
        _remove(root.glob(f"*.dist-info/{name}"))


def _compile(folder: Path, target: BuildTarget, *, root: Path) -> None:
    """Put bytecode beside the modules of a folder below the bundle's root, if the target's Python is at hand.

    It holds for wherever the bundle is unpacked, and whenever: the emulator does so for each process of a function.
    """
    if target.interpreter is None:
        return
    command = [target.interpreter, "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash"]
    # What cannot be compiled is said by whoever imports it.
    subprocess.run([*command, "-s", str(root), "-p", "/var/task", str(folder)], capture_output=True, check=False)


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
