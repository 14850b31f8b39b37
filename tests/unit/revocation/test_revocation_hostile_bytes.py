"""Hostile bytes: nothing but a verdict comes out, and never `good` for anything that the CA did not sign."""

from __future__ import annotations

import contextlib

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jitr.revocation import CrlRefused, RevocationStatus, decide, split_crls, verify_crl
from jitr_local import pki
from tests.worlds import raw_der

AUTHORITIES = [pki.CertificateAuthority.create(key=kind) for kind in ("P-256", "RSA-2048")]
AT = pki.now()
DEVICES = [ca.issue().certificate for ca in AUTHORITIES]
SCOPE = raw_der.extension("issuingDistributionPoint", raw_der.sequence(b"\x81\x01\xff"), critical=True)
ALGORITHMS = (raw_der.ECDSA_WITH_SHA256, raw_der.PSS_SHA256)
CORPUS = [
    [
        ca.crl([5, pki.revoked_entry(6, reason=x509.ReasonFlags.key_compromise)]),
        raw_der.crl(ca, raw_der.entries(range(40)), extensions=[SCOPE], algorithm=algorithm),
        raw_der.crl(ca, raw_der.entry(7), version=b"", extensions=[]),
    ]
    for ca, algorithm in zip(AUTHORITIES, ALGORITHMS, strict=True)
]
PIECES = [
    raw_der.entry(5),
    raw_der.utc_time(AT),
    raw_der.sequence(),
    SCOPE,
    raw_der.ECDSA_WITH_SHA256,
    raw_der.PSS_SHA256,
    raw_der.integer(-1),
    b"\x30\x80",
    b"\x30\x84\xff\xff\xff\xff",
    b"-----BEGIN X509 CRL-----",
    b"-----END X509 CRL-----",
    b"\xa0\x00",
]


def status(ca_index: int, *crls: bytes) -> RevocationStatus:
    """Return the status of a device by these CRLs; anything raised fails the test."""
    return decide(DEVICES[ca_index], AUTHORITIES[ca_index].certificate, crls, at=AT).status


def test_every_flip_of_every_bit_pattern_of_a_good_crl_is_noticed() -> None:
    """Each byte, three ways."""
    for index, crls in enumerate(CORPUS):
        for crl in crls:
            assert status(index, crl) is RevocationStatus.GOOD
            for position in range(len(crl)):
                for mask in (0x01, 0x80, 0xFF):
                    flipped = bytearray(crl)
                    flipped[position] ^= mask
                    assert status(index, bytes(flipped)) is RevocationStatus.UNDETERMINED, (position, mask)


def test_every_truncation_of_a_good_crl_is_noticed() -> None:
    """At each byte."""
    for index, crls in enumerate(CORPUS):
        for crl in crls:
            assert all(status(index, crl[:end]) is RevocationStatus.UNDETERMINED for end in range(len(crl)))


@given(st.integers(0, 1), st.lists(st.binary(max_size=200) | st.sampled_from(PIECES), max_size=6))
def test_bytes_that_are_no_crl_never_decide(ca_index: int, parts: list[bytes]) -> None:
    """Neither alone nor wrapped as the outer elements of a CRL; next to a good CRL they change nothing."""
    for hostile in (b"".join(parts), raw_der.sequence(*parts), raw_der.sequence(raw_der.sequence(*parts), *parts)):
        assert status(ca_index, hostile) is RevocationStatus.UNDETERMINED
        assert status(ca_index, hostile, CORPUS[ca_index][0]) is RevocationStatus.GOOD


@given(st.integers(0, 1), st.lists(st.sampled_from(PIECES) | st.binary(max_size=40), max_size=4), st.integers(0, 3))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_nonsense_that_the_ca_signed_never_raises(ca_index: int, parts: list[bytes], place: int) -> None:
    """In the entries, the extensions, an extension's value or the name: refused, or used as what it says."""
    ca, nonsense = AUTHORITIES[ca_index], b"".join(parts)
    built = (
        lambda: raw_der.crl(ca, nonsense),
        lambda: raw_der.crl(ca, extensions=[nonsense]),
        lambda: raw_der.crl(ca, extensions=[raw_der.extension("issuingDistributionPoint", nonsense)]),
        lambda: raw_der.crl(ca, issuer=raw_der.sequence(nonsense)),
    )[place]()
    assert status(ca_index, built) in RevocationStatus
    with contextlib.suppress(CrlRefused):
        verify_crl(built, ca.certificate, at=AT)


@given(st.lists(st.sampled_from(["good", "cut off", "no base64", "certificate", "text"]), max_size=6))
def test_no_block_of_a_bundle_is_lost(kinds: list[str]) -> None:
    """Whole and broken blocks are all accounted for; other blocks and text are no CRLs."""
    whole = x509.load_der_x509_crl(CORPUS[0][0]).public_bytes(serialization.Encoding.PEM)
    written = {
        "good": whole,
        "cut off": whole[: len(whole) // 2] + b"\n",
        "no base64": b"-----BEGIN X509 CRL-----\n=A=\n-----END X509 CRL-----\n",
        "certificate": pki.pem(DEVICES[0]).encode(),
        "text": b"Certificate Revocation List (CRL):\n",
    }
    bundle = b"".join(written[kind] for kind in kinds)
    crls = [kind for kind in kinds if kind in ("good", "cut off", "no base64")]
    if crls:
        assert len(split_crls(bundle)) == len(crls)
        answer = decide(DEVICES[0], AUTHORITIES[0].certificate, [bundle], at=AT)
        assert len(answer.skipped) == len(crls) - crls.count("good")
    else:
        assert status(0, bundle) is RevocationStatus.UNDETERMINED


@given(st.binary(max_size=60))
def test_certificates_of_any_content_never_raise(nonsense: bytes) -> None:
    """Their extensions are signed by the CA and still hostile; serial 50 is not listed, serial 5 is."""
    ca = AUTHORITIES[0]
    point = raw_der.tlv(0xA0, raw_der.tlv(0xA0, raw_der.tlv(0x86, b"http://crl.example.com/1.crl")))
    scope = raw_der.extension("issuingDistributionPoint", raw_der.sequence(point, b"\x81\x01\xff"), critical=True)
    partition = raw_der.crl(ca, raw_der.entry(5), extensions=[scope])
    for kind in ("basicConstraints", "cRLDistributionPoints"):
        for serial, status_by_complete in ((5, RevocationStatus.REVOKED), (50, RevocationStatus.GOOD)):
            der = raw_der.certificate(ca, serial, raw_der.extension(kind, nonsense))
            certificate = x509.load_der_x509_certificate(der)
            by_partition = decide(certificate, ca.certificate, [partition], at=AT)
            assert by_partition.status is RevocationStatus.UNDETERMINED
            by_complete = decide(certificate, ca.certificate, [ca.crl([5])], at=AT)
            assert by_complete.status is status_by_complete
