"""Which certificates a CRL speaks for: its issuing distribution point against the certificate's distribution points.

RFC 5280 section 6.3.3 (b)(2), narrowed: CRLs for some reasons only, indirect ones and those for attribute certificates
are refused altogether, and distribution point names match as URI (octet for octet) or as directoryName.
"""

from __future__ import annotations

from dataclasses import dataclass

from jitr.certificates import extensions as ext
from jitr.certificates.certificate import Certificate
from jitr.certificates.der import SEQUENCE, DerError, Tlv, boolean, content, elements, only, read
from jitr.certificates.names import ComparableName, comparable_name, comparable_rdn
from jitr.errors import Reason
from jitr.revocation.refusal import CrlRefused, Options

_POINT, _ONLY_USERS, _ONLY_CAS, _ONLY_SOME_REASONS, _INDIRECT, _ONLY_ATTRIBUTES = 0xA0, 0x81, 0x82, 0x83, 0x84, 0x85
_FULL_NAME, _RELATIVE_NAME = 0xA0, 0xA1
_URI, _DIRECTORY_NAME = 0x86, 0xA4

PointName = tuple[str, bytes | ComparableName]


@dataclass(frozen=True, kw_only=True)
class IssuingDistributionPoint:
    """A CRL's scope: `names` is None where the CRL is not tied to a distribution point."""

    der: bytes
    names: frozenset[PointName] | None
    only_users: bool
    only_cas: bool

    @property
    def uris(self) -> tuple[str, ...]:
        """The names that are URIs, for people to read."""
        return tuple(sorted(str(name[1], "latin-1") for name in self.names or () if isinstance(name[1], bytes)))


def read_issuing_distribution_point(value: bytes, issuer: bytes) -> IssuingDistributionPoint:
    """Read the extension of a CRL of `issuer`.

    Raises DerError or CrlRefused (`indirect`, `reasons`, `out_of_scope`).
    """
    outer = only(value, 0, len(value), SEQUENCE)
    fields = {element.tag: element for element in elements(value, outer.body, outer.end)}
    known = (_POINT, _ONLY_USERS, _ONLY_CAS, _ONLY_SOME_REASONS, _INDIRECT, _ONLY_ATTRIBUTES)
    if not fields or [element.tag for element in elements(value, outer.body, outer.end)] != [
        tag for tag in known if tag in fields
    ]:
        raise DerError("an issuing distribution point that is empty, out of order or has unknown fields")
    flags = {tag for tag in (_ONLY_USERS, _ONLY_CAS, _INDIRECT, _ONLY_ATTRIBUTES) if tag in fields}
    if not all(boolean(value, fields[tag]) for tag in flags):
        raise DerError("an issuing distribution point with a default value written out")
    names = _point_names(value, fields[_POINT], issuer) if _POINT in fields else None
    if _INDIRECT in flags:
        raise CrlRefused(Reason.INDIRECT, "it is an indirect CRL: it may list certificates of other issuers")
    if _ONLY_SOME_REASONS in fields:
        raise CrlRefused(Reason.REASONS, "it covers some revocation reasons only")
    if _ONLY_ATTRIBUTES in flags:
        raise CrlRefused(Reason.OUT_OF_SCOPE, "it covers attribute certificates only")
    if {_ONLY_USERS, _ONLY_CAS} <= flags:
        raise DerError("an issuing distribution point that excludes every certificate")
    return IssuingDistributionPoint(
        der=value, names=names, only_users=_ONLY_USERS in flags, only_cas=_ONLY_CAS in flags
    )


def check_scope(point: IssuingDistributionPoint | None, certificate: Certificate, *, options: Options) -> None:
    """Check that a CRL with this issuing distribution point speaks for the certificate.

    Raises CrlRefused (`out_of_scope`), also where the certificate's extensions cannot be read and would matter.
    """
    if point is None:
        return
    try:
        if point.only_users or point.only_cas:
            _check_role(point, certificate)
        names = certificate_point_names(certificate, options=options) if point.names is not None else frozenset()
    except DerError as error:
        raise CrlRefused(Reason.OUT_OF_SCOPE, f"the certificate does not say what it needs: {error}") from error
    if point.names is not None and not point.names & names:
        raise CrlRefused(Reason.OUT_OF_SCOPE, "it is for another distribution point than the certificate's")


def certificate_point_names(certificate: Certificate, *, options: Options) -> frozenset[PointName]:
    """Return the names of a certificate's distribution points; raises DerError.

    Points that name a cRLIssuer or some reasons only do not count. A certificate without the extension has the implied
    point of section 6.3.3's last paragraph, its issuer's name, and those that the operator configured for the CA.
    """
    extension = certificate.extension(ext.CRL_DISTRIBUTION_POINTS)
    if extension is None:
        configured = {("uri", url.encode("utf-8")) for url in options.distribution_points}
        return frozenset({("directory", comparable_name(certificate.issuer)), *configured})
    value = extension.value
    outer = only(value, 0, len(value), SEQUENCE)
    names: set[PointName] = set()
    for point in elements(value, outer.body, outer.end):
        if point.tag != SEQUENCE:
            raise DerError("a distribution point of another kind")
        fields = list(elements(value, point.body, point.end))
        if [field.tag for field in fields] == [_POINT]:
            names |= _point_names(value, fields[0], certificate.issuer)
    return frozenset(names)


def _check_role(point: IssuingDistributionPoint, certificate: Certificate) -> None:
    if certificate.version < 3:  # noqa: PLR2004 - X.509 version: earlier ones do not say whether they are a CA
        raise CrlRefused(Reason.OUT_OF_SCOPE, "it tells CAs from devices, which a version 1 certificate does not say")
    if point.only_users and certificate.is_ca:
        raise CrlRefused(Reason.OUT_OF_SCOPE, "it covers end-entity certificates only, and this is a CA certificate")
    if point.only_cas and not certificate.is_ca:
        raise CrlRefused(Reason.OUT_OF_SCOPE, "it covers CA certificates only")


def _point_names(value: bytes, point: Tlv, issuer: bytes) -> frozenset[PointName]:
    """Return the comparable names of a DistributionPointName; names of other kinds match nothing."""
    choice = read(value, point.body, point.end)
    if choice.end != point.end or choice.tag not in (_FULL_NAME, _RELATIVE_NAME) or choice.body == choice.end:
        raise DerError("a distribution point without exactly one kind of name")
    if choice.tag == _RELATIVE_NAME:
        return frozenset({("directory", (*comparable_name(issuer), comparable_rdn(value, choice)))})
    names: set[PointName] = set()
    for name in elements(value, choice.body, choice.end):
        if name.tag == _URI:
            names.add(("uri", content(value, name)))
        elif name.tag == _DIRECTORY_NAME:
            names.add(("directory", comparable_name(content(value, name))))
    return frozenset(names)
