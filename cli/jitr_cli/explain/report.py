"""What was found out about one device, as JSON holds it and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from jitr.registry.row import RegistryRow
from jitr_cli.console.advice import device_advice, page
from jitr_cli.console.files import expiry_words, zulu
from jitr_cli.console.output import json_number, printable, say
from jitr_cli.explain.connection import in_words
from jitr_cli.explain.evidence import Evidence
from jitr_cli.explain.findings import TITLES, DeviceFindings, Standing, StepFound, advice_for

_WAITS = "waits_for_event"
_MARKS = {"passed": "ok  ", "undecided": "?   ", "waiting": "wait"}


def as_data(found: DeviceFindings, verdict: Standing, stands: StepFound, evidence: Evidence) -> dict[str, Any]:
    """Return all that was found out."""
    candidate, row = found.candidate, found.row
    return {
        "certificate_id": found.certificate_id,
        "verdict": verdict.value,
        "status": None if found.status is None else found.status.value,
        "step": stands.step,
        "outcome": stands.outcome,
        "reason": stands.reason,
        "message": stands.message or "active, and everything as it should be",
        "advice": _advice(found, stands, evidence),
        "see": page(stands.reason),
        "ca": None
        if candidate is None
        else {
            "name": candidate.ca.name,
            "ca_certificate_id": candidate.ca.ca_certificate_id,
            "crl": candidate.ca.crl,
            "policy": candidate.ca.policy,
        },
        "serial": None if candidate is None else f"{candidate.certificate.serial_number:x}",
        "not_after": None if candidate is None else zulu(candidate.certificate.ends),
        "steps": [{"title": TITLES[number], **asdict(found.steps[number])} for number in sorted(found.steps)],
        "crls": list(_crl_data(found)),
        "row": _row_data(row),
        "thing": None
        if candidate is None or candidate.thing_name is None
        else {
            "name": candidate.thing_name,
            "holder": found.thing_holder,
            "attached": candidate.thing_name in found.things,
        },
        "policies": list(found.policies),
        "client_id": None if row is None else row.client_id,
        "connections": found.connections,
        "dead_letters": evidence.dead_letters,
        "log": evidence.log,
        "notes": [*filter(None, [_expiry(found)]), *found.notes],
        "not_read": evidence.missing,
    }


def _crl_data(found: DeviceFindings) -> Iterator[dict[str, Any]]:
    for each in () if found.check is None else found.check.used:
        yield {
            "number": json_number(each.crl.number),
            "this_update": zulu(each.crl.this_update),
            "next_update": zulu(each.crl.next_update),
        }


def _row_data(row: RegistryRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {"state": row.state.value, "wanted": row.wanted, "replaces": row.replaces, "braked_by": row.braked_by}


def _expiry(found: DeviceFindings) -> str | None:
    """Say first what nothing else mends: a certificate that has expired."""
    return None if found.candidate is None else expiry_words(found.candidate.certificate, at=datetime.now(UTC))


def _advice(found: DeviceFindings, stands: StepFound, evidence: Evidence) -> str | None:
    """Return what to do; a device whose last event was refused need not just connect again."""
    last = next((line for line in reversed(evidence.log) if line["outcome"] != "activated" and line["reason"]), None)
    if stands.reason == _WAITS and last is not None:
        return f"{device_advice(str(last['reason']))}; its last event ended so: {last['message']}"
    return advice_for(found, stands)


def print_words(found: DeviceFindings, verdict: Standing, stands: StepFound, evidence: Evidence) -> None:
    """Print the same for people."""
    click.echo(f"{found.certificate_id}: {found.status or 'not registered'}")
    if (expired := _expiry(found)) is not None:
        click.echo(f"  {expired}")
    for number in sorted(found.steps):
        step = found.steps[number]
        told = "" if step.passed else f": {printable(step.message)} ({step.reason})"
        click.echo(f"  {_MARKS.get(step.outcome, 'no  ')} {number} {TITLES[number]}{told}")
    for connection in found.connections:
        click.echo(f"  {printable(in_words(connection))}")
    for letter in evidence.dead_letters:
        click.echo(
            f"  dead letter since {letter['dead_since']}: step {letter['step']}, {printable(str(letter['reason']))}: "
            f"{printable(str(letter['message']))}"
        )
    for line in evidence.log:
        where = "" if line["step"] is None else f"step {line['step']}, "
        click.echo(f"  log {line['at']}: {where}{line['outcome']}: {printable(str(line['message']))}")
    for note in found.notes:
        say(f"note: {printable(note)}")
    for missing in evidence.missing:
        say(f"not read: {missing}")
    if verdict is Standing.ACTIVE:
        click.echo("active, and everything as it should be")
        return
    click.echo(f"{verdict.replace('_', ' ')}: stands at step {stands.step}: {stands.reason}")
    click.echo(f"what to do: {_advice(found, stands, evidence)}")
    click.echo(f"more: {page(stands.reason)}")
