"""`jitr ca show`: one CA, everything that decides about its devices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from jitr_cli.authorities.description import crl_in_a_word, describe_ca
from jitr_cli.authorities.management import announce, deployments_here
from jitr_cli.authorities.registry import CaRegistry
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import emit_lines

_WIDTH = 18
_UNREADABLE = "(cannot be read)"


@reading_command("show")
@ca_option
@click.option("--count-devices", is_flag=True, help="count its devices in AWS IoT too; takes long for many")
def command(call: Call, *, ca_certificate_id: str, count_devices: bool) -> ExitCode:
    """Show a CA: mode, status, expiry, who manages it, holds, CRLs, and what keeps new devices out."""
    registry = CaRegistry(call.aws.client("iot"))
    known = registry.describe(ca_certificate_id)
    deployments = deployments_here(call)
    announce(call, deployments)
    shown = describe_ca(known, deployments, at=datetime.now(UTC))
    if count_devices:
        shown["devices"] = dict(sorted(registry.count_devices(ca_certificate_id).items()))
    return call.finish(shown, words=lambda: _print(shown))


def _print(shown: dict[str, Any]) -> None:
    lines = [*_lines(shown), *(line for each in shown["deployments"] for line in _deployment_lines(each))]
    lines += [("keeps devices out", each) for each in shown["obstacles"] or ["nothing"]]
    emit_lines(lines, width=_WIDTH)


def _lines(shown: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [
        ("id", shown["ca_certificate_id"]),
        ("subject", shown["subject"] or _UNREADABLE),
        ("mode", shown["mode"]),
        ("status", shown["status"]),
        ("auto-registration", "on" if shown["auto_registration"] else "off"),
        ("valid", f"{shown['not_before'] or _UNREADABLE} to {shown['not_after'] or _UNREADABLE}"),
        ("key", shown["key"] or _UNREADABLE),
        ("registered", shown["registered_at"] or "unknown"),
    ]
    if "devices" in shown:
        counted = ", ".join(f"{count:,} {status}" for status, count in shown["devices"].items())
        lines.append(("devices", counted or "none"))
    return lines


def _deployment_lines(shown: dict[str, Any]) -> list[tuple[str, str]]:
    managed = {"fleet_file": "in the fleet file", "adopted": "adopted", None: "not managed"}[shown["managed"]]
    lines = [("deployment", f"{shown['deployment']}: {managed}")]
    if shown["managed"]:
        lines.append(("  as", f"{shown['name']}, {shown['status']}, CRL {shown['crl']}, policy {shown['policy']}"))
    if shown["on_hold"]:
        lines.append(("  on hold", f"by {shown['held_by']}"))
    lines.append(("  devices", f"{shown['devices_activated']:,} activated here"))
    for crl in shown["crls"]:
        lines += [("  CRL", crl["address"]), ("", crl_in_a_word(crl))]
    return lines
