"""What happens after activation: a CRL changes, and AWS IoT follows, by events and schedules of the real template."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Sequence

import pytest
import urllib3
from cryptography import x509

from jitr.enforcement.brake import SMALLEST_BRAKE
from jitr.telemetry import metric_names
from jitr_local.device.reference_device import RunResult
from jitr_local.story.factory import Factory, MadeDevice
from jitr_local.story.jitr_command import jitr
from jitr_local.story.observations import eventually, invoke, log_lines, metric_values, outputs, statuses
from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e

# A busy computer, or a scheduled sweep in the way of the one for the upload: then the next minute's does it.
WITHIN = 100.0
FLEET_SIZE = SMALLEST_BRAKE + 1


def publish(
    world: World, factory: Factory, revoked: Iterable[MadeDevice] = (), *, on_hold: Iterable[MadeDevice] = ()
) -> None:
    """Upload a CRL with a higher number than any before."""
    factory.publish_crl(world.instance, revoked, on_hold=on_hold, number=time.time_ns())


def settled(world: World, device: MadeDevice, status: str) -> str:
    """Wait until a certificate has a status, and return the one it has in the end."""
    return eventually(lambda: world.status(device), within=WITHIN, wanted=lambda seen: seen == status)


def ca_option(factory: Factory) -> tuple[str, str]:
    """The option that names the factory's CA to `jitr`."""
    return "--ca-certificate-id", factory.authority.ca_certificate_id


def done(command: subprocess.CompletedProcess[str]) -> str:
    """Check that a command ended with 0, and return its data."""
    assert command.returncode == 0, command.stderr
    return command.stdout


def test_an_active_device_that_gets_onto_the_crl_is_revoked_without_anyone_looking(world: World) -> None:
    """The upload alone is enough; afterwards the device stays out. The function says how long it took."""
    device = world.watched.make("watched-1")
    publish(world, world.watched)
    assert world.connect(device).result is RunResult.DELIVERED
    publish(world, world.watched, [device])
    assert settled(world, device, "REVOKED") == "REVOKED"
    assert world.connect(device, timeout=1).result is RunResult.NOT_ADMITTED
    enforcement = outputs(world.instance).enforcement_function
    switched_off = eventually(
        lambda: metric_values(world.instance, enforcement, metric_names.SWITCHED_OFF), within=20, wanted=any
    )
    assert max(switched_off) == 1


def test_a_device_on_hold_is_only_inactive(world: World) -> None:
    """A hold may end, REVOKED may not."""
    device = world.watched.make("held-1")
    publish(world, world.watched)
    assert world.connect(device).result is RunResult.DELIVERED
    publish(world, world.watched, on_hold=[device])
    assert settled(world, device, "INACTIVE") == "INACTIVE"
    assert world.connect(device, timeout=1).result is RunResult.NOT_ADMITTED


def test_a_device_that_somebody_set_active_again_in_the_console_goes_off_with_the_next_pass(world: World) -> None:
    """Its CRL does not change any more, and nobody runs a command: AWS IoT's list is compared with the registry."""
    device = world.watched.make("console-1")
    publish(world, world.watched)
    assert world.connect(device).result is RunResult.DELIVERED
    publish(world, world.watched, on_hold=[device])
    assert settled(world, device, "INACTIVE") == "INACTIVE"
    world.client("iot").update_certificate(certificateId=device.certificate_id, newStatus="ACTIVE")
    end_the_last_pass_long_ago(world, world.watched)
    assert settled(world, device, "INACTIVE") == "INACTIVE"


def end_the_last_pass_long_ago(world: World, factory: Factory) -> None:
    """Let the daily pass over known certificates be due."""
    world.client("dynamodb").update_item(
        TableName=outputs(world.instance).state_table,
        Key={"pk": {"S": "reconciliation"}, "sk": {"S": f"{factory.authority.ca_certificate_id}#known"}},
        UpdateExpression="SET ended_at = :ended, began_at = :none",
        ExpressionAttributeValues={":ended": {"S": "2026-01-01T00:00:00+00:00"}, ":none": {"S": ""}},
    )


def test_a_certificate_that_others_activated_is_imported_and_then_revoked(world: World) -> None:
    """`jitr device import` brings it into the registry, started again it finds nothing, and the next CRL reaches it."""
    (device,) = world.watched.register_elsewhere(world.instance, ["imported-1"])
    done(jitr(world.instance, "device", "import", *ca_option(world.watched), "--rate", "100", "--yes"))
    again = jitr(world.instance, "device", "import", *ca_option(world.watched), "--dry-run")
    assert again.returncode == 0
    assert "0 certificates are not in the registry" in again.stderr
    publish(world, world.watched, [device])
    assert settled(world, device, "REVOKED") == "REVOKED"


def test_the_schedule_alone_finds_what_others_activated_although_it_is_on_the_crl(world: World) -> None:
    """Listed first, registered past us afterwards: no upload, no connect and no command tells anybody."""
    device = world.watched.make("listed-before-1")
    publish(world, world.watched, [device])
    world.watched.register(world.instance, [device])
    assert world.status(device) == "ACTIVE"
    assert settled(world, device, "REVOKED") == "REVOKED"


def test_a_crl_that_lists_everything_is_braked_rejected_and_braked_and_confirmed(world: World) -> None:
    """INACTIVE, then ACTIVE again but for what an operator had switched off; the second time confirmed: REVOKED."""
    factory = world.braked
    publish(world, factory)
    fleet = factory.register_elsewhere(world.instance, (f"braked-{number}" for number in range(FLEET_SIZE + 1)))
    done(jitr(world.instance, "device", "import", *ca_option(factory), "--rate", "100", "--yes"))
    deactivated, *others = fleet
    world.client("iot").update_certificate(certificateId=deactivated.certificate_id, newStatus="INACTIVE")

    publish(world, factory, fleet)
    assert fleet_becomes(world, factory, fleet, "INACTIVE") == {"INACTIVE": len(fleet)}
    rejected = settled_command(world, "crl", "reject", *ca_option(factory), "--rate", "100", "--yes", "--json")
    assert json.loads(rejected)["back"] >= len(others)
    assert statuses(world.instance, factory.authority.ca_certificate_id, others) == {"ACTIVE": len(others)}
    assert world.status(deactivated) == "INACTIVE"

    publish(world, factory, fleet)
    assert fleet_becomes(world, factory, others, "INACTIVE") == {"INACTIVE": len(others)}
    settled_command(world, "crl", "confirm", *ca_option(factory), "--yes")
    assert fleet_becomes(world, factory, fleet, "REVOKED") == {"REVOKED": len(fleet)}


def fleet_becomes(world: World, factory: Factory, fleet: Sequence[MadeDevice], status: str) -> dict[str, int]:
    """Wait until all of them have a status, and count what they have in the end."""
    ca_certificate_id = factory.authority.ca_certificate_id
    return eventually(
        lambda: statuses(world.instance, ca_certificate_id, fleet),
        within=WITHIN,
        wanted=lambda seen: seen[status] == len(fleet),
    )


def settled_command(world: World, *arguments: str) -> str:
    """Run `jitr` until the sweep that is still at work lets it (its last record comes after the last device)."""
    return done(
        eventually(lambda: jitr(world.instance, *arguments), within=30, wanted=lambda ended: ended.returncode == 0)
    )


def test_a_certificate_that_names_its_crl_in_the_stacks_bucket_is_activated_and_later_revoked(world: World) -> None:
    """`cdp`: the public S3 URL in the certificate is read by the S3 API, and the sweeps learn its address."""
    bucket, region = world.instance.crl_bucket, world.instance.region
    url = f"https://{bucket}.s3.{region}.amazonaws.com/{world.pointing.crl_key}"
    device = world.pointing.make("pointing-1", extensions=[(distribution_point(url), False)])
    publish(world, world.pointing)
    assert world.connect(device).result is RunResult.DELIVERED
    publish(world, world.pointing, [device])
    assert settled(world, device, "REVOKED") == "REVOKED"


def distribution_point(url: str) -> x509.CRLDistributionPoints:
    """A certificate's extension that says where its CRL is."""
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    return x509.CRLDistributionPoints([point])


def test_a_crl_behind_an_inner_address_is_not_fetched_and_nothing_is_activated(world: World) -> None:
    """The allowed host resolves to loopback: `fetch_failed`, no request arrives, for either function."""
    crl = world.web.authority.crl()
    (world.crl_server.folder / "web.crl").write_bytes(crl)
    answer = urllib3.PoolManager().request("GET", world.crl_server.url("web.crl"), timeout=5.0)
    assert answer.data == crl
    device = world.web.make("web-1")
    assert world.connect(device, timeout=2).result is RunResult.NOT_ADMITTED
    failure = invoke(world.instance, world.event(device, world.web))
    assert json.loads(failure["errorMessage"])["reason"] == "fetch_failed"
    assert world.status(device) == "PENDING_ACTIVATION"
    sweeps = invoke(world.instance, {}, function=outputs(world.instance).enforcement_function)["sweeps"]
    assert [each["reason"] for each in sweeps if each["ca"] == "web"] == ["fetch_failed"]
    assert world.crl_server.asked == ["/web.crl"]


def test_the_alarms_watch_the_metrics_as_the_functions_write_them(world: World) -> None:
    """Name and dimensions: CloudWatch finds a metric by all of its dimensions, and by no fewer."""
    functions = outputs(world.instance)
    invoke(world.instance, {}, function=functions.enforcement_function)
    written = {
        (metric["Name"], tuple(sorted((name, line[name]) for name in dimensions)))
        for function in (functions.function, functions.enforcement_function)
        for line in log_lines(world.instance, function)
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ())
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
    }
    alarms = world.client("cloudwatch").describe_alarms()["MetricAlarms"]
    watched = {
        (alarm["MetricName"], tuple(sorted((each["Name"], each["Value"]) for each in alarm["Dimensions"])))
        for alarm in alarms
        if alarm.get("Namespace") == metric_names.NAMESPACE
    }
    names = {name for name, _ in written}
    assert metric_names.BRAKED_DEVICES in {name for name, _ in watched} & names
    assert {each for each in watched if each[0] in names} <= written
    # Alarms by CA ask by a query, which the emulator does not keep: tests/infra/test_alarms.py compares its words. What
    # it asks by are the names of the dimensions, all of them and no others.
    by_ca = (metric_names.CA_DIMENSION, metric_names.DEPLOYMENT_DIMENSION)
    named = {(name, tuple(each for each, _ in dimensions)) for name, dimensions in written}
    assert (metric_names.SWEEP_FAILED, by_ca) in named


def test_the_enforcement_roles_permissions_suffice(strict_world: World) -> None:
    """With permissions enforced: an upload revokes, and a scheduled sweep finds, reads, imports and revokes."""
    device = strict_world.watched.make("strict-watched-1")
    listed = strict_world.watched.make("strict-listed-1")
    publish(strict_world, strict_world.watched, [listed])
    assert strict_world.connect(device).result is RunResult.DELIVERED
    publish(strict_world, strict_world.watched, [listed, device])
    assert settled(strict_world, device, "REVOKED") == "REVOKED"
    strict_world.watched.register(strict_world.instance, [listed])
    assert settled(strict_world, listed, "REVOKED") == "REVOKED"
    lines = list(log_lines(strict_world.instance, outputs(strict_world.instance).enforcement_function))
    # The emulator has no GetConnection and answers it as forbidden, which has a line of its own.
    told = [line for line in lines if line.get("outcome") != "connection_unknown"]
    assert not [line for line in told if line.get("reason") == "access_denied"]
    assert [line for line in told if line.get("outcome") == "enforced" and line.get("switched_off")]
