"""The function's code: complete, for the right machine, nothing foreign in it, the same for two synths of one tree."""

from __future__ import annotations

import platform
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from aws_cdk import App
from aws_cdk import aws_lambda as lambda_

from jitr.settings import CONFIGURATION_FILE, Configuration
from jitr_fleet.deployments.configuration import configuration_of
from jitr_fleet.deployments.deployment import Fleet
from jitr_infra.app import add_deployments
from jitr_infra.functions import bundle
from jitr_infra.functions.bundle import BundleError, build_bundle
from jitr_infra.parts.build_target import BuildTarget
from tests.infra.synthesis import CHECKOUT, ca, example_deployment, feature_flags

ELF_AARCH64 = 0xB7
PACKAGES = {
    "_cffi_backend.cpython-313-aarch64-linux-gnu.so",
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "cffi",
    "cffi.libs",
    "cryptography",
    "cryptography.libs",
    "dateutil",
    "jitr",
    CONFIGURATION_FILE,
    "jmespath",
    "pycparser",
    "s3transfer",
    "six.py",
    "typing_extensions.py",
    "urllib3",
}
CONFIGURATION = configuration_of(example_deployment())


def this_computer() -> BuildTarget:
    """Return a target whose wheels run here."""
    arm = platform.machine().lower() in ("aarch64", "arm64")
    return BuildTarget(
        architecture=lambda_.Architecture.ARM_64 if arm else lambda_.Architecture.X86_64,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that goes to AWS."""
    folder = tmp_path_factory.mktemp("bundle")
    build_bundle(folder, configuration=CONFIGURATION, target=BuildTarget())
    return folder


@pytest.fixture(scope="module")
def runnable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle for this computer."""
    folder = tmp_path_factory.mktemp("runnable")
    build_bundle(folder, configuration=CONFIGURATION, target=this_computer())
    return folder


def test_the_bundle_holds_our_package_its_configuration_and_locked_dependencies(built: Path) -> None:
    """And nothing else at its root."""
    found = {path.name for path in built.iterdir() if not path.name.endswith(".dist-info")}
    assert found - PACKAGES == set()
    assert PACKAGES - found <= {"cffi.libs", "cryptography.libs"}


def test_the_bundle_holds_what_the_lock_says(built: Path) -> None:
    """Each locked distribution in its version, and no other."""
    lock = (CHECKOUT / "lambda" / "requirements.txt").read_text(encoding="utf-8")
    locked = {line.split(";")[0].strip(" \\") for line in lock.splitlines() if "==" in line and line[0] not in " #"}
    found = {
        path.name.removesuffix(".dist-info").replace("-", "==").replace("_", "-") for path in built.glob("*.dist-info")
    }
    assert found == locked


def test_the_bundle_holds_the_package_as_it_is_in_the_tree(built: Path) -> None:
    """Every module, byte for byte, and no compiled ones."""
    source = CHECKOUT / "lambda" / "jitr"
    modules = {path.relative_to(source): path.read_bytes() for path in source.rglob("*.py")}
    bundled = {
        path.relative_to(built / "jitr"): path.read_bytes() for path in (built / "jitr").rglob("*") if path.is_file()
    }
    assert bundled == modules


@pytest.mark.parametrize(
    "foreign",
    [
        "**/__pycache__",
        "**/*.pyc",
        "**/tests",
        "bin",
        "*.dist-info/RECORD",
        "botocore/**/*.gz",
        "**/examples-1.json",
        "**/swagger_ui/*.js",
    ],
)
def test_nothing_foreign_is_in_the_bundle(built: Path, foreign: str) -> None:
    """No caches, no tests, no scripts with this computer's paths in them."""
    assert not list(built.glob(foreign))


def test_licences_travel_along(built: Path) -> None:
    """Every dependency's licence asks for it."""
    for metadata in built.glob("*.dist-info"):
        assert [path for path in metadata.rglob("*") if path.name.upper().startswith("LICENSE")], metadata.name


def test_compiled_modules_are_for_the_function_not_for_this_computer(built: Path) -> None:
    """ELF's machine field says aarch64."""
    libraries = list(built.rglob("*.so"))
    assert {path.name.split(".")[0] for path in libraries} == {"_rust", "_cffi_backend"}
    for library in libraries:
        (machine,) = struct.unpack_from("<H", library.read_bytes(), 18)
        assert machine == ELF_AARCH64, library.name


def test_the_configuration_is_the_deployments(built: Path) -> None:
    """What the function reads is what the fleet file says."""
    assert Configuration.beside(built) == CONFIGURATION


def test_the_bundle_fits(built: Path) -> None:
    """Lambda unpacks up to 250 MB; cold starts want far less."""
    size = sum(path.stat().st_size for path in built.rglob("*") if path.is_file())
    assert size < 25 * 1024 * 1024


def imported(folder: Path, handler: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Import a handler with nothing but a bundle and the standard library on the path."""
    program = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); "
        f"import jitr.handlers.{handler} as handler, boto3, cryptography, aws_lambda_powertools; "
        "print([m.__file__ for m in (handler, boto3, cryptography, aws_lambda_powertools)])"
    )
    # -I and -S leave out this environment's packages, the user's and every variable that could add some.
    command = [sys.executable, "-I", "-S", "-B", *options, "-c", program]
    answer = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer


@pytest.mark.parametrize("handler", ["activate", "authorities", "bulk", "enforce", "roll_out"])
def test_a_handler_imports_in_a_clean_python(runnable: Path, handler: str) -> None:
    """Nothing but the bundle and the standard library is on the path; no client is made, no variable read."""
    assert imported(runnable, handler).stdout.count(str(runnable)) == 4


def test_with_its_python_at_hand_nothing_is_compiled_at_a_start(tmp_path: Path) -> None:
    """Also after it was packed, and unpacked elsewhere and later, as the emulator does for each process."""
    built, unpacked = tmp_path / "built", tmp_path / "unpacked"
    built.mkdir()
    build_bundle(built, configuration=CONFIGURATION, target=replace(this_computer(), interpreter=sys.executable))
    shutil.unpack_archive(shutil.make_archive(str(tmp_path / "code"), "zip", built), unpacked)
    told = imported(unpacked, "activate", "-v").stderr
    assert f"# code object from '{unpacked}/jitr/handlers/__pycache__/activate" in told
    assert f"# code object from {unpacked}" not in told


def test_two_synths_of_one_tree_are_equal(tmp_path: Path) -> None:
    """Template and asset alike: the asset's name is the hash of its content."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        app = App(outdir=str(folder), context=feature_flags())
        add_deployments(app, Fleet(deployments=(example_deployment(),)))
        app.synth()
    first, second = ({path.name for path in folder.glob("asset.*")} for folder in folders)
    assert first == second
    assert len(first) == 1
    templates = [(folder / "prod-eu.template.json").read_text(encoding="utf-8") for folder in folders]
    assert templates[0] == templates[1]


def test_each_deployment_gets_its_own_configuration(tmp_path: Path) -> None:
    """Two deployments of one app have equal code but for this file; CDK must not take one's bundle for the other."""
    app = App(outdir=str(tmp_path), context=feature_flags())
    deployments = (example_deployment(), example_deployment(name="test", cas=(ca("other"),)))
    add_deployments(app, Fleet(deployments=deployments))
    app.synth()
    found = [Configuration.beside(asset) for asset in tmp_path.glob("asset.*")]
    assert sorted(each.deployment for each in found) == ["prod-eu", "test"]


def test_without_wheels_the_bundle_fails_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Docker instead, no half bundle left in the cache."""
    lock = tmp_path / "requirements.txt"
    lock.write_text("no-such-package-of-ours==1.0 --hash=sha256:" + "0" * 64, encoding="utf-8")
    monkeypatch.setattr(bundle, "LOCK", lock)
    monkeypatch.setattr(bundle, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(BundleError, match=r"(?s)Docker is not used instead.*no-such-package-of-ours"):
        build_bundle(tmp_path / "out", configuration=CONFIGURATION, target=BuildTarget())
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock's hashes are checked at every fetch, not only when it is made."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "six-1.17.0-py2.py3-none-any.whl").write_bytes(b"something else")
    lock = tmp_path / "requirements.txt"
    lock.write_text("six==1.17.0 --hash=sha256:" + "0" * 64, encoding="utf-8")
    monkeypatch.setattr(bundle, "LOCK", lock)
    monkeypatch.setattr(bundle, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    with pytest.raises(BundleError, match="DO NOT MATCH THE HASHES"):
        build_bundle(tmp_path / "out", configuration=CONFIGURATION, target=BuildTarget())
