"""The verdict on a certificate: good, revoked with its particulars, or undetermined with a reason of its own."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from jitr.errors import Reason
from jitr.revocation import CrlRefused, Options, RevocationStatus, RevocationVerdict, decide, verify_crl
from jitr_local import pki
from tests.worlds import raw_der

HOUR = timedelta(hours=1)
AT = pki.now()


@pytest.fixture(scope="module")
def ca() -> pki.CertificateAuthority:
    """Return a CA with a P-256 key."""
    return pki.CertificateAuthority.create()


@pytest.fixture(scope="module")
def device(ca: pki.CertificateAuthority) -> x509.Certificate:
    """Return a certificate of that CA."""
    return ca.issue(serial=0x5EED5EED5EED5EED).certificate


def verdict(
    ca: pki.CertificateAuthority,
    certificate: x509.Certificate,
    *crls: bytes,
    at: datetime = AT,
    options: Options | None = None,
) -> RevocationVerdict:
    """Return the verdict at `at`."""
    return decide(certificate, ca.certificate, crls, at=at, options=options or Options())


Build = Callable[[pki.CertificateAuthority], bytes]
OTHER = pki.CertificateAuthority.create("Factory CA 2")
OTHER_KEY_SAME_NAME = pki.CertificateAuthority.create()

UNUSABLE: list[tuple[str, Reason, Build]] = [
    ("empty", Reason.MALFORMED, lambda _: b""),
    ("HTML", Reason.MALFORMED, lambda _: b"<html><body>404 Not Found</body></html>"),
    ("truncated", Reason.MALFORMED, lambda ca: ca.crl()[:-1]),
    ("followed by a byte", Reason.MALFORMED, lambda ca: ca.crl() + b"\n"),
    ("a certificate", Reason.MALFORMED, lambda ca: pki.der(ca.certificate)),
    ("signed with another key", Reason.BAD_SIGNATURE, lambda ca: ca.crl(signing_key=pki.new_key())),
    ("signed with a key of another kind", Reason.BAD_SIGNATURE, lambda ca: ca.crl(signing_key=pki.new_key("RSA-2048"))),
    ("of another CA", Reason.ISSUER_MISMATCH, lambda _: OTHER.crl()),
    ("of another CA of the same name", Reason.BAD_SIGNATURE, lambda _: OTHER_KEY_SAME_NAME.crl()),
    (
        "with another authority key identifier",
        Reason.ISSUER_MISMATCH,
        lambda ca: ca.crl(extensions=[(x509.AuthorityKeyIdentifier(b"another", None, None), False)]),
    ),
    ("signed with SHA-1", Reason.UNSUPPORTED_ALGORITHM, lambda ca: raw_der.crl(ca, algorithm=raw_der.ECDSA_WITH_SHA1)),
    (
        "signed with an unknown algorithm",
        Reason.UNSUPPORTED_ALGORITHM,
        lambda ca: raw_der.crl(ca, algorithm=raw_der.sequence(b"\x06\x03\x2a\x03\x04")),
    ),
    (
        "naming two algorithms",
        Reason.MALFORMED,
        lambda ca: raw_der.crl(ca, outer_algorithm=bytes.fromhex("300a06082a8648ce3d040303")),
    ),
    ("of the future", Reason.NOT_YET_VALID, lambda ca: ca.crl(this_update=AT + HOUR)),
    ("past its nextUpdate", Reason.EXPIRED, lambda ca: ca.crl(this_update=AT - 2 * HOUR, next_update=AT - HOUR)),
    ("without nextUpdate", Reason.TOO_OLD, lambda ca: raw_der.crl(ca, next_update=b"")),
    (
        "with a nextUpdate before its thisUpdate",
        Reason.MALFORMED,
        lambda ca: raw_der.crl(ca, this_update=raw_der.utc_time(AT), next_update=raw_der.utc_time(AT - HOUR)),
    ),
    (
        "with an unknown critical extension",
        Reason.UNKNOWN_CRITICAL,
        lambda ca: raw_der.crl(ca, extensions=[raw_der.extension("unknown", b"x", critical=True)]),
    ),
    (
        "with an unknown critical extension in an entry",
        Reason.UNKNOWN_CRITICAL,
        lambda ca: raw_der.crl(ca, raw_der.entry(9, raw_der.extension("unknown", b"x", critical=True))),
    ),
    (
        "that is a delta",
        Reason.DELTA,
        lambda ca: ca.crl(extensions=[(x509.DeltaCRLIndicator(1), True)]),
    ),
    (
        "that is a delta without a number",
        Reason.DELTA,
        lambda ca: ca.crl(number=None, extensions=[(x509.DeltaCRLIndicator(1), True)]),
    ),
    (
        "that is an expired delta",
        Reason.DELTA,
        lambda ca: ca.crl(
            this_update=AT - 2 * HOUR, next_update=AT - HOUR, extensions=[(x509.DeltaCRLIndicator(1), True)]
        ),
    ),
    (
        "whose delta indicator is not critical",
        Reason.DELTA,
        lambda ca: raw_der.crl(ca, extensions=[raw_der.extension("deltaCRLIndicator", raw_der.integer(1))]),
    ),
    ("that is indirect", Reason.INDIRECT, lambda ca: scoped(ca, raw_der.tlv(0x84, b"\xff"))),
    (
        "with an entry of another issuer",
        Reason.INDIRECT,
        lambda ca: raw_der.crl(
            ca, raw_der.entry(9, raw_der.extension("certificateIssuer", raw_der.sequence(), critical=True))
        ),
    ),
    (
        "with an uncritical entry of another issuer",
        Reason.INDIRECT,
        lambda ca: raw_der.crl(ca, raw_der.entry(9, raw_der.extension("certificateIssuer", raw_der.sequence()))),
    ),
    ("for some reasons", Reason.REASONS, lambda ca: scoped(ca, raw_der.tlv(0x83, b"\x06\x40"))),
    ("for an empty set of reasons", Reason.REASONS, lambda ca: scoped(ca, raw_der.tlv(0x83))),
    ("for attribute certificates", Reason.OUT_OF_SCOPE, lambda ca: scoped(ca, raw_der.tlv(0x85, b"\xff"))),
    ("for CA certificates", Reason.OUT_OF_SCOPE, lambda ca: scoped(ca, raw_der.tlv(0x82, b"\xff"))),
    ("with an empty scope", Reason.MALFORMED, lambda ca: scoped(ca, b"")),
    ("that excludes everything", Reason.MALFORMED, lambda ca: scoped(ca, b"\x81\x01\xff\x82\x01\xff")),
    ("with a written-out default in its scope", Reason.MALFORMED, lambda ca: scoped(ca, b"\x81\x01\x00")),
    ("with its scope out of order", Reason.MALFORMED, lambda ca: scoped(ca, b"\x84\x01\xff\x81\x01\xff")),
    (
        "with a critical number",
        Reason.MALFORMED,
        lambda ca: raw_der.crl(ca, extensions=[raw_der.extension("cRLNumber", raw_der.integer(1), critical=True)]),
    ),
    (
        "with a negative number",
        Reason.MALFORMED,
        lambda ca: raw_der.crl(ca, extensions=[raw_der.extension("cRLNumber", raw_der.integer(-1))]),
    ),
    (
        "with a number of 21 octets",
        Reason.MALFORMED,
        lambda ca: raw_der.crl(ca, extensions=[raw_der.extension("cRLNumber", raw_der.integer(1 << 160))]),
    ),
    (
        "with an extension twice",
        Reason.MALFORMED,
        lambda ca: raw_der.crl(ca, extensions=[raw_der.extension("cRLNumber", raw_der.integer(1))] * 2),
    ),
    ("of version 3", Reason.MALFORMED, lambda ca: raw_der.crl(ca, version=b"\x02\x01\x02")),
    (
        "of version 1 with a critical extension",
        Reason.UNKNOWN_CRITICAL,
        lambda ca: raw_der.crl(ca, version=b"", extensions=[raw_der.extension("unknown", b"x", critical=True)]),
    ),
]


def scoped(ca: pki.CertificateAuthority, *fields: bytes) -> bytes:
    """Return a CRL with this issuing distribution point."""
    point = raw_der.extension("issuingDistributionPoint", raw_der.sequence(*fields), critical=True)
    return raw_der.crl(ca, extensions=[raw_der.extension("cRLNumber", raw_der.integer(1)), point])


def test_a_certificate_that_is_not_listed_is_good(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """Nothing is wrong, nothing is said."""
    answer = verdict(ca, device, ca.crl([1, 2, 3]))
    assert (answer.status, answer.reason, answer.skipped, answer.warnings) == (RevocationStatus.GOOD, None, (), ())
    assert answer.crl is not None
    assert answer.crl.number == 1


def test_a_listed_certificate_is_revoked(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """Reason and date come from the entry."""
    entry = pki.revoked_entry(device.serial_number, reason=x509.ReasonFlags.key_compromise, revoked_at=AT - HOUR)
    answer = verdict(ca, device, ca.crl([7, entry]))
    assert answer.status is RevocationStatus.REVOKED
    assert (answer.revocation_reason, answer.revoked_at, answer.is_hold) == ("keyCompromise", AT - HOUR, False)


@pytest.mark.parametrize(("case", "reason", "build"), UNUSABLE, ids=[case for case, _, _ in UNUSABLE])
def test_an_unusable_crl_leaves_the_answer_open(
    ca: pki.CertificateAuthority, device: x509.Certificate, case: str, reason: Reason, build: Build
) -> None:
    """Each with its own reason, whether it comes alone or beside a usable one."""
    unusable = build(ca)
    alone = verdict(ca, device, unusable)
    assert (alone.status, alone.reason) == (RevocationStatus.UNDETERMINED, reason)
    assert [each.reason for each in alone.skipped] == [reason]
    if reason is not Reason.DELTA:
        beside = verdict(ca, device, unusable, ca.crl())
        assert beside.status is RevocationStatus.GOOD
        assert [(each.index, each.reason) for each in beside.skipped] == [(0, reason)]


def test_no_crl_leaves_the_answer_open(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """Silence is no answer."""
    assert verdict(ca, device).reason is Reason.NO_CRL


def test_a_crl_above_the_size_limit_is_not_read(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """The limit counts bytes as received; exactly the limit is allowed."""
    crl = ca.crl()
    assert verdict(ca, device, crl, options=Options(max_size=len(crl) - 1)).reason is Reason.TOO_LARGE
    assert verdict(ca, device, crl, options=Options(max_size=len(crl))).status is RevocationStatus.GOOD


def test_a_ca_without_the_right_to_sign_crls_is_not_believed() -> None:
    """KeyUsage is there and lacks cRLSign."""
    mute = pki.CertificateAuthority.create(key_usage=pki.ca_key_usage(crl_sign=False))
    assert verdict(mute, mute.issue().certificate, mute.crl()).reason is Reason.NOT_CRL_SIGNER


def test_a_ca_without_key_usage_may_sign_crls() -> None:
    """RFC 5280 asks for cRLSign only where keyUsage is present."""
    plain = pki.CertificateAuthority.create(extensions=[(x509.BasicConstraints(ca=True, path_length=None), True)])
    assert verdict(plain, plain.issue().certificate, plain.crl()).status is RevocationStatus.GOOD


@pytest.mark.parametrize("listed", [False, True])
def test_a_certificate_of_another_issuer_is_undetermined(ca: pki.CertificateAuthority, listed: bool) -> None:
    """A serial number means nothing under another issuer, whether the name or only the key is another."""
    for other in (OTHER, OTHER_KEY_SAME_NAME):
        stranger = other.issue().certificate
        crl = ca.crl([stranger.serial_number] if listed else [])
        assert verdict(ca, stranger, crl).reason is Reason.ISSUER_MISMATCH


def test_a_certificate_signed_with_sha1_is_undetermined(ca: pki.CertificateAuthority) -> None:
    """Such a signature does not show who issued it."""
    weak = x509.load_der_x509_certificate(raw_der.certificate(ca, 5, algorithm=raw_der.ECDSA_WITH_SHA1))
    assert verdict(ca, weak, ca.crl()).reason is Reason.UNSUPPORTED_ALGORITHM


@pytest.mark.parametrize("kind", ["RSA-2048", "P-256", "P-384"])
def test_the_ca_keys_in_use_verify(kind: str) -> None:
    """RSA (PKCS #1 v1.5) and ECDSA, each with SHA-256 and SHA-512."""
    ca = pki.CertificateAuthority.create(key=kind)
    good, bad = ca.issue().certificate, ca.issue().certificate
    for algorithm in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        crl = ca.crl([bad.serial_number], algorithm=algorithm)
        assert verdict(ca, good, crl).status is RevocationStatus.GOOD
        assert verdict(ca, bad, crl).status is RevocationStatus.REVOKED


def test_rsassa_pss_verifies() -> None:
    """With one SHA-2 hash throughout."""
    ca = pki.CertificateAuthority.create(key="RSA-2048")
    device = ca.issue().certificate
    crl = raw_der.crl(ca, raw_der.entry(device.serial_number), algorithm=raw_der.PSS_SHA256)
    assert verdict(ca, device, crl).status is RevocationStatus.REVOKED


def test_a_ca_on_an_unusual_curve_is_refused_by_name() -> None:
    """P-224 is no curve of AWS IoT."""
    ca = pki.CertificateAuthority.create(key="P-224")
    assert verdict(ca, ca.issue().certificate, ca.crl()).reason is Reason.UNSUPPORTED_ALGORITHM


CLOCK = [
    ("thisUpdate as far ahead as the skew", timedelta(minutes=-5), RevocationStatus.GOOD),
    ("thisUpdate a second further ahead", timedelta(minutes=-5, seconds=-1), RevocationStatus.UNDETERMINED),
    ("nextUpdate now", 7 * pki.DAY, RevocationStatus.GOOD),
    ("nextUpdate a second ago", 7 * pki.DAY + timedelta(seconds=1), RevocationStatus.UNDETERMINED),
    ("nextUpdate a millisecond ago", 7 * pki.DAY + timedelta(milliseconds=1), RevocationStatus.UNDETERMINED),
]


@pytest.mark.parametrize(("case", "age", "status"), CLOCK, ids=[case for case, _, _ in CLOCK])
def test_the_clock_has_sharp_edges(
    ca: pki.CertificateAuthority, device: x509.Certificate, case: str, age: timedelta, status: RevocationStatus
) -> None:
    """The skew helps thisUpdate only, and nextUpdate itself still counts."""
    assert verdict(ca, device, ca.crl(this_update=AT), at=AT + age).status is status


def test_the_times_of_a_verified_crl_are_checked_again(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """A CRL that is kept grows old."""
    kept = verify_crl(ca.crl(this_update=AT), ca.certificate, at=AT)
    assert decide(device, ca.certificate, [kept], at=AT).status is RevocationStatus.GOOD
    assert decide(device, ca.certificate, [kept], at=AT + 8 * pki.DAY).reason is Reason.EXPIRED


def test_a_time_without_a_zone_is_refused(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """It would mean another moment on every computer."""
    with pytest.raises(ValueError, match="time zone"):
        decide(device, ca.certificate, [ca.crl()], at=AT.replace(tzinfo=None))


def test_times_may_be_written_as_generalized_time(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """From 2050 on there is no other way."""
    late = datetime(2050, 1, 1, tzinfo=UTC)
    crl = raw_der.crl(ca, next_update=raw_der.generalized_time(late))
    assert verdict(ca, device, crl, at=late).status is RevocationStatus.GOOD
    assert verdict(ca, device, crl, at=late + timedelta(seconds=1)).reason is Reason.EXPIRED


def test_two_digit_years_turn_at_fifty(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """RFC 5280 section 4.1.2.5.1: 49 is 2049, 50 is 1950."""
    until_2049 = raw_der.crl(ca, next_update=b"\x17\x0d491231235959Z")
    from_1950 = raw_der.crl(ca, this_update=b"\x17\x0d500101000000Z")
    assert verdict(ca, device, until_2049, at=datetime(2049, 12, 31, tzinfo=UTC)).status is RevocationStatus.GOOD
    used = verdict(ca, device, from_1950).crl
    assert used is not None
    assert used.this_update == datetime(1950, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", [b"\x17\x0d261332000000Z", b"\x17\x0b2611210000Z", b"\x18\x1120261121000000.5Z", b"\x02\x01\x05"]
)
def test_times_outside_the_profile_are_malformed(
    ca: pki.CertificateAuthority, device: x509.Certificate, written: bytes
) -> None:
    """No such month, no seconds, a fraction, no time at all."""
    assert verdict(ca, device, raw_der.crl(ca, this_update=written)).reason is Reason.MALFORMED


def test_a_maximum_age_refuses_older_crls_and_allows_those_without_next_update(
    ca: pki.CertificateAuthority, device: x509.Certificate
) -> None:
    """The operator bounds what the CA leaves open."""
    options = Options(max_age=timedelta(days=2))
    old = raw_der.crl(ca, this_update=raw_der.utc_time(AT - timedelta(days=2, seconds=1)))
    endless = raw_der.crl(ca, next_update=b"")
    assert verdict(ca, device, old, options=options).reason is Reason.TOO_OLD
    answer = verdict(ca, device, endless, options=options)
    assert (answer.status, answer.warnings) == (RevocationStatus.GOOD, ("it has no nextUpdate",))


def test_version_1_crls_are_used_with_a_warning(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """`openssl ca -gencrl` without a crlnumber file writes them."""
    crl = raw_der.crl(ca, raw_der.entry(device.serial_number), version=b"", extensions=[])
    answer = verdict(ca, device, crl)
    assert answer.status is RevocationStatus.REVOKED
    assert "version 1" in answer.warnings[0]


@pytest.mark.parametrize("version", [b"", b"\x02\x01\x00"])
def test_version_1_with_extensions_is_read_as_strictly_as_version_2(
    ca: pki.CertificateAuthority, device: x509.Certificate, version: bytes
) -> None:
    """phpseclib, pyOpenSSL, Ruby and jsrsasign write extensions into version 1; PKI.js writes version 1 out."""
    listed = raw_der.entry(device.serial_number, raw_der.reason(1))
    answer = verdict(ca, device, raw_der.crl(ca, listed, version=version))
    assert (answer.status, answer.revocation_reason) == (RevocationStatus.REVOKED, "keyCompromise")
    assert answer.crl is not None
    assert answer.crl.number == 1
    assert any("version 1" in warning for warning in answer.warnings)
    delta = raw_der.extension("deltaCRLIndicator", raw_der.integer(1), critical=True)
    assert verdict(ca, device, raw_der.crl(ca, version=version, extensions=[delta])).reason is Reason.DELTA


def test_a_missing_number_is_a_warning_unless_it_is_required(
    ca: pki.CertificateAuthority, device: x509.Certificate
) -> None:
    """Small CAs leave it out."""
    answer = verdict(ca, device, ca.crl(number=None))
    assert answer.status is RevocationStatus.GOOD
    assert "no CRL number" in answer.warnings[0]
    strict = verdict(ca, device, ca.crl(number=None), options=Options(require_number=True))
    assert strict.reason is Reason.MALFORMED


def test_an_empty_list_is_used_with_a_warning(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """RFC 5280 wants it left out; nothing can hide in it."""
    answer = verdict(ca, device, raw_der.crl(ca, b""))
    assert answer.status is RevocationStatus.GOOD
    assert "empty" in answer.warnings[0]


def test_pem_and_der_are_the_same(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """Text around the block does not matter."""
    loaded = x509.load_der_x509_crl(ca.crl([device.serial_number]))
    pem = loaded.public_bytes(serialization.Encoding.PEM)
    assert verdict(ca, device, b"Certificate Revocation List (CRL):\n" + pem).status is RevocationStatus.REVOKED


def test_every_crl_of_a_bundle_counts(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """The first block is good, the second and newer one lists the certificate, the third is cut off."""
    first, second = (
        x509.load_der_x509_crl(crl).public_bytes(serialization.Encoding.PEM)
        for crl in (ca.crl(), ca.crl([device.serial_number], number=2))
    )
    answer = verdict(ca, device, first + second + first[:60])
    assert answer.status is RevocationStatus.REVOKED
    assert [(each.index, each.reason) for each in answer.skipped] == [(0, Reason.MALFORMED)]


NO_BASIC_CONSTRAINTS: list[tuple[x509.ExtensionType, bool]] = [(pki.ca_key_usage(), True)]
NO_CA: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(ca=False, path_length=None), True)]
NO_CERTIFICATES: list[tuple[x509.ExtensionType, bool]] = [
    (x509.BasicConstraints(ca=True, path_length=0), True),
    (pki.ca_key_usage(key_cert_sign=False), True),
]


@pytest.mark.parametrize("extensions", [NO_BASIC_CONSTRAINTS, NO_CA, NO_CERTIFICATES])
def test_an_issuer_that_is_no_ca_leaves_the_answer_open(extensions: list[tuple[x509.ExtensionType, bool]]) -> None:
    """PKITS 4.5.8: what its own basicConstraints or keyUsage says it is not, it is not."""
    issuer = pki.CertificateAuthority.create(extensions=extensions)
    answer = decide(issuer.issue().certificate, issuer.certificate, [issuer.crl()], at=AT)
    assert (answer.status, answer.reason) == (RevocationStatus.UNDETERMINED, Reason.NOT_CRL_SIGNER)


def test_a_ca_without_key_usage_is_warned_of_and_refused_where_it_is_required() -> None:
    """RFC 10007; AWS's own walk-through makes such CAs."""
    ca = pki.CertificateAuthority.create(extensions=[(x509.BasicConstraints(ca=True, path_length=0), True)])
    device = ca.issue().certificate
    answer = decide(device, ca.certificate, [ca.crl([device.serial_number])], at=AT)
    assert answer.status is RevocationStatus.REVOKED
    assert any("RFC 10007" in warning for warning in answer.warnings)
    strict = decide(device, ca.certificate, [ca.crl()], at=AT, options=Options(require_crl_sign=True))
    assert strict.reason is Reason.NOT_CRL_SIGNER


def test_of_several_crls_in_one_file_those_of_the_issuer_count(
    ca: pki.CertificateAuthority, device: x509.Certificate
) -> None:
    """Puppet writes the leaf CA's and the root's; a source that serves such a file is read, too."""
    other = pki.CertificateAuthority.create("Root CA")
    pems = [armoured(other.crl()), armoured(ca.crl(number=1)), armoured(ca.crl([device.serial_number], number=2))]
    for file in (b"".join(pems), b"".join(reversed(pems))):
        assert verdict(ca, device, file).status is RevocationStatus.REVOKED
        crl = verify_crl(file, ca.certificate, at=AT)
        assert crl.number == 2
        assert any("one file" in warning for warning in crl.warnings)
    with pytest.raises(CrlRefused, match="all issued by other CAs"):
        verify_crl(pems[0] * 2, ca.certificate, at=AT)


def armoured(crl: bytes) -> bytes:
    """Return a CRL in PEM."""
    return x509.load_der_x509_crl(crl).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    "written",
    [
        lambda crl: armoured(crl).replace(b"X509 CRL", b"CRL"),
        lambda crl: b"".join(armoured(crl).splitlines()[1:-1]),
        lambda crl: b"\n".join(armoured(crl).splitlines()[1:-1]) + b"\n",
    ],
    ids=["BEGIN CRL", "bare base64", "bare base64 in lines"],
)
def test_other_armour_is_read_and_warned_of(
    ca: pki.CertificateAuthority, device: x509.Certificate, written: Callable[[bytes], bytes]
) -> None:
    """NSS and @peculiar/x509 write the label, `cfssl gencrl` prints base64 only."""
    answer = verdict(ca, device, written(ca.crl([device.serial_number])))
    assert answer.status is RevocationStatus.REVOKED
    assert any("PEM" in warning for warning in answer.warnings)


PKCS7 = bytes.fromhex("300b06092a864886f70d010702")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (lambda ca: pki.pem(ca.certificate).encode(), "a certificate"),
        (lambda ca: pki.der(ca.certificate), "a certificate"),
        (lambda ca: pki.private_pem(ca.key).encode(), "a private key"),
        (lambda _: b"<!DOCTYPE html><html>not found</html>", "a web page"),
        (lambda ca: gzip.compress(ca.crl()), "gzip"),
        (lambda ca: armoured(ca.crl()).decode().encode("utf-16"), "UTF-16"),
        (lambda _: b"-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n", "PKCS#7"),
        (lambda _: PKCS7, "PKCS#7"),
        (lambda _: b"", "empty"),
    ],
    ids=["certificate", "certificate in DER", "key", "HTML", "gzip", "UTF-16", "PKCS7", "PKCS7 in DER", "nothing"],
)
def test_a_file_that_holds_something_else_is_named(
    ca: pki.CertificateAuthority,
    device: x509.Certificate,
    file: Callable[[pki.CertificateAuthority], bytes],
    words: str,
) -> None:
    """One message for each cause."""
    answer = verdict(ca, device, file(ca))
    assert answer.reason is Reason.MALFORMED
    assert words in answer.skipped[0].message


def test_the_extension_that_is_wrong_is_named(ca: pki.CertificateAuthority, device: x509.Certificate) -> None:
    """By its name, or by its object identifier."""
    unknown = raw_der.extension("unknown", b"x", critical=True)
    assert "1.2.3.4" in verdict(ca, device, raw_der.crl(ca, extensions=[unknown])).message
    assert "1.2.3.4" in verdict(ca, device, raw_der.crl(ca, raw_der.entry(9, unknown))).message
    number = raw_der.extension("cRLNumber", raw_der.integer(1))
    assert "cRLNumber is there twice" in verdict(ca, device, raw_der.crl(ca, extensions=[number, number])).message
