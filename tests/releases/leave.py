"""Leaves template and configuration of the version that is about to be released: python -m tests.releases.leave."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import App

from jitr_fleet.deployments.configuration import configuration_of
from jitr_fleet.deployments.versions import own_version
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_infra.app import add_deployments

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
FLEET = """
[deployments.test]
account = "123456789012"
region = "us-east-1"
crl_hosts = ["crl.example.com"]
policies = "{policies}"

[[deployments.test.cas]]
name = "factory-1"
certificate = "{certificate}"
crl = "factory-1.crl"
"""


def leave(folder: Path) -> None:
    """Write both into a folder: of a deployment with one CA, the same for every release."""
    with TemporaryDirectory() as scratch:
        work = Path(scratch)
        (work / "factory-1.pem").write_text(_certificate(), encoding="ascii")
        (work / "fleet.toml").write_text(
            FLEET.format(policies=CHECKOUT / "policies", certificate=work / "factory-1.pem"), encoding="utf-8"
        )
        fleet = read_fleet(work / "fleet.toml")
        context = json.loads((CHECKOUT / "cdk.json").read_text(encoding="utf-8"))["context"]
        app = App(outdir=str(work / "out"), context={**context, "aws:cdk:bundling-stacks": []})
        (stack,) = add_deployments(app, fleet)
        template = app.synth().get_stack_by_name(stack.stack_name).template
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "template.json").write_text(json.dumps(template, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "configuration.json").write_text(configuration_of(fleet.deployments[0]).to_json(), encoding="utf-8")


def _certificate() -> str:
    """Return the CA of the first release."""
    first = json.loads((HERE / "0.1.0" / "configuration.json").read_text(encoding="utf-8"))
    return str(first["cas"][0]["certificate"])


if __name__ == "__main__":
    leave(HERE / own_version())
