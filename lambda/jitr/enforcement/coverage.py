"""Whether the CRLs in use speak for a certificate, by what its registry row keeps of its distribution points."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from jitr.certificates import AnyCertificate, Certificate
from jitr.certificates.names import comparable_name
from jitr.crls.sources import HTTP_SCHEMES, named_locations
from jitr.registry.facts import NO_POINTS, point_text
from jitr.revocation import VerifiedCrl


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What covers a CA's certificates: `texts` are the names (facts.py) that its CRL is tied to, None for all.

    `watched` are the addresses that enforcement looks at, where it is the certificates that name them.
    """

    texts: frozenset[str] | None = None
    watched: frozenset[str] | None = None
    own_bucket: str = ""
    hosts: frozenset[str] = frozenset()

    def covers(self, points: Collection[str]) -> bool:
        """Return whether a row with these distribution points is covered; rows that have none yet count as covered."""
        if not points:
            return True
        if self.watched is not None:
            return bool(self.watched.intersection(named_locations(tuple(points), self.own_bucket, self.hosts)))
        return self.texts is None or bool(self.texts.intersection(points))


EVERYTHING = Coverage()


@dataclass(frozen=True, kw_only=True)
class WatchedCa:
    """A CA as the passes need it: its certificate, what its CRLs cover, how many of its devices were ACTIVE."""

    ca_certificate_id: str
    certificate: AnyCertificate
    coverage: Coverage
    active: int


def coverage_of(crl: VerifiedCrl, ca: AnyCertificate, source: str) -> Coverage:
    """Return what the CRL at a configured address covers (RFC 5280 section 6.3.3 (b)(2)), as in activation.

    A certificate without distribution points has its issuer's name as one, and the configured URL.
    """
    if crl.point is None or (crl.point.names is None and not crl.point.only_cas):
        return EVERYTHING
    if crl.point.only_cas or crl.point.names is None:
        return Coverage(texts=frozenset())
    texts = {point_text(name) for name in crl.point.names}
    implied = {point_text(("directory", comparable_name(Certificate.of(ca).subject)))}
    if source.startswith(HTTP_SCHEMES):
        implied.add(source)
    if texts & implied:
        texts.add(NO_POINTS)
    return Coverage(texts=frozenset(texts))
