"""The keys of a CA in the fleet file, and of the table that describes a CA which the stack creates."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from jitr.settings import CaStatus, CrlSign, OnExistingThing, ThingNameSource
from jitr_fleet.deployments.deployment import CrlKind, PrivateCaType, Registration
from jitr_fleet.deployments.names import HOST, POLICY_NAME, PORT
from jitr_fleet.files.key import Key

CA_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
PRIVATE_CA_ARN: Final = r"arn:aws[a-z-]*:acm-pca:[a-z0-9-]+:[0-9]{12}:certificate-authority/[0-9a-f-]{36}"
_ARN_SHAPE: Final = "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/…"
# What RFC 3986 allows in path and query; a fragment is never sent, so it would only mislead.
_PATH: Final = r"/[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*"
# A key of the stack's own bucket; the ending tells it from a misspelt word.
OWN_KEY: Final = r"[A-Za-z0-9][A-Za-z0-9._/+=@-]*\.crl"
_S3_OBJECT: Final = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\s*?$]+"
# AWS IoT's own patterns (API reference, CreateThingType, CreateThingGroup and AttributePayload).
_THING_NAME: Final = r"[a-zA-Z0-9:_-]{1,128}"
_ATTRIBUTE_NAME: Final = r"[a-zA-Z0-9_.,@/:#-]{1,128}"
_ATTRIBUTE_VALUE: Final = r"[a-zA-Z0-9_.,@/:#=\[\]-]{1,800}"
# What fits into a distinguished name and needs no escaping in it (RFC 5280 appendix A.1: 64 characters).
_NAME_TEXT: Final = r"[A-Za-z0-9][A-Za-z0-9 .:'()/_-]{0,63}"
_SECONDS_PER_HOUR: Final = 3600
_NAME_SHAPE: Final = "letters, digits, blanks and .:'()/_-, at most 64, the first a letter or digit"

PRIVATE_CA_KEYS: Final = (
    Key(
        name="type",
        about="root: signed by itself; subordinate: signed by its parent",
        required=True,
        choices=tuple(each.value for each in PrivateCaType),
    ),
    Key(
        name="parent",
        about="ARN of the CA that signs a subordinate one; its key is of the same kind, RSA or EC",
        pattern=PRIVATE_CA_ARN,
        shape=_ARN_SHAPE,
    ),
    Key(
        name="common_name",
        about="common name of the CA's subject",
        required=True,
        pattern=_NAME_TEXT,
        shape=_NAME_SHAPE,
    ),
    Key(name="organization", about="organization of the subject", pattern=_NAME_TEXT, shape=_NAME_SHAPE),
    Key(name="organizational_unit", about="organizational unit of the subject", pattern=_NAME_TEXT, shape=_NAME_SHAPE),
    Key(name="country", about="country of the subject", pattern=r"[A-Z]{2}", shape="two capital letters"),
    Key(
        name="key_algorithm",
        about="the CA's key",
        default="EC_prime256v1",
        choices=("EC_prime256v1", "EC_secp384r1", "RSA_2048", "RSA_3072", "RSA_4096"),
    ),
    Key(
        name="validity_years",
        about="how long the CA's certificate is valid; a subordinate one must not outlive its parent",
        kind=int,
        default=10,
        minimum=1,
        maximum=50,
    ),
    Key(
        name="crl",
        about="COMPLETE: one CRL, for up to a million certificates; PARTITIONED: as many CRLs as needed, named in the "
        "certificates",
        default=CrlKind.COMPLETE.value,
        choices=tuple(each.value for each in CrlKind),
    ),
    Key(
        name="crl_days",
        about="how long each CRL is valid; AWS replaces it about half-way",
        kind=int,
        default=7,
        minimum=1,
        maximum=5000,
    ),
)


def _seconds(hours: int | None) -> int | None:
    return None if hours is None else hours * _SECONDS_PER_HOUR


CA_KEYS: Final = (
    Key(
        name="name",
        about="name of the CA in this deployment",
        required=True,
        pattern=CA_NAME,
        shape="letters, digits, _ . and -, at most 64, the first a letter or digit",
    ),
    Key(
        name="formerly",
        about="the name that the CA was first deployed by, after it was renamed; stays as long as the CA does",
        pattern=CA_NAME,
        shape="the CA's first name in this deployment",
    ),
    Key(
        name="certificate",
        about="PEM file with the CA's certificate, relative to the fleet file; required but for a CA in AWS Private CA",
        fills=None,
    ),
    Key(
        name="device",
        about="PEM file with the certificate of one of its devices: synth then sees that this CA signs them, and that "
        "they get in",
        fills=None,
    ),
    Key(
        name="private_ca",
        about="the CA's ARN in AWS Private CA; or a table: the CA that the stack creates there",
        pattern=PRIVATE_CA_ARN,
        shape=f"{_ARN_SHAPE}, or a table",
        keys=PRIVATE_CA_KEYS,
        fills=None,
    ),
    Key(
        name="ca_certificate_id",
        about="the CA's id in AWS IoT, where it is not the SHA-256 fingerprint of the certificate",
        pattern=r"[0-9a-f]{64}",
        shape="64 lower-case hexadecimal digits",
        fills=None,
    ),
    Key(
        name="registration",
        about="SNI_ONLY: the deployment registers the CA; DEFAULT: likewise, with proof of its key; existing: it is "
        "registered already and only managed",
        default=Registration.SNI_ONLY.value,
        choices=tuple(each.value for each in Registration),
        read=Registration,
    ),
    Key(
        name="verification_certificate",
        about="PEM file with the proof that DEFAULT wants, but for a CA in AWS Private CA: `jitr ca csr`, signed",
        fills=None,
    ),
    Key(
        name="status",
        about="INACTIVE stops new devices; retired: no new devices, revocation still enforced",
        default=CaStatus.ACTIVE.value,
        choices=tuple(each.value for each in CaStatus),
        read=CaStatus,
    ),
    Key(
        name="crl",
        about="where the CA's CRL is; a key alone: in the stack's own bucket; cdp: where each certificate's own "
        "distribution points say; none: not checked; required but for a CA that the stack creates",
        pattern=f"none|cdp|{OWN_KEY}|{_S3_OBJECT}|https?://{HOST}(:{PORT})?{_PATH}",
        shape='"s3://bucket/key", "factory-1.crl", "https://host/path", "http://host/path", "cdp", or "none" to spell '
        "out that revocation is not checked",
        fills=None,
    ),
    Key(
        name="crl_max_age_hours",
        about="longest time since thisUpdate that a CRL is trusted for; makes CRLs without nextUpdate usable",
        kind=int,
        minimum=1,
        maximum=8784,
        fills="crl_max_age_seconds",
        read=_seconds,
    ),
    Key(
        name="crl_sign",
        about="required: CRLs of a CA whose certificate has no keyUsage are refused (RFC 10007); if_present: warned of",
        default=CrlSign.IF_PRESENT.value,
        choices=tuple(each.value for each in CrlSign),
        read=CrlSign,
    ),
    Key(
        name="allow_list",
        about="only devices whose serial numbers are on the CA's list (`jitr device allow`) become ACTIVE",
        kind=bool,
        default=False,
    ),
    Key(
        name="policy",
        about="policy template that the CA's devices get: policies/<name>.json",
        default="default",
        pattern=POLICY_NAME,
        shape="the name of a template",
    ),
    Key(
        name="thing_name",
        about="what a device's Thing is named after; off: no Thing",
        default=ThingNameSource.CN.value,
        choices=tuple(each.value for each in ThingNameSource),
        read=ThingNameSource,
    ),
    Key(
        name="on_existing_thing",
        about="refuse: a Thing belongs to its first certificate; replace: same CA and CN, later notBefore, takes over",
        default=OnExistingThing.REFUSE.value,
        choices=tuple(each.value for each in OnExistingThing),
        read=OnExistingThing,
    ),
    Key(
        name="thing_type",
        about="type of the devices' Things",
        pattern=_THING_NAME,
        shape="letters, digits, : _ and -, at most 128",
    ),
    Key(
        name="thing_groups",
        about="static groups that the devices' Things are put into",
        kind=list,
        default=(),
        pattern=_THING_NAME,
        shape="names of letters, digits, : _ and -, at most 128 each",
        read=tuple,
    ),
    Key(
        name="thing_attributes",
        about="attributes of the devices' Things, a table of texts",
        kind=dict,
        default=MappingProxyType({}),
        names=_ATTRIBUTE_NAME,
        pattern=_ATTRIBUTE_VALUE,
        shape="names of letters, digits and _.,@/:#- (at most 128), values of these and =[] (1 to 800)",
        read=dict,
    ),
)
