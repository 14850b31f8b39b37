"""Is this certificate on its CA's CRL? Pure rules: bytes, certificates and a time in, an answer out.

`verify_crl` turns bytes into a CRL that may be kept, `check_fresh` says whether it still speaks, `decide` answers. No
network, no clock of its own, no AWS. docs/revocation.md explains the choices.
"""

from jitr.revocation.crl import VerifiedCrl, check_fresh, verify_crl
from jitr.revocation.crl_fields import read_crl
from jitr.revocation.entries import Entry
from jitr.revocation.pem import split_crls
from jitr.revocation.refusal import CrlRefused, Options
from jitr.revocation.verdict import RevocationStatus, RevocationVerdict, Skipped, decide

__all__ = [
    "CrlRefused",
    "Entry",
    "Options",
    "RevocationStatus",
    "RevocationVerdict",
    "Skipped",
    "VerifiedCrl",
    "check_fresh",
    "decide",
    "read_crl",
    "split_crls",
    "verify_crl",
]
