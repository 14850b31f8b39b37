"""`jitr ca activate|deactivate|auto-registration|hold|resume|delete`: a CA switched, and nothing else with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from jitr.authorities.managed import LIFETIME
from jitr.errors import Outcome, Reason
from jitr.settings import CaStatus
from jitr_cli.console.failures import CommandFailed
from jitr_local.pki import CertificateAuthority
from tests.aws.aws_faults import failing
from tests.cli.conftest import Answer, Jitr
from tests.cli.worlds.bundle_server import BundleServer
from tests.worlds.deployment import BUCKET, TestDeployment


def ca(jitr: Jitr, stack: TestDeployment, *arguments: str) -> Answer:
    """Run a command about the deployment's CA without being asked."""
    return jitr("ca", *arguments, "--ca-certificate-id", stack.ca.ca_certificate_id, "--yes")


def registered(stack: TestDeployment) -> Any:
    """Return the CA as AWS IoT has it."""
    return stack.iot.cas[stack.ca.ca_certificate_id]


@pytest.mark.parametrize(
    ("arguments", "before", "after"),
    [
        (["activate"], ("INACTIVE", "DISABLE"), ("ACTIVE", "DISABLE")),
        (["deactivate"], ("ACTIVE", "ENABLE"), ("INACTIVE", "ENABLE")),
        (["auto-registration", "on"], ("INACTIVE", "DISABLE"), ("INACTIVE", "ENABLE")),
        (["auto-registration", "off"], ("ACTIVE", "ENABLE"), ("ACTIVE", "DISABLE")),
    ],
    ids=["activate", "deactivate", "on", "off"],
)
class TestEachSwitch:
    """Activate, deactivate, on and off alike."""

    def test_changes_what_it_says(
        self, stack: TestDeployment, jitr: Jitr, arguments: list[str], before: Any, after: Any
    ) -> None:
        """And leaves the other switch as it is."""
        registered(stack).status, registered(stack).auto_registration = before
        answer = ca(jitr, stack, *arguments, "--json")
        assert (answer.exit_code, answer.json["changed"]) == (0, True), answer.err
        assert (registered(stack).status, registered(stack).auto_registration) == after
        assert (answer.json["status"], answer.json["auto_registration"]) == (after[0], after[1] == "ENABLE")
        assert "account 123456789012 · Region us-east-1 · deployments here: test" in answer.err

    def test_has_nothing_to_do_the_second_time(
        self, stack: TestDeployment, jitr: Jitr, arguments: list[str], before: Any, after: Any
    ) -> None:
        """Says so, and writes nothing."""
        registered(stack).status, registered(stack).auto_registration = after
        answer = ca(jitr, stack, *arguments, "--json")
        assert (answer.exit_code, answer.json["changed"], "nothing to do" in answer.err) == (0, False, True)
        assert "UpdateCACertificate" not in stack.iot.calls

    def test_tries_without_writing(
        self, stack: TestDeployment, jitr: Jitr, arguments: list[str], before: Any, after: Any
    ) -> None:
        """With --dry-run."""
        registered(stack).status, registered(stack).auto_registration = before
        assert ca(jitr, stack, *arguments, "--dry-run").exit_code == 0
        assert "UpdateCACertificate" not in stack.iot.calls

    def test_asks(self, stack: TestDeployment, jitr: Jitr, arguments: list[str], before: Any, after: Any) -> None:
        """Nobody there to answer is no yes."""
        registered(stack).status, registered(stack).auto_registration = before
        answer = jitr("ca", *arguments, "--ca-certificate-id", stack.ca.ca_certificate_id)
        assert answer.exit_code == 130
        assert "UpdateCACertificate" not in stack.iot.calls

    def test_knows_no_ca_that_aws_iot_does_not_know(
        self, stack: TestDeployment, jitr: Jitr, arguments: list[str], before: Any, after: Any
    ) -> None:
        """A mistyped id is no success."""
        answer = jitr("ca", *arguments, "--ca-certificate-id", "a" * 64, "--yes")
        assert (answer.exit_code, "ca_not_found" in answer.err) == (69, True)


def test_activating_says_what_still_keeps_devices_out(stack: TestDeployment, jitr: Jitr) -> None:
    """The strictest of AWS IoT, fleet file and operator wins."""
    registered(stack).status, registered(stack).auto_registration = "INACTIVE", "DISABLE"
    stack.configure(status=CaStatus.INACTIVE)
    ca(jitr, stack, "hold")
    words = ca(jitr, stack, "activate").err
    assert "note: auto-registration is off" in words
    assert "note: the fleet file of test says status = 'INACTIVE'; only a deploy changes that" in words
    assert "note: deployment test holds it, by arn:aws:" in words


def test_activating_a_ca_in_good_order_leaves_nothing_to_note(stack: TestDeployment, jitr: Jitr) -> None:
    """Notes that always come are not read."""
    registered(stack).status = "INACTIVE"
    assert "note:" not in ca(jitr, stack, "activate").err


def test_activating_a_ca_that_provisions_itself_is_worth_a_note(stack: TestDeployment, jitr: Jitr) -> None:
    """AWS IoT would activate its devices past every check."""
    registered(stack).status = "INACTIVE"
    registered(stack).registration_config = {"templateName": "x"}
    assert "(JITP)" in ca(jitr, stack, "activate").err


def test_activating_a_ca_that_nobody_manages_says_so(stack: TestDeployment, jitr: Jitr) -> None:
    """Its devices would wait for ever."""
    other = CertificateAuthority.create("Other CA")
    stack.iot.register_ca(other, status="INACTIVE")
    answer = jitr("ca", "activate", "--ca-certificate-id", other.ca_certificate_id, "--yes")
    assert "no deployment here manages it" in answer.err


class TestHold:
    """The emergency: no deploy, no change in AWS IoT."""

    def test_a_held_ca_brings_in_nobody(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Not even through a function that is warm and had looked a moment ago, once half a minute is over."""
        assert stack.knock(stack.ca.issue("before")).outcome is Outcome.ACTIVATED
        answer = ca(jitr, stack, "hold", "--json")
        assert (answer.exit_code, answer.json["on_hold"], answer.json["changed"]) == (0, True, True)
        stack.clock.now += LIFETIME
        waiting = stack.ca.issue("waiting")
        result = stack.knock(waiting)
        assert (result.outcome, result.reason) == (Outcome.WAITING, Reason.CA_ON_HOLD)
        assert stack.iot.status(waiting) == "PENDING_ACTIVATION"
        assert "UpdateCACertificate" not in stack.iot.calls

    def test_who_and_when_are_kept(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Of the first one, also when a second one comes."""
        first = ca(jitr, stack, "hold", "--json").json["held_by"]
        again = ca(jitr, stack, "hold", "--json")
        assert first.startswith("arn:aws:")
        assert (again.json["held_by"], again.json["changed"]) == (first, False)
        assert "on hold already" in again.err

    def test_of_two_operators_at_once_the_first_one_counts(self, stack: TestDeployment) -> None:
        """The second one's write changes nothing, neither holding nor resuming."""
        records, identifier, at = stack.activation.authorities.records, stack.ca.ca_certificate_id, stack.clock.now
        assert records.hold(identifier, by="first", at=at)
        assert not records.hold(identifier, by="second", at=at)
        record = records.record(identifier)
        assert record is not None
        assert record.held_by == f"first {at.isoformat()}"
        assert records.resume(identifier, by="first", at=at)
        assert not records.resume(identifier, by="second", at=at)

    def test_resuming_lets_waiting_devices_in(self, stack: TestDeployment, jitr: Jitr) -> None:
        """At their next connect."""
        ca(jitr, stack, "hold")
        device = stack.ca.issue("waiting")
        assert stack.knock(device).reason is Reason.CA_ON_HOLD
        answer = ca(jitr, stack, "resume", "--json")
        assert (answer.exit_code, answer.json["on_hold"], answer.json["obstacles"]) == (0, False, [])
        stack.clock.now += LIFETIME
        assert stack.knock(device).outcome is Outcome.ACTIVATED

    def test_resuming_does_not_override_the_fleet_file(self, stack: TestDeployment, jitr: Jitr) -> None:
        """And says so."""
        stack.configure(status=CaStatus.INACTIVE)
        ca(jitr, stack, "hold")
        answer = ca(jitr, stack, "resume", "--json")
        assert answer.json["obstacles"] == [
            "the fleet file of test says status = 'INACTIVE'; only a deploy changes that"
        ]
        assert stack.knock(stack.ca.issue()).reason is Reason.CA_INACTIVE

    def test_a_ca_that_is_not_held_cannot_be_resumed(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Perhaps it is held in another deployment."""
        answer = ca(jitr, stack, "resume")
        assert (answer.exit_code, "is not on hold in deployment test" in answer.err) == (64, True)

    def test_a_mistyped_id_does_not_pass_for_a_hold(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Somebody would rely on it."""
        answer = jitr("ca", "hold", "--ca-certificate-id", "a" * 64, "--yes")
        assert (answer.exit_code, "ca_not_found" in answer.err) == (69, True)
        assert list(stack.activation.authorities.records.records()) == []

    def test_a_ca_with_devices_is_held_while_aws_iot_does_not_answer(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Its record is enough to know it."""
        stack.knock(stack.ca.issue())
        with failing(stack.iot_client, "DescribeCACertificate", "InternalFailureException", 500):
            assert ca(jitr, stack, "hold").exit_code == 0

    def test_a_hold_that_nobody_reads_is_worth_a_warning(self, stack: TestDeployment, jitr: Jitr) -> None:
        """No function of this deployment looks at that CA; who does, among those here, would be named."""
        other = CertificateAuthority.create("Other CA")
        stack.iot.register_ca(other)
        answer = jitr("ca", "hold", "--ca-certificate-id", other.ca_certificate_id, "--yes", "--json")
        assert (answer.exit_code, answer.json["on_hold"], answer.json["managed"]) == (0, True, False)
        assert (
            f"warning: deployment test does not manage CA {other.ca_certificate_id}: nobody reads a hold there"
            in answer.err
        )
        assert "its devices stay" not in answer.err
        assert "the function knows" not in answer.err

    def test_a_hold_on_a_managed_ca_comes_without_a_warning(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Of the fleet file, or adopted."""
        answer = ca(jitr, stack, "hold", "--json")
        assert (answer.json["managed"], "warning" in answer.err) == (True, False)
        other = CertificateAuthority.create("Other CA")
        stack.iot.register_ca(other)
        identifier = ("--ca-certificate-id", other.ca_certificate_id, "--yes")
        jitr("ca", "adopt", *identifier, "--crl", "none")
        answer = jitr("ca", "hold", *identifier, "--json")
        assert (answer.json["managed"], "warning" in answer.err) == (True, False)

    def test_the_emergency_does_not_wait_for_the_fleet_file(
        self, stack: TestDeployment, jitr: Jitr, bundles: BundleServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who may not read it holds all the same, and is not told that nobody reads the hold."""
        monkeypatch.setattr(bundles, "status", 403)
        answer = ca(jitr, stack, "hold", "--json")
        assert (answer.exit_code, answer.json["on_hold"], answer.json["managed"]) == (0, True, None)
        assert "nobody reads" not in answer.err

    @pytest.mark.parametrize("command", ["hold", "resume"])
    def test_a_dry_run_writes_nothing(self, stack: TestDeployment, jitr: Jitr, command: str) -> None:
        """Neither way."""
        if command == "resume":
            ca(jitr, stack, "hold")
        assert ca(jitr, stack, command, "--dry-run").exit_code == 0
        record = stack.activation.authorities.records.record(stack.ca.ca_certificate_id)
        assert (record is not None and record.on_hold) == (command == "resume")

    def test_a_hold_survives_adoption_and_release(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Only resume ends it."""
        ca(jitr, stack, "hold")
        ca(jitr, stack, "adopt", "--crl", "none")
        ca(jitr, stack, "release")
        record = stack.activation.authorities.records.record(stack.ca.ca_certificate_id)
        assert record is not None
        assert record.on_hold


class TestDelete:
    """The last thing done to a CA."""

    def test_an_active_ca_is_not_deleted(self, stack: TestDeployment, jitr: Jitr) -> None:
        """The way is said."""
        answer = ca(jitr, stack, "delete")
        assert (answer.exit_code, "jitr ca deactivate" in answer.err) == (64, True)
        assert "DeleteCACertificate" not in stack.iot.calls

    def test_what_depends_on_it_is_said_before(self, stack: TestDeployment, jitr: Jitr) -> None:
        """Devices by status, and who manages it."""
        stack.knock(stack.ca.issue("active"))
        stack.iot.connect(stack.ca.issue("waiting"), stack.ca)
        registered(stack).status = "INACTIVE"
        answer = ca(jitr, stack, "delete", "--json")
        assert answer.exit_code == 0, answer.err
        assert answer.json["devices"] == {"ACTIVE": 1, "PENDING_ACTIVATION": 1}
        assert (answer.json["deleted"], answer.json["managed_by"]) == (True, ["test"])
        assert "2 devices are registered with it: 1 ACTIVE, 1 PENDING_ACTIVATION" in answer.err
        assert "in the fleet file as factory-1" in answer.err
        assert stack.ca.ca_certificate_id not in stack.iot.cas

    def test_its_adoption_is_named(self, stack: TestDeployment, jitr: Jitr) -> None:
        """It stays behind otherwise."""
        other = CertificateAuthority.create("Other CA")
        stack.iot.register_ca(other, status="INACTIVE")
        identifier = ("--ca-certificate-id", other.ca_certificate_id)
        jitr("ca", "adopt", *identifier, "--crl", "none", "--yes")
        answer = jitr("ca", "delete", *identifier, "--yes")
        assert (answer.exit_code, "jitr ca release" in answer.err) == (0, True)

    @pytest.mark.parametrize("option", ["--dry-run", "--json"], ids=["dry run", "nobody to ask"])
    def test_it_takes_a_yes(self, stack: TestDeployment, jitr: Jitr, option: str) -> None:
        """130 where nobody gives it."""
        registered(stack).status = "INACTIVE"
        answer = jitr("ca", "delete", "--ca-certificate-id", stack.ca.ca_certificate_id, option)
        assert answer.exit_code == (0 if option == "--dry-run" else 130)
        assert stack.ca.ca_certificate_id in stack.iot.cas

    def test_nothing_is_deleted_while_it_is_unknown_who_manages_it(
        self, stack: TestDeployment, jitr: Jitr, bundles: BundleServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Unknown is not unmanaged."""
        registered(stack).status = "INACTIVE"
        monkeypatch.setattr(bundles, "status", 403)
        answer = ca(jitr, stack, "delete")
        assert (answer.exit_code, "while it is unknown whether test manages this CA" in answer.err) == (69, True)
        assert stack.ca.ca_certificate_id in stack.iot.cas

    def test_somebody_who_activates_it_meanwhile_wins(self, stack: TestDeployment, jitr: Jitr) -> None:
        """AWS IoT refuses, and the command says so."""
        registered(stack).status = "INACTIVE"
        with failing(stack.iot_client, "DeleteCACertificate", "CertificateStateException", 406):
            answer = ca(jitr, stack, "delete")
        assert (answer.exit_code, "CertificateStateException" in answer.err) == (69, True)


def test_expired_cas_are_noted(stack: TestDeployment, jitr: Jitr) -> None:
    """AWS IoT still calls them ACTIVE."""
    old = CertificateAuthority.create("Old", not_after=stack.clock.now - timedelta(hours=1))
    stack.iot.register_ca(old, status="INACTIVE")
    stack.configuration = replace(stack.configuration, cas=())
    words = jitr("ca", "activate", "--ca-certificate-id", old.ca_certificate_id, "--yes").err
    assert "its certificate expired at" in words


def test_all_cas_are_held_at_once_also_adopted_ones(stack: TestDeployment, jitr: Jitr) -> None:
    """Stop everything: one question, and no device of any CA becomes ACTIVE; those on hold already stay so."""
    other = CertificateAuthority.create("Other CA")
    stack.iot.register_ca(other)
    stack.publish(other.crl(), key="other.crl")
    crl = f"s3://{BUCKET}/other.crl"
    assert jitr("ca", "adopt", "--ca-certificate-id", other.ca_certificate_id, "--crl", crl, "--yes").exit_code == 0
    dry = jitr("ca", "hold", "--all", "--dry-run", "--json")
    assert [each["on_hold"] for each in dry.json["cas"]] == [False, False]
    answer = jitr("ca", "hold", "--all", "--yes", "--json")
    assert answer.exit_code == 0, answer.err
    held = {each["ca_certificate_id"]: (each["on_hold"], each["changed"]) for each in answer.json["cas"]}
    assert held == {stack.ca.ca_certificate_id: (True, True), other.ca_certificate_id: (True, True)}
    for ca in (stack.ca, other):
        assert stack.deliver(stack.iot.connect(ca.issue("device-1"), ca)).outcome is Outcome.WAITING
    again = jitr("ca", "hold", "--all", "--yes", "--json")
    assert [each["changed"] for each in again.json["cas"]] == [False, False]


def test_all_or_one_ca_is_held_and_nothing_else(stack: TestDeployment, jitr: Jitr) -> None:
    """Both, or neither, is usage."""
    assert jitr("ca", "hold", "--yes").exit_code == 64
    assert jitr("ca", "hold", "--all", "--ca-certificate-id", stack.ca.ca_certificate_id, "--yes").exit_code == 64


def test_not_all_cas_are_held_where_not_all_are_known(
    stack: TestDeployment, jitr: Jitr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is told that everything is stopped must be able to rely on it."""

    def refuse(*_: object, **__: object) -> None:
        raise CommandFailed("GetFunction was refused")

    monkeypatch.setattr("jitr_cli.authorities.management.deployed_configuration", refuse)
    answer = jitr("ca", "hold", "--all", "--yes")
    assert (answer.exit_code, "hold each that" in answer.err) == (69, True)
