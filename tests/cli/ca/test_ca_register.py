"""`jitr ca csr` and `jitr ca register`: a CA gets into AWS IoT in the mode that was meant, or it is said why not."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from jitr_local import pki
from tests.aws.aws_faults import failing
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.ca_files import PASSPHRASE, CaFiles, write_ca
from tests.worlds.deployment import TestDeployment

NO_CERTIFICATES = pki.ca_key_usage(key_cert_sign=False)


@pytest.fixture
def files(tmp_path: Path) -> CaFiles:
    """Return a CA that signs devices, with its key."""
    ends = (x509.BasicConstraints(ca=True, path_length=0), True)
    ca = pki.CertificateAuthority.create("New CA", extensions=[ends, (pki.ca_key_usage(), True)])
    return write_ca(tmp_path, ca)


def register(jitr: Jitr, files: CaFiles, *more: object) -> Answer:
    """Register a CA without being asked."""
    return jitr("ca", "register", "--certificate", files.issuer, "--yes", *more)


def verification(files: CaFiles, csr: x509.CertificateSigningRequest) -> Path:
    """Do what a CA's owner does with the request: sign it."""
    made = files.ca.issue(subject=csr.subject)
    path = files.folder / "verification.pem"
    path.write_text(pki.pem(made.certificate))
    return path


def test_sni_only_is_the_default(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """ACTIVE and auto-registering, without any proof of the key, and with a word about SNI."""
    answer = register(jitr, files, "--json")
    assert answer.exit_code == 0, answer.err
    registered = stack.iot.cas[files.ca.ca_certificate_id]
    assert (registered.mode, registered.status, registered.auto_registration) == ("SNI_ONLY", "ACTIVE", "ENABLE")
    assert answer.json == {
        "ca_certificate_id": files.ca.ca_certificate_id,
        "mode": "SNI_ONLY",
        "status": "ACTIVE",
        "auto_registration": True,
        "registered_now": True,
    }
    assert "account 123456789012 · Region us-east-1 · deployments here: test" in answer.err
    assert "devices have to send SNI" in answer.err
    assert "no deployment manages it yet" in answer.err


def test_it_may_begin_inactive(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """Each of the two switches by itself."""
    assert register(jitr, files, "--inactive", "--no-auto-registration").exit_code == 0
    registered = stack.iot.cas[files.ca.ca_certificate_id]
    assert (registered.status, registered.auto_registration) == ("INACTIVE", "DISABLE")


def test_the_cas_key_is_proof_enough_for_default_mode(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """Request and verification certificate are made in memory; AWS IoT takes them."""
    before = {path.name for path in files.folder.iterdir()}
    answer = register(jitr, files, "--ca-key", files.key)
    assert answer.exit_code == 0, answer.err
    assert stack.iot.cas[files.ca.ca_certificate_id].mode == "DEFAULT"
    assert {path.name for path in files.folder.iterdir()} == before


def test_the_owner_of_the_key_may_be_somebody_else(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """`csr` here, signed there, `register` here."""
    csr_file = files.folder / "verification.csr"
    assert jitr("ca", "csr", "--out", csr_file).exit_code == 0
    signed = verification(files, x509.load_pem_x509_csr(csr_file.read_bytes()))
    answer = register(jitr, files, "--verification-certificate", signed)
    assert answer.exit_code == 0, answer.err
    assert stack.iot.cas[files.ca.ca_certificate_id].mode == "DEFAULT"


def test_a_request_without_file_goes_to_stdout(stack: TestDeployment, jitr: Jitr) -> None:
    """With the code of this account and Region, and no key anywhere."""
    answer = jitr("ca", "csr")
    csr = x509.load_pem_x509_csr(answer.out.encode())
    assert csr.subject.rfc4514_string() == f"CN={stack.iot.registration_code}"
    assert "PRIVATE KEY" not in answer.out + answer.err
    assert jitr("ca", "csr", "--json").json["registration_code"] == stack.iot.registration_code


def test_a_requests_key_is_kept_only_where_asked_for(stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
    """0600, and never over another one."""
    key, out = tmp_path / "key", tmp_path / "csr"
    assert jitr("ca", "csr", "--out", out, "--key-out", key).exit_code == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    csr = x509.load_pem_x509_csr(out.read_bytes())
    assert load_pem_private_key(key.read_bytes(), password=None).public_key() == csr.public_key()
    out.unlink()
    before = key.read_bytes()
    assert jitr("ca", "csr", "--out", out, "--key-out", key).exit_code == 64
    assert (key.read_bytes(), out.exists()) == (before, False)


def test_registering_twice_is_once(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """The second time says so, and what is different from what was asked for."""
    register(jitr, files)
    stack.iot.calls.clear()
    answer = register(jitr, files, "--inactive", "--json")
    assert (answer.exit_code, "registered already, in SNI_ONLY mode, ACTIVE" in answer.err) == (0, True)
    assert "jitr ca deactivate" in answer.err
    assert answer.json["registered_now"] is False
    assert stack.iot.calls == ["DescribeCACertificate"]


def test_another_mode_is_a_matter_of_deleting_first(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """AWS IoT changes no CA's mode; the way is said."""
    register(jitr, files)
    answer = register(jitr, files, "--ca-key", files.key)
    assert answer.exit_code == 64
    assert "registered in SNI_ONLY mode" in answer.err
    assert "jitr ca deactivate, jitr ca delete" in answer.err
    assert stack.iot.cas[files.ca.ca_certificate_id].mode == "SNI_ONLY"


def test_a_dry_run_checks_all_and_registers_nothing(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """Also the proof."""
    answer = register(jitr, files, "--ca-key", files.key, "--dry-run")
    assert (answer.exit_code, "in DEFAULT mode" in answer.err) == (0, True)
    assert "RegisterCACertificate" not in stack.iot.calls


def test_nobody_there_to_say_yes_registers_nothing(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """130, as everywhere."""
    assert jitr("ca", "register", "--certificate", files.issuer).exit_code == 130
    assert "RegisterCACertificate" not in stack.iot.calls


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--mode", "DEFAULT"], "DEFAULT mode wants a proof of the CA's key"),
        (["--mode", "SNI_ONLY", "--ca-key", "ca.key"], "SNI_ONLY takes no proof"),
        (["--ca-key", "ca.key", "--verification-certificate", "ca.pem"], "not both"),
        (["--ca-key", "other.key"], "the key does not belong to the CA certificate"),
        (["--ca-key", "ca.pem"], "holds no private key in PEM that can be read; it holds: CERTIFICATE"),
        (["--ca-key", "encrypted.key", "--passphrase-file", "wrong"], "the passphrase is wrong"),
        (["--verification-certificate", "ca.key"], "holds a private key"),
        (["--verification-certificate", "request.csr"], "is the request; its owner has to sign it first"),
        (["--verification-certificate", "wrong"], "holds no readable certificate"),
        (["--verification-certificate", "foreign.pem"], "another registration code"),
        (["--verification-certificate", "ca.pem"], "its common name is not the registration code"),
        (["--verification-certificate", "forged.pem"], "was not signed by the key of this CA"),
        (["--verification-certificate", "expired.pem"], "it expired at"),
    ],
)
def test_a_proof_that_proves_nothing_is_refused_before_aws(
    stack: TestDeployment,
    jitr: Jitr,
    files: CaFiles,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    complaint: str,
) -> None:
    """Not by AWS IoT in its own words, after minutes."""
    monkeypatch.chdir(files.folder)
    write_proofs(files, stack.iot.registration_code)
    answer = register(jitr, files, *options)
    assert (answer.exit_code, complaint in answer.err) == (64, True), answer.err
    assert "RegisterCACertificate" not in stack.iot.calls
    assert "PRIVATE KEY-----" not in answer.err


def write_proofs(files: CaFiles, code: str) -> None:
    """Write proofs with one mistake each."""
    folder, ca = files.folder, files.ca
    name = x509.Name([pki.common_name_attribute(code)])
    foreign = x509.Name([pki.common_name_attribute("ab" * 32)])
    other = pki.CertificateAuthority.create("New CA")
    (folder / "wrong").write_text("nonsense")
    (folder / "other.key").write_text(pki.private_pem(other.key))
    encryption = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    (folder / "encrypted.key").write_bytes(
        ca.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(other.key, hashes.SHA256())
    (folder / "request.csr").write_bytes(csr.public_bytes(serialization.Encoding.PEM))
    (folder / "foreign.pem").write_text(pki.pem(ca.issue(subject=foreign).certificate))
    (folder / "forged.pem").write_text(pki.pem(other.issue(subject=name).certificate))
    expired = ca.issue(subject=name, not_after=pki.now() - pki.DAY / 2)
    (folder / "expired.pem").write_text(pki.pem(expired.certificate))


def made(**options: object) -> bytes:
    """Return the PEM of a CA."""
    return pki.pem(pki.CertificateAuthority.create(**options).certificate).encode()  # type: ignore[arg-type]


def test_der_is_taken_too(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """AWS IoT gets PEM."""
    files.issuer.write_bytes(pki.der(files.ca.certificate))
    assert register(jitr, files).exit_code == 0
    assert stack.iot.cas[files.ca.ca_certificate_id].certificate == files.ca.certificate


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"nonsense", "holds neither DER nor PEM"),
        (b"\x30\x03nonsense", "holds no readable certificate"),
        (pki.private_pem(pki.new_key()).encode(), "holds a private key"),
        (made() + made(), "holds 2 certificates in PEM"),
        (pki.pem(pki.CertificateAuthority.create().issue(extensions=[]).certificate).encode(), "is no CA"),
        (made(extensions=[]), "is no CA"),
        (made(key="RSA-1024"), "RSA key has 1024 bits"),
        (made(not_after=pki.now() - pki.DAY / 2), "the certificate expired at"),
        (made(not_before=pki.now() + pki.DAY), "is not valid before"),
        (made(key_usage=NO_CERTIFICATES), "keyCertSign"),
    ],
    ids=[
        "no certificate",
        "broken DER",
        "a key",
        "a chain",
        "a device",
        "no basicConstraints",
        "weak key",
        "expired",
        "from tomorrow",
        "signs no certificates",
    ],
)
def test_a_ca_that_aws_iot_or_its_devices_could_not_use_is_refused(
    stack: TestDeployment, jitr: Jitr, files: CaFiles, content: bytes, complaint: str
) -> None:
    """As the fleet file refuses it."""
    files.issuer.write_bytes(content)
    answer = register(jitr, files)
    assert (answer.exit_code, complaint in answer.err) == (64, True), answer.err
    assert stack.iot.calls == []


def test_a_root_above_the_ca_that_signs_devices_is_refused(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """A device's certificate shows who signed it; without one, a root that allows CAs below it is worth a warning."""
    root = write_ca(files.folder, pki.CertificateAuthority.create("Root", path_length=None))
    device = files.folder / "device.pem"
    device.write_text(pki.pem(files.ca.issue().certificate))
    answer = register(jitr, root, "--device", device)
    assert (answer.exit_code, "CN=New CA" in answer.err) == (64, True)
    assert "the CA that directly signs the devices" in answer.err
    assert stack.iot.calls == []
    device.write_text(pki.pem(root.ca.issue().certificate))
    assert register(jitr, root, "--device", device, "--dry-run").exit_code == 0
    assert "warning: this is a root that allows CAs below it" in register(jitr, root, "--dry-run").err


def test_a_ca_that_ends_the_chain_is_no_root_above_others(stack: TestDeployment, jitr: Jitr, files: CaFiles) -> None:
    """A pathLenConstraint of 0 says so; warnings that always come are not read."""
    assert "warning" not in register(jitr, files, "--dry-run").err


@pytest.fixture
def same_subject(stack: TestDeployment, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Register nine CAs with one subject."""
    monkeypatch.setattr("jitr_cli.ca.register.DESCRIBED_PER_SECOND", 1000.0)
    return [stack.iot.register_ca(pki.CertificateAuthority.create("New CA")) for _ in range(9)]


def test_ten_cas_may_have_one_subject_and_no_eleventh(
    stack: TestDeployment, jitr: Jitr, files: CaFiles, same_subject: list[str]
) -> None:
    """The tenth is registered with a note, the eleventh refused before AWS IoT does."""
    tenth = register(jitr, files)
    assert (tenth.exit_code, "9 registered CAs have the same subject" in tenth.err) == (0, True)
    files.issuer.write_bytes(made(common_name="New CA"))
    stack.iot.calls.clear()
    eleventh = register(jitr, files)
    assert (eleventh.exit_code, "there are 10" in eleventh.err) == (64, True)
    assert "RegisterCACertificate" not in stack.iot.calls


def test_another_accounts_default_mode_is_named_as_the_likely_reason(
    stack: TestDeployment, jitr: Jitr, files: CaFiles
) -> None:
    """Only one account of a Region may have a CA in that mode; SNI_ONLY goes beside it."""
    stack.iot.claimed.add(files.ca.ca_certificate_id)
    answer = register(jitr, files, "--ca-key", files.key)
    assert (answer.exit_code, "another account of this Region" in answer.err) == (69, True)
    assert register(jitr, files).exit_code == 0


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("RegistrationCodeValidationException", "the registration code was changed meanwhile"),
        ("LimitExceededException", "there are 10 CAs with this subject"),
        ("CertificateValidationException", "does not accept the CA"),
        ("UnauthorizedException", "AWS IoT refused"),
    ],
)
def test_what_aws_iot_refuses_is_explained(
    stack: TestDeployment, jitr: Jitr, files: CaFiles, code: str, meaning: str
) -> None:
    """With its own words behind."""
    with failing(stack.iot_client, "RegisterCACertificate", code):
        answer = register(jitr, files)
    assert (answer.exit_code, meaning in answer.err, f"{code}: injected" in answer.err) == (69, True, True)
