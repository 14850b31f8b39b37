"""A reference device with short waits, and its files, for tests against the scripted server."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from jitr_local import pki
from jitr_local.device.back_off import BackOff
from jitr_local.device.device_identity import DeviceIdentity
from jitr_local.device.reference_device import Endpoint, ReferenceDevice
from tests.unit.local.mqtt_server import MqttServer
from tests.worlds.seeded import seeded

AUTHORITY = pki.CertificateAuthority.create(path_length=None)


def identity_in(
    folder: Path, *, issuer: pki.CertificateAuthority = AUTHORITY, chain: tuple[x509.Certificate, ...] = ()
) -> DeviceIdentity:
    """Make a device's files and load them; `chain` is what follows the leaf, the issuer unless given."""
    device = issuer.issue("device-1")
    certificate, key = folder / "device.pem", folder / "device.key.pem"
    certificate.write_text("".join(pki.pem(each) for each in (device.certificate, *(chain or (issuer.certificate,)))))
    key.write_text(device.key_pem)
    return DeviceIdentity.load(certificate, key)


def device_at(
    server: MqttServer, identity: DeviceIdentity, *, host: str = "localhost", patience: float = 5
) -> ReferenceDevice:
    """A device with short waits."""
    return ReferenceDevice(
        identity=identity,
        endpoint=Endpoint(host=host, port=server.port, server_ca=server.server_ca),
        client_id="device-1",
        back_off=BackOff(base=0.05, cap=0.1, floor=0.0),
        patience=patience,
        random=seeded(1),
    )
