"""`jitr device create`: keys and certificates that the function takes, whole folders, nothing written over."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from jitr import certificates
from jitr.errors import Outcome
from jitr.settings import ThingNameSource
from jitr_fleet.issuing.devices import LONGEST_SERIAL_BITS
from jitr_local import pki
from jitr_local.device.device_identity import DeviceIdentity
from tests.aws.fake_iot import REGION
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.ca_files import PASSPHRASE, CaFiles, write_ca
from tests.cli.worlds.devices import create_private_ca
from tests.worlds.deployment import TestDeployment


@pytest.fixture
def files(tmp_path: Path) -> CaFiles:
    """A CA with its key in a folder."""
    folder = tmp_path / "ca"
    folder.mkdir()
    return write_ca(folder, pki.CertificateAuthority.create())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where devices end up."""
    return tmp_path / "devices"


def create(jitr: Jitr, files: CaFiles, out: Path, *more: object) -> Answer:
    """Make devices with a local CA."""
    return jitr(
        "device", "create", "--ca-certificate", files.issuer, "--ca-key", files.key, "--out", out, "--json", *more
    )


def csv(tmp_path: Path, text: str) -> Path:
    """A CSV of devices."""
    file = tmp_path / "devices.csv"
    file.write_text(text, encoding="utf-8")
    return file


def load(folder: Path) -> x509.Certificate:
    """The certificate of a device's folder."""
    return x509.load_pem_x509_certificate((folder / "device.pem").read_bytes())


def test_one_device_gets_all_it_needs_to_connect(jitr: Jitr, files: CaFiles, out: Path) -> None:
    """The chain has the device first; key and chain are what the reference device loads."""
    answer = create(jitr, files, out, "--cn", "pump-1")
    assert answer.exit_code == 0, answer.err
    folder = out / "pump-1"
    identity = DeviceIdentity.load(folder / "chain.pem", folder / "device.key")
    assert identity.chain == (load(folder), files.ca.certificate)
    assert identity.common_name == "pump-1"
    (device,) = answer.json["devices"]
    assert device["certificate_id"] == certificates.fingerprint(load(folder))
    request = x509.load_pem_x509_csr((folder / "device.csr").read_bytes())
    assert request.is_signature_valid
    assert request.public_key() == load(folder).public_key()


def test_the_function_activates_what_was_made(stack: TestDeployment, jitr: Jitr, tmp_path: Path, out: Path) -> None:
    """The real use case, on the certificate as it was written."""
    files = write_ca(tmp_path, stack.ca)
    assert create(jitr, files, out, "--cn", "pump:1_a-b").exit_code == 0
    folder = out / "pump:1_a-b"
    key = serialization.load_pem_private_key((folder / "device.key").read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    device = pki.Device(certificate=load(folder), key=key)
    assert stack.knock(device).outcome is Outcome.ACTIVATED
    assert "pump:1_a-b" in stack.iot.things


def test_the_certificate_is_a_clients_and_no_cas(jitr: Jitr, files: CaFiles, out: Path) -> None:
    """RFC 5280 profile: what it may be used for, and which key signed it."""
    create(jitr, files, out, "--cn", "pump-1", "--crl-url", "http://crl.example.com/f.crl", "--days", "30")
    certificate = load(out / "pump-1")
    extension = certificate.extensions.get_extension_for_class
    assert extension(x509.BasicConstraints).value == x509.BasicConstraints(ca=False, path_length=None)
    assert extension(x509.BasicConstraints).critical
    usage = extension(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign, usage.crl_sign) == (True, False, False)
    assert list(extension(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer = files.ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert extension(x509.AuthorityKeyIdentifier).value.key_identifier == issuer.digest
    assert certificates.distribution_points(certificate) == ("http://crl.example.com/f.crl",)
    assert certificate.not_valid_after_utc - datetime.now(UTC) < timedelta(days=30)
    assert certificate.not_valid_before_utc < datetime.now(UTC)


def test_a_key_is_readable_by_its_owner_alone(jitr: Jitr, files: CaFiles, out: Path) -> None:
    """0600, in a folder that others cannot enter, whatever the umask; and not encrypted, as devices need it."""
    before = os.umask(0)
    try:
        create(jitr, files, out, "--cn", "pump-1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((out / "pump-1" / "device.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((out / "pump-1").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("kind", "expected"), [("ec-p256", ec.EllipticCurvePrivateKey), ("rsa-2048", rsa.RSAPrivateKey)]
)
def test_the_kind_of_key_is_chosen(jitr: Jitr, files: CaFiles, out: Path, kind: str, expected: type) -> None:
    """P-256 is the default; old chips want RSA."""
    options = [] if kind == "ec-p256" else ["--key-type", kind]
    assert create(jitr, files, out, "--cn", "pump-1", *options).exit_code == 0
    key = serialization.load_pem_private_key((out / "pump-1" / "device.key").read_bytes(), password=None)
    assert isinstance(key, expected)
    if isinstance(key, rsa.RSAPrivateKey):
        assert key.key_size == 2048


def test_an_encrypted_ca_key_is_unlocked_by_a_file(jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path) -> None:
    """The passphrase is in no argument, and the devices' keys are not encrypted with it."""
    files.encrypt_key()
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(f"{PASSPHRASE}\n")
    assert create(jitr, files, out, "--cn", "pump-1", "--passphrase-file", passphrase).exit_code == 0
    passphrase.write_text("wrong")
    answer = create(jitr, files, out, "--cn", "pump-2", "--passphrase-file", passphrase)
    assert (answer.exit_code, "passphrase is wrong" in answer.err) == (64, True)
    assert PASSPHRASE not in answer.err
    assert not (out / "pump-2").exists()


@pytest.mark.parametrize("name", ["", "ä", "a b", "a/b", "../x", "x" * 65, "a\n", "a*", "${iot:ClientId}", ".", "a.b"])
def test_a_name_that_the_function_would_refuse_is_refused_here(
    jitr: Jitr, files: CaFiles, out: Path, name: str
) -> None:
    """With the function's own rule, before anything is made."""
    answer = create(jitr, files, out, "--cn", name)
    assert answer.exit_code == 64
    assert not out.exists()


@pytest.mark.parametrize("name", ["a", "A:_-9", "x" * 64])
def test_a_name_that_is_accepted_becomes_the_things(jitr: Jitr, files: CaFiles, out: Path, name: str) -> None:
    """As it stands."""
    assert create(jitr, files, out, "--cn", name).exit_code == 0
    assert certificates.thing_name(load(out / name), ThingNameSource.CN) == name


def test_serial_numbers_are_long_random_and_positive(jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path) -> None:
    """At least 128 bits of chance, 20 octets at most, and no two alike."""
    create(jitr, files, out, "--csv", csv(tmp_path, "cn\n" + "".join(f"d-{n}\n" for n in range(40))))
    serials = [load(out / f"d-{n}").serial_number for n in range(40)]
    assert len(set(serials)) == 40
    assert all(0 < serial < 1 << LONGEST_SERIAL_BITS for serial in serials)
    assert max(serials).bit_length() > 150
    # Uniform over 159 bits, forty of them differ in the upper half already.
    assert len({serial >> 128 for serial in serials}) == 40


@pytest.mark.parametrize(
    ("serial", "exit_code"),
    [("1", 0), ("7fffffffffffffffffffffffffffffffffffffff", 0), ("0", 64), ("8" + "0" * 39, 64)],
)
def test_a_chosen_serial_number_has_twenty_octets_at_most(
    jitr: Jitr, files: CaFiles, out: Path, serial: str, exit_code: int
) -> None:
    """And is positive."""
    assert create(jitr, files, out, "--cn", "pump-1", "--serial", serial).exit_code == exit_code
    if exit_code == 0:
        assert load(out / "pump-1").serial_number == int(serial, 16)


def test_nothing_is_overwritten(jitr: Jitr, files: CaFiles, out: Path) -> None:
    """Neither a finished device nor anything else of its name."""
    create(jitr, files, out, "--cn", "pump-1")
    before = {path: path.read_bytes() for path in (out / "pump-1").iterdir()}
    assert create(jitr, files, out, "--cn", "pump-1").exit_code == 64
    assert {path: path.read_bytes() for path in (out / "pump-1").iterdir()} == before
    (out / "pump-2").write_text("mine")
    assert create(jitr, files, out, "--cn", "pump-2").exit_code == 64
    assert (out / "pump-2").read_text() == "mine"


def test_a_csv_makes_many_and_a_second_run_makes_the_rest(
    jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path
) -> None:
    """Chosen serial numbers where the column has one; other columns are ignored."""
    first = csv(tmp_path, "cn,serial,colour\nd-1,0A,red\nd-2,,blue\n")
    answer = create(jitr, files, out, "--csv", first)
    assert (answer.exit_code, answer.json["created"]) == (0, 2)
    assert load(out / "d-1").serial_number == 10
    before = (out / "d-1" / "device.key").read_bytes()
    second = create(jitr, files, out, "--csv", csv(tmp_path, "\N{ZERO WIDTH NO-BREAK SPACE}CN\nd-1\nd-2\nd-3\n"))
    assert (second.exit_code, second.json["created"], second.json["skipped"]) == (0, 1, 2)
    assert [each["created"] for each in second.json["devices"]] == [False, False, True]
    assert (out / "d-1" / "device.key").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cn\nd-1\nd 2\n", "line 3"),
        ("cn\nd-1\nD-1\n", "line 3"),
        ("cn,serial\nd-1,a\nd-2,0A\n", "line 3"),
        ("cn,serial\nd-1,xyz\n", "line 2"),
        ("name\nd-1\n", "'cn'"),
        ("cn\n", "names no device"),
        ('cn\n"d-1', "no CSV"),
        ("", "'cn'"),
    ],
)
def test_a_csv_that_is_not_right_makes_nothing(
    jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path, text: str, expected: str
) -> None:
    """Every mistake with its line, before the first key."""
    answer = create(jitr, files, out, "--csv", csv(tmp_path, text))
    assert (answer.exit_code, expected in answer.err) == (64, True), answer.err
    assert not out.exists()


def test_an_interrupted_run_goes_on(
    jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of a device: that one is made anew, those before it stay, no half folder is left."""
    file = csv(tmp_path, "cn\nd-1\nd-2\nd-3\n")
    real = os.rename
    made: list[str] = []

    def rename(path: Path, target: Path) -> Path:
        made.append(target.name)
        if len(made) == 2:
            os._exit(9)
        real(path, target)
        return target

    process = os.fork()
    if process == 0:
        monkeypatch.setattr(Path, "rename", rename)
        create(jitr, files, out, "--csv", file)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9
    assert sorted(path.name for path in out.iterdir()) == [".d-2.jitr-partial", "d-1"]
    kept = (out / "d-1" / "device.key").read_bytes()
    answer = create(jitr, files, out, "--csv", file)
    assert (answer.exit_code, answer.json["created"]) == (0, 2)
    assert sorted(path.name for path in out.iterdir()) == ["d-1", "d-2", "d-3"]
    assert (out / "d-1" / "device.key").read_bytes() == kept


def test_a_terminated_run_leaves_whole_devices_only(files: CaFiles, out: Path, tmp_path: Path) -> None:
    """Interrupted at any moment, in a process of its own."""
    file = csv(tmp_path, "cn\n" + "".join(f"d-{n}\n" for n in range(3000)))
    # Whoever runs the tests in the background of a script ignores SIGINT, and its children would too.
    start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    start += "from jitr_cli.__main__ import main; main()"
    command = [sys.executable, "-c", start, "device", "create", "--csv", str(file), "--out", str(out)]
    command += ["--ca-certificate", str(files.issuer), "--ca-key", str(files.key)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not (out / "d-5").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    folders = list(out.iterdir())
    assert 5 < len(folders) < 3000
    for folder in folders:
        assert sorted(path.name for path in folder.iterdir()) == ["chain.pem", "device.csr", "device.key", "device.pem"]


def test_a_folder_that_is_not_whole_is_not_touched(jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path) -> None:
    """Somebody removed the key: nothing is made at all until a person has looked."""
    create(jitr, files, out, "--cn", "d-1")
    (out / "d-1" / "device.key").unlink()
    answer = create(jitr, files, out, "--csv", csv(tmp_path, "cn\nd-1\nd-2\n"))
    assert (answer.exit_code, "not a finished device" in answer.err) == (64, True)
    assert not (out / "d-2").exists()


@pytest.mark.parametrize("kind", ["file", "link to a folder", "dangling link"])
def test_what_only_looks_like_a_remainder_is_left_alone(jitr: Jitr, files: CaFiles, out: Path, kind: str) -> None:
    """A killed run leaves folders; whatever else has such a name is somebody's, and is named."""
    out.mkdir()
    strange, elsewhere = out / ".x.jitr-partial", out.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    if kind == "file":
        strange.write_text("mine")
    else:
        strange.symlink_to(elsewhere if kind == "link to a folder" else out / "nowhere")
    answer = create(jitr, files, out, "--cn", "pump-1")
    assert (answer.exit_code, f"{strange} is not ours" in answer.err) == (64, True), answer.err
    assert os.path.lexists(strange)
    assert (elsewhere / "kept").exists()
    assert not (out / "pump-1").exists()


def test_a_remainder_that_cannot_be_removed_is_named(
    jitr: Jitr, files: CaFiles, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an error of the user's folder, not of ours."""
    (out / ".x.jitr-partial").mkdir(parents=True)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("jitr_cli.device.folders.shutil.rmtree", refuse)
    answer = create(jitr, files, out, "--cn", "pump-1")
    assert (answer.exit_code, "cannot be removed: Permission denied" in answer.err) == (64, True), answer.err


def test_devices_of_another_ca_are_not_taken_for_finished(
    jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path
) -> None:
    """The same name, made with another CA."""
    create(jitr, files, out, "--cn", "d-1")
    folder = tmp_path / "other"
    folder.mkdir()
    other = write_ca(folder, pki.CertificateAuthority.create("Other CA"))
    assert create(jitr, other, out, "--csv", csv(tmp_path, "cn\nd-1\n")).exit_code == 64


def expired() -> pki.CertificateAuthority:
    """A CA whose time is over."""
    return pki.CertificateAuthority.create(not_before=pki.now() - 3 * pki.DAY, not_after=pki.now() - pki.DAY)


def no_ca() -> pki.CertificateAuthority:
    """A device's certificate in a CA's place."""
    return pki.CertificateAuthority.create(extensions=[(x509.BasicConstraints(ca=False, path_length=None), True)])


def signs_nothing() -> pki.CertificateAuthority:
    """A CA without keyCertSign."""
    return pki.CertificateAuthority.create(key_usage=pki.ca_key_usage(key_cert_sign=False))


def ends_soon() -> pki.CertificateAuthority:
    """A CA that ends before its devices would."""
    return pki.CertificateAuthority.create(not_after=pki.now() + 10 * pki.DAY)


def short_key() -> pki.CertificateAuthority:
    """RSA with 1,024 bits."""
    return pki.CertificateAuthority.create(key="RSA-1024")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (expired, "outside its validity"),
        (no_ca, "no CA"),
        (signs_nothing, "keyCertSign"),
        (ends_soon, "before its devices would"),
        (short_key, "1024 bits"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_ca_that_cannot_issue_issues_nothing(
    jitr: Jitr, tmp_path: Path, out: Path, make: Callable[[], pki.CertificateAuthority], expected: str
) -> None:
    """Found before a key is made."""
    answer = create(jitr, write_ca(tmp_path, make()), out, "--cn", "d-1")
    assert (answer.exit_code, expected in answer.err) == (64, True), answer.err
    assert not out.exists()


def test_the_key_of_another_ca_is_refused(jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path) -> None:
    """Certificate and key do not match."""
    other = write_ca(tmp_path, pki.CertificateAuthority.create())
    answer = jitr(
        "device", "create", "--cn", "d-1", "--ca-certificate", files.issuer, "--ca-key", other.key, "--out", out
    )
    assert (answer.exit_code, "does not belong" in answer.err) == (64, True)


def test_a_dry_run_makes_nothing(jitr: Jitr, files: CaFiles, out: Path) -> None:
    """It says how many."""
    answer = create(jitr, files, out, "--cn", "d-1", "--dry-run")
    assert (answer.exit_code, "1 to make" in answer.err, out.exists()) == (0, True, False)


@pytest.mark.parametrize(
    "options",
    [[], ["--cn", "a", "--csv", "CSV"], ["--csv", "CSV", "--serial", "1"], ["--cn", "a", "--crl-url", "ldap://x"]],
)
def test_options_that_contradict_each_other_are_usage(
    jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path, options: list[str]
) -> None:
    """64, and nothing is made."""
    file = str(csv(tmp_path, "cn\nd-1\n"))
    assert create(jitr, files, out, *(file if each == "CSV" else each for each in options)).exit_code == 64
    assert not out.exists()


def test_a_second_run_at_the_same_time_is_refused(jitr: Jitr, files: CaFiles, out: Path) -> None:
    """Two of them would remove each other's remainders."""
    import fcntl

    out.mkdir()
    handle = os.open(out, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        answer = create(jitr, files, out, "--cn", "d-1")
    finally:
        os.close(handle)
    assert (answer.exit_code, "at work" in answer.err) == (64, True)


class TestPrivateCa:
    """AWS Private CA, as far as moto goes: RSA-2048, a year, SHA-512, no distribution point."""

    @pytest.fixture
    def arn(self, stack: TestDeployment) -> str:
        """A root CA in AWS Private CA."""
        return create_private_ca()

    def test_devices_are_issued_and_fetched(self, jitr: Jitr, arn: str, out: Path) -> None:
        """Key and request are made here; the chain is the device's and the CA's."""
        answer = jitr("device", "create", "--cn", "p-1", "--private-ca", arn, "--out", out, "--yes", "--json")
        assert answer.exit_code == 0, answer.err
        assert "account 123456789012 · Region us-east-1" in answer.err
        identity = DeviceIdentity.load(out / "p-1" / "chain.pem", out / "p-1" / "device.key")
        identity.chain[0].verify_directly_issued_by(identity.chain[1])

    def test_nothing_is_issued_without_a_yes(self, jitr: Jitr, arn: str, out: Path) -> None:
        """AWS charges for each."""
        assert jitr("device", "create", "--cn", "p-1", "--private-ca", arn, "--out", out).exit_code == 130
        assert not out.exists()

    def test_what_the_ca_decides_itself_is_not_asked_of_it(self, jitr: Jitr, arn: str, out: Path) -> None:
        """Serial numbers and distribution points."""
        for option in (["--serial", "1"], ["--crl-url", "http://crl.example.com/x"]):
            answer = jitr("device", "create", "--cn", "p-1", "--private-ca", arn, "--out", out, "--yes", *option)
            assert answer.exit_code == 64

    def test_one_in_another_region_or_of_another_kind_is_usage(self, jitr: Jitr, arn: str, out: Path) -> None:
        """The ARN says where it is."""
        for wrong in (arn.replace(REGION, "eu-west-1"), "arn:aws:iot:us-east-1:1:cacert/x"):
            assert jitr("device", "create", "--cn", "p-1", "--private-ca", wrong, "--out", out).exit_code == 64


def request_of(key: ec.EllipticCurvePrivateKey, *names: str) -> x509.CertificateSigningRequest:
    """A request as a device makes it."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name) for name in names])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())


@pytest.mark.parametrize("encoding", [serialization.Encoding.PEM, serialization.Encoding.DER])
def test_a_request_of_the_devices_own_is_signed(
    jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path, encoding: serialization.Encoding
) -> None:
    """Its key stays where it is; the function takes the certificate, and a second run finds it finished."""
    key = ec.generate_private_key(ec.SECP256R1())
    csr = tmp_path / "pump-1.csr"
    csr.write_bytes(request_of(key, "pump-1").public_bytes(encoding))
    answer = create(jitr, files, out, "--csr", csr)
    assert answer.exit_code == 0, answer.err
    certificate = load(out / "pump-1")
    assert certificate.public_key() == key.public_key()
    assert sorted(each.name for each in (out / "pump-1").iterdir()) == ["chain.pem", "device.csr", "device.pem"]
    again = create(jitr, files, out, "--csr", csr)
    assert (again.exit_code, "exists already" in again.err) == (64, True)


@pytest.mark.parametrize(
    ("names", "words"), [((), "0 common names"), (("a", "b"), "2 common names"), (("a b",), "is no Thing name")]
)
def test_a_request_that_the_function_would_not_take_is_not_signed(
    jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    """No name, two names, or one that is none."""
    csr = tmp_path / "request.csr"
    csr.write_bytes(
        request_of(ec.generate_private_key(ec.SECP256R1()), *names).public_bytes(serialization.Encoding.PEM)
    )
    answer = create(jitr, files, out, "--csr", csr)
    assert (answer.exit_code, words in answer.err) == (64, True), answer.err
    assert not out.exists()


def test_a_request_that_proves_nothing_is_not_signed(jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path) -> None:
    """Its signature is not its key's: whoever sends it need not have the key."""
    der = request_of(ec.generate_private_key(ec.SECP256R1()), "pump-1").public_bytes(serialization.Encoding.DER)
    other = request_of(ec.generate_private_key(ec.SECP256R1()), "pump-1").public_bytes(serialization.Encoding.DER)
    csr = tmp_path / "request.csr"
    # The signature of another request of the same length, so that the structure stays readable.
    csr.write_bytes(der[:-60] + other[-60:])
    answer = create(jitr, files, out, "--csr", csr)
    assert answer.exit_code == 64
    assert "nobody has proved" in answer.err or "no readable certificate request" in answer.err
    csr.write_text("no request")
    assert "no readable certificate request" in create(jitr, files, out, "--csr", csr).err


def test_a_request_has_its_name_in_it(jitr: Jitr, files: CaFiles, out: Path, tmp_path: Path) -> None:
    """Another one beside it is usage."""
    csr = tmp_path / "request.csr"
    csr.write_bytes(request_of(ec.generate_private_key(ec.SECP256R1()), "a").public_bytes(serialization.Encoding.PEM))
    assert create(jitr, files, out, "--csr", csr, "--cn", "b").exit_code == 64
