"""`jitr crl publish`: verified, forwards only, said beforehand, and never over somebody else's newer CRL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from jitr.enforcement.brake import Brake
from jitr.errors import Outcome
from jitr_cli.console.call import Call
from jitr_cli.console.failures import CommandFailed
from jitr_cli.crl import publish as crl_publish
from jitr_local import pki
from jitr_local.pki import Device
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.ca_files import CaFiles, write_ca
from tests.worlds.deployment import BUCKET, CRL_KEY, TestDeployment

HERE = f"s3://{BUCKET}/{CRL_KEY}"
HOLD = x509.ReasonFlags.certificate_hold
POINT = x509.IssuingDistributionPoint(
    full_name=[x509.UniformResourceIdentifier("http://crl.example.com/1.crl")],
    relative_name=None,
    only_contains_user_certs=False,
    only_contains_ca_certs=False,
    only_some_reasons=None,
    indirect_crl=False,
    only_contains_attribute_certs=False,
)


@pytest.fixture
def files(stack: TestDeployment, tmp_path: Path) -> CaFiles:
    """Return the files of the deployment's CA."""
    return write_ca(tmp_path, stack.ca)


@pytest.fixture
def devices(stack: TestDeployment) -> list[Device]:
    """Return three devices that are ACTIVE; the CRL that let them in has number 1 and lists nobody."""
    made = [stack.ca.issue(f"device-{number}") for number in range(3)]
    for device in made:
        assert stack.knock(device).outcome is Outcome.ACTIVATED
    return made


@pytest.fixture
def publish(jitr: Jitr, files: CaFiles) -> Callable[..., Answer]:
    """Publish a CRL of the deployment's CA without being asked."""

    def run(crl: bytes, *options: object, yes: bool = True) -> Answer:
        files.out.write_bytes(crl)
        sure = ["--yes"] if yes else []
        return jitr("crl", "publish", files.out, "--issuer", files.issuer, *sure, *options)

    return run


Publish = Callable[..., Answer]


def there(stack: TestDeployment, key: str = CRL_KEY) -> bytes | None:
    """Return what is in the bucket."""
    try:
        content: bytes = stack.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    except ClientError:
        return None
    return content


def serial(device: Device) -> int:
    """Return a device's serial number."""
    return device.certificate.serial_number


def test_a_newer_crl_takes_the_place_of_the_one_the_deployment_reads(
    stack: TestDeployment, devices: list[Device], publish: Publish
) -> None:
    """It says first where, and how many ACTIVE devices it switches off; the sweep then does so."""
    crl = stack.ca.crl([serial(devices[0]), pki.revoked_entry(serial(devices[1]), reason=HOLD), 99], number=2)
    answer = publish(crl)
    assert (answer.exit_code, answer.out) == (0, "")
    assert "account 123456789012 · Region us-east-1 · deployment test" in answer.err
    assert "CRL number 2, valid until" in answer.err
    assert f"to {HERE}: in place of number 1" in answer.err
    assert "3 newly listed: switches off 2 ACTIVE devices; 0 listed no more" in answer.err
    assert "brake" not in answer.err
    assert there(stack) == crl
    assert stack.s3.head_object(Bucket=BUCKET, Key=CRL_KEY)["ContentType"] == "application/pkix-crl"
    assert stack.sweep().switched_off == 2
    assert [stack.row_state(device) for device in devices] == ["REVOKED", "INACTIVE", "ACTIVE"]


def test_pem_is_published_as_der(stack: TestDeployment, devices: list[Device], publish: Publish) -> None:
    """Half as much for every container to read."""
    crl = stack.ca.crl(number=2)
    pem = x509.load_der_x509_crl(crl).public_bytes(Encoding.PEM)
    assert publish(pem).exit_code == 0
    assert there(stack) == crl


def test_the_same_crl_again_is_done_already(stack: TestDeployment, devices: list[Device], publish: Publish) -> None:
    """No question, no write."""
    answer = publish(stack.ca.crl(number=1), yes=False)
    assert answer.exit_code == 64  # signed anew: another CRL of the same number
    current = there(stack)
    assert current is not None
    answer = publish(current, yes=False)
    assert (answer.exit_code, "already; nothing to do" in answer.err) == (0, True)


def test_crls_without_a_number_are_ordered_by_time(
    stack: TestDeployment, devices: list[Device], publish: Publish
) -> None:
    """easy-rsa, keytool, cfssl and others write none; the functions order such CRLs by thisUpdate, too."""
    at = pki.now()
    first, second = (stack.ca.crl(number=None, this_update=at - timedelta(seconds=ago)) for ago in (20, 10))
    answer = publish(first)
    assert (answer.exit_code, "no CRL number" in answer.err) == (0, True)
    assert publish(second).exit_code == 0
    assert there(stack) == second
    again = publish(stack.ca.crl([5], number=None, this_update=at - timedelta(seconds=10)))
    assert (again.exit_code, "same second" in again.err) == (64, True)


@pytest.mark.parametrize(
    ("crl", "complaint"),
    [
        (lambda ca: ca.crl(number=1), "number 1 is not higher than 1"),
        (lambda ca: ca.crl(number=0), "number 0 is not higher than 1"),
        (lambda ca: ca.crl(number=None, this_update=pki.now() - pki.DAY), "issued before the one"),
        (lambda ca: ca.crl(number=2, this_update=pki.now() - pki.DAY), "issued before the one"),
        (lambda ca: ca.crl(number=2, this_update=pki.now() - 9 * pki.DAY), "not published: expired"),
        (lambda ca: ca.crl(number=2, this_update=pki.now() + pki.DAY), "not published: not_yet_valid"),
        (lambda ca: ca.crl(number=2, signing_key=pki.new_key()), "not published: bad_signature"),
        (lambda ca: ca.crl(number=2)[:-1], "not published: malformed"),
        (lambda _: b"", "not published: malformed"),
        (lambda ca: ca.crl(number=2, extensions=[(x509.DeltaCRLIndicator(1), True)]), "not published: delta"),
        (
            lambda ca: ca.crl(number=2, extensions=[(POINT, True)]),
            "covers other certificates",
        ),
    ],
)
def test_what_is_not_newer_or_not_usable_is_refused(
    stack: TestDeployment,
    devices: list[Device],
    publish: Publish,
    crl: Callable[[pki.CertificateAuthority], bytes],
    complaint: str,
) -> None:
    """What was there stays."""
    before = there(stack)
    answer = publish(crl(stack.ca))
    assert (answer.exit_code, complaint in answer.err, there(stack) == before) == (64, True, True), answer.err


def test_an_older_crl_is_no_way_round_an_emptied_address(
    stack: TestDeployment, devices: list[Device], publish: Publish
) -> None:
    """The deployment remembers what it accepted and would refuse it as a rollback."""
    stack.publish(stack.ca.crl(number=5))
    stack.sweep()
    stack.s3.delete_object(Bucket=BUCKET, Key=CRL_KEY)
    answer = publish(stack.ca.crl(number=4))
    assert (answer.exit_code, "as a rollback" in answer.err, there(stack)) == (64, True, None)


def test_unexpired_devices_do_not_vanish(stack: TestDeployment, devices: list[Device], publish: Publish) -> None:
    """The registry knows how long their certificates are valid; a hold is lifted by naming its serial."""
    held = serial(devices[0])
    assert publish(stack.ca.crl([pki.revoked_entry(held, reason=HOLD)], number=2)).exit_code == 0
    answer = publish(stack.ca.crl(number=3))
    assert (answer.exit_code, f"unexpired certificates would vanish from the CRL: {held:X}" in answer.err) == (64, True)
    assert publish(stack.ca.crl(number=3), "--allow-drop", f"{held:x}").exit_code == 0


def test_expired_devices_may_vanish_and_unknown_ones_may_not(
    stack: TestDeployment, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown is not expired."""
    device = stack.ca.issue(not_after=pki.now() + timedelta(seconds=300))
    assert stack.knock(device).outcome is Outcome.ACTIVATED
    assert publish(stack.ca.crl([serial(device), 0xABC], number=2)).exit_code == 0
    assert stack.row(device) is not None
    later = pki.now() + timedelta(seconds=600)

    monkeypatch.setattr(crl_publish, "datetime", SimpleNamespace(now=lambda _zone: later))
    answer = publish(stack.ca.crl(number=3))
    assert answer.exit_code == 64
    assert "1 certificates would vanish of which the registry does not know" in answer.err
    assert f"{serial(device):X}" not in answer.err
    assert publish(stack.ca.crl(number=3), "--allow-drop", "ABC").exit_code == 0


def test_of_two_publishers_the_second_one_loses(
    stack: TestDeployment, devices: list[Device], publish: Publish, files: CaFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both read number 1; while one is asked, the other publishes: nobody's revocations are undone."""
    rival = stack.ca.crl([serial(devices[0])], number=2)

    def slow(_call: Call, _question: str) -> bool:
        monkeypatch.setattr(Call, "confirm", lambda _call, _question: True)
        assert publish(rival).exit_code == 0
        return True

    monkeypatch.setattr(Call, "confirm", slow)
    answer = publish(stack.ca.crl([serial(devices[1])], number=3))
    assert (answer.exit_code, "somebody else changed" in answer.err) == (69, True)
    assert there(stack) == rival
    # Made anew from what is there, it goes through.
    assert publish(stack.ca.crl([serial(devices[0]), serial(devices[1])], number=3)).exit_code == 0


@pytest.mark.parametrize("first", [True, False])
def test_the_first_crl_and_a_deleted_one_are_raced_for_too(
    stack: TestDeployment, devices: list[Device], publish: Publish, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """Nothing there when it was read, something when it is written; and the other way round."""
    rival = stack.ca.crl(number=9)
    if first:
        stack.s3.delete_object(Bucket=BUCKET, Key=CRL_KEY)

    def slow(_call: Call, _question: str) -> bool:
        if first:
            stack.publish(rival)
        else:
            stack.s3.delete_object(Bucket=BUCKET, Key=CRL_KEY)
        return True

    monkeypatch.setattr(Call, "confirm", slow)
    answer = publish(stack.ca.crl(number=2))
    assert (answer.exit_code, "nothing was written" in answer.err) == (69, True)
    assert there(stack) == (rival if first else None)


def test_the_first_crl_is_put_where_nothing_is(stack: TestDeployment, publish: Publish) -> None:
    """Where the fleet file says, although the deployment has read none of this CA's yet; all of its entries are new."""
    stack.s3.delete_object(Bucket=BUCKET, Key=CRL_KEY)
    answer = publish(stack.ca.crl([1, 2]))
    assert (answer.exit_code, f"to {HERE}: nothing is there" in answer.err) == (0, True), answer.err
    assert "2 newly listed: switches off 0 ACTIVE devices" in answer.err


def test_an_adopted_cas_source_is_the_default(stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
    """Known from its adoption, before any device of it has connected; not confused with other CAs' sources."""
    other = pki.CertificateAuthority.create("Other CA")
    for ca, key in ((other, "other.crl"), (pki.CertificateAuthority.create("Third CA"), "third.crl")):
        stack.iot.register_ca(ca)
        options = ["--crl", f"s3://{BUCKET}/{key}", "--yes"]
        assert jitr("ca", "adopt", "--ca-certificate-id", ca.ca_certificate_id, *options).exit_code == 0
    files = write_ca(tmp_path, other)
    files.out.write_bytes(other.crl())
    answer = jitr("crl", "publish", files.out, "--issuer", files.issuer, "--yes")
    assert answer.exit_code == 0, answer.err
    assert there(stack, "other.crl") == files.out.read_bytes()


def test_two_sources_need_to(stack: TestDeployment, devices: list[Device], jitr: Jitr, publish: Publish) -> None:
    """Both are named; an address that no CA reads is refused, because a CRL there would change nothing."""
    options = ["--crl", f"s3://{BUCKET}/second.crl", "--yes"]
    assert jitr("ca", "adopt", "--ca-certificate-id", stack.ca.ca_certificate_id, *options).exit_code == 0
    answer = publish(stack.ca.crl(number=2))
    assert answer.exit_code == 64
    assert f"{HERE}, s3://{BUCKET}/second.crl" in answer.err
    answer = publish(stack.ca.crl(number=2), "--to", f"s3://{BUCKET}/third.crl")
    assert (answer.exit_code, "reads no CRL of this CA from" in answer.err) == (64, True)
    assert there(stack, "third.crl") is None


def test_another_cas_crl_is_not_replaced(stack: TestDeployment, devices: list[Device], publish: Publish) -> None:
    """Nor anything else that is no CRL of this CA: it is the wrong address, more likely than not."""
    for content in (pki.CertificateAuthority.create("Other CA").crl(), b"a letter"):
        stack.publish(content)
        answer = publish(stack.ca.crl(number=2))
        assert (answer.exit_code, "is it the right address?" in answer.err) == (64, True)
        assert there(stack) == content


def test_a_ca_whose_certificates_name_their_crl_may_be_given_a_new_address(
    stack: TestDeployment, publish: Publish
) -> None:
    """What they will name is known no sooner than they come; it is said."""
    stack.configure(crl="cdp")
    answer = publish(stack.ca.crl(number=2), "--to", f"s3://{BUCKET}/named.crl")
    assert (answer.exit_code, "has not read this CA's CRLs from" in answer.err) == (0, True)
    assert there(stack, "named.crl") is not None


def test_who_may_not_read_the_configuration_publishes_where_crls_were_read_before(
    stack: TestDeployment, devices: list[Device], publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher's role need not know the functions; and where nothing is known, nothing is guessed."""

    def refuse(*_: object) -> None:
        raise CommandFailed("GetFunction was refused")

    monkeypatch.setattr(crl_publish, "deployed_configuration", refuse)
    assert publish(stack.ca.crl(number=2)).exit_code == 0
    answer = publish(stack.ca.crl(number=3), "--to", f"s3://{BUCKET}/third.crl")
    assert (answer.exit_code, "fleet file says is unknown" in answer.err) == (64, True)


@pytest.mark.parametrize("to", ["https://x.example.com/a.crl", f"s3://{BUCKET}", f"s3://{BUCKET}/enforced/a.crl"])
def test_an_address_that_cannot_be_right_is_usage(stack: TestDeployment, publish: Publish, to: str) -> None:
    """No bucket, no key, or the enforcement function's own copies."""
    assert publish(stack.ca.crl(number=2), "--to", to).exit_code == 64


def test_a_crl_that_lists_too_many_warns_of_the_brake(
    stack: TestDeployment, devices: list[Device], publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the sweep will decide it."""
    monkeypatch.setattr("jitr.enforcement.brake.SMALLEST_BRAKE", 2)
    assert "trips the brake" not in publish(stack.ca.crl(map(serial, devices[:2]), number=2), "--dry-run").err
    assert "trips the brake" in publish(stack.ca.crl(map(serial, devices), number=2)).err
    assert stack.sweep(devices=3).outcome == "braked"


def brake_of_two(stack: TestDeployment) -> None:
    """The fleet file says so."""
    stack.configuration = replace(stack.configuration, brake_devices=2)


def test_the_fleet_files_brake_is_the_one_that_is_warned_of(
    stack: TestDeployment, devices: list[Device], publish: Publish
) -> None:
    """Three devices trip a brake of two, and none of a hundred."""
    crl = stack.ca.crl(map(serial, devices), number=2)
    assert "trips the brake" not in publish(crl, "--dry-run").err
    brake_of_two(stack)
    assert "trips the brake" in publish(crl, "--dry-run").err


def test_what_the_other_crls_of_a_day_listed_counts(
    stack: TestDeployment, devices: list[Device], publish: Publish
) -> None:
    """Two, and a day's third one: together more than two, as the function will say."""
    brake_of_two(stack)
    enforcing = replace(stack.enforcement(), brake=Brake(2))
    where, ca = stack.configuration.cas[0].crl, stack.ca.certificate
    first = stack.ca.crl(map(serial, devices[:2]), number=2)
    assert "trips the brake" not in publish(first).err
    assert enforcing.sweep(where, ca, devices=3, owner="one").outcome == "enforced"
    second = stack.ca.crl(map(serial, devices), number=3)
    assert "trips the brake" in publish(second).err
    assert enforcing.sweep(where, ca, devices=3, owner="two").outcome == "braked"


def test_what_is_compared_is_what_was_enforced_not_what_is_published(
    stack: TestDeployment, devices: list[Device], publish: Publish
) -> None:
    """Two CRLs after one another, and no sweep in between: the function sees all three as new."""
    brake_of_two(stack)
    assert stack.sweep(devices=3).outcome == "enforced"
    assert "trips the brake" not in publish(stack.ca.crl(map(serial, devices[:2]), number=2)).err
    assert "trips the brake" in publish(stack.ca.crl(map(serial, devices), number=3)).err
    enforcing = replace(stack.enforcement(), brake=Brake(2))
    where, ca = stack.configuration.cas[0].crl, stack.ca.certificate
    assert enforcing.sweep(where, ca, devices=3, owner="one").outcome == "braked"


def test_a_dry_run_and_a_missing_yes_write_nothing(
    stack: TestDeployment, devices: list[Device], publish: Publish
) -> None:
    """Both say what would happen."""
    before = there(stack)
    for options, yes, exit_code in ((["--dry-run"], True, 0), ([], False, 130)):
        answer = publish(stack.ca.crl([serial(devices[0])], number=2), *options, yes=yes)
        assert (answer.exit_code, "switches off 1 ACTIVE devices" in answer.err) == (exit_code, True)
        assert there(stack) == before


@pytest.mark.parametrize(
    ("operation", "status", "code", "said"),
    [
        ("GetObject", 403, "AccessDenied", "AccessDenied"),
        ("PutObject", 403, "AccessDenied", "AccessDenied"),
        ("PutObject", 409, "ConditionalRequestConflict", "somebody else changed"),
    ],
)
def test_what_s3_refuses_is_69(
    stack: TestDeployment,
    devices: list[Device],
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    status: int,
    code: str,
    said: str,
) -> None:
    """A publisher without the right to read or write, or whose write meets another one's."""
    before = there(stack)
    made_before = boto3.Session.client

    def refused(**_: Any) -> tuple[Any, dict[str, Any]]:
        return SimpleNamespace(status_code=status), {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {}}

    def client(session: boto3.Session, service: str, **options: Any) -> Any:
        made = made_before(session, service, **options)  # type: ignore[call-overload]
        if service == "s3":
            made.meta.events.register(f"before-call.s3.{operation}", refused)
        return made

    monkeypatch.setattr(boto3.Session, "client", client)
    answer = publish(stack.ca.crl(number=2))
    assert (answer.exit_code, said in answer.err, "Traceback" in answer.err) == (69, True, False)
    assert there(stack) == before


def test_a_crl_made_and_published_by_the_tools_switches_a_device_off(
    stack: TestDeployment, devices: list[Device], files: CaFiles, jitr: Jitr
) -> None:
    """Fetch, revoke, publish, sweep: the whole way of those who run their own CA."""
    current = there(stack)
    assert current is not None
    files.out.write_bytes(current)
    device = files.folder / "device.pem"
    device.write_text(pki.pem(devices[2].certificate))
    options = ["--crl", files.out, "--certificate", device, "--reason", "keyCompromise"]
    assert jitr("crl", "revoke", *files.options, *options).exit_code == 0
    assert jitr("crl", "publish", files.out, "--issuer", files.issuer, "--yes").exit_code == 0
    assert stack.sweep().switched_off == 1
    assert stack.row_state(devices[2]) == "REVOKED"
