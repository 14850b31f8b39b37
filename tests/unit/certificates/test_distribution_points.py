"""Where a certificate says that its CRL is: each extension and each point counts, whatever is wrong with another."""

from __future__ import annotations

from typing import Any

import pytest

from jitr.certificates import Certificate, distribution_points, unreadable_point
from jitr.certificates import extensions as ext
from jitr.certificates.der import DerError
from jitr.errors import Reason, Undecided
from jitr.registry.facts import NO_POINTS, UNREADABLE_POINTS, points_of
from jitr_local import pki
from tests.worlds import odd_certificates as odd
from tests.worlds import raw_der
from tests.worlds.deployment import BUCKET, TestDeployment
from tests.worlds.raw_der import sequence, tlv

HERE = f"https://{BUCKET}.s3.amazonaws.com/factory-1.crl"
READABLE = odd.point(HERE)
POINT = sequence(tlv(0xA0, tlv(0xA0, tlv(0x86, HERE.encode()))))
# No DER inside the extension; a point of another kind; a URI that is no ASCII.
UNREADABLE = {
    "no DER": raw_der.extension("cRLDistributionPoints", b"\x30\x05\x00"),
    "a point of another kind": raw_der.extension("cRLDistributionPoints", sequence(tlv(0x04, b"x"))),
    "a URI that is no ASCII": raw_der.extension(
        "cRLDistributionPoints", sequence(sequence(tlv(0xA0, tlv(0xA0, tlv(0x86, b"http://\xff/")))))
    ),
}
# Extensions of other kinds that cannot be read.
BROKEN_BEFORE = sequence(tlv(0x06, bytes.fromhex(raw_der.OIDS["keyUsage"])), b"\x01\x01\x07", tlv(0x04, b"\x03\x00"))
NO_EXTENSION = tlv(0x04, b"nothing")


@pytest.fixture(scope="module")
def ca() -> pki.CertificateAuthority:
    """A CA."""
    return pki.CertificateAuthority.create()


def certificate(ca: pki.CertificateAuthority, *extensions: bytes) -> Certificate:
    """A device certificate with these extensions."""
    return Certificate.from_der(raw_der.certificate(ca, 0x1234, *extensions, key=pki.new_key()))


@pytest.mark.parametrize("broken", [BROKEN_BEFORE, NO_EXTENSION])
@pytest.mark.parametrize("first", [True, False])
def test_an_extension_that_cannot_be_read_does_not_hide_another(
    ca: pki.CertificateAuthority, broken: bytes, *, first: bool
) -> None:
    """All together they cannot be read, which keeps out; the address is known all the same, for switching off."""
    found = certificate(ca, *((broken, READABLE) if first else (READABLE, broken)))
    with pytest.raises(DerError):
        _ = found.extensions
    assert distribution_points(found) == (HERE,)
    assert points_of(found) == (HERE,)
    assert unreadable_point(found) is None


def test_an_extension_that_may_be_the_one_is_not_taken_for_absent(ca: pki.CertificateAuthority) -> None:
    """What has no readable kind may be any kind."""
    found = certificate(ca, NO_EXTENSION)
    with pytest.raises(DerError):
        found.extension(ext.CRL_DISTRIBUTION_POINTS)
    assert unreadable_point(found) is not None
    assert points_of(found) == (UNREADABLE_POINTS,)
    assert certificate(ca, BROKEN_BEFORE).extension(ext.CRL_DISTRIBUTION_POINTS) is None
    assert points_of(certificate(ca, BROKEN_BEFORE)) == (NO_POINTS,)


def test_an_extension_that_is_there_twice_has_no_reading(ca: pki.CertificateAuthority) -> None:
    """Whoever reads the first one says something else than whoever reads the last."""
    with pytest.raises(DerError, match="there twice"):
        certificate(ca, READABLE, READABLE).extension(ext.CRL_DISTRIBUTION_POINTS)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_point_that_cannot_be_read_says_where(ca: pki.CertificateAuthority, kind: str) -> None:
    """The byte, inside the extension."""
    why = unreadable_point(certificate(ca, UNREADABLE[kind]))
    assert why is not None
    assert "byte" in why


def test_a_readable_point_counts_beside_an_unreadable_one(ca: pki.CertificateAuthority) -> None:
    """Also in its row."""
    both = raw_der.extension("cRLDistributionPoints", sequence(tlv(0x04, b"x"), POINT))
    found = certificate(ca, both)
    assert distribution_points(found) == (HERE,)
    assert points_of(found) == (HERE,)


class TestActivation:
    """`crl = "cdp"`: the certificate says where its CRL is."""

    def knock(self, deployment: TestDeployment, *extensions: bytes) -> tuple[pki.Device, Any]:
        """A device with these extensions knocks; returns what the function answers."""
        deployment.configure(crl="cdp")
        key = pki.new_key()
        device = odd.device(raw_der.certificate(deployment.ca, 0x1234, *extensions, key=key), 0x1234, key)
        try:
            return device, deployment.knock(device)
        except Undecided as failure:
            return device, failure

    @pytest.mark.parametrize("kind", UNREADABLE)
    def test_what_cannot_be_read_is_not_what_is_not_there(self, deployment: TestDeployment, kind: str) -> None:
        """A reason of its own, with the certificate's id and the byte; never activated."""
        device, failure = self.knock(deployment, UNREADABLE[kind])
        assert isinstance(failure, Undecided)
        assert (failure.reason, failure.step) == (Reason.UNREADABLE_DISTRIBUTION_POINT, 5)
        assert failure.certificate_id == device.certificate_id
        assert "byte" in failure.message
        assert deployment.iot.status(device) == "PENDING_ACTIVATION"

    def test_what_is_not_there_is_no_crl(self, deployment: TestDeployment) -> None:
        """As before."""
        _, failure = self.knock(deployment)
        assert isinstance(failure, Undecided)
        assert failure.reason is Reason.NO_CRL

    def test_a_readable_point_beside_an_unreadable_one_is_asked(self, deployment: TestDeployment) -> None:
        """It is the deployment's own bucket, and its CRL lists nobody."""
        both = raw_der.extension("cRLDistributionPoints", sequence(tlv(0x04, b"x"), POINT))
        device, _ = self.knock(deployment, both)
        assert deployment.iot.status(device) == "ACTIVE"
