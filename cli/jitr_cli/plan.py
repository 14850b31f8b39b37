"""`jitr plan`: how long a storm of first connects takes, and which quota to raise first."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.fleet import fleet_option, read_deployment, read_neighbours
from jitr_cli.console.output import emit_table, say
from jitr_fleet.deployments.deployment import Deployment, Ingestion
from jitr_fleet.deployments.shared_quota import shared_quota_warning
from jitr_fleet.storms.arrivals import Arrival
from jitr_fleet.storms.clients import CLIENTS, Waits
from jitr_fleet.storms.plan import StormPlan, StormQuestion, make_plan
from jitr_local.device.back_off import BackOff

_UNITS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_DURATION = r"(?P<number>\d+(\.\d+)?) ?(?P<unit>s|min|m|h|d)"

_RATE = r"(?P<rate>\d+(\.\d+)?)(/s)?"

ALL_AT_ONCE = "all-at-once"
REFERENCE = "reference"

# A power cut that ends does not end in the same moment everywhere.
_AT_ONCE_SECONDS = 1.0


def read_arrival(text: str, devices: int) -> Arrival:
    """Read `all-at-once`, `over 2h` or `poisson 5/s`; raises ValueError for anything else."""
    words = text.strip().lower().replace(":", " ")
    if words == ALL_AT_ONCE:
        return Arrival(devices=devices, over=_AT_ONCE_SECONDS)
    if found := re.fullmatch(rf"over +{_DURATION}", words):
        seconds = float(found["number"]) * _UNITS[found["unit"]]
    elif found := re.fullmatch(rf"poisson +{_RATE}", words):
        rate = float(found["rate"])
        seconds = devices / rate if rate else 0.0
    else:
        raise ValueError(f"{text!r} is none of: all-at-once, over 2h (s, min, h, d), poisson 5/s")
    if not 0 < seconds < math.inf:
        raise ValueError(f"{text!r} never begins: a duration or rate above zero is needed")
    return Arrival(devices=devices, over=seconds, poisson=words.startswith("poisson"))


def read_waits(client: str, *, base: float | None, cap: float | None, floor: float | None) -> Waits:
    """Return a client's waits; raises ValueError for waits that are none, or given for a client that has its own."""
    told = {name: value for name, value in (("base", base), ("cap", cap), ("floor", floor)) if value is not None}
    if client != REFERENCE:
        if told:
            raise ValueError(f"--{next(iter(told))} is about the reference device; {client} has waits of its own")
        return CLIENTS[client]
    # Whoever describes the waits means just these.
    return BackOff(**({"floor": 0.0} | told if told else {})).waits


def spoken(seconds: float) -> str:
    """Return a duration in its two largest units."""
    if not math.isfinite(seconds):
        return "longer than simulated"
    whole = round(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{seconds:.0f} s"


_MOST_DEVICES = 10_000_000

_MODEL = " (a model of Lambda's own queue)"

_SECONDS = click.FloatRange(min=0, min_open=True)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the options say about the deployment; None where they leave it to the fleet file or the default."""

    mode: str | None
    quota: int | None
    share: int | None
    containers: int | None


@local_command(
    "plan",
    click.option(
        "--deployment", metavar="NAME", help="take mode, quota and share from this deployment of the fleet file"
    ),
)
@click.option("--devices", required=True, type=click.IntRange(1, _MOST_DEVICES), metavar="N", help="how many devices")
@click.option(
    "--arrival",
    default=ALL_AT_ONCE,
    show_default=True,
    metavar="HOW",
    help='how they connect first: all-at-once, "over 2h", "poisson 5/s"',
)
@click.option(
    "--mode",
    type=click.Choice([each.value for each in Ingestion]),
    help="how events reach the function  [default: queue, or the deployment's]",
)
@click.option(
    "--quota",
    type=click.IntRange(1, 100_000),
    metavar="TPS",
    help="lowest AWS IoT quota of the calls of an activation, a second  [default: 10, or the deployment's api_tps]",
)
@click.option(
    "--share",
    type=click.IntRange(1, 100),
    metavar="PERCENT",
    help="what activation has of it while others are at work  [default: all that is lent to it when nobody is]",
)
@click.option(
    "--containers",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="how many run at once  [default: what the stack derives, or the deployment's]",
)
@click.option(
    "--client",
    type=click.Choice([REFERENCE, *CLIENTS]),
    default=REFERENCE,
    show_default=True,
    help="what the devices connect with: how long it waits, as measured (docs/device-clients.md)",
)
@click.option("--base", type=_SECONDS, metavar="S", help="the reference device's first longest wait  [default: 2]")
@click.option("--cap", type=_SECONDS, metavar="S", help="its longest wait of all  [default: 60]")
@click.option(
    "--floor",
    type=click.FloatRange(min=0),
    metavar="S",
    help="its shortest wait  [default: 10, or 0 with --base or --cap]",
)
@fleet_option
def command(  # noqa: PLR0913 - one parameter for each option
    call: Call,
    *,
    devices: int,
    arrival: str,
    mode: str | None,
    quota: int | None,
    share: int | None,
    containers: int | None,
    client: str,
    base: float | None,
    cap: float | None,
    floor: float | None,
    fleet: Path,
) -> ExitCode:
    """Simulate a storm of first connects: time until all are ACTIVE, the queue, AWS calls, and which quota to raise.

    With --deployment, or --fleet where the file has one deployment, mode and quota are those of the fleet file; options
    win over it. Exit code: 0, or 1 when not all devices become ACTIVE in the time that is simulated.
    """
    source = click.get_current_context().get_parameter_source("fleet")
    named = call.deployment is not None or source is not click.core.ParameterSource.DEFAULT
    chosen = read_deployment(fleet, call.deployment) if named else None
    asked = _Asked(mode=mode, quota=quota, share=share, containers=containers)
    try:
        waits = read_waits(client, base=base, cap=cap, floor=floor)
        come = read_arrival(arrival, devices)
    except ValueError as error:
        raise CommandFailed(str(error)) from error
    settings = _settings(asked, chosen)
    plan = make_plan(StormQuestion(arrival=come, waits=waits, **settings))
    if chosen is not None and (shared := _shared(chosen, settings["quota"], fleet)):
        plan = replace(plan, warnings=(*plan.warnings, shared))
    ending = ExitCode.DONE if plan.complete else ExitCode.NO
    return call.finish(as_data(plan, arrival) | {"client": client}, ending, words=lambda: _print(plan, arrival))


def _shared(deployment: Deployment, quota: int, fleet: Path) -> str | None:
    return shared_quota_warning(deployment.name, quota, read_neighbours(fleet, deployment))


def _settings(asked: _Asked, deployment: Deployment | None) -> dict[str, Any]:
    """Return what is known of the deployment: what the options say, then the fleet file, then the defaults."""
    found: dict[str, Any] = {}
    if deployment is not None:
        found = {
            "ingestion": deployment.ingestion,
            "quota": deployment.api_tps,
            "margin": deployment.api_margin,
            "share": deployment.activation_share + deployment.enforcement_share + deployment.bulk_share,
        }
    if asked.mode is not None:
        found["ingestion"] = Ingestion(asked.mode)
    told = {"quota": asked.quota, "share": asked.share, "containers": asked.containers}
    found |= {name: value for name, value in told.items() if value is not None}
    unchanged = asked.quota is None and asked.share is None and asked.containers is None
    if deployment is not None and unchanged:
        queued = found["ingestion"] is Ingestion.QUEUE
        found["containers"] = deployment.maximum_concurrency if queued else deployment.reserved_concurrency
    return found


def as_data(plan: StormPlan, arrival: str) -> dict[str, Any]:
    """Return the answer as JSON has it; times in seconds, null for what was never reached."""
    request, course = plan.request, plan.course
    return {
        "devices": request.arrival.devices,
        "arrival": arrival,
        "mode": request.ingestion.value,
        "quotas": dict(request.capacity.quotas),
        "margin": request.margin,
        "share": request.share,
        "containers": request.capacity.containers,
        "bound_per_second": round(request.capacity.per_second, 6),
        "seconds": {
            "half": _reached(course.time_to(0.5)),
            "ninety_nine_percent": _reached(course.time_to(0.99)),
            "all": _reached(course.time_to(1.0)),
            "least": _reached(plan.least),
            "queue_empty": _reached(plan.empty_after),
        },
        "events": round(course.events),
        "peak_queue": round(course.peak_queue),
        "calls": {api: round(count) for api, count in course.calls.items()},
        "throttled_share": round(plan.throttled_share, 4),
        "containers_busy": math.ceil(round(course.busiest, 3)),
        "dynamodb_per_second": round(course.dynamodb),
        "raise_first": {"quotas": dict(plan.raise_first), "seconds_all": _reached(plan.raised)},
        "warnings": list(plan.warnings),
    }


def _reached(seconds: float) -> float | None:
    return round(seconds, 1) if math.isfinite(seconds) else None


def _print(plan: StormPlan, arrival: str) -> None:
    request, course, capacity = plan.request, plan.course, plan.request.capacity
    say(
        f"{request.arrival.devices:,} devices, {arrival} · {request.ingestion}"
        f"{_MODEL if request.ingestion is Ingestion.DIRECT else ''} · "
        f"{request.share} % of {request.quota} less {request.margin:g} AWS IoT calls a second · "
        f"{capacity.containers} containers"
    )
    rows = [
        ("half of them ACTIVE after", spoken(course.time_to(0.5))),
        ("99 % after", spoken(course.time_to(0.99))),
        ("all after", spoken(course.time_to(1.0))),
        ("quota and arrival allow no less than", spoken(plan.least)),
        ("connects and events", f"{course.events:,.0f}"),
        ("most events that wait at once", f"{course.peak_queue:,.0f}"),
        ("nothing waits any more after", spoken(plan.empty_after)),
        *((f"calls of {api}", f"{count:,.0f}") for api, count in course.calls.items()),
        ("throttled", f"{plan.throttled_share:.1%}"),
        ("containers at work at most", f"{math.ceil(round(course.busiest, 3)):,}"),
        ("requests to DynamoDB a second at most", f"{course.dynamodb:,.0f}"),
        *_advice(plan),
    ]
    emit_table(("storm", ""), rows)
    for warning in plan.warnings:
        say(f"warning: {warning}")


def _advice(plan: StormPlan) -> list[tuple[str, str]]:
    if not plan.raise_first:
        return [("raise first", "nothing: how devices arrive decides")]
    quotas = plan.request.capacity.quotas
    wanted = ", ".join(f"{api} ({quotas[api]:g} → {value})" for api, value in plan.raise_first.items())
    return [("raise first", wanted), ("all would then be ACTIVE after", spoken(plan.raised))]
