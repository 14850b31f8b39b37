"""A folder with a fleet file and what it names, for the tests of right and of wrong ones."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from jitr_fleet.deployments.deployment import Deployment, FleetCa
from jitr_fleet.files.mistakes import FleetFileError
from jitr_fleet.fleet_file.reader import read_fleet
from jitr_local import pki

POLICIES = Path(__file__).parents[2] / "policies"
CA = pki.CertificateAuthority.create("Factory CA 1")
CA_TABLE = """
[[deployments.prod-eu.cas]]
name = "factory-1"
certificate = "cas/factory-1.pem"
crl = "s3://crls/factory-1.crl"
"""
DEPLOYMENT_TABLE = """
[deployments.prod-eu]
account = "111122223333"
region = "eu-west-1"
"""


class FleetFolder:
    """A folder with a fleet file and what it names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "fleet.toml"
        shutil.copytree(POLICIES, folder / "policies")
        (folder / "cas").mkdir()
        self.put_ca("factory-1", CA)

    def put_ca(self, name: str, ca: pki.CertificateAuthority) -> None:
        """Write a CA's certificate beside the fleet file."""
        (self.folder / "cas" / f"{name}.pem").write_text(pki.pem(ca.certificate), encoding="utf-8")

    def read(self, text: str) -> Deployment:
        """Write a fleet file of one deployment, and read it."""
        self.file.write_text(text, encoding="utf-8")
        (deployment,) = read_fleet(self.file).deployments
        return deployment

    def read_ca(self, text: str) -> FleetCa:
        """Read a fleet file of one deployment with one CA."""
        (ca,) = self.read(text).cas
        return ca

    def mistakes(self, text: str) -> list[str]:
        """Write a wrong fleet file and return its mistakes, without the file's path and lines."""
        self.file.write_text(text, encoding="utf-8")
        with pytest.raises(FleetFileError) as caught:
            read_fleet(self.file)
        return [re.sub(rf"^{re.escape(str(self.file))}(:[0-9]+)?: ", "", str(each)) for each in caught.value.mistakes]

    def mistake(self, text: str) -> str:
        """Return the one mistake of a wrong fleet file."""
        (mistake,) = self.mistakes(text)
        return mistake


def with_key(line: str) -> str:
    """Return a deployment with one more key."""
    return DEPLOYMENT_TABLE + line


def with_ca_key(line: str) -> str:
    """Return a CA with one more key, or another value for one it has."""
    name = line.split("=", maxsplit=1)[0].strip()
    kept = [each for each in CA_TABLE.splitlines() if each.split("=")[0].strip() != name]
    return DEPLOYMENT_TABLE + "\n".join([*kept, line])
