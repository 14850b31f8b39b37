"""What a CRL says about itself, and whether that is something that we understand: RFC 5280 sections 5.1 to 5.3."""

from __future__ import annotations

from dataclasses import dataclass

from jitr.certificates import der
from jitr.certificates import extensions as ext
from jitr.errors import Reason
from jitr.revocation.crl_fields import CrlFields
from jitr.revocation.entries import EntryIndex, index_entries
from jitr.revocation.refusal import DEFAULT_OPTIONS, CrlRefused, Options
from jitr.revocation.scope import IssuingDistributionPoint, read_issuing_distribution_point

_LONGEST_NUMBER = 20  # octets, RFC 5280 section 5.2.3
_KNOWN = frozenset({ext.CRL_NUMBER, ext.ISSUING_DISTRIBUTION_POINT, ext.AUTHORITY_KEY_IDENTIFIER})


@dataclass(frozen=True, kw_only=True)
class CrlProfile:
    """What a CRL says about itself, and its checked entries; `point` is None where it covers all certificates."""

    number: int | None
    point: IssuingDistributionPoint | None
    warnings: tuple[str, ...]
    entries: EntryIndex


def check_profile(fields: CrlFields, options: Options = DEFAULT_OPTIONS) -> CrlProfile:
    """Check what a CRL says about itself, then every entry: RFC 5280 sections 5.1 to 5.3.

    Raises DerError or CrlRefused (delta, malformed, indirect, reasons, out_of_scope, unknown_critical). Not checked:
    who signed it and whether it is fresh.
    """
    if ext.DELTA_CRL_INDICATOR in fields.extensions:
        raise CrlRefused(Reason.DELTA, "it is a delta CRL: it lists changes only")
    number = crl_number(fields)
    if number is None and options.require_number:
        raise CrlRefused(Reason.MALFORMED, "it has no CRL number, which is required here")
    point = None
    if (extension := fields.extensions.get(ext.ISSUING_DISTRIBUTION_POINT)) is not None:
        point = read_issuing_distribution_point(extension.value, fields.issuer)
    if unknown := ext.critical_beside(fields.extensions, _KNOWN):
        raise CrlRefused(Reason.UNKNOWN_CRITICAL, f"it has an unknown critical extension ({unknown})")
    if fields.next_update is not None and fields.next_update < fields.this_update:
        raise der.DerError("its nextUpdate lies before its thisUpdate")
    start, end = fields.entries or (0, 0)
    entries = index_entries(fields.der, start, end)
    return CrlProfile(number=number, point=point, warnings=(*_warnings(fields), *entries.warnings), entries=entries)


def crl_number(fields: CrlFields) -> int | None:
    """Return the cRLNumber, None where there is none; raises DerError unless it is as RFC 5280 section 5.2.3 says."""
    if (extension := fields.extensions.get(ext.CRL_NUMBER)) is None:
        return None
    element = der.only(extension.value, 0, len(extension.value), der.INTEGER)
    number = der.integer(extension.value, element)
    if extension.critical or number < 0 or element.end - element.body > _LONGEST_NUMBER:
        raise der.DerError("a CRL number that is critical, negative or too long")
    return number


def _warnings(fields: CrlFields) -> tuple[str, ...]:
    """Return what is unusual about a CRL that is usable all the same."""
    found = []
    if fields.version == 1 and fields.extensions:
        found.append("it says that it is a version 1 CRL, which has no extensions, but it has some")
    if fields.version == 1 and fields.version_written:
        found.append("it writes out version 1, which is the default")
    if fields.version == 1 and not fields.extensions:
        found.append("it is a version 1 CRL: it has no extensions, so an older copy is harder to tell from a newer one")
    elif ext.CRL_NUMBER not in fields.extensions:
        found.append("it has no CRL number, so an older copy is harder to tell from a newer one")
    if fields.entries is not None and fields.entries[0] == fields.entries[1]:
        found.append("its list of entries is there but empty; RFC 5280 wants it left out")
    if ext.FRESHEST_CRL in fields.extensions:
        found.append("it points to delta CRLs, which are not used: revocations are seen with the next complete CRL")
    if fields.next_update is None:
        found.append("it has no nextUpdate")
    return tuple(found)
