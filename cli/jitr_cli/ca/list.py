"""`jitr ca list`: every CA that is registered in the account and Region, and those that only a deployment knows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jitr.crls.sources import NONE
from jitr_cli.authorities.description import crl_in_a_word, describe_ca
from jitr_cli.authorities.management import DeployedCas, announce, deployments_here
from jitr_cli.authorities.registry import DESCRIBED_PER_SECOND, CaRegistry
from jitr_cli.console.call import Call, reading_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.output import emit_table, say

COLUMNS = ("name", "id", "mode", "status", "auto-registration", "expires", "CRL")


@reading_command("list")
def command(call: Call) -> ExitCode:
    """List the CAs of an account and Region: in the fleet file, adopted, or not managed here.

    A CA that a deployment's fleet file names but AWS IoT does not know is said too: its devices cannot register.
    """
    deployments = deployments_here(call)
    announce(call, deployments)
    registered = CaRegistry(call.aws.client("iot")).described(per_second=DESCRIBED_PER_SECOND, label="reading CAs")
    found = [describe_ca(known, deployments, at=datetime.now(UTC)) for known in registered]
    missing = _missing(deployments, {each["ca_certificate_id"] for each in found})
    call.finish({"cas": found, "missing": missing}, words=lambda: _print(found))
    for each in missing:
        say(
            f"warning: deployment {each['deployment']} manages CA {each['ca_certificate_id']} ({each['name']}), "
            "which AWS IoT does not know"
        )
    return ExitCode.DONE


def _print(found: list[dict[str, Any]]) -> None:
    if found:
        emit_table(COLUMNS, map(_row, found))
    else:
        say("no CA is registered here")


def _missing(deployments: list[DeployedCas], registered: set[str]) -> list[dict[str, str]]:
    found = []
    for deployed in deployments:
        reviewed = [ca.ca_certificate_id for ca in (deployed.configuration.cas if deployed.configuration else ())]
        adopted = [each.ca_certificate_id for each in deployed.records.records()]
        for identifier in dict.fromkeys([*reviewed, *adopted]):
            management = deployed.management(identifier)
            if management is not None and identifier not in registered:
                found.append(
                    {
                        "deployment": management.deployment,
                        "ca_certificate_id": identifier,
                        "name": management.name,
                        "managed": management.owner.value,
                    }
                )
    return found


def _row(shown: dict[str, Any]) -> tuple[str, ...]:
    managed = [each for each in shown["deployments"] if each["managed"]]
    held = any(each["on_hold"] for each in shown["deployments"])
    status = shown["status"] + (", on hold" if held else "")
    stricter = [each["status"] for each in managed if each["status"] != "ACTIVE"]
    crls = [crl_in_a_word(crl) for each in shown["deployments"] for crl in each["crls"]]
    return (
        "; ".join(f"{each['name']} ({each['deployment']})" for each in managed)
        or f"unmanaged: {shown['subject'] or 'unreadable'}",
        shown["ca_certificate_id"],
        shown["mode"],
        status + "".join(f", {each} in the fleet file" for each in stricter),
        "JITP" if shown["provisioning_template"] else "on" if shown["auto_registration"] else "off",
        (shown["not_after"] or "unreadable")[:10],
        "; ".join(crls) or ("never checked" if any(each["crl"] == NONE for each in managed) else "none read"),
    )
