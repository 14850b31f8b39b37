"""Every command that asks AWS, as somebody would type it about one deployment, its CA and one device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jitr_cli.console.call import CallCommand, Kind
from jitr_local import pki
from jitr_local.pki import CertificateAuthority, Device, pem, private_pem
from tests.cli.worlds.commands import COMMANDS

# What reaches AWS; the others answer from files and know nothing of a deployment.
ASKING = sorted(name for name, each in COMMANDS.items() if isinstance(each, CallCommand) and each.kind != Kind.LOCAL)

_CA = "--ca-certificate-id {ca}"
# How each is typed; what writes is only tried, so that one may follow the other.
ARGUMENTS: Mapping[str, str] = {
    "bulk list": "",
    "bulk status": "{job}",
    "bulk stop": "{job} --dry-run",
    "bulk resume": "{job} --dry-run",
    "bulk undo": "{job} --dry-run",
    "ca create": "--common-name Other --out {folder}/other.pem --key-out {folder}/other.key --no-passphrase --dry-run",
    "ca csr": "",
    "ca register": "--certificate {folder}/new-ca.pem --dry-run",
    "ca list": "",
    "ca show": _CA,
    "ca adopt": f"{_CA} --crl none --dry-run",
    "ca release": f"{_CA} --dry-run",
    "ca activate": f"{_CA} --dry-run",
    "ca deactivate": f"{_CA} --dry-run",
    "ca auto-registration": f"off {_CA} --dry-run",
    "ca hold": f"{_CA} --dry-run",
    "ca resume": f"{_CA} --dry-run",
    "ca devices": _CA,
    "ca revoke-devices": f"{_CA} --all --dry-run",
    "ca delete": f"{_CA} --dry-run",
    "crl publish": "{folder}/factory-1.crl --issuer {folder}/ca.pem --dry-run",
    "crl show": "{folder}/factory-1.crl",
    "crl confirm": "--dry-run",
    "crl forget": "--dry-run",
    "crl reject": "--dry-run",
    "crl reset": "--dry-run",
    "device create": "--cn new-1 --ca-certificate {folder}/ca.pem --ca-key {folder}/ca.key --out {folder} --dry-run",
    "device list": "",
    "device explain": "{device}",
    "device revoke": "{device} --dry-run",
    "device reinstate": "{device} --dry-run",
    "device rebind": "{device} --dry-run",
    "device import": f"{_CA} --dry-run",
    "device allow import": f"{_CA} {{folder}}/serials --in-advance --dry-run",
    "device allow list": _CA,
    "device allow remove": f"{_CA} {{folder}}/serials --dry-run",
    "dlq list": "",
    "dlq show": "{letter}",
    "dlq redrive": "--dry-run",
    "dlq drop": "--all --dry-run",
    "policy simulate": "--policy {folder}/policy.json --action iot:Publish --resource topic/a --certificate {device}",
    "policy diff": "--fleet {folder}/fleet.toml",
    "policy reattach": f"default {_CA} --dry-run",
    "doctor": "--fleet {folder}/fleet.toml",
}
_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}]}


@dataclass(frozen=True, kw_only=True)
class Typist:
    """Fills in what the commands are about; `job` and `letter` need not exist."""

    folder: Path
    ca: str
    device: Path
    job: str = "0123456789abcdef"
    letter: str = "00000000-0000-0000-0000-000000000000"

    def arguments(self, name: str) -> list[str]:
        """Return a command with its arguments."""
        given = {key: str(value) for key, value in vars(self).items()}
        return [*name.split(), *ARGUMENTS[name].format(**given).split()]


def typist(folder: Path, ca: CertificateAuthority, device: Device, *, account: str, region: str) -> Typist:
    """Write the files that the commands read, and return who types them."""
    files = {
        "ca.pem": pem(ca.certificate),
        "ca.key": private_pem(ca.key),
        "new-ca.pem": pem(pki.CertificateAuthority.create("New").certificate),
        "device.pem": pem(device.certificate),
        "serials": f"{device.certificate.serial_number:x}\n",
        "policy.json": json.dumps(_POLICY),
        "fleet.toml": f'[deployments.test]\naccount = "{account}"\nregion = "{region}"\n',
        "policies/default.json": json.dumps(_POLICY),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "factory-1.crl").write_bytes(ca.crl(number=2))
    return Typist(folder=folder, ca=ca.ca_certificate_id, device=folder / "device.pem")
