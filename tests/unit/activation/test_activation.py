"""The activation, step by step: what each kind of device, CA and CRL ends as."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import utils
from cryptography.x509.oid import NameOID

from jitr.activation.leasing import IRREVERSIBLE_REJECTIONS
from jitr.activation.steps import LEASE
from jitr.certificates import der as der_reader
from jitr.errors import Outcome, Reason, Undecided
from jitr.settings import CaStatus, OnExistingThing, ThingNameSource
from jitr_local import pki
from tests.aws.aws_faults import Killed, failing, killed_after, unanswered
from tests.worlds import raw_der
from tests.worlds.deployment import BUCKET, CRL_KEY, TestDeployment

HOLD = x509.ReasonFlags.certificate_hold


def undecided(deployment: TestDeployment, event: object, **options: str) -> Undecided:
    """Deliver an event that must be retried, and return why."""
    with pytest.raises(Undecided) as caught:
        deployment.deliver(event, **options)
    return caught.value


class TestActivated:
    """A good device."""

    def test_a_good_device_becomes_active_with_policy_and_thing(self, deployment: TestDeployment) -> None:
        """Issued by the CA, not on its CRL: ACTIVE, its policy attached and its Thing claimed."""
        device = deployment.ca.issue("device-1")
        result = deployment.knock(device)
        assert (result.outcome, result.reason, result.step) == (Outcome.ACTIVATED, None, 8)
        assert deployment.iot.status(device) == "ACTIVE"
        assert deployment.iot.certificates[device.certificate_id].policies == ["jitr-test_default"]
        assert deployment.iot.certificates[device.certificate_id].things == ["device-1"]
        assert deployment.row_state(device) == "ACTIVE"

    def test_the_policy_is_rendered_with_the_deployments_values(self, deployment: TestDeployment) -> None:
        """Account, Region and partition of the deployment, never of the event."""
        deployment.knock(deployment.ca.issue())
        assert "arn:aws:iot:us-east-1:000000000000:client/x" in deployment.iot.policies["jitr-test_default"].document

    def test_a_warm_activation_costs_three_quota_limited_calls(self, deployment: TestDeployment) -> None:
        """Describe, AttachPolicy, UpdateCertificate: what the account's quota of 10 a second is divided by."""
        deployment.knock(deployment.ca.issue("device-1"))
        deployment.iot.calls.clear()
        deployment.knock(deployment.ca.issue("device-2"))
        assert deployment.iot.quota_limited_calls == ["DescribeCertificate", "AttachPolicy", "UpdateCertificate"]

    def test_policy_and_thing_come_before_active(self, deployment: TestDeployment) -> None:
        """I2: an ACTIVE certificate without policy would be cut off and never ask again."""
        deployment.knock(deployment.ca.issue())
        calls = deployment.iot.calls
        assert calls.index("AttachThingPrincipal") < calls.index("UpdateCertificate")
        assert calls.index("AttachPolicy") < calls.index("UpdateCertificate")

    @pytest.mark.parametrize(
        ("source", "expected"),
        [(ThingNameSource.SERIAL, "beef"), (ThingNameSource.CERTIFICATE_ID, None), (ThingNameSource.OFF, "")],
    )
    def test_the_thing_name_comes_from_where_the_fleet_file_says(
        self, deployment: TestDeployment, source: ThingNameSource, expected: str | None
    ) -> None:
        """Serial number, certificate id, or no Thing at all."""
        deployment.configure(thing_name=source)
        device = deployment.ca.issue("bad name*", serial=0xBEEF)
        deployment.knock(device)
        names = deployment.iot.certificates[device.certificate_id].things
        assert names == ([device.certificate_id] if expected is None else [expected] if expected else [])

    def test_a_v1_certificate_is_accepted(self, deployment: TestDeployment) -> None:
        """A plain `openssl x509 -req` writes no extensions at all."""
        device = deployment.ca.issue("plain", extensions=())
        assert deployment.knock(device).outcome is Outcome.ACTIVATED

    def test_no_crl_is_asked_for_where_the_fleet_file_spells_out_none(self, deployment: TestDeployment) -> None:
        """`none` is a decision of the fleet file's owner; nothing else switches the check off."""
        deployment.configure(crl="none")
        deployment.publish(b"garbage")
        assert deployment.knock(deployment.ca.issue()).outcome is Outcome.ACTIVATED

    def test_a_description_that_grew_old_is_asked_for_again(self, deployment: TestDeployment) -> None:
        """An operator who deactivates the device while a cold start reads a large CRL is heard."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)

        def slow_operator(**_: object) -> None:
            deployment.clock.advance(seconds=30)
            deployment.iot.certificates[device.certificate_id].status = "INACTIVE"

        deployment.s3.meta.events.register("before-call.s3.GetObject", slow_operator)
        assert deployment.deliver(event).outcome is Outcome.ALREADY_DECIDED
        assert deployment.iot.status(device) == "INACTIVE"


class TestAlreadyDecided:
    """I3: events never switch anything back on."""

    @pytest.mark.parametrize("status", ["INACTIVE", "REVOKED", "ACTIVE", "PENDING_TRANSFER"])
    def test_a_late_event_changes_nothing(self, deployment: TestDeployment, status: str) -> None:
        """Whatever was decided since the event was sent stays as it is."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        deployment.iot.certificates[device.certificate_id].status = status
        result = deployment.deliver(event)
        assert (result.outcome, result.reason) == (Outcome.ALREADY_DECIDED, status.lower())
        assert deployment.iot.status(device) == status
        assert deployment.iot.calls == ["DescribeCACertificate", "DescribeCertificate"]

    def test_a_certificate_that_an_operator_deactivated_stays_so(self, deployment: TestDeployment) -> None:
        """Activated by us, deactivated by hand, then an old event once more: the field's favourite mistake."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        deployment.deliver(event)
        deployment.iot.certificates[device.certificate_id].status = "INACTIVE"
        deployment.deliver(event)
        assert deployment.iot.status(device) == "INACTIVE"


class TestRevoked:
    """I1: on the CRL means out."""

    def test_a_listed_certificate_is_revoked_and_gets_nothing(self, deployment: TestDeployment) -> None:
        """No policy, no Thing, REVOKED in AWS IoT and in the registry."""
        device = deployment.ca.issue()
        deployment.publish(deployment.ca.crl([device.certificate.serial_number]))
        result = deployment.knock(device)
        assert (result.outcome, result.reason, result.step) == (Outcome.REJECTED, Reason.REVOKED, 5)
        assert deployment.iot.status(device) == "REVOKED"
        assert deployment.iot.certificates[device.certificate_id].policies == []
        assert deployment.iot.things == {}
        assert deployment.row_state(device) == "REVOKED"

    def test_certificate_hold_leaves_the_certificate_pending(self, deployment: TestDeployment) -> None:
        """A hold can be lifted, so nothing final is done; off the CRL, the next knock activates."""
        device = deployment.ca.issue()
        held = pki.revoked_entry(device.certificate.serial_number, reason=HOLD)
        deployment.publish(deployment.ca.crl([held]))
        result = deployment.knock(device)
        assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.CERTIFICATE_HOLD)
        assert deployment.iot.status(device) == "PENDING_ACTIVATION"
        deployment.publish(deployment.ca.crl(number=2))
        deployment.clock.advance(minutes=2)
        assert deployment.knock(device).outcome is Outcome.ACTIVATED

    def test_deleted_and_registered_again_is_revoked_before(self, deployment: TestDeployment) -> None:
        """The registry remembers what deleting the certificate made AWS IoT forget, even off the CRL."""
        device = deployment.ca.issue()
        deployment.publish(deployment.ca.crl([device.certificate.serial_number]))
        deployment.knock(device)
        del deployment.iot.certificates[device.certificate_id]
        deployment.publish(deployment.ca.crl(number=2))
        deployment.clock.advance(minutes=2)
        result = deployment.knock(device)
        assert (result.outcome, result.reason, result.step) == (Outcome.REJECTED, Reason.REVOKED_BEFORE, 6)
        assert deployment.iot.status(device) == "INACTIVE"

    def test_a_cold_container_refuses_a_revoked_device_first_thing(self, deployment: TestDeployment) -> None:
        """The CRL is in force from the first event on, not from the second."""
        device = deployment.ca.issue()
        deployment.publish(deployment.ca.crl([device.certificate.serial_number]))
        result = deployment.container().activate(deployment.iot.connect(device, deployment.ca), owner="cold")
        assert result.reason == Reason.REVOKED

    def test_one_crl_revokes_only_so_many_for_good(self, deployment: TestDeployment) -> None:
        """I7: a CRL that lists everybody by mistake leaves the rest waiting, and a corrected one lets them in."""
        devices = [deployment.ca.issue(f"device-{n}", key=key) for n, key in enumerate([pki.new_key()] * 3)]
        deployment.publish(deployment.ca.crl([device.certificate.serial_number for device in devices]))
        deployment.knock(devices[0])
        for _ in range(IRREVERSIBLE_REJECTIONS - 2):
            deployment.activation.crls.versions.count_rejection(next(iter(deployment.activation.crls._entries)))
        deployment.knock(devices[1])
        result = deployment.knock(devices[2])
        assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.REVOCATION_BRAKED)
        assert [deployment.iot.status(device) for device in devices] == ["REVOKED", "REVOKED", "PENDING_ACTIVATION"]
        deployment.publish(deployment.ca.crl(number=2))
        assert deployment.knock(devices[2]).outcome is Outcome.ACTIVATED

    def test_a_newer_crl_accepted_elsewhere_is_fetched_before_activating(self, deployment: TestDeployment) -> None:
        """Published, and accepted by another container, while this one had just read the older: step 6 notices."""
        deployment.knock(deployment.ca.issue("first"))
        device = deployment.ca.issue("second")
        other = deployment.container()
        elsewhere = deployment.iot.connect(deployment.ca.issue("third"), deployment.ca)
        calls: list[str] = []

        def publish_after_the_first_read(**_: object) -> None:
            calls.append("GetObject")
            if len(calls) == 1:
                deployment.publish(deployment.ca.crl([device.certificate.serial_number], number=2))
                other.activate(elsewhere, owner="other")

        deployment.s3.meta.events.register("after-call.s3.GetObject", publish_after_the_first_read)
        assert deployment.knock(device).reason == Reason.REVOKED
        assert len(calls) == 3
        assert deployment.iot.status(device) == "REVOKED"

    def test_a_warm_container_sees_a_new_crl_at_once(self, deployment: TestDeployment) -> None:
        """Published a moment ago: the copy that is kept does not count any more."""
        deployment.knock(deployment.ca.issue("first"))
        device = deployment.ca.issue("second")
        deployment.publish(deployment.ca.crl([device.certificate.serial_number], number=2))
        assert deployment.knock(device).reason == Reason.REVOKED

    def test_revocation_marked_during_the_activation_wins(self, deployment: TestDeployment) -> None:
        """Marked between step 6 and step 8: the device is switched off at once."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)

        def mark(*, model: object, **_: object) -> None:
            deployment.dynamodb.update_item(
                TableName="jitr-test-state",
                Key={key: deployment.row(device)[key] for key in ("pk", "sk")},  # type: ignore[index]
                UpdateExpression="SET #s = :w, wanted_status = :r",
                ExpressionAttributeNames={"#s": "state"},
                ExpressionAttributeValues={":w": {"S": "REVOKE_WANTED"}, ":r": {"S": "REVOKED"}},
            )

        deployment.iot_client.meta.events.register("after-call.iot.UpdateCertificate", mark, unique_id="mark")
        deployment.iot_client.meta.events.register(
            "after-call.iot.UpdateCertificate",
            lambda **_: deployment.iot_client.meta.events.unregister(
                "after-call.iot.UpdateCertificate", unique_id="mark"
            ),
        )
        result = deployment.deliver(event)
        assert (result.outcome, result.reason) == (Outcome.REJECTED, Reason.REVOKED)
        assert deployment.iot.status(device) == "REVOKED"
        assert deployment.row_state(device) == "REVOKED"


class TestRejected:
    """Certificates that must not be activated for what they are."""

    def test_a_forged_certificate_stays_pending(self, deployment: TestDeployment) -> None:
        """Same issuer name, other key: not ours, and nothing to revoke either."""
        device = pki.CertificateAuthority.create().issue()
        result = deployment.knock(device)
        assert (result.outcome, result.reason, result.step) == (Outcome.REJECTED, Reason.WRONG_SIGNATURE, 4)
        assert deployment.iot.status(device) == "PENDING_ACTIVATION"

    @pytest.mark.parametrize("key", ["RSA-1024", "P-224"])
    def test_a_weak_key_is_switched_off(self, deployment: TestDeployment, key: str) -> None:
        """RSA below 2,048 bits and curves that AWS IoT does not accept."""
        device = deployment.ca.issue(key=key)
        assert deployment.knock(device).reason == Reason.WEAK_KEY
        assert deployment.iot.status(device) == "INACTIVE"

    def test_a_weak_signature_is_switched_off(self, deployment: TestDeployment) -> None:
        """SHA-224 here; SHA-1 and MD5 go the same way."""
        device = deployment.ca.issue(algorithm=hashes.SHA224())
        assert deployment.knock(device).reason == Reason.WEAK_SIGNATURE
        assert deployment.iot.status(device) == "INACTIVE"

    def test_an_expired_certificate_is_switched_off(self, deployment: TestDeployment) -> None:
        """Validity ended a second ago."""
        device = deployment.ca.issue(not_after=deployment.clock() - timedelta(seconds=1))
        assert deployment.knock(device).reason == Reason.CERTIFICATE_EXPIRED
        assert deployment.iot.status(device) == "INACTIVE"

    @pytest.mark.parametrize("text", ["x" * 129, *"*?${}+#/ é", "a\x00b", "../../x", "a b", "${iot:ClientId}"])
    def test_names_that_are_no_thing_names_are_refused(self, deployment: TestDeployment, text: str) -> None:
        """I6: wildcards, variables and path characters never reach a name or an ARN."""
        device = deployment.ca.issue(f"device{text}" if len(text) == 1 else text)
        result = deployment.knock(device)
        assert (result.outcome, result.reason, result.step) == (Outcome.REJECTED, Reason.UNUSABLE_NAME, 4)
        assert deployment.iot.things == {}
        assert deployment.iot.status(device) == "PENDING_ACTIVATION"

    @pytest.mark.parametrize("names", [(), ("",), ("device-1", "device-2")])
    def test_there_is_exactly_one_common_name(self, deployment: TestDeployment, names: tuple[str, ...]) -> None:
        """None, an empty one, and two of them are all refused."""
        organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Devices")
        subject = x509.Name([organization, *map(pki.common_name_attribute, names)])
        assert deployment.knock(deployment.ca.issue(subject=subject)).reason == Reason.UNUSABLE_NAME

    def test_a_thing_of_another_certificate_is_not_taken(self, deployment: TestDeployment) -> None:
        """Two certificates with one common name: the first keeps the Thing."""
        deployment.knock(deployment.ca.issue("device-1"))
        second = deployment.ca.issue("device-1")
        result = deployment.knock(second)
        assert (result.outcome, result.reason, result.step) == (Outcome.REJECTED, Reason.THING_IN_USE, 7)
        assert deployment.iot.status(second) == "PENDING_ACTIVATION"
        assert deployment.iot.certificates[second.certificate_id].policies == []

    def test_a_thing_made_by_others_is_not_taken(self, deployment: TestDeployment) -> None:
        """A Thing without our attribute belongs to whoever made it."""
        deployment.iot_client.create_thing(thingName="device-1", attributePayload={"attributes": {"site": "north"}})
        assert deployment.knock(deployment.ca.issue("device-1")).reason == Reason.THING_IN_USE

    def test_attributes_that_others_added_do_not_lose_the_thing(self, deployment: TestDeployment) -> None:
        """Created, then labelled by somebody, then interrupted: the Thing is still this certificate's."""
        device = deployment.ca.issue("device-1")
        event = deployment.iot.connect(device, deployment.ca)
        with failing(deployment.iot_client, "AttachPolicy", "ThrottlingException"):
            undecided(deployment, event)
        deployment.iot.things["device-1"].attributes["site"] = "north"
        assert deployment.deliver(event).outcome is Outcome.ACTIVATED

    @pytest.mark.parametrize("source", list(ThingNameSource))
    @pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE", "REVOKED"])
    def test_a_second_certificate_of_one_serial_number_does_not_get_in(
        self, deployment: TestDeployment, source: ThingNameSource, status: str
    ) -> None:
        """Not even one made of the first by the other valid form of its signature, after an operator's INACTIVE."""
        deployment.configure(thing_name=source)
        device = deployment.ca.issue("device-1", serial=77)
        deployment.knock(device)
        deployment.iot.certificates[device.certificate_id].status = status
        twin = pki.Device(certificate=with_other_signature_form(device.certificate), key=device.key)
        assert twin.certificate_id != device.certificate_id
        result = deployment.knock(twin)
        assert (result.outcome, result.reason, result.step) == (Outcome.REJECTED, Reason.SERIAL_IN_USE, 6)
        assert deployment.iot.status(twin) == "PENDING_ACTIVATION"
        assert deployment.iot.status(device) == status

    def test_a_serial_number_too_long_for_a_name_is_refused(self, deployment: TestDeployment) -> None:
        """Serial numbers pass the same validator as common names."""
        deployment.configure(thing_name=ThingNameSource.SERIAL)
        device = deployment.ca.issue("device-1", serial=1)
        event = deployment.iot.connect(device, deployment.ca)
        long = raw_der.certificate(deployment.ca, 1 << 520)
        certificate = x509.load_der_x509_certificate(long)
        long_device = pki.Device(certificate=certificate, key=device.key)
        event = deployment.iot.connect(long_device, deployment.ca)
        assert deployment.deliver(event).reason == Reason.UNUSABLE_NAME


def with_other_signature_form(certificate: x509.Certificate) -> x509.Certificate:
    """Return the same certificate with (r, n - s) for the signature (r, s), which is as valid."""
    r, s = utils.decode_dss_signature(certificate.signature)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    flipped = utils.encode_dss_signature(r, order - s)
    der = certificate.public_bytes(serialization.Encoding.DER)
    head = der[: -len(certificate.signature) - 1]
    outer = der_reader.read(der, 0, len(der))
    inside = der[outer.body : len(head)]
    # The bit string's own tag and length stand before its content; both are written anew.
    inside = inside[: -(2 if len(certificate.signature) < 127 else 3)]
    bits = raw_der.tlv(0x03, b"\x00", flipped)
    return x509.load_der_x509_certificate(raw_der.sequence(inside, bits))


class TestReplacement:
    """`on_existing_thing = "replace"`: a device with a renewed certificate."""

    def test_a_later_certificate_of_the_same_ca_and_name_takes_over(self, deployment: TestDeployment) -> None:
        """The new one becomes ACTIVE, then the old one INACTIVE; the Thing follows."""
        deployment.configure(on_existing_thing=OnExistingThing.REPLACE)
        old, new = (deployment.ca.issue("device-1", not_before=pki.now() - n * pki.DAY) for n in (5, 1))
        deployment.knock(old)
        assert deployment.knock(new).outcome is Outcome.ACTIVATED
        assert (deployment.iot.status(old), deployment.iot.status(new)) == ("INACTIVE", "ACTIVE")
        assert deployment.iot.history[-2:] == [(new.certificate_id, "ACTIVE"), (old.certificate_id, "INACTIVE")]
        assert deployment.iot.things["device-1"].attributes["certificate_id"] == new.certificate_id

    def test_a_revoked_predecessor_is_replaced_too(self, deployment: TestDeployment) -> None:
        """The usual renewal after a compromise: the old one is REVOKED already, and stays so."""
        deployment.configure(on_existing_thing=OnExistingThing.REPLACE)
        old, new = (deployment.ca.issue("device-1", not_before=pki.now() - n * pki.DAY) for n in (5, 1))
        deployment.knock(old)
        deployment.iot.certificates[old.certificate_id].status = "REVOKED"
        assert deployment.knock(new).outcome is Outcome.ACTIVATED
        assert (deployment.iot.status(old), deployment.row_state(new)) == ("REVOKED", "ACTIVE")

    @pytest.mark.parametrize("holder", ["f" * 64, "hand-made"])
    def test_a_thing_whose_certificate_is_gone_is_not_taken(self, deployment: TestDeployment, holder: str) -> None:
        """Nobody can say whether the new certificate succeeds it."""
        deployment.configure(on_existing_thing=OnExistingThing.REPLACE)
        deployment.iot_client.create_thing(
            thingName="device-1", attributePayload={"attributes": {"certificate_id": holder}}
        )
        assert deployment.knock(deployment.ca.issue("device-1")).reason == Reason.THING_IN_USE

    def test_an_earlier_certificate_does_not_take_over(self, deployment: TestDeployment) -> None:
        """Whoever kept an old certificate cannot push the new one out."""
        deployment.configure(on_existing_thing=OnExistingThing.REPLACE)
        old, new = (deployment.ca.issue("device-1", not_before=pki.now() - n * pki.DAY) for n in (5, 1))
        deployment.knock(new)
        assert deployment.knock(old).reason == Reason.THING_IN_USE
        assert deployment.iot.status(new) == "ACTIVE"


class TestWaiting:
    """Not now; the next knock asks again."""

    def test_not_yet_valid(self, deployment: TestDeployment) -> None:
        """Activated once its time has come."""
        device = deployment.ca.issue(not_before=deployment.clock() + timedelta(minutes=1))
        assert deployment.knock(device).reason == Reason.CERTIFICATE_NOT_YET_VALID
        deployment.clock.advance(minutes=1)
        assert deployment.knock(device).outcome is Outcome.ACTIVATED

    def test_a_ca_deactivated_in_aws_iot_stops_waiting_events_within_a_minute(self, deployment: TestDeployment) -> None:
        """Events that were sent while it was ACTIVE bring nobody in."""
        deployment.knock(deployment.ca.issue("first"))
        device = deployment.ca.issue("second")
        event = deployment.iot.connect(device, deployment.ca)
        deployment.iot.cas[deployment.ca.ca_certificate_id].status = "INACTIVE"
        deployment.clock.advance(seconds=59)
        result = deployment.deliver(event)
        assert (result.outcome, result.reason, result.step) == (Outcome.WAITING, Reason.CA_INACTIVE, 3)
        assert deployment.iot.status(device) == "PENDING_ACTIVATION"

    @pytest.mark.parametrize(
        ("status", "reason"), [(CaStatus.INACTIVE, Reason.CA_INACTIVE), (CaStatus.RETIRED, Reason.CA_RETIRED)]
    )
    def test_the_fleet_file_can_stop_a_ca(self, deployment: TestDeployment, status: CaStatus, reason: Reason) -> None:
        """Whatever AWS IoT says: the strictest wins."""
        deployment.configure(status=status)
        assert deployment.knock(deployment.ca.issue()).reason == reason

    def test_an_operators_hold_stops_a_ca(self, deployment: TestDeployment) -> None:
        """Held in the state table, ACTIVE everywhere else."""
        key = {"pk": {"S": "ca"}, "sk": {"S": deployment.ca.ca_certificate_id}}
        deployment.dynamodb.put_item(TableName="jitr-test-state", Item={**key, "hold": {"BOOL": True}})
        assert deployment.knock(deployment.ca.issue()).reason == Reason.CA_ON_HOLD

    def test_two_invocations_at_once_do_not_both_activate(self, deployment: TestDeployment) -> None:
        """The second leaves it to the first, whose own event is delivered again should it die."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        with unanswered(deployment.iot_client, "UpdateCertificate"):
            undecided(deployment, event, owner="first")
        result = deployment.deliver(event, owner="second")
        assert (result.outcome, result.reason, result.step) == (Outcome.WAITING, Reason.LEASE_HELD, 6)
        deployment.clock.advance(minutes=1)
        assert deployment.deliver(event, owner="first").outcome is Outcome.ACTIVATED

    def test_an_event_delivered_twice_at_a_time_comes_back_later(self, deployment: TestDeployment) -> None:
        """Both deliveries have one request id; the second cannot know whether the first is still going."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        with unanswered(deployment.iot_client, "UpdateCertificate"):
            undecided(deployment, event, owner="one")
        assert undecided(deployment, event, owner="one").reason is Reason.LEASE_HELD
        deployment.clock.advance(minutes=1)
        assert deployment.deliver(event, owner="one").outcome is Outcome.ACTIVATED

    def test_an_event_delivered_twice_leaves_the_row_to_the_one_that_is_going(self, deployment: TestDeployment) -> None:
        """ACTIVE already, row still open: whoever closed it would take the lease from an activation on its way."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        with killed_after(deployment.iot_client, "UpdateCertificate"), pytest.raises(Killed):
            deployment.deliver(event, owner="one")
        assert deployment.iot.status(device) == "ACTIVE"
        assert undecided(deployment, event, owner="one").reason is Reason.LEASE_HELD
        assert deployment.deliver(event, owner="another").outcome is Outcome.ALREADY_DECIDED
        assert (deployment.row(device) or {})["state"] == {"S": "ACTIVATING"}
        deployment.clock.advance(minutes=1)
        assert deployment.deliver(event, owner="one").outcome is Outcome.ALREADY_DECIDED
        assert (deployment.row(device) or {})["state"] == {"S": "ACTIVE"}

    def test_a_lease_that_ended_is_taken_over(self, deployment: TestDeployment) -> None:
        """Its owner is dead by then: the lease is longer than a function may run."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        with unanswered(deployment.iot_client, "UpdateCertificate"):
            undecided(deployment, event, owner="first")
        deployment.clock.advance(seconds=LEASE.total_seconds() + 1)
        assert deployment.deliver(event, owner="second").outcome is Outcome.ACTIVATED


class TestUnmanagedCa:
    """CAs of somebody else in the same account."""

    def test_an_unmanaged_ca_costs_no_aws_iot_call_and_no_retry(self, deployment: TestDeployment) -> None:
        """Another handler's CA, or one whose adoption was forgotten."""
        other = pki.CertificateAuthority.create("Other CA")
        result = deployment.deliver(deployment.iot.connect(other.issue(), other))
        assert (result.outcome, result.step) == (Outcome.UNMANAGED_CA, 1)
        assert deployment.iot.calls == []

    def test_an_adopted_ca_brings_in_devices(self, deployment: TestDeployment) -> None:
        """Registered by hand, taken under management in the state table, no deploy."""
        other = pki.CertificateAuthority.create("Other CA")
        deployment.iot.register_ca(other)
        deployment.publish(other.crl(), key="other.crl")
        deployment.activation.authorities.records.adopt(
            other.ca_certificate_id, crl=f"s3://{BUCKET}/other.crl", policy="default", by="test", at=deployment.clock()
        )
        device = other.issue("adopted-1")
        assert deployment.deliver(deployment.iot.connect(device, other)).outcome is Outcome.ACTIVATED
        assert deployment.activation.authorities.records.release(other.ca_certificate_id)
        deployment.clock.advance(minutes=1)
        later = deployment.deliver(deployment.iot.connect(other.issue("adopted-2"), other))
        assert later.outcome is Outcome.UNMANAGED_CA

    def test_a_ca_that_is_adopted_while_its_device_knocks_is_known_seconds_later(
        self, deployment: TestDeployment
    ) -> None:
        """That it was unknown is not kept as long as what is known."""
        other = pki.CertificateAuthority.create("Other CA")
        deployment.iot.register_ca(other)
        event = deployment.iot.connect(other.issue(), other)
        assert deployment.deliver(event).outcome is Outcome.UNMANAGED_CA
        deployment.activation.authorities.records.adopt(
            other.ca_certificate_id, crl="none", policy="default", by="test", at=deployment.clock()
        )
        deployment.clock.advance(seconds=3)
        assert deployment.deliver(event).outcome is Outcome.ACTIVATED

    @pytest.mark.parametrize(
        ("crl", "policy"),
        [("s3://somebody-elses/other.crl", "default"), ("file:///etc/passwd", "default"), ("none", "admin")],
    )
    def test_an_adoption_is_input_and_is_validated(self, deployment: TestDeployment, crl: str, policy: str) -> None:
        """Whoever can write to the table chooses neither bucket nor policy freely."""
        other = pki.CertificateAuthority.create("Other CA")
        deployment.iot.register_ca(other)
        at = deployment.clock()
        deployment.activation.authorities.records.adopt(
            other.ca_certificate_id, crl=crl, policy=policy, by="test", at=at
        )
        error = undecided(deployment, deployment.iot.connect(other.issue(), other))
        assert error.reason is Reason.CONFIGURATION
        assert "UpdateCertificate" not in deployment.iot.calls


class TestUndecided:
    """I4: unknown is not good. Retried, then dead-lettered; nothing is activated."""

    def assert_untouched(self, deployment: TestDeployment, device: pki.Device) -> None:
        """The certificate still waits."""
        assert deployment.iot.status(device) == "PENDING_ACTIVATION"
        assert deployment.iot.history == []

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (None, Reason.NO_CRL),
            (b"", Reason.MALFORMED),
            (b"<html>not found</html>", Reason.MALFORMED),
            (b"\x30\x82", Reason.MALFORMED),
        ],
    )
    def test_a_crl_that_is_none(self, deployment: TestDeployment, content: bytes | None, reason: Reason) -> None:
        """Missing, empty, a web page, cut off."""
        if content is None:
            deployment.s3.delete_object(Bucket=BUCKET, Key=CRL_KEY)
        else:
            deployment.publish(content)
        device = deployment.ca.issue()
        error = undecided(deployment, deployment.iot.connect(device, deployment.ca))
        assert (error.reason, error.step, error.certificate_id) == (reason, 5, device.certificate_id)
        self.assert_untouched(deployment, device)

    def test_a_crl_of_another_ca(self, deployment: TestDeployment) -> None:
        """Same name, other key: a forged CRL says nothing."""
        deployment.publish(pki.CertificateAuthority.create().crl())
        device = deployment.ca.issue()
        error = undecided(deployment, deployment.iot.connect(device, deployment.ca))
        assert error.reason is Reason.BAD_SIGNATURE
        self.assert_untouched(deployment, device)

    def test_a_crl_of_a_hundred_megabytes_is_not_even_read(self, deployment: TestDeployment) -> None:
        """Refused by its length; the function's memory is for CRLs that can be true."""
        deployment.publish(b"\0" * 100_000_000)
        device = deployment.ca.issue()
        assert undecided(deployment, deployment.iot.connect(device, deployment.ca)).reason is Reason.TOO_LARGE
        self.assert_untouched(deployment, device)

    def test_an_expired_crl(self, deployment: TestDeployment) -> None:
        """A CRL past its nextUpdate says nothing about today, however warm the copy is."""
        deployment.knock(deployment.ca.issue("first"))
        deployment.clock.advance(days=8)
        device = deployment.ca.issue("second")
        assert undecided(deployment, deployment.iot.connect(device, deployment.ca)).reason is Reason.EXPIRED
        assert deployment.iot.status(device) == "PENDING_ACTIVATION"

    def test_a_crl_of_tomorrow_counts_tomorrow(self, deployment: TestDeployment) -> None:
        """The same object, not yet valid now, is looked at again without being published again."""
        deployment.publish(deployment.ca.crl(this_update=deployment.clock() + timedelta(hours=1)))
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        assert undecided(deployment, event).reason is Reason.NOT_YET_VALID
        deployment.clock.advance(hours=2)
        assert deployment.deliver(event).outcome is Outcome.ACTIVATED

    def test_a_crl_without_next_update_needs_a_maximum_age(self, deployment: TestDeployment) -> None:
        """Without one nobody knows whether it still holds; with one it is usable until it is too old."""
        hour_ago = deployment.clock() - timedelta(hours=1)
        forever = raw_der.crl(deployment.ca, this_update=raw_der.utc_time(hour_ago), next_update=b"")
        deployment.publish(forever)
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        assert undecided(deployment, event).reason is Reason.TOO_OLD
        deployment.configure(crl_max_age_seconds=2 * 3600)
        assert deployment.deliver(event).outcome is Outcome.ACTIVATED
        deployment.clock.advance(hours=2)
        late = deployment.iot.connect(deployment.ca.issue("late"), deployment.ca)
        assert undecided(deployment, late).reason is Reason.TOO_OLD

    def test_a_crl_that_was_rolled_back(self, deployment: TestDeployment) -> None:
        """Older than what some container accepted before: refused across containers."""
        deployment.publish(deployment.ca.crl(number=5))
        deployment.knock(deployment.ca.issue("first"))
        deployment.publish(deployment.ca.crl(number=4))
        deployment.activation = deployment.container()
        device = deployment.ca.issue("second")
        assert undecided(deployment, deployment.iot.connect(device, deployment.ca)).reason is Reason.ROLLBACK
        assert deployment.iot.status(device) == "PENDING_ACTIVATION"

    def test_a_source_that_does_not_answer_leaves_the_verified_crl_in_use(self, deployment: TestDeployment) -> None:
        """Good devices get in, listed ones do not, and nothing final is done on a copy that may be superseded."""
        listed = deployment.ca.issue("listed")
        deployment.publish(deployment.ca.crl([listed.certificate.serial_number]))
        deployment.knock(deployment.ca.issue("first"))
        with failing(deployment.s3, "GetObject", "InternalError", 500):
            result = deployment.knock(deployment.ca.issue("second"))
            assert (result.outcome, result.warnings) == (Outcome.ACTIVATED, ("newer CRL not used: fetch_failed",))
            event = deployment.iot.connect(listed, deployment.ca)
            assert undecided(deployment, event).reason is Reason.FETCH_FAILED
        assert deployment.iot.status(listed) == "PENDING_ACTIVATION"
        assert deployment.knock(listed).reason == Reason.REVOKED

    def test_a_source_that_does_not_answer_is_no_excuse_past_next_update(self, deployment: TestDeployment) -> None:
        """The copy counts until its nextUpdate and never past it."""
        deployment.knock(deployment.ca.issue("first"))
        deployment.clock.advance(days=8)
        event = deployment.iot.connect(deployment.ca.issue("second"), deployment.ca)
        with failing(deployment.s3, "GetObject", "InternalError", 500):
            assert undecided(deployment, event).reason is Reason.FETCH_FAILED

    @pytest.mark.parametrize("answer", ["gone", "forged", "unusable", "not allowed", "a web page"])
    def test_a_warm_container_decides_nothing_on_anything_but_a_usable_crl(
        self, deployment: TestDeployment, answer: str
    ) -> None:
        """What the source answers now may be what hides a revocation: here a newer CRL lists the device."""
        deployment.knock(deployment.ca.issue("first"))
        device = deployment.ca.issue("second")
        event = deployment.iot.connect(device, deployment.ca)
        serials = [device.certificate.serial_number]
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
        contents = {
            "forged": pki.CertificateAuthority.create().crl(serials, number=2),
            "unusable": deployment.ca.crl(serials, number=2, extensions=[(unknown, True)]),
            "a web page": b"<html>maintenance</html>",
        }
        if answer in contents:
            deployment.publish(contents[answer])
        if answer == "gone":
            deployment.s3.delete_object(Bucket=BUCKET, Key=CRL_KEY)
        if answer == "not allowed":
            with failing(deployment.s3, "GetObject", "AccessDenied", 403):
                undecided(deployment, event)
        else:
            undecided(deployment, event)
        self.assert_pending(deployment, device)

    def assert_pending(self, deployment: TestDeployment, device: pki.Device) -> None:
        """The certificate waits, whatever others did."""
        assert deployment.iot.status(device) == "PENDING_ACTIVATION"

    def test_a_poisoned_source_recovers(self, deployment: TestDeployment) -> None:
        """Bad content is never kept: the next good one counts."""
        deployment.publish(b"garbage")
        device = deployment.ca.issue()
        undecided(deployment, deployment.iot.connect(device, deployment.ca))
        deployment.publish(deployment.ca.crl(number=2))
        deployment.clock.advance(minutes=2)
        assert deployment.knock(device).outcome is Outcome.ACTIVATED

    def test_an_unknown_certificate(self, deployment: TestDeployment) -> None:
        """The event names a certificate that AWS IoT does not know (any more)."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        deployment.iot.certificates.clear()
        assert undecided(deployment, event).reason is Reason.CERTIFICATE_NOT_FOUND

    def test_the_event_names_another_ca_than_aws_iot(self, deployment: TestDeployment) -> None:
        """A forged event cannot choose whose CRL is asked."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        deployment.iot.certificates[device.certificate_id].ca_certificate_id = "f" * 64
        assert undecided(deployment, event).reason is Reason.CA_MISMATCH
        self.assert_untouched(deployment, device)

    def test_aws_iot_holds_another_ca_certificate_than_the_fleet_file(self, deployment: TestDeployment) -> None:
        """What was reviewed is what runs."""
        deployment.iot.cas[deployment.ca.ca_certificate_id].pem = pki.pem(pki.CertificateAuthority.create().certificate)
        device = deployment.ca.issue()
        assert undecided(deployment, deployment.iot.connect(device, deployment.ca)).reason is Reason.CA_MISMATCH

    def test_a_certificate_that_is_none(self, deployment: TestDeployment) -> None:
        """PEM armour around nonsense."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        deployment.iot.certificates[device.certificate_id].pem = garbage
        assert undecided(deployment, event).reason is Reason.MALFORMED_CERTIFICATE

    def test_an_expired_ca(self, deployment: TestDeployment) -> None:
        """Its devices wait for an operator; nothing is decided about them."""
        deployment.clock.advance(days=4000)
        device = deployment.ca.issue(not_after=pki.now() + 9000 * pki.DAY)
        assert undecided(deployment, deployment.iot.connect(device, deployment.ca)).reason is Reason.CA_EXPIRED

    @pytest.mark.parametrize("template", ["{", '{"a": "@{nobody}"}', '{"a": "' + "x" * 2100 + '"}', "[]"])
    def test_a_policy_template_that_is_no_policy(self, deployment: TestDeployment, template: str) -> None:
        """Nothing is attached, nothing activated."""
        deployment.configuration.policies["default"] = template  # type: ignore[index]
        device = deployment.ca.issue()
        error = undecided(deployment, deployment.iot.connect(device, deployment.ca))
        assert (error.reason, error.step) == (Reason.POLICY_UNUSABLE, 7)
        self.assert_untouched(deployment, device)

    @pytest.mark.parametrize(
        ("code", "status", "reason"),
        [
            ("ThrottlingException", 400, Reason.THROTTLED),
            ("InternalFailureException", 500, Reason.AWS_UNAVAILABLE),
            ("UnauthorizedException", 401, Reason.ACCESS_DENIED),
            ("InvalidRequestException", 400, Reason.AWS_REFUSED),
        ],
    )
    @pytest.mark.parametrize(
        "operation",
        [
            "DescribeCertificate",
            "DescribeCACertificate",
            "CreateThing",
            "AttachThingPrincipal",
            "AttachPolicy",
            "CreatePolicy",
            "UpdateCertificate",
        ],
    )
    def test_an_error_of_aws_iot_is_retried_and_heals(
        self, deployment: TestDeployment, operation: str, code: str, status: int, reason: Reason
    ) -> None:
        """Whichever call fails, and however: not activated now, activated at the next delivery of the event."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        with failing(deployment.iot_client, operation, code, status):
            assert undecided(deployment, event, owner="event").reason is reason
        assert deployment.iot.status(device) == "PENDING_ACTIVATION"
        deployment.clock.advance(minutes=1)
        assert deployment.deliver(event, owner="event").outcome is Outcome.ACTIVATED
        assert not deployment.iot.certificates[device.certificate_id].ever_active_without_policy

    def test_another_certificate_behind_the_id_is_not_activated(self, deployment: TestDeployment) -> None:
        """The id is the certificate's fingerprint, so that this cannot happen; if it does, nothing is decided."""
        device, other = deployment.ca.issue("device-1"), deployment.ca.issue("device-2")
        event = deployment.iot.connect(device, deployment.ca)
        deployment.iot.certificates[device.certificate_id].pem = pki.pem(other.certificate)
        error = undecided(deployment, event)
        assert (error.reason, error.step) == (Reason.CERTIFICATE_MISMATCH, 2)
        self.assert_untouched(deployment, device)

    @pytest.mark.parametrize("operation", ["GetItem", "UpdateItem"])
    def test_an_unreachable_table_is_retried(self, deployment: TestDeployment, operation: str) -> None:
        """Without the registry nobody can know what was revoked before."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        with unanswered(deployment.dynamodb, operation):
            assert undecided(deployment, event, owner="event").reason is Reason.AWS_UNAVAILABLE
        self.assert_untouched(deployment, device)
        deployment.clock.advance(minutes=2)
        assert deployment.deliver(event, owner="event").outcome is Outcome.ACTIVATED

    def test_a_mistake_of_ours_is_undecided_too(self, deployment: TestDeployment) -> None:
        """Whatever we did not think of fails closed, with its step."""
        device = deployment.ca.issue()
        event = deployment.iot.connect(device, deployment.ca)
        deployment.iot.certificates[device.certificate_id].status = "A_STATUS_OF_NEXT_YEAR"
        error = undecided(deployment, event)
        assert (error.reason, error.step) == (Reason.INTERNAL, 2)


class TestMalformedEvents:
    """Whatever is handed to the function."""

    @pytest.mark.parametrize(
        "change",
        [
            {"certificateId": None},
            {"certificateId": "abc"},
            {"certificateId": "F" * 64},
            {"certificateId": "0" * 64 + "\n"},
            {"certificateId": ["0" * 64]},
            {"caCertificateId": "../" + "0" * 61},
            {"awsAccountId": 123456789012},
            {"awsAccountId": "*"},
        ],
    )
    def test_a_field_of_another_form(self, deployment: TestDeployment, change: dict[str, object]) -> None:
        """Refused at step 1, before any call."""
        event = deployment.iot.connect(deployment.ca.issue(), deployment.ca) | change
        error = undecided(deployment, event)
        assert (error.reason, error.step) == (Reason.MALFORMED_EVENT, 1)
        assert deployment.iot.calls == []

    @pytest.mark.parametrize("event", [None, [], "text", 7, {}, {"certificateId": "0" * 64}, {"x": "y" * 6_000_000}])
    def test_no_event_at_all(self, deployment: TestDeployment, event: object) -> None:
        """Truncated, oversized, or of another kind."""
        assert undecided(deployment, event).reason is Reason.MALFORMED_EVENT

    def test_another_accounts_event(self, deployment: TestDeployment) -> None:
        """Refused before any call."""
        event = deployment.iot.connect(deployment.ca.issue(), deployment.ca) | {"awsAccountId": "999999999999"}
        assert undecided(deployment, event).reason is Reason.FOREIGN_ACCOUNT
        assert deployment.iot.calls == []

    @pytest.mark.parametrize("timestamp", [None, "1623723165331", 1623723165331, "soon", {"a": 1}])
    def test_the_registration_timestamp_decides_nothing(self, deployment: TestDeployment, timestamp: object) -> None:
        """Null first, a string later; whatever else AWS may send tomorrow."""
        event = deployment.iot.connect(deployment.ca.issue(), deployment.ca)
        event["certificateRegistrationTimestamp"] = timestamp
        assert deployment.deliver(event).outcome is Outcome.ACTIVATED

    def test_unknown_keys_are_ignored(self, deployment: TestDeployment) -> None:
        """AWS adds keys without telling."""
        event = deployment.iot.connect(deployment.ca.issue(), deployment.ca) | {"novelty": {"deep": [1]}}
        assert deployment.deliver(event).outcome is Outcome.ACTIVATED
