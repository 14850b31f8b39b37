"""`make device-clients`: runs every client as its introduction shows it, then our programs under TLS 1.2 and 1.3.

Exit code 1 where a program of ours did not get in, or a client does otherwise than docs/device-clients.md says.
"""

from __future__ import annotations

import sys
from ssl import TLSVersion

import click

from jitr_local.clients import table
from jitr_local.clients.programs import CLIENTS, version
from jitr_local.clients.runs import Run, run_all


@click.command()
@click.option("--write", is_flag=True, help="write the table into docs/device-clients.md")
def main(*, write: bool) -> None:
    """Run the clients that are there, print the table, and say what changed."""
    there = [(each, found) for each in CLIENTS if (found := version(each)) is not None]
    for each in CLIENTS:
        if version(each) is None:
            click.echo(f"{each.name}: not there, left out", err=True)
    click.echo("as their introductions show them …", err=True)
    runs = run_all([(each, each.unassisted) for each, _ in there])
    rows = [table.row(each.name, found, run) for (each, found), run in zip(there, runs, strict=True)]
    click.echo(table.written(rows))
    changed = table.differences(rows, table.committed())
    for difference in changed:
        click.echo(f"changed: {difference}")
    if write:
        table.replace(rows)
    failed = [each for tls in (TLSVersion.TLSv1_2, TLSVersion.TLSv1_3) for each in _ours(tls)]
    sys.exit(1 if failed or (changed and not write) else 0)


def _ours(tls: TLSVersion) -> list[str]:
    """Run our programs under one version of TLS, and return those that did not get in."""
    chosen = [(each, each.assisted) for each in CLIENTS if each.assisted is not None and version(each) is not None]
    runs = run_all([(each, program) for each, program in chosen if program is not None], tls=tls)
    failed = []
    for (client, program), run in zip(chosen, runs, strict=True):
        right = _is_right(run)
        where = program.parent.name if program is not None else client.name
        click.echo(f"examples/devices/{where}, {tls.name}: {'gets in' if right else f'FAILED: {run.words}'}")
        failed += [] if right else [client.name]
    return failed


def _is_right(run: Run) -> bool:
    """Return whether a program got in by itself with leaf and CA, SNI, and one version of MQTT."""
    sent = {(each.connect.version, bool(each.server_name), each.chain > 1) for each in run.connects}
    return run.delivered and run.exit_code == 0 and len(sent) == 1 and sent.pop()[1:] == (True, True)


if __name__ == "__main__":
    main()
