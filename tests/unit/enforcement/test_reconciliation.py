"""Reconciliation: what is off here does not stay ACTIVE in AWS IoT, and what others register is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509

from jitr.aws.iot import CertificateStatus
from jitr.aws.state_table import StateTable
from jitr.certificates import issuer_key
from jitr.enforcement.coverage import Coverage
from jitr.enforcement.one_by_one import in_turns
from jitr.enforcement.passes import Counts, Passes, PassKind, PassState
from jitr.errors import Outcome, Undecided
from jitr.handlers.enforce import NEWEST, EnforcementHandler, build_function
from jitr.registry.claims import Claims
from jitr.registry.row import job_claim, row_key
from jitr.registry.undoing import Undoing
from jitr_local import pki
from tests.aws.aws_faults import refusing
from tests.aws.emf import follow_stdout, logged, written
from tests.worlds import odd_certificates as odd
from tests.worlds import raw_der
from tests.worlds.connected import Connected
from tests.worlds.deployment import BUCKET, CRL_KEY, ENVIRONMENT, TABLE, TestDeployment

SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
REFUSED_MARKER = ClientError(
    {
        "Error": {"Code": "InvalidRequestException", "Message": "marker"},
        "ResponseMetadata": {"HTTPStatusCode": 400},  # type: ignore[typeddict-item]
    },
    "ListCertificatesByCA",
)


def named(url: str) -> tuple[x509.ExtensionType, bool]:
    """The distribution point of a certificate."""
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    return x509.CRLDistributionPoints([point]), False


def tied(url: str) -> tuple[x509.ExtensionType, bool]:
    """The distribution point that a CRL is tied to."""
    name = [x509.UniformResourceIdentifier(url)]
    point = x509.IssuingDistributionPoint(
        full_name=name,
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    return point, True


def active(deployment: TestDeployment, serial: int, **options: Any) -> pki.Device:
    """A device that is ACTIVE."""
    device = deployment.ca.issue(f"device-{serial}", serial=serial, **options)
    assert deployment.knock(device).outcome is Outcome.ACTIVATED
    return device


def revoked(deployment: TestDeployment, function: EnforcementHandler, *serials: int) -> list[pki.Device]:
    """Devices that a CRL switched off."""
    devices = [active(deployment, serial) for serial in serials]
    deployment.publish(deployment.ca.crl(serials, number=2))
    function.run(SCHEDULE, request_id="revoked")
    return devices


def inactive(deployment: TestDeployment, function: EnforcementHandler, serial: int) -> pki.Device:
    """A device that a CRL puts on hold."""
    device = active(deployment, serial)
    hold = pki.revoked_entry(serial, reason=x509.ReasonFlags.certificate_hold)
    deployment.publish(deployment.ca.crl([hold], number=2))
    function.run(SCHEDULE, request_id="held")
    assert deployment.iot.status(device) == "INACTIVE"
    return device


def set_active(deployment: TestDeployment, device: pki.Device) -> None:
    """Somebody sets a certificate ACTIVE in the console."""
    deployment.iot.certificates[device.certificate_id].status = "ACTIVE"


def passes(deployment: TestDeployment) -> Passes:
    """The passes as the table has them."""
    return Passes(StateTable(deployment.dynamodb, TABLE))


def state(deployment: TestDeployment, kind: PassKind = PassKind.KNOWN) -> PassState:
    """Where the first CA's pass is."""
    return passes(deployment).state(deployment.ca.ca_certificate_id, kind)


def due(deployment: TestDeployment) -> None:
    """Let all passes have ended long ago, so that the next schedule begins new ones."""
    for kind in PassKind:
        found = state(deployment, kind)
        taken = passes(deployment).take(found, owner="test", at=datetime.now(UTC))
        assert taken is not None
        passes(deployment).record(replace(found, ended_at=datetime.now(UTC) - timedelta(days=2)), owner="test")
        passes(deployment).release(found, owner="test")


def other_function(deployment: TestDeployment, **configuration: Any) -> EnforcementHandler:
    """The function with another configuration."""
    return build_function(replace(deployment.configuration, enforcement_tps=1000.0, **configuration), ENVIRONMENT)


def test_a_device_that_somebody_set_active_again_goes_off_again(
    deployment: TestDeployment,
    function: EnforcementHandler,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On hold, set ACTIVE in the console: with the next pass it is INACTIVE, and the log says what to do instead."""
    device = inactive(deployment, function, 1)
    set_active(deployment, device)
    function.run(SCHEDULE, request_id="r1")
    assert deployment.iot.status(device) == "ACTIVE"
    due(deployment)
    follow_stdout(monkeypatch)
    function.run(SCHEDULE, request_id="r2")
    assert (deployment.iot.status(device), deployment.row_state(device)) == ("INACTIVE", "INACTIVE")
    lines = [line for line in logged(written(capsys)) if line.get("certificate_id") == device.certificate_id]
    assert any("jitr device reinstate" in line["message"] for line in lines)
    found = state(deployment).found
    assert found is not None
    assert (found.switched_off, found.braked) == (1, 0)


def test_a_revoked_certificate_that_is_registered_again_as_active_is_revoked_again(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """Deleted, and registered by hand: AWS IoT knows nothing of what it was."""
    (device,) = revoked(deployment, function, 1)
    set_active(deployment, device)
    due(deployment)
    function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == "REVOKED"


def test_more_than_the_brake_in_one_pass_go_inactive(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """I7: whatever made so many differ, it must be possible to take it back."""
    devices = revoked(deployment, function, 1, 2, 3)
    for device in devices:
        set_active(deployment, device)
    due(deployment)
    other_function(deployment, brake_devices=1).run(SCHEDULE, request_id="r")
    assert sorted(deployment.iot.status(device) for device in devices) == ["INACTIVE", "INACTIVE", "REVOKED"]
    found = state(deployment).found
    assert found is not None
    assert (found.switched_off, found.braked) == (3, 2)


@pytest.mark.parametrize("how", ["undone", "reinstated"])
def test_a_device_that_is_being_brought_back_is_left_alone(
    deployment: TestDeployment, function: EnforcementHandler, how: str
) -> None:
    """Its certificate is ACTIVE for a moment while its row still wants it off."""
    device = active(deployment, 1)
    rows = deployment.activation.rows
    key = row_key(issuer_key(deployment.ca.certificate), 1)
    row = rows.row(key)
    assert row is not None
    claim = job_claim("job-1")
    assert rows.mark(row, wanted=CertificateStatus.INACTIVE, braked_by=claim)
    assert rows.finish_revocation(key, done=CertificateStatus.INACTIVE)
    if how == "undone":
        assert Claims(rows).begin_undoing(key, claim=claim, until=datetime.now(UTC) + timedelta(minutes=1))
    else:
        at = datetime.now(UTC)
        assert rows.begin_reinstatement(
            key,
            certificate_id=device.certificate_id,
            owner="operator",
            lease_until=at + timedelta(seconds=60),
            at=at,
            facts={},
        )
    function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == "ACTIVE"


@pytest.mark.parametrize("asked", [True, False])
def test_an_undoing_that_was_left_goes_off_again_and_is_named(
    deployment: TestDeployment,
    function: EnforcementHandler,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    asked: bool,
) -> None:
    """Killed after it had made the certificate ACTIVE (or before), and nobody repeated it; repeated, it ends."""
    device = active(deployment, 1)
    rows = deployment.activation.rows
    key = row_key(issuer_key(deployment.ca.certificate), 1)
    row = rows.row(key)
    assert row is not None
    claim = job_claim("job-1")
    assert rows.mark(row, wanted=CertificateStatus.INACTIVE, braked_by=claim)
    assert rows.finish_revocation(key, done=CertificateStatus.INACTIVE)
    deployment.iot.certificates[device.certificate_id].status = "ACTIVE" if asked else "INACTIVE"
    assert Claims(rows).begin_undoing(key, claim=claim, until=datetime.now(UTC) - timedelta(minutes=1))
    follow_stdout(monkeypatch)
    function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == "INACTIVE"
    told = [line["message"] for line in logged(written(capsys)) if line.get("outcome") == "switched_off"]
    assert bool([each for each in told if "undoing a brake or a job was broken off" in each]) is asked
    undoing = Undoing(
        registry=deployment.activation.registry,
        rows=rows,
        claim=claim,
        pace=lambda: None,
        clock=lambda: datetime.now(UTC),
    )
    row = rows.row(key)
    assert row is not None
    assert undoing.holds(row)
    assert undoing.begin(row)
    assert undoing.finish(row) == 1
    assert (deployment.iot.status(device), deployment.row_state(device)) == ("ACTIVE", "ACTIVE")


def test_whoever_is_still_at_an_undoing_that_was_taken_back_does_not_finish_it(deployment: TestDeployment) -> None:
    """A laptop that slept: what it made ACTIVE goes off again, because the row does not know of it any more."""
    device = active(deployment, 1)
    rows = deployment.activation.rows
    key = row_key(issuer_key(deployment.ca.certificate), 1)
    row = rows.row(key)
    assert row is not None
    assert rows.mark(row, wanted=CertificateStatus.INACTIVE, braked_by="crl-1")
    claims = Claims(rows)
    assert claims.begin_undoing(key, claim="crl-1", until=deployment.clock())
    left = rows.row(key)
    assert left is not None
    assert claims.take_back(left)
    assert not claims.take_back(left)
    assert not claims.undo(key, claim="crl-1")
    assert deployment.row_state(device) == "REVOKE_WANTED"


def test_a_device_that_goes_off_again_loses_its_connection(deployment: TestDeployment) -> None:
    """Out means out for whoever switches off: also where an undoing came too late."""
    world = Connected(deployment)
    deployment.activation = world.container()
    device = deployment.ca.issue("pump-1")
    world.activate(device)
    rows = deployment.activation.rows
    key = row_key(issuer_key(deployment.ca.certificate), device.certificate.serial_number)
    row = rows.row(key)
    assert row is not None
    assert rows.mark(row, wanted=CertificateStatus.REVOKED, braked_by=None)
    undoing = Undoing(
        registry=deployment.activation.registry,
        rows=rows,
        claim="crl-1",
        pace=lambda: None,
        clock=deployment.clock,
        disconnecting=world.disconnecting(),
    )
    undoing.switch_off_again(key)
    assert deployment.iot.status(device) == "REVOKED"
    assert not world.clients.is_connected("pump-1")


def test_a_certificate_whose_distribution_point_cannot_be_read_is_counted_and_named_as_such(
    deployment: TestDeployment,
    function: EnforcementHandler,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`crl = "cdp"`: nobody looks at an address that nobody can read; that is not an address that does not exist."""
    key = pki.new_key()
    broken = raw_der.extension("cRLDistributionPoints", b"\x30\x05\x00")
    device = odd.device(raw_der.certificate(deployment.ca, 9, broken, key=key), 9, key)
    deployment.iot.connect(device, deployment.ca)
    set_active(deployment, device)
    cdp = other_function(deployment, cas=(replace(deployment.configuration.cas[0], crl="cdp"),))
    cdp.run(SCHEDULE, request_id="r1")
    due(deployment)
    follow_stdout(monkeypatch)
    cdp.run(SCHEDULE, request_id="r2")
    lines = [line for line in logged(written(capsys)) if line.get("outcome") == "uncovered"]
    assert [(each["certificate_id"], each["reason"]) for each in lines] == [
        (device.certificate_id, "unreadable_distribution_point")
    ]
    found = state(deployment).found
    assert found is not None
    assert found.uncovered == 1


def test_a_certificate_that_is_not_among_the_newest_is_found(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """Others registered a listed one, and a hundred after it."""
    listed = deployment.ca.issue("device-1", serial=1)
    deployment.iot.connect(listed, deployment.ca)
    set_active(deployment, listed)
    for serial in range(2, NEWEST + 3):
        deployment.iot.add_active(f"{serial:064x}", deployment.ca.ca_certificate_id)
        rows = deployment.activation.rows
        rows.remember(f"{serial:064x}", row_key(issuer_key(deployment.ca.certificate), serial))
    deployment.publish(deployment.ca.crl([1], number=2))
    function.run(SCHEDULE, request_id="r1")
    function.run(SCHEDULE, request_id="r2")
    assert deployment.iot.status(listed) == "REVOKED"


def test_a_pass_goes_on_where_the_time_was_over(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """A step at a time; the second run does not look at the first certificate again."""
    devices = [deployment.ca.issue(f"device-{serial}", serial=serial) for serial in (1, 2)]
    for device in devices:
        deployment.iot.connect(device, deployment.ca)
        set_active(deployment, device)
    reconciliation, ca = function.reconciling.reconciliation, function.authorities.configuration.cas[0]
    watched = function.reconciling._watched(ca)
    steps = reconciliation.steps(PassKind.UNKNOWN, watched, owner="r1")
    next(steps)
    steps.close()
    assert state(deployment, PassKind.UNKNOWN).last == devices[0].certificate_id
    deployment.iot.calls.clear()
    list(reconciliation.steps(PassKind.UNKNOWN, watched, owner="r2"))
    assert deployment.iot.calls.count("DescribeCertificate") == 1
    assert state(deployment, PassKind.UNKNOWN).ended_at is not None


def test_a_marker_that_aws_refuses_begins_the_pass_anew(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """It is from yesterday; the pass keeps its age, so that one that never ends alarms."""
    device = inactive(deployment, function, 1)
    set_active(deployment, device)
    due(deployment)
    began = datetime.now(UTC) - timedelta(days=3)
    found = replace(state(deployment), began_at=began, marker="0", counts=Counts(seen=250, active=250))
    assert passes(deployment).take(found, owner="test", at=began) is not None
    assert passes(deployment).record(found, owner="test")
    passes(deployment).release(found, owner="test")
    refused = refusing(deployment.iot_client, "ListCertificatesByCA", "marker", REFUSED_MARKER)
    with refused:
        function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == "INACTIVE"
    ended = state(deployment)
    assert ended.found is not None
    assert (ended.found.seen, ended.began_at) == (1, None)


def test_a_pass_that_never_ends_grows_old() -> None:
    """Its age counts from the first beginning, or the last end, whatever it restarted since."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    first = PassState(ca_certificate_id="ca", kind=PassKind.KNOWN).begun(at=at)
    later = at + timedelta(days=3)
    assert first.begun_anew().begun(at=later).age(at=later) == timedelta(days=3)
    ended = first.ended(at=at + timedelta(hours=1))
    assert ended.begun(at=later).age(at=later) == timedelta(days=3) - timedelta(hours=1)
    assert not ended.is_due(at=at + timedelta(hours=2), period=timedelta(hours=24))
    assert ended.is_due(at=at + timedelta(hours=25), period=timedelta(hours=24))


def test_two_runs_do_not_share_a_pass(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """The second finds the lease of the first."""
    active(deployment, 1)
    table = passes(deployment)
    assert table.take(state(deployment), owner="one", at=datetime.now(UTC)) is not None
    assert table.take(state(deployment), owner="two", at=datetime.now(UTC)) is None
    assert not table.record(state(deployment), owner="two")
    deployment.iot.calls.clear()
    function.run(SCHEDULE, request_id="r")
    assert state(deployment).ended_at is None


def test_a_known_fleet_costs_pages_and_batch_reads_only(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """Two of them, and nothing that is limited by AWS IoT's quotas of ten a second."""
    for serial in (1, 2, 3):
        active(deployment, serial)
    deployment.iot.calls.clear()
    function.run(SCHEDULE, request_id="r")
    assert not {"DescribeCertificate", "UpdateCertificate"} & set(deployment.iot.calls)
    assert deployment.iot.calls.count("ListCertificatesByCA") == 3  # the newest, and a page of each pass


def test_rows_of_earlier_versions_get_their_distribution_points(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """Described once, and never again."""
    device = active(deployment, 1)
    row = deployment.row(device)
    assert row is not None
    assert row.pop("distribution_points") == {"SS": ["none named"]}
    deployment.dynamodb.put_item(TableName=TABLE, Item=row)
    function.run(SCHEDULE, request_id="r")
    again = deployment.row(device)
    assert again is not None
    assert again["distribution_points"] == {"SS": ["none named"]}


def test_what_no_crl_in_use_covers_is_counted_and_named(
    deployment: TestDeployment,
    function: EnforcementHandler,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The configured CRL became that of one partition; a device names another one."""
    device = deployment.ca.issue("device-1", serial=1, extensions=[named("http://crl.example/b.crl")])
    assert deployment.knock(device).outcome is Outcome.ACTIVATED
    deployment.publish(deployment.ca.crl(number=2, extensions=[tied("http://crl.example/a.crl")]))
    follow_stdout(monkeypatch)
    function.run(SCHEDULE, request_id="r")
    lines = written(capsys)
    told = [line["certificate_id"] for line in logged(lines) if line.get("outcome") == "uncovered"]
    assert told == [device.certificate_id]
    found = state(deployment).found
    assert found is not None
    assert found.uncovered == 1


def test_what_cannot_be_read_is_counted_and_named(
    deployment: TestDeployment,
    function: EnforcementHandler,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`Cannot be read` is not `does not exist`."""
    deployment.iot.add_active("a" * 64, deployment.ca.ca_certificate_id)
    follow_stdout(monkeypatch)
    function.run(SCHEDULE, request_id="r")
    told = {line["certificate_id"] for line in logged(written(capsys)) if line.get("outcome") == "unreadable"}
    assert told == {"a" * 64}
    found = state(deployment, PassKind.UNKNOWN).found
    assert found is not None
    assert found.unreadable == 1


def test_one_cas_long_pass_does_not_keep_another_ca_waiting() -> None:
    """Steps are taken in turns."""
    order: list[str] = []

    def steps(name: str, number: int) -> Any:
        for _ in range(number):
            order.append(name)
            yield

    in_turns([steps("long", 5), steps("short", 1)], time_is_over=lambda: False)
    assert order[:2] == ["long", "short"]
    order.clear()
    in_turns([steps("long", 5), steps("short", 1)], time_is_over=lambda: len(order) >= 1)
    assert order == ["long"]


def test_points_that_certificates_name_are_covered_by_watched_addresses() -> None:
    """In `cdp` mode the address decides, not the name alone."""
    coverage = Coverage(watched=frozenset({"http://crl.example/a.crl"}), own_bucket=BUCKET)
    assert coverage.covers(("http://crl.example/a.crl",))
    assert not coverage.covers(("http://crl.example/b.crl",))
    assert not coverage.covers(("none named",))
    assert coverage.covers(())


class TestBrakeOverTime:
    """What the CRLs of a day newly list counts together."""

    def rows(self, deployment: TestDeployment, serials: range) -> None:
        """Rows of ACTIVE devices, without the work of activating each."""
        for serial in serials:
            certificate_id = f"{serial:064x}"
            deployment.iot.add_active(certificate_id, deployment.ca.ca_certificate_id)
            key = row_key(issuer_key(deployment.ca.certificate), serial)
            deployment.activation.rows.add_known(key, certificate_id=certificate_id, facts={"not_after": 4_000_000_000})

    def test_sixty_wrong_serials_in_each_of_two_crls_brake(self, deployment: TestDeployment) -> None:
        """Neither is too many alone; the second one's are only INACTIVE."""
        self.rows(deployment, range(1, 121))
        deployment.publish(deployment.ca.crl(range(1, 61), number=2))
        assert deployment.sweep().outcome == "enforced"
        deployment.clock.advance(hours=23)
        deployment.publish(deployment.ca.crl(range(1, 121), number=3))
        assert deployment.sweep().outcome == "braked"
        assert {deployment.iot.certificates[f"{serial:064x}"].status for serial in range(61, 121)} == {"INACTIVE"}

    def test_a_day_later_they_do_not(self, deployment: TestDeployment) -> None:
        """The first one's no longer count."""
        self.rows(deployment, range(1, 121))
        deployment.publish(deployment.ca.crl(range(1, 61), number=2))
        deployment.sweep()
        deployment.clock.advance(hours=25)
        deployment.publish(deployment.ca.crl(range(1, 121), number=3))
        assert deployment.sweep().outcome == "enforced"

    def test_the_share_is_of_devices_that_are_active_now(
        self, deployment: TestDeployment, function: EnforcementHandler
    ) -> None:
        """Twenty thousand activations were counted over the years; three devices are ACTIVE."""
        for _ in range(3):
            deployment.activation.authorities.records.count_device(deployment.ca.ca_certificate_id)
        active(deployment, 1)
        function.run(SCHEDULE, request_id="r")
        assert passes(deployment).active_devices(deployment.ca.ca_certificate_id) == 1


def test_another_partitions_crl_at_a_named_address_is_refused_and_not_accepted(deployment: TestDeployment) -> None:
    """The right one that follows is no rollback."""
    url = f"https://{BUCKET}.s3.us-east-1.amazonaws.com/{CRL_KEY}"
    location = f"s3://{BUCKET}/{CRL_KEY}"
    deployment.configure(crl="cdp")
    deployment.publish(deployment.ca.crl(number=2, extensions=[tied(url)]))
    device = active(deployment, 1, extensions=[named(url)])
    deployment.publish(deployment.ca.crl(number=9, extensions=[tied("https://crl.example/other.crl")]))
    enforcement = deployment.enforcement()
    with pytest.raises(Undecided, match="another distribution point"):
        enforcement.sweep(location, deployment.ca.certificate, devices=0, owner="a", named=True)
    deployment.publish(deployment.ca.crl([1], number=3, extensions=[tied(url)]))
    sweep = enforcement.sweep(location, deployment.ca.certificate, devices=0, owner="b", named=True)
    assert (sweep.outcome, deployment.iot.status(device)) == ("enforced", "REVOKED")


def test_a_crl_without_a_point_is_complete_wherever_it_lies(deployment: TestDeployment) -> None:
    """As before."""
    location = f"s3://{BUCKET}/{CRL_KEY}"
    sweep = deployment.enforcement().sweep(location, deployment.ca.certificate, devices=0, owner="a", named=True)
    assert sweep.outcome == "enforced"


def test_what_dynamodb_puts_off_is_asked_again_with_pauses_and_not_for_ever(deployment: TestDeployment) -> None:
    """UnprocessedKeys: pauses that double up to a second, and an end."""
    key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    pauses: list[float] = []

    class Busy:
        """DynamoDB that puts everything off."""

        def batch_get_item(self, **request: Any) -> dict[str, Any]:
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    table = StateTable(Busy(), TABLE, sleep=pauses.append)  # type: ignore[arg-type]
    with pytest.raises(Undecided, match="again and again"):
        list(table.get_many([key]))
    assert pauses[:3] == [0.05, 0.1, 0.2]
    assert (max(pauses), len(pauses)) == (1.0, 10)
