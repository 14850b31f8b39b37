"""`jitr device explain`: at which step a device stands, why, and what to do."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509

from jitr.aws.iot import CertificateStatus
from jitr.certificates import issuer_key
from jitr.errors import Reason
from jitr.registry.row import job_claim
from jitr.settings import CaStatus, ThingNameSource
from jitr_cli.console.advice import DEVICES_OWN, device_advice, page
from jitr_local import pki
from jitr_local.pki import Device
from tests.aws.aws_faults import Killed, failing, killed_after
from tests.aws.fake_iot import REGION
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.devices import active, inactive, pending, snapshot, written
from tests.worlds.deployment import TestDeployment

pytestmark = pytest.mark.usefixtures("same_account", "not_waiting")

ROOT = Path(__file__).parents[3]
HOLD = x509.ReasonFlags.certificate_hold
# Strict beyond the fake: calls that write, of any service that explaining touches.
WRITES = re.compile("Update|Create|Attach|Detach|Delete|Put|Register|Set")


def explain(jitr: Jitr, stack: TestDeployment, what: object) -> Answer:
    """Explain, and see that nothing was written."""
    before = snapshot(stack)
    stack.iot.calls.clear()
    answer = jitr("device", "explain", what, "--json")
    assert not [call for call in stack.iot.calls if WRITES.match(call)]
    assert snapshot(stack) == before
    return answer


def switch_off(stack: TestDeployment, device: Device, wanted: CertificateStatus, braked_by: str | None = None) -> None:
    """Switch a device off as enforcement does."""
    rows = stack.activation.rows
    key = f"{issuer_key(stack.ca.certificate)}#{device.certificate.serial_number:x}"
    row = rows.row(key)
    assert row is not None
    rows.mark(row, wanted=wanted, braked_by=braked_by)
    stack.activation.registry.switch_off(device.certificate_id, wanted)
    rows.finish_revocation(key, done=wanted)


def test_an_active_device_is_as_it_should_be(stack: TestDeployment, jitr: Jitr) -> None:
    """All steps passed, and what they rest on is shown."""
    device = active(stack)
    answer = explain(jitr, stack, device.certificate_id)
    assert answer.exit_code == 0, answer.out
    found = answer.json
    assert (found["verdict"], found["status"], found["reason"], found["advice"]) == ("active", "ACTIVE", None, None)
    assert [(each["step"], each["outcome"]) for each in found["steps"]] == [(n, "passed") for n in range(1, 9)]
    assert found["ca"]["name"] == "factory-1"
    assert found["crls"][0]["number"] == 1
    assert found["row"]["state"] == "ACTIVE"
    assert found["thing"] == {"name": "device-1", "holder": device.certificate_id, "attached": True}
    assert found["policies"] == ["jitr-test_default"]


def test_it_is_said_for_people_too(stack: TestDeployment, jitr: Jitr) -> None:
    """One line for each step, then what to do and where to read more."""
    device = active(stack)
    stack.publish(stack.ca.crl([device.certificate.serial_number], number=2))
    answer = jitr("device", "explain", device.certificate_id)
    assert answer.exit_code == 1
    assert "ok   4 the certificate itself" in answer.out
    assert "no   5 not on the CA's CRL: the CA's CRL lists the certificate (revoked)" in answer.out
    assert "what to do: " in answer.out
    assert "docs/runbook/reasons.md#revoked" in answer.out
    assert "account 000000000000 · Region us-east-1 · deployment test" in answer.err


def on_the_crl(stack: TestDeployment) -> Device:
    """Waiting, and listed."""
    device = pending(stack)
    stack.publish(stack.ca.crl([device.certificate.serial_number], number=2))
    return device


def on_hold(stack: TestDeployment) -> Device:
    """Waiting, and listed as on hold."""
    device = pending(stack)
    stack.publish(stack.ca.crl([pki.revoked_entry(device.certificate.serial_number, reason=HOLD)], number=2))
    return device


def without_crl(stack: TestDeployment) -> Device:
    """Waiting, and no CRL where it should be."""
    device = pending(stack)
    stack.s3.delete_object(Bucket="jitr-test-crl", Key="factory-1.crl")
    return device


def of_a_forger(stack: TestDeployment) -> Device:
    """Waiting, and signed by another key of the same name."""
    device = pki.CertificateAuthority.create().issue("device-1")
    stack.iot.connect(device, stack.ca)
    return device


def ca_off(stack: TestDeployment) -> Device:
    """Waiting, and its CA was switched off."""
    device = pending(stack)
    stack.configure(status=CaStatus.INACTIVE)
    return device


def badly_named(stack: TestDeployment) -> Device:
    """Waiting, with a name that no Thing may have."""
    return pending(stack, "a b")


def thing_taken(stack: TestDeployment) -> Device:
    """Waiting, and turned away because another certificate has its Thing."""
    active(stack, "device-1")
    device = stack.ca.issue("device-1")
    stack.knock(device)
    return device


def not_on_the_allow_list(stack: TestDeployment) -> Device:
    """Waiting, and its CA lets in only those it names."""
    device = pending(stack)
    stack.configure(allow_list=True)
    return device


def revoked_before(stack: TestDeployment) -> Device:
    """Revoked, deleted, registered again."""
    device = active(stack)
    switch_off(stack, device, CertificateStatus.REVOKED)
    stack.iot.certificates[device.certificate_id].status = "PENDING_ACTIVATION"
    return device


def same_serial(stack: TestDeployment) -> Device:
    """Waiting, with the serial number of another device."""
    active(stack, "device-1", serial=7)
    return pending(stack, "device-2", serial=7)


def ready(stack: TestDeployment) -> Device:
    """Waiting, with nothing in its way."""
    return pending(stack)


def unmanaged(stack: TestDeployment) -> Device:
    """Of a CA that somebody registered, and nobody put into the fleet file."""
    other = pki.CertificateAuthority.create("Other")
    stack.iot.register_ca(other)
    device = other.issue("device-1")
    stack.iot.connect(device, other)
    return device


def weak(stack: TestDeployment) -> Device:
    """RSA with 1,024 bits, which the function switched off."""
    device = stack.ca.issue("device-1", key="RSA-1024")
    stack.knock(device)
    return device


def by_hand(stack: TestDeployment) -> Device:
    """Switched off in the console."""
    return inactive(stack)


def by_a_hold(stack: TestDeployment) -> Device:
    """Switched off by a CRL that lists it no more."""
    device = active(stack)
    switch_off(stack, device, CertificateStatus.INACTIVE)
    return device


def by_a_hold_that_lasts(stack: TestDeployment) -> Device:
    """Switched off by a CRL that still lists it."""
    device = active(stack)
    stack.publish(stack.ca.crl([pki.revoked_entry(device.certificate.serial_number, reason=HOLD)], number=2))
    stack.sweep()
    return device


def by_a_brake(stack: TestDeployment) -> Device:
    """Switched off because one CRL listed too many."""
    device = active(stack)
    switch_off(stack, device, CertificateStatus.INACTIVE, braked_by="crl")
    return device


def by_a_job(stack: TestDeployment) -> Device:
    """Switched off with many others, which can be undone."""
    device = active(stack)
    switch_off(stack, device, CertificateStatus.INACTIVE, braked_by=job_claim("job-1"))
    return device


def off_while_its_ca_is_off(stack: TestDeployment) -> Device:
    """Switched off by hand; that its CA is INACTIVE too is not why."""
    device = inactive(stack)
    stack.configure(status=CaStatus.INACTIVE)
    return device


def revoked(stack: TestDeployment) -> Device:
    """Revoked by its CRL."""
    device = active(stack)
    stack.publish(stack.ca.crl([device.certificate.serial_number], number=2))
    stack.sweep()
    return device


def revoked_by_hand(stack: TestDeployment) -> Device:
    """REVOKED in the console."""
    device = active(stack)
    stack.iot.certificates[device.certificate_id].status = "REVOKED"
    return device


@pytest.mark.parametrize(
    ("make", "exit_code", "reason", "step"),
    [
        (on_the_crl, 1, "revoked", 5),
        (on_hold, 1, "certificate_hold", 5),
        (without_crl, 2, "no_crl", 5),
        (of_a_forger, 1, "wrong_signature", 4),
        (ca_off, 1, "ca_inactive", 3),
        (badly_named, 1, "unusable_name", 4),
        (thing_taken, 1, "thing_in_use", 7),
        (not_on_the_allow_list, 1, "not_allowed", 5),
        (revoked_before, 1, "revoked_before", 6),
        (same_serial, 1, "serial_in_use", 6),
        (ready, 1, "waits_for_event", 8),
        (unmanaged, 1, "unmanaged_ca", 1),
        (weak, 1, "weak_key", 4),
        (by_hand, 1, "switched_off", 8),
        (by_a_hold, 1, "switched_off", 6),
        (by_a_hold_that_lasts, 1, "certificate_hold", 5),
        (by_a_brake, 1, "revocation_braked", 6),
        (by_a_job, 1, "switched_off", 6),
        (off_while_its_ca_is_off, 1, "switched_off", 8),
        (revoked, 1, "revoked", 5),
        (revoked_by_hand, 1, "revoked", 8),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_device_that_is_not_active_stands_at_a_step(
    stack: TestDeployment,
    jitr: Jitr,
    make: Callable[[TestDeployment], Device],
    exit_code: int,
    reason: str,
    step: int,
) -> None:
    """1 for a definite reason, 2 where it cannot be known; with what to do, and where to read more."""
    device = make(stack)
    answer = explain(jitr, stack, device.certificate_id)
    found = answer.json
    assert (answer.exit_code, found["reason"], found["step"]) == (exit_code, reason, step), answer.out
    assert found["verdict"] == ("undetermined" if exit_code == 2 else "not_active")
    assert found["advice"]
    assert found["see"].endswith(f"#{reason}")


@pytest.mark.parametrize(
    "make", [ca_off, thing_taken, on_the_crl, without_crl, revoked_before], ids=lambda make: make.__name__
)
def test_no_later_step_contradicts_the_one_that_fails(
    stack: TestDeployment, jitr: Jitr, make: Callable[[TestDeployment], Device]
) -> None:
    """A device that waits because of an early step is not said to pass every check."""
    found = explain(jitr, stack, make(stack).certificate_id).json
    last = next(each for each in found["steps"] if each["step"] == 8)
    assert (last["outcome"], last["reason"]) == ("rejected", found["reason"])
    assert last["message"] == f"PENDING_ACTIVATION, because of step {found['step']}"


def test_the_advice_for_a_certificate_that_lost_its_thing_works(stack: TestDeployment, jitr: Jitr) -> None:
    """Switched off because another took its Thing: the option that takes it back is named."""
    old = active(stack)
    new = stack.ca.issue("device-1", not_before=stack.clock() - timedelta(hours=1))
    stack.knock(new)
    assert jitr("device", "rebind", new.certificate_id, "--yes").exit_code == 0
    found = explain(jitr, stack, old.certificate_id).json
    assert found["reason"] == "switched_off"
    assert "`jitr device reinstate --take-thing`" in found["advice"]
    assert new.certificate_id in found["advice"]
    assert jitr("device", "reinstate", "--take-thing", old.certificate_id, "--yes").exit_code == 0
    assert explain(jitr, stack, old.certificate_id).exit_code == 0


def test_it_says_what_the_function_says(stack: TestDeployment, jitr: Jitr) -> None:
    """For each way of being turned away: the same reason and step, before and after the function's own run."""
    for make in (on_hold, without_crl, of_a_forger, ca_off, badly_named, not_on_the_allow_list):
        device = make(stack)
        found = explain(jitr, stack, device.certificate_id).json
        decided = _decided(stack, device)
        assert (found["reason"], found["step"]) == decided, make.__name__
        stack.publish(stack.ca.crl(number=int(time.time() * 1000)))
        stack.configure(status=CaStatus.ACTIVE, allow_list=False)


def _decided(stack: TestDeployment, device: Device) -> tuple[str | None, int | None]:
    """What the function decides about a device that knocks."""
    from jitr.errors import Undecided

    try:
        result = stack.container().activate(stack.iot.connect(device, stack.ca), owner="explained")
    except Undecided as failure:
        return str(failure.reason), failure.step
    return result.reason, result.step


class TestActiveButNotAsItShouldBe:
    """ACTIVE in AWS IoT, and yet something is wrong: exit code 1."""

    def test_on_the_crl_and_not_switched_off_yet(self, stack: TestDeployment, jitr: Jitr) -> None:
        """The next sweep does that."""
        device = active(stack)
        stack.publish(stack.ca.crl([device.certificate.serial_number], number=2))
        answer = explain(jitr, stack, device.certificate_id)
        assert (answer.exit_code, answer.json["verdict"], answer.json["reason"]) == (1, "inconsistent", "revoked")

    def test_not_in_the_registry(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Activated past us: no CRL reaches it."""
        device = pending(stack)
        stack.iot.certificates[device.certificate_id].status = "ACTIVE"
        answer = explain(jitr, stack, device.certificate_id)
        assert (answer.exit_code, answer.json["reason"], answer.json["step"]) == (1, "not_in_registry", 6)

    @pytest.mark.parametrize("what", ["policies", "things"])
    def test_without_policy_or_thing(self, stack: TestDeployment, jitr: Jitr, what: str) -> None:
        """Somebody detached it; AWS IoT closes the connection."""
        device = active(stack)
        setattr(stack.iot.certificates[device.certificate_id], what, [])
        answer = explain(jitr, stack, device.certificate_id)
        assert (answer.exit_code, answer.json["reason"], answer.json["step"]) == (1, "not_attached", 7)

    def test_the_advice_for_it_works(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Off and on again attaches everything."""
        device = active(stack)
        stack.iot.certificates[device.certificate_id].policies = []
        jitr("device", "revoke", device.certificate_id, "--reason", "certificateHold", "--yes")
        jitr("device", "reinstate", device.certificate_id, "--yes")
        assert explain(jitr, stack, device.certificate_id).exit_code == 0

    def test_whether_it_is_revoked_cannot_be_known(self, stack: TestDeployment, jitr: Jitr) -> None:
        """2: neither yes nor no."""
        device = active(stack)
        stack.s3.delete_object(Bucket="jitr-test-crl", Key="factory-1.crl")
        answer = explain(jitr, stack, device.certificate_id)
        assert (answer.exit_code, answer.json["verdict"], answer.json["step"]) == (2, "undetermined", 5)

    def test_a_deactivated_ca_is_a_note(self, stack: TestDeployment, jitr: Jitr) -> None:
        """It takes out no device that is in."""
        device = active(stack)
        stack.iot.cas[stack.ca.ca_certificate_id].status = "INACTIVE"
        answer = explain(jitr, stack, device.certificate_id)
        assert (answer.exit_code, "ca_inactive" in str(answer.json["notes"])) == (0, True)


class TestNeverConnected:
    """AWS IoT does not know the certificate."""

    @pytest.mark.parametrize(
        ("prepare", "reason"),
        [
            (lambda stack: None, "not_registered"),
            (lambda stack: stack.iot.cas.clear(), "ca_not_registered"),
            (lambda stack: setattr(next(iter(stack.iot.cas.values())), "status", "INACTIVE"), "ca_inactive"),
            (
                lambda stack: setattr(next(iter(stack.iot.cas.values())), "auto_registration", False),
                "auto_registration_off",
            ),
        ],
        ids=["never connected", "CA not registered", "CA INACTIVE", "auto-registration off"],
    )
    def test_its_file_says_why(
        self,
        stack: TestDeployment,
        jitr: Jitr,
        tmp_path: Path,
        prepare: Callable[[TestDeployment], None],
        reason: str,
    ) -> None:
        """What keeps AWS IoT from registering it."""
        file = written(stack.ca.issue("new"), tmp_path)
        prepare(stack)
        answer = explain(jitr, stack, file)
        assert (answer.exit_code, answer.json["reason"], answer.json["status"]) == (1, reason, None), answer.out

    def test_what_would_become_of_it_is_foreseen(self, stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
        """Listed already, before it was ever connected."""
        device = stack.ca.issue("new")
        stack.publish(stack.ca.crl([device.certificate.serial_number], number=2))
        answer = explain(jitr, stack, written(device, tmp_path))
        assert any("at step 5" in note and "revoked" in note for note in answer.json["notes"])

    def test_a_foreign_certificate_is_said_to_be_one(self, stack: TestDeployment, jitr: Jitr, tmp_path: Path) -> None:
        """No CA here issued it."""
        file = written(pki.CertificateAuthority.create("Foreign").issue("x"), tmp_path)
        answer = explain(jitr, stack, file)
        assert (answer.exit_code, answer.json["reason"]) == (1, "unmanaged_ca")

    def test_an_id_alone_says_less(self, stack: TestDeployment, jitr: Jitr) -> None:
        """And says that the file would say more."""
        answer = explain(jitr, stack, "d" * 64)
        assert (answer.exit_code, answer.json["reason"]) == (1, "not_registered")
        assert "file" in str(answer.json["notes"])


class TestEvidence:
    """What the function left behind."""

    def test_dead_letters_of_the_device_are_shown_and_stay(
        self, stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Others' are not."""
        device = pending(stack)
        client: Any = boto3.client("sqs", region_name=REGION)
        queue = client.get_queue_url(QueueName="dead-letters")["QueueUrl"]
        for certificate_id in (device.certificate_id, "e" * 64):
            client.send_message(QueueUrl=queue, MessageBody=json.dumps(letter(certificate_id)))
        for _ in range(2):
            found = explain(jitr, stack, device.certificate_id).json
            assert [(each["reason"], each["step"]) for each in found["dead_letters"]] == [("no_crl", 5)]

    def test_the_last_log_lines_are_shown(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Those that say how an event of this device ended."""
        device = pending(stack)
        undecided = {"outcome": "undecided", "reason": "no_crl", "step": 5, "message": "m"}
        log(
            "Activate",
            {"certificate_id": device.certificate_id, **undecided},
            {"certificate_id": device.certificate_id, "_aws": {}},
            {"certificate_id": "e" * 64, "outcome": "activated"},
            f"START {device.certificate_id}",
        )
        found = explain(jitr, stack, device.certificate_id).json
        assert [(each["outcome"], each["reason"], each["step"]) for each in found["log"]] == [
            ("undecided", "no_crl", 5)
        ]
        assert found["log"][0]["at"].endswith("Z")

    def test_all_functions_that_do_something_to_devices_are_asked(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Activated, switched off by a CRL, done by a job: one story, in order."""
        device = active(stack)
        for n, (function, outcome) in enumerate(
            [("Activate", "activated"), ("Enforce", "switched_off"), ("Bulk", "done")]
        ):
            log(function, {"certificate_id": device.certificate_id, "outcome": outcome, "message": "m"}, after=n)
        found = explain(jitr, stack, device.certificate_id).json
        assert [(each["function"], each["outcome"]) for each in found["log"]] == [
            ("jitr-test-Activate", "activated"),
            ("jitr-test-Enforce", "switched_off"),
            ("jitr-test-Bulk", "done"),
        ]
        assert found["not_read"] == []
        answer = jitr("device", "explain", device.certificate_id)
        assert re.search(r"^  log \S+Z: switched_off: m$", answer.out, re.MULTILINE)

    def test_an_event_that_lambda_cut_short_is_shown_with_lambdas_word_for_it(
        self, stack: TestDeployment, jitr: Jitr
    ) -> None:
        """Begun three times under one request id, as Lambda's retries are, and ended once."""
        device = pending(stack)
        began = {"certificate_id": device.certificate_id, "outcome": "began", "request_id": "r-1", "message": "m"}
        ended = {**began, "outcome": "undecided", "reason": "no_crl", "step": 5}
        log(
            "Activate",
            began,
            report("r-1", "timeout"),
            began,
            report("r-1", "error"),
            began,
            ended,
            report("r-2", "timeout"),
        )
        found = explain(jitr, stack, device.certificate_id).json
        told = [(each["outcome"], each["message"]) for each in found["log"]]
        assert told == [
            ("crashed", "the function ended without an answer: timeout"),
            ("crashed", "the function ended without an answer: error"),
            ("undecided", "m"),
        ]

    def test_an_event_that_was_begun_and_ended_is_no_crash(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Nor is one that somebody is still at."""
        device = pending(stack)
        began = {"certificate_id": device.certificate_id, "outcome": "began", "request_id": "r-1", "message": "m"}
        log("Activate", began, {**began, "outcome": "waiting"}, report("r-1", "error"), {**began, "request_id": "r-2"})
        found = explain(jitr, stack, device.certificate_id).json
        assert [each["outcome"] for each in found["log"]] == ["waiting"]

    def test_what_cannot_be_read_is_said(self, stack: TestDeployment, jitr: Jitr) -> None:
        """No log group: the answer stands without it."""
        device = active(stack)
        log("Activate", {"certificate_id": device.certificate_id, "outcome": "activated", "message": "m"})
        found = explain(jitr, stack, device.certificate_id)
        assert (found.exit_code, len(found.json["log"])) == (0, 1)
        assert found.json["not_read"] == [
            "the log of jitr-test-Enforce: ResourceNotFoundException",
            "the log of jitr-test-Bulk: ResourceNotFoundException",
        ]


def log(function: str, *lines: dict[str, Any] | str, after: int = 0) -> None:
    """Let a function's log have these lines, one millisecond after the other; `after` seconds later than others."""
    client: Any = boto3.client("logs", region_name=REGION)
    group = f"/aws/lambda/jitr-test-{function}"
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000) - 60_000 + after * 1000
    events = [
        {"timestamp": now + n, "message": line if isinstance(line, str) else json.dumps(line)}
        for n, line in enumerate(lines)
    ]
    client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def report(request_id: str, status: str) -> dict[str, Any]:
    """Lambda's own line about an invocation that ended, as its JSON log format has it."""
    return {"type": "platform.report", "record": {"requestId": request_id, "status": status}}


def letter(certificate_id: str) -> dict[str, Any]:
    """A dead letter as Lambda writes it."""
    told = {"reason": "no_crl", "step": 5, "message": "there is no CRL"}
    return {
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": {"certificateId": certificate_id},
        "responsePayload": {"errorType": "UndecidedEvent", "errorMessage": json.dumps(told)},
    }


def test_an_activation_on_its_way_is_waited_for(stack: TestDeployment, jitr: Jitr) -> None:
    """Its lease is open."""
    device = pending(stack)
    stack.clock.now = pki.now()
    with killed_after(stack.iot_client, "AttachPolicy"), pytest.raises(Killed):
        stack.knock(device)
    answer = explain(jitr, stack, device.certificate_id)
    assert (answer.exit_code, answer.json["reason"], answer.json["step"]) == (1, "lease_held", 6)


def test_denied_to_the_caller_is_not_the_functions_trouble(stack: TestDeployment, jitr: Jitr) -> None:
    """DescribeCertificate refused: 69. What comes later is undetermined, and says whose permissions."""
    device = active(stack)
    with failing(stack.iot_client, "DescribeCertificate", "AccessDeniedException", 403):
        assert jitr("device", "explain", device.certificate_id).exit_code == 69
    with failing(stack.iot_client, "ListAttachedPolicies", "AccessDeniedException", 403):
        answer = explain(jitr, stack, device.certificate_id)
    assert (answer.exit_code, answer.json["reason"], answer.json["step"]) == (2, "access_denied", 7)
    assert "your permissions" in answer.json["advice"]


def test_the_crl_that_explaining_sees_first_is_not_accepted_by_it(stack: TestDeployment, jitr: Jitr) -> None:
    """Looking changes nothing: a wrong CRL may still be taken back."""
    device = active(stack)
    stack.publish(stack.ca.crl(number=9))
    assert explain(jitr, stack, device.certificate_id).json["crls"][0]["number"] == 9
    stack.publish(stack.ca.crl(number=5, this_update=pki.now() - timedelta(minutes=30)))
    assert stack.sweep().crl is not None


def test_devices_without_things_lack_none(stack: TestDeployment, jitr: Jitr) -> None:
    """thing_name = "off"."""
    stack.configure(thing_name=ThingNameSource.OFF)
    answer = explain(jitr, stack, active(stack).certificate_id)
    assert (answer.exit_code, answer.json["thing"]) == (0, None)


@pytest.mark.parametrize("what", ["nonsense", "f" * 63, "/dev/null"])
def test_what_names_no_certificate_is_usage(jitr: Jitr, what: str) -> None:
    """Neither a file nor an id."""
    assert jitr("device", "explain", what).exit_code == 64


@pytest.mark.parametrize("reason", [*DEVICES_OWN, *Reason])
def test_every_reason_has_advice_and_a_section(reason: str) -> None:
    """The section that is named exists."""
    assert device_advice(reason)
    file, _, anchor = (page(reason) or "").partition("#")
    headings = re.findall(r"^### (\S+)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor in headings


def test_a_connected_device_is_seen(stack: TestDeployment, jitr: Jitr) -> None:
    """Since when and from where; once it was cut, why it is not any more."""
    device = active(stack)
    name = stack.iot.certificates[device.certificate_id].things[0]
    stack.clients.connect(name, device.certificate_id)
    (found,) = explain(jitr, stack, device.certificate_id).json["connections"]
    assert (found["client_id"], found["connected"], found["thing"]) == (name, True, name)
    assert found["source"] == "192.0.2.7 port 50123"
    assert found["since"] is not None
    assert jitr("device", "revoke", device.certificate_id, "--yes", "--rate", "100").exit_code == 0
    assert not stack.clients.is_connected(name)
    (found,) = explain(jitr, stack, device.certificate_id).json["connections"]
    assert (found["connected"], found["ended_because"]) == (False, "API_INITIATED_DISCONNECT")


def test_where_connections_cannot_be_looked_at_it_says_so(stack: TestDeployment, jitr: Jitr) -> None:
    """As on an emulator without the calls: a note, and nothing else changes."""
    stack.clients.refusal = "ForbiddenException"
    answer = explain(jitr, stack, active(stack).certificate_id)
    assert (answer.exit_code, answer.json["connections"]) == (0, [])
    assert any("is connected is not known" in note for note in answer.json["notes"])


def test_a_client_id_that_the_policy_does_not_let_connect_is_named(stack: TestDeployment, jitr: Jitr) -> None:
    """The device is ACTIVE, and refused at every connect."""
    stack.configuration.connects["default"] = ("@{device.thing_name}",)  # type: ignore[index]
    stack.activation = stack.container()
    device = stack.ca.issue("pump-1")
    stack.deliver({**stack.iot.connect(device, stack.ca), "clientid": "somebody"})
    answer = explain(jitr, stack, device.certificate_id)
    assert answer.json["client_id"] == "somebody"
    assert any("does not let it connect by 'somebody'" in note for note in answer.json["notes"])
