"""Which certificates a CRL speaks for: partitions, roles, and what stands for a distribution point."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from cryptography import x509

from jitr.errors import Reason
from jitr.revocation import Options, RevocationStatus, RevocationVerdict, decide
from jitr_local import pki
from tests.worlds import raw_der

HERE = "http://crl.example.com/crl/1.crl"
THERE = "http://crl.example.com/crl/2.crl"
GOOD, OUT = (RevocationStatus.GOOD, None), (RevocationStatus.UNDETERMINED, Reason.OUT_OF_SCOPE)
CA = pki.CertificateAuthority.create()
ISSUER = CA.certificate.subject


def uri(*urls: str) -> list[x509.GeneralName]:
    """Return URLs as general names."""
    return [x509.UniformResourceIdentifier(url) for url in urls]


def point(
    names: list[x509.GeneralName] | None = None,
    *,
    relative: x509.RelativeDistinguishedName | None = None,
    reasons: frozenset[x509.ReasonFlags] | None = None,
    crl_issuer: list[x509.GeneralName] | None = None,
) -> x509.DistributionPoint:
    """Return one distribution point of a certificate."""
    return x509.DistributionPoint(full_name=names, relative_name=relative, reasons=reasons, crl_issuer=crl_issuer)


def device(*points: x509.DistributionPoint, ca: bool | None = None, serial: int | None = None) -> x509.Certificate:
    """Return a certificate with these distribution points; `ca` adds basicConstraints."""
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if points:
        extensions.append((x509.CRLDistributionPoints(points), False))
    if ca is not None:
        extensions.append((x509.BasicConstraints(ca=ca, path_length=None), True))
    return CA.issue(extensions=extensions, serial=serial).certificate


def crl(
    names: Iterable[x509.GeneralName] | None = None,
    *,
    relative: x509.RelativeDistinguishedName | None = None,
    users: bool = False,
    cas: bool = False,
    revoked: Iterable[int] = (),
    number: int = 1,
    critical: bool = True,
) -> bytes:
    """Return a CRL with this issuing distribution point."""
    scope = x509.IssuingDistributionPoint(
        full_name=names,
        relative_name=relative,
        only_contains_user_certs=users,
        only_contains_ca_certs=cas,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    return CA.crl(revoked, number=number, extensions=[(scope, critical)])


def decided(certificate: x509.Certificate, *crls: bytes, options: Options | None = None) -> RevocationVerdict:
    """Return the verdict of this module's CA."""
    return decide(certificate, CA.certificate, crls, at=pki.now(), options=options or Options())


RDN = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Partition 1")])
PARTITION = x509.Name([*ISSUER.rdns, RDN])
SHOUTED = x509.Name(
    [
        *ISSUER.rdns[:-1],
        x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "FACTORY   ca 1")]),
    ]
)

MATCHES = [
    ("the certificate's point", device(point(uri(HERE))), crl(uri(HERE)), GOOD),
    ("another point", device(point(uri(THERE))), crl(uri(HERE)), OUT),
    ("a point that is longer", device(point(uri(HERE + "?"))), crl(uri(HERE)), OUT),
    ("a point in other letters", device(point(uri(HERE.upper()))), crl(uri(HERE)), OUT),
    ("the second point", device(point(uri(THERE)), point(uri(HERE))), crl(uri(HERE)), GOOD),
    ("the second name of a point", device(point(uri(THERE, HERE))), crl(uri(HERE)), GOOD),
    ("the CRL's second name", device(point(uri(HERE))), crl(uri(THERE, HERE)), GOOD),
    ("a CRL whose scope is not critical", device(point(uri(THERE))), crl(uri(HERE), critical=False), OUT),
    ("a point for some reasons",
     device(point(uri(HERE), reasons=frozenset({x509.ReasonFlags.key_compromise}))), crl(uri(HERE)), OUT),
    ("a point of another CRL issuer", device(point(uri(HERE), crl_issuer=[x509.DirectoryName(PARTITION)])),
     crl(uri(HERE)), OUT),
    ("a point that is a CRL issuer only", device(point(crl_issuer=[x509.DirectoryName(ISSUER)])), crl(uri(HERE)), OUT),
    ("a point by directory name", device(point([x509.DirectoryName(PARTITION)])),
     crl([x509.DirectoryName(PARTITION)]), GOOD),
    ("another directory name", device(point([x509.DirectoryName(ISSUER)])), crl([x509.DirectoryName(PARTITION)]), OUT),
    ("a point relative to the issuer", device(point(relative=RDN)), crl(relative=RDN), GOOD),
    ("relative and full name of one point", device(point([x509.DirectoryName(PARTITION)])), crl(relative=RDN), GOOD),
    ("names of other kinds", device(point([x509.DNSName("a.example")])), crl([x509.DNSName("a.example")]), OUT),
    ("no point and a CRL with a URL", device(), crl(uri(HERE)), OUT),
    ("no point and a CRL named for its issuer", device(), crl([x509.DirectoryName(ISSUER)]), GOOD),
    ("no point and the issuer in other letters", device(), crl([x509.DirectoryName(SHOUTED)]), GOOD),
    ("points and a CRL named for its issuer", device(point(uri(HERE))), crl([x509.DirectoryName(ISSUER)]), OUT),
    ("points and a CRL for everything", device(point(uri(HERE))), CA.crl(), GOOD),
    ("an end-entity certificate, users only", device(ca=False), crl(users=True), GOOD),
    ("a certificate without constraints, users only", device(), crl(users=True), GOOD),
    ("a CA certificate, users only", device(ca=True), crl(users=True), OUT),
    ("a CA certificate, CAs only", device(ca=True), crl(cas=True), GOOD),
    ("an end-entity certificate, CAs only", device(ca=False), crl(cas=True), OUT),
]  # fmt: skip


@pytest.mark.parametrize(("case", "certificate", "listed", "expected"), MATCHES, ids=[case for case, *_ in MATCHES])
def test_a_crl_speaks_for_certificates_of_its_scope(
    case: str, certificate: x509.Certificate, listed: bytes, expected: tuple[RevocationStatus, Reason | None]
) -> None:
    """Names match octet for octet, over every point; roles by basicConstraints."""
    answer = decided(certificate, listed)
    assert (answer.status, answer.reason) == expected


def test_the_partition_of_the_certificate_decides() -> None:
    """Revoked in the matching partition; good in another, newer one does not count."""
    certificate = device(point(uri(HERE)))
    answer = decided(certificate, crl(uri(THERE), number=9), crl(uri(HERE), revoked=[certificate.serial_number]))
    assert answer.status is RevocationStatus.REVOKED
    assert [each.reason for each in answer.skipped] == [Reason.OUT_OF_SCOPE]


def test_a_listing_in_another_partition_does_not_count() -> None:
    """The CRL says nothing about certificates outside its scope."""
    certificate = device(point(uri(HERE)))
    assert decided(certificate, crl(uri(THERE), revoked=[certificate.serial_number])).reason is Reason.OUT_OF_SCOPE


def test_a_configured_url_stands_for_a_missing_point_only() -> None:
    """Step CAs name a URL in the CRL and none in certificates; a certificate that names another is not theirs."""
    options = Options(distribution_points=(HERE,))
    assert decided(device(), crl(uri(HERE)), options=options).status is RevocationStatus.GOOD
    assert decided(device(point(uri(THERE))), crl(uri(HERE)), options=options).reason is Reason.OUT_OF_SCOPE


def loaded(serial: int, *extensions: bytes, version: bytes = b"\xa0\x03\x02\x01\x02") -> x509.Certificate:
    """Return a certificate assembled byte by byte."""
    return x509.load_der_x509_certificate(raw_der.certificate(CA, serial, *extensions, version=version))


def test_a_version_1_certificate_needs_a_crl_that_covers_everything() -> None:
    """It does not say whether it is a CA; plain `openssl x509 -req` writes such certificates."""
    plain = loaded(5, version=b"")
    assert decided(plain, CA.crl()).status is RevocationStatus.GOOD
    assert decided(plain, CA.crl([5])).status is RevocationStatus.REVOKED
    assert decided(plain, crl(users=True)).reason is Reason.OUT_OF_SCOPE


def test_a_written_out_false_in_basic_constraints_does_not_matter() -> None:
    """Such certificates are common, no DER, and break strict parsers; they are end-entity certificates."""
    written_out = loaded(5, raw_der.extension("basicConstraints", raw_der.sequence(b"\x01\x01\x00")))
    with pytest.raises(ValueError, match="EncodedDefault"):
        _ = written_out.extensions
    assert decided(written_out, CA.crl()).status is RevocationStatus.GOOD
    assert decided(written_out, crl(users=True)).status is RevocationStatus.GOOD


def test_extensions_that_cannot_be_read_matter_only_where_they_are_needed() -> None:
    """A CRL for everything decides; one for a distribution point cannot."""
    broken = loaded(5, raw_der.extension("cRLDistributionPoints", b"\x30\x05\x00"))
    assert decided(broken, CA.crl()).status is RevocationStatus.GOOD
    assert decided(broken, crl(uri(HERE))).reason is Reason.OUT_OF_SCOPE


def test_names_that_have_no_meaning_here_are_no_reason_to_fail() -> None:
    """EDIPartyName and otherName in both places: nothing matches, nothing breaks (CVE-2020-1971)."""
    names = raw_der.tlv(
        0xA0, raw_der.tlv(0xA0, raw_der.tlv(0xA5, b"\xa1\x03\x0c\x01x"), raw_der.tlv(0xA0, b"\x06\x00"))
    )
    certificate = loaded(5, raw_der.extension("cRLDistributionPoints", raw_der.sequence(raw_der.sequence(names))))
    scope = raw_der.extension("issuingDistributionPoint", raw_der.sequence(names), critical=True)
    assert decided(certificate, raw_der.crl(CA, extensions=[scope])).reason is Reason.OUT_OF_SCOPE


NAMES = [
    ("other letters", pki.name("FACTORY ca 1"), True),
    ("more spaces", pki.name("  Factory   CA  1 "), True),
    ("another word", pki.name("Factory CA 11"), False),
    ("an attribute less", pki.name(None), False),
]


@pytest.mark.parametrize(("case", "issuer", "same"), NAMES, ids=[case for case, _, _ in NAMES])
def test_issuer_names_are_compared_by_their_characters(case: str, issuer: x509.Name, same: bool) -> None:
    """RFC 5280 section 7.1, in the certificate and in the CRL."""
    certificate = CA.issue(issuer=issuer).certificate
    expected = RevocationStatus.GOOD if same else RevocationStatus.UNDETERMINED
    assert decided(certificate, CA.crl()).status is expected
    assert decided(CA.issue().certificate, CA.crl(issuer=issuer)).status is expected


def test_printable_and_utf8_strings_are_the_same_name() -> None:
    """CAs change the encoding of their own name between renewals."""
    printable = pki.CertificateAuthority.create().certificate.subject.public_bytes().replace(b"\x0c\x0c", b"\x13\x0c")
    assert b"\x13\x0cFactory CA 1" in printable
    assert decided(CA.issue().certificate, raw_der.crl(CA, issuer=printable)).status is RevocationStatus.GOOD
