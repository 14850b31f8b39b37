"""Signing CRLs: what comes out is what the functions and other parsers read, and nothing goes back or gets lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519

from jitr.revocation import CrlRefused, RevocationStatus, decide, verify_crl
from jitr_fleet.issuing.crls import (
    REASON_CODES,
    Revocation,
    SigningCa,
    dropped,
    encode_entries,
    is_hold,
    listed_entries,
    next_number,
    sign_crl,
    verify_may_sign,
    verify_previous,
)
from jitr_fleet.issuing.signers import NotIssued
from jitr_local import pki
from tests.worlds import raw_der

CA = pki.CertificateAuthority.create()
NOW = pki.now()
THEN = datetime(2025, 3, 1, 12, 30, 15, tzinfo=UTC)
POINT = x509.IssuingDistributionPoint(
    full_name=[x509.UniformResourceIdentifier("http://crl.example.com/1.crl")],
    relative_name=None,
    only_contains_user_certs=False,
    only_contains_ca_certs=False,
    only_some_reasons=None,
    indirect_crl=False,
    only_contains_attribute_certs=False,
)


def signed(listed: dict[int, Revocation], ca: pki.CertificateAuthority = CA, *, number: int = 5) -> bytes:
    """Return a CRL of these revocations."""
    entries = encode_entries(listed, at=NOW, known={})
    issuing = SigningCa.of(ca.certificate, ca.key)
    return sign_crl(issuing, entries, number=number, this_update=NOW, next_update=NOW + 7 * pki.DAY).der


@pytest.mark.parametrize("kind", ["RSA-2048", "RSA-3072", "P-256", "P-384"])
def test_what_is_listed_is_revoked_and_nothing_else_is(kind: str) -> None:
    """With each kind of key that is accepted."""
    ca = pki.CertificateAuthority.create(key=kind)
    revoked, good = ca.issue("a"), ca.issue("b")
    crl = signed({revoked.certificate.serial_number: Revocation(reason="keyCompromise", revoked_at=THEN)}, ca)
    verdict = decide(revoked.certificate, ca.certificate, [crl], at=NOW)
    assert (verdict.status, verdict.revocation_reason, verdict.revoked_at) == (
        RevocationStatus.REVOKED,
        "keyCompromise",
        THEN,
    )
    assert decide(good.certificate, ca.certificate, [crl], at=NOW).status is RevocationStatus.GOOD


def test_another_parser_reads_the_same() -> None:
    """Version 2, SHA-256, number, key identifier; entries with reason and invalidity date, in order of serials."""
    serials = [2**159 - 1, 127, 128, 1, 2**64, 255, 256, 0, -5]
    listed = {serial: Revocation() for serial in serials}
    listed[128] = Revocation(reason="certificateHold", revoked_at=THEN)
    listed[255] = Revocation(reason="keyCompromise", revoked_at=THEN, invalid_since=THEN - pki.DAY)
    listed[1] = Revocation(revoked_at=datetime(2050, 1, 1, tzinfo=UTC))
    crl = x509.load_der_x509_crl(signed(listed, number=2**159 - 1))
    assert crl.is_signature_valid(CA.certificate.public_key())  # type: ignore[arg-type]
    assert [each.serial_number for each in crl] == sorted(serials)
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2**159 - 1
    authority = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    subject = CA.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert authority.key_identifier == subject.digest
    assert (crl.last_update_utc, crl.next_update_utc) == (NOW, NOW + 7 * pki.DAY)
    entries = {each.serial_number: each for each in crl}
    hold = entries[128].extensions.get_extension_for_class(x509.CRLReason).value
    since = entries[255].extensions.get_extension_for_class(x509.InvalidityDate).value
    assert (hold.reason, since.invalidity_date_utc) == (x509.ReasonFlags.certificate_hold, THEN - pki.DAY)
    assert entries[1].revocation_date_utc == datetime(2050, 1, 1, tzinfo=UTC)
    assert entries[127].revocation_date_utc == NOW


@pytest.mark.parametrize("reason", sorted(REASON_CODES))
def test_every_reason_is_written_as_its_code(reason: str) -> None:
    """Unspecified is left out, as RFC 5280 section 5.3.1 wants it."""
    crl = verify_crl(signed({7: Revocation(reason=reason)}), CA.certificate, at=NOW)
    entry = crl.find(7)
    assert entry is not None
    assert entry.reason == (None if reason == "unspecified" else reason)


def test_a_crl_that_lists_nothing_has_no_list() -> None:
    """RFC 5280 section 5.1.2.6; so there is no warning about it."""
    assert verify_crl(signed({}), CA.certificate, at=NOW).warnings == ()


def test_a_ca_without_key_identifier_gets_one_from_its_key() -> None:
    """RFC 5280 section 4.2.1.2, method 1."""
    ca = pki.CertificateAuthority.create(extensions=[(x509.BasicConstraints(ca=True, path_length=None), True)])
    crl = x509.load_der_x509_crl(signed({1: Revocation()}, ca))
    expected = x509.SubjectKeyIdentifier.from_public_key(ca.key.public_key()).digest
    assert crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == expected


def test_entries_survive_from_one_crl_to_the_next_byte_for_byte() -> None:
    """Whatever another program wrote into them; of two for one serial the final one stays."""
    hold, final = raw_der.entry(9, raw_der.reason(6)), raw_der.entry(9, raw_der.reason(1))
    odd = raw_der.entry(8, raw_der.extension("unknown", b"\x05\x00"))
    for both in (hold + final, final + hold):
        crl = verify_previous(raw_der.crl(CA, odd + both), CA.certificate)
        assert listed_entries(crl) == {8: odd, 9: final}


def test_a_serial_number_that_looks_like_a_hold_is_none() -> None:
    """The bytes of the reason code inside the serial number mean nothing."""
    serial = int.from_bytes(bytes.fromhex("0603551d1504030a0106"), "big")
    assert not is_hold(raw_der.entry(serial))
    assert is_hold(raw_der.entry(serial, raw_der.reason(6)))


def test_a_bare_serial_keeps_what_was_known_of_it() -> None:
    """Date and reason of the previous CRL; a new one gets today's date."""
    known = {5: raw_der.entry(5, raw_der.reason(1))}
    entries = encode_entries({5: Revocation(), 6: Revocation()}, at=NOW, known=known)
    assert entries[5] == known[5]
    assert entries[6] == raw_der.entry(6, revoked_at=raw_der.utc_time(NOW))
    changed = encode_entries({5: Revocation(revoked_at=THEN, reason="superseded")}, at=NOW, known=known)
    assert changed[5] == raw_der.entry(5, raw_der.reason(4), revoked_at=raw_der.utc_time(THEN))


@pytest.mark.parametrize(
    ("previous", "wanted", "expected"),
    [
        (None, None, int(NOW.timestamp() * 1000)),
        (None, 0, 0),
        (7, None, 8),
        (7, 9, 9),
    ],
    # Named: the first number is the time, and every worker has to collect the same names.
    ids=["none: the time", "none: as asked", "one more", "as asked"],
)
def test_the_number_goes_up(previous: int | None, wanted: int | None, expected: int) -> None:
    """One more than before, or what was asked for."""
    crl = verify_previous(CA.crl(number=previous), CA.certificate) if previous is not None else None
    assert next_number(crl, wanted=wanted, at=NOW) == expected


@pytest.mark.parametrize(("previous", "wanted"), [(7, 7), (7, 6), (2**159 - 1, None), (1, 2**159), (None, -1)])
def test_a_number_that_does_not_go_up_is_refused(previous: int | None, wanted: int | None) -> None:
    """Equal, lower, negative or longer than RFC 5280 allows."""
    crl = verify_previous(CA.crl(number=previous), CA.certificate) if previous is not None else None
    with pytest.raises(NotIssued, match="number"):
        next_number(crl, wanted=wanted, at=NOW)


def test_time_does_not_go_back() -> None:
    """A previous CRL from the future: this computer's clock is wrong."""
    crl = verify_previous(CA.crl(this_update=NOW + pki.DAY), CA.certificate)
    with pytest.raises(NotIssued, match="clock"):
        next_number(crl, wanted=None, at=NOW)


def test_only_expired_or_named_certificates_may_vanish() -> None:
    """Unknown is not expired; at the very second of its end a certificate has expired."""
    expires = {1: NOW - timedelta(days=1), 2: NOW, 3: NOW + timedelta(seconds=1)}
    found = dropped([1, 2, 3, 4, 5, 6], {6: b""}, expires=expires, allowed=frozenset({5}), at=NOW)
    assert found == [3, 4]


def test_an_expired_previous_crl_counts_but_a_forged_one_does_not() -> None:
    """Its entries are what matters, not its age."""
    old = CA.crl([4], this_update=NOW - 90 * pki.DAY, next_update=NOW - 80 * pki.DAY)
    assert list(listed_entries(verify_previous(old, CA.certificate))) == [4]
    with pytest.raises(CrlRefused, match="not signed by the CA's key"):
        verify_previous(pki.CertificateAuthority.create().crl([4]), CA.certificate)


def test_the_scope_of_a_partitioned_crl_is_kept() -> None:
    """The issuing distribution point, critical as it was."""
    before = verify_previous(CA.crl([4], extensions=[(POINT, True)]), CA.certificate)
    assert before.point is not None
    issuing = SigningCa.of(CA.certificate, CA.key)
    crl = sign_crl(
        issuing,
        listed_entries(before),
        number=2,
        this_update=NOW,
        next_update=NOW + pki.DAY,
        point=before.point.der,
    )
    kept = x509.load_der_x509_crl(crl.der).extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert (kept.value, kept.critical) == (POINT, True)


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        (pki.new_key(), "does not belong"),
        (pki.new_key("RSA-2048"), "does not belong"),
        (pki.new_key("RSA-1024"), "1024 bits"),
        (pki.new_key("P-224"), "curve"),
        (ed25519.Ed25519PrivateKey.generate(), "neither RSA nor ECDSA"),
        (None, "neither RSA nor ECDSA"),
    ],
)
def test_a_key_that_cannot_sign_for_the_ca_is_refused(key: object, complaint: str) -> None:
    """Another one's, a weak one, one of another kind."""
    with pytest.raises(NotIssued, match=complaint):
        SigningCa.of(CA.certificate, key)


@pytest.mark.parametrize(
    ("certificate", "complaint"),
    [
        (CA.issue().certificate, "no CA"),
        (pki.CertificateAuthority.create(key_usage=pki.ca_key_usage(crl_sign=False)).certificate, "cRLSign"),
    ],
)
def test_a_certificate_that_may_not_sign_crls_is_refused(certificate: x509.Certificate, complaint: str) -> None:
    """Before anybody is asked for a passphrase."""
    with pytest.raises(NotIssued, match=complaint):
        verify_may_sign(certificate)


def test_a_list_with_broken_entries_is_never_signed_out() -> None:
    """What was made is read again before it is returned."""
    issuing = SigningCa.of(CA.certificate, CA.key)
    for broken in (b"\x30\x00", b"", raw_der.entry(1) * 2):
        with pytest.raises(NotIssued):
            sign_crl(issuing, {1: broken}, number=1, this_update=NOW, next_update=NOW + pki.DAY)
