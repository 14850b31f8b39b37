"""How fast and how small the CRL check is: `make bench-crl`, beside the floor, the plain way and others, in one run.

Measured for 10^3 to 10^6 entries, RSA-2048 and P-256: the first decision on a new CRL (bytes in memory → verdict), the
next decision on the same CRL, a whole `jitr crl check` process, and peak memory. Beside them

- floor: one SHA-256 pass over the signed part, the signature check, one search of the bytes; no parsing at all;
- plain: load, is_signature_valid, get_revoked_certificate_by_serial_number of cryptography;
- pyhanko-certvalidator, where it is installed;
- `openssl verify -crl_check`, a whole process.

Medians of `--repeat` runs (5), all ways in turn. Peak memory is that of a process of its own, above one that imports
the same and holds no CRL. Writes build/bench-crl-rows.json, the figures of the largest size to build/bench-crl.json,
and a table.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import importlib.util
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from bench.crl_figures import figures, print_table
from bench.figures import in_turn, write
from jitr.certificates.der import encoded_integer
from jitr.certificates.signature import frame
from jitr.revocation import RevocationStatus, decide, verify_crl
from jitr_local import pki
from tests.worlds import raw_der

SIZES = (1_000, 10_000, 100_000, 1_000_000)
KEYS = ("RSA-2048", "P-256")
MEGABYTE = 1_000_000
OUTPUT = Path("build/bench-crl-rows.json")
JITR = Path(sys.executable).with_name("jitr")

# Run in processes of their own, which print their peak memory in kilobytes. VmHWM is theirs alone, while ru_maxrss
# begins with that of the process that started them.
_PEAK = """
def peak():
    with open("/proc/self/status") as status:
        return next(line.split()[1] for line in status if line.startswith("VmHWM"))
"""
_DECIDE = (
    _PEAK
    + """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from jitr.revocation import decide, verify_crl
how = sys.argv[1]
device, ca = (x509.load_der_x509_certificate(Path(name).read_bytes()) for name in ("device.der", "ca.der"))
if how != "nothing":
    data = Path("crl.der").read_bytes()
    if how == "jitr":
        crl = verify_crl(data, ca, at=datetime.now(UTC))
        for _ in range(3):
            decide(device, ca, [crl], at=datetime.now(UTC))
    else:
        crl = x509.load_der_x509_crl(data)
        assert crl.is_signature_valid(ca.public_key())
        crl.get_revoked_certificate_by_serial_number(device.serial_number)
print(peak())
"""
)
_COMMAND = (
    _PEAK
    + """
import sys
from jitr_cli.__main__ import run
assert run(sys.argv[1:]) == 0
print(peak())
"""
)


class Subject:
    """One CA, one device and one CRL that does not list it, in memory and as files."""

    def __init__(self, kind: str, size: int, folder: Path) -> None:
        ca = pki.CertificateAuthority.create(key=kind)
        numbers = random.Random(size)  # noqa: S311 - the same list in every run
        listed = raw_der.entries(numbers.getrandbits(128) for _ in range(size))
        self.ca, self.device = ca.certificate, ca.issue().certificate
        self.crl = raw_der.crl(ca, listed)
        self.folder = folder
        (folder / "crl.der").write_bytes(self.crl)
        (folder / "crl.pem").write_bytes(
            subprocess.run(["openssl", "crl", "-inform", "DER"], input=self.crl, capture_output=True, check=True).stdout
        )
        for name, certificate in (("ca", self.ca), ("device", self.device)):
            (folder / f"{name}.der").write_bytes(pki.der(certificate))
            (folder / f"{name}.pem").write_text(pki.pem(certificate))


def floor(subject: Subject) -> None:
    """Hash, verify, search: less than this no check can do."""
    framed = frame(subject.crl)
    digest = hashlib.sha256(memoryview(subject.crl)[framed.signed.start : framed.signed.end]).digest()
    key, prehashed = subject.ca.public_key(), Prehashed(hashes.SHA256())
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(framed.signature, digest, padding.PKCS1v15(), prehashed)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(framed.signature, digest, ec.ECDSA(prehashed))
    if subject.crl.find(encoded_integer(subject.device.serial_number)) >= 0:
        raise AssertionError("the device is not listed")


def plain(subject: Subject) -> None:
    """Check as a first search result would."""
    crl = x509.load_der_x509_crl(subject.crl)
    key = subject.ca.public_key()
    if not crl.is_signature_valid(key):  # type: ignore[arg-type]
        raise AssertionError("the CRL is signed")
    if crl.get_revoked_certificate_by_serial_number(subject.device.serial_number):
        raise AssertionError("the device is not listed")


def first_decision(subject: Subject) -> None:
    """Decide from bytes."""
    _expect_good(decide(subject.device, subject.ca, [subject.crl], at=pki.now()).status)


def next_decision(subject: Subject) -> Callable[[], None]:
    """Return what decides on the CRL as it is kept."""
    kept = verify_crl(subject.crl, subject.ca, at=pki.now())
    return lambda: _expect_good(decide(subject.device, subject.ca, [kept], at=pki.now()).status)


def _expect_good(status: RevocationStatus) -> None:
    if status is not RevocationStatus.GOOD:
        raise AssertionError(status)


def pyhanko(subject: Subject) -> None:
    """Let pyhanko-certvalidator validate the path with this CRL required."""
    validator = importlib.import_module("pyhanko_certvalidator")
    certificates = importlib.import_module("asn1crypto.x509").Certificate
    crls = [importlib.import_module("asn1crypto.crl").CertificateList.load(subject.crl)]
    roots = [certificates.load(pki.der(subject.ca))]
    context = validator.ValidationContext(trust_roots=roots, crls=crls, revocation_mode="require")
    device = certificates.load(pki.der(subject.device))
    asyncio.run(validator.CertificateValidator(device, validation_context=context).async_validate_path())


def openssl(subject: Subject) -> None:
    """Run `openssl verify -crl_check`, which reads PEM."""
    _run("openssl", "verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "crl.pem", "device.pem", at=subject.folder)


def jitr_process(subject: Subject) -> None:
    """Run `jitr crl check` on the same files."""
    _run(str(JITR), *check_arguments("crl.pem"), at=subject.folder)


def check_arguments(crl: str) -> list[str]:
    """Return the command line of a check in the subject's folder."""
    return ["crl", "check", "--certificate", "device.pem", "--issuer", "ca.pem", "--crl", crl]


def _run(*command: str, at: Path) -> None:
    subprocess.run(command, cwd=at, capture_output=True, check=True)


def milliseconds(action: Callable[[], None]) -> float:
    """Return how long an action took."""
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def peak_megabytes(subject: Subject, script: str, *arguments: str) -> float:
    """Return the peak memory of a process that runs a script in the subject's folder."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=subject.folder, capture_output=True, check=True, text=True)
    return int(done.stdout.splitlines()[-1]) * 1024 / MEGABYTE


def measure(kind: str, size: int, repeat: int) -> dict[str, Any]:
    """Return one row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(kind, size, Path(folder))
        found: dict[str, Any] = {"key": kind, "entries": size, "crl_megabytes": len(subject.crl) / MEGABYTE}
        ways: dict[str, Callable[[], None]] = {
            "floor_ms": lambda: floor(subject),
            "first_ms": lambda: first_decision(subject),
            "next_ms": next_decision(subject),
            "plain_ms": lambda: plain(subject),
            "openssl_process_ms": lambda: openssl(subject),
            "jitr_process_ms": lambda: jitr_process(subject),
        }
        timed = {name: partial(milliseconds, way) for name, way in ways.items()}
        found |= {name: statistics.median(values) for name, values in in_turn(timed, repeat).items()}
        found["pyhanko_ms"] = None
        if importlib.util.find_spec("pyhanko_certvalidator"):
            # Minutes at a million entries: five runs below that, one there.
            runs = repeat if size < SIZES[-1] else 1
            found["pyhanko_ms"] = statistics.median(milliseconds(lambda: pyhanko(subject)) for _ in range(runs))
        imports = peak_megabytes(subject, _DECIDE, "nothing")
        found["peak_mb"] = peak_megabytes(subject, _DECIDE, "jitr") - imports
        found["plain_peak_mb"] = peak_megabytes(subject, _DECIDE, "plain") - imports
        found["process_peak_mb"] = peak_megabytes(subject, _COMMAND, *check_arguments("crl.der"))
        found["process_pem_peak_mb"] = peak_megabytes(subject, _COMMAND, *check_arguments("crl.pem"))
        found["pem_megabytes"] = (subject.folder / "crl.pem").stat().st_size / MEGABYTE
    return found


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    arguments = parser.parse_args()
    if not shutil.which("openssl"):
        sys.exit("openssl is not on PATH")
    if not importlib.util.find_spec("pyhanko_certvalidator"):
        print("pyhanko-certvalidator is not installed and left out: pip install pyhanko-certvalidator", file=sys.stderr)
    rows = []
    for kind in KEYS:
        for size in arguments.sizes:
            rows.append(measure(kind, size, arguments.repeat))
            print(f"{kind} {size:,} done", file=sys.stderr)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(rows, indent=1) + "\n")
    print_table(rows)
    largest = max(row["entries"] for row in rows)
    write("crl", [each for row in rows if row["entries"] == largest for each in figures(row)])


if __name__ == "__main__":
    main()
