"""A device maker for the demo and the tests: one CA, its CRL in the stack's bucket, and devices with files on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cryptography import x509

from jitr_local import pki
from jitr_local.device.back_off import BackOff
from jitr_local.device.device_identity import DeviceIdentity
from jitr_local.device.reference_device import Endpoint, ReferenceDevice
from jitr_local.stack.local_fleet import LocalCa
from jitr_local.stack.local_stack import Instance

if TYPE_CHECKING:
    from mypy_boto3_iot import IoTClient
    from mypy_boto3_s3 import S3Client

# Short waits: the local function decides within a second or two, a cold one included.
LOCAL_BACK_OFF = BackOff(base=1.0, cap=4.0, floor=0.5)


@dataclass(frozen=True, kw_only=True)
class MadeDevice:
    """A device as it leaves the factory: certificate and key, and the files that it connects with."""

    device: pki.Device
    chain_file: Path
    key_file: Path

    @property
    def common_name(self) -> str:
        """Return the common name, which is also client id and Thing name."""
        return self.identity.common_name or ""

    @property
    def certificate_id(self) -> str:
        """Return the AWS IoT certificate id."""
        return self.device.certificate_id

    @property
    def serial(self) -> int:
        """Return the certificate's serial number."""
        return self.device.certificate.serial_number

    @property
    def identity(self) -> DeviceIdentity:
        """Return what TLS needs."""
        return DeviceIdentity.load(self.chain_file, self.key_file)

    def at(self, instance: Instance, *, back_off: BackOff = LOCAL_BACK_OFF) -> ReferenceDevice:
        """Return the device, ready to connect to a local stack; its client id is its common name."""
        return ReferenceDevice(
            identity=self.identity,
            endpoint=Endpoint(host=instance.mqtt_host, port=instance.mqtt_port, server_ca=Path(instance.server_ca)),
            client_id=self.common_name,
            back_off=back_off,
        )


@dataclass(frozen=True, kw_only=True)
class Factory:
    """One CA by `name`; its files are below `folder`, its CRL has the key `<name>.crl`."""

    name: str
    folder: Path
    authority: pki.CertificateAuthority

    @classmethod
    def open(cls, name: str, folder: Path) -> Self:
        """Make a factory with a new CA, whose common name is the factory's.

        The emulator's TLS cannot tell CAs of one name apart, so names must differ where devices are to get in.
        """
        return cls(name=name, folder=folder, authority=pki.CertificateAuthority.create(name))

    @property
    def crl_key(self) -> str:
        """Return the CRL's key in the stack's bucket."""
        return f"{self.name}.crl"

    @property
    def ca(self) -> LocalCa:
        """Return the CA as it goes into the local fleet file."""
        return LocalCa(name=self.name, certificate=pki.pem(self.authority.certificate), crl_key=self.crl_key)

    def make(
        self,
        common_name: str,
        *,
        signed_by: pki.CertificateAuthority | None = None,
        extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    ) -> MadeDevice:
        """Make a device; `signed_by` another CA of the same name makes it a forgery. It sends our CA's certificate."""
        device = (signed_by or self.authority).issue(common_name, extensions=extensions)
        self.folder.mkdir(parents=True, exist_ok=True)
        chain_file = self.folder / f"{common_name}.chain.pem"
        key_file = self.folder / f"{common_name}.key.pem"
        chain_file.write_text(pki.pem(device.certificate) + pki.pem(self.authority.certificate), encoding="ascii")
        key_file.touch(mode=0o600)
        key_file.write_text(device.key_pem, encoding="ascii")
        return MadeDevice(device=device, chain_file=chain_file, key_file=key_file)

    def register(self, instance: Instance, devices: Iterable[MadeDevice]) -> None:
        """Register devices as ACTIVE past us (RegisterCertificate), as a bulk import or another system does."""
        iot: IoTClient = instance.client("iot")
        ca_certificate = pki.pem(self.authority.certificate)
        for each in devices:
            certificate = pki.pem(each.device.certificate)
            iot.register_certificate(certificatePem=certificate, caCertificatePem=ca_certificate, status="ACTIVE")

    def register_elsewhere(self, instance: Instance, common_names: Iterable[str]) -> list[MadeDevice]:
        """Make devices and register them past us."""
        made = [self.make(common_name) for common_name in common_names]
        self.register(instance, made)
        return made

    def publish_crl(
        self,
        instance: Instance,
        revoked: Iterable[MadeDevice] = (),
        *,
        on_hold: Iterable[MadeDevice] = (),
        number: int = 1,
    ) -> None:
        """Sign a CRL that lists these devices and upload it to the stack's bucket."""
        hold = x509.ReasonFlags.certificate_hold
        entries = [pki.revoked_entry(device.serial) for device in revoked]
        entries += [pki.revoked_entry(device.serial, reason=hold) for device in on_hold]
        crl = self.authority.crl(entries, number=number)
        s3: S3Client = instance.client("s3")
        s3.put_object(Bucket=instance.crl_bucket, Key=self.crl_key, Body=crl)
