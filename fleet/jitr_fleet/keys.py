"""The keys of the fleet file, as data: reading checks against them, and the JSON Schema for editors is made of them.

Rules that need other files or other keys (certificates, templates, duplicates) are not here but in fleet_file.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jitr.settings import CaStatus, OnExistingThing, ThingNameSource
from jitr_fleet.deployment import Registration

# What CloudWatch Logs accepts as retention (API reference, PutRetentionPolicy).
_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180)
_YEARS: Final = (365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
_HOST: Final = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+"
# 1 to 65535.
_PORT: Final = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
# What RFC 3986 allows in path and query; a fragment is never sent, so it would only mislead.
_PATH: Final = r"/[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*"
_S3_OBJECT: Final = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\s*?$]+"


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key: its kind (`str`, `int`, `bool` is refused, `list` of texts), and what its value may be.

    `pattern` is a regular expression for the whole text (for each text of a list) and `shape` says it in words.
    `choices` are all the values there are, beside integers from `minimum` on where that is given too. `later` names
    values that are valid words of the format, but not available yet: pattern → what to say.
    """

    name: str
    about: str
    kind: type = str
    required: bool = False
    default: Any = None
    pattern: str | None = None
    shape: str = ""
    choices: tuple[Any, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    later: Mapping[str, str] = field(default_factory=dict)


DEPLOYMENT_NAME: Final = r"[a-z][a-z0-9-]{0,23}"
DEPLOYMENT_NAME_SHAPE: Final = "a lower-case letter, then up to 23 lower-case letters, digits or hyphens"
CA_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
# AWS IoT's own pattern for policy names (API reference, CreatePolicy), less what the prefix takes.
POLICY_NAME: Final = r"[A-Za-z0-9_+=,.@-]{1,98}"

DEPLOYMENT_KEYS: Final = (
    Key(
        name="account",
        about="AWS account id",
        required=True,
        pattern=r"[0-9]{12}",
        shape="12 digits in quotes",
    ),
    Key(
        name="region",
        about="AWS Region",
        required=True,
        pattern=r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}",
        shape='an AWS Region such as "eu-west-1"',
    ),
    Key(
        name="ingestion",
        about="how events reach the function: the rule invokes it",
        default="direct",
        choices=("direct",),
        later={"queue": '"queue" is not available yet (from issue E on)'},
    ),
    Key(
        name="crl_hosts",
        about="hosts that CRLs may be fetched from, besides the stack's CRL bucket",
        kind=list,
        default=(),
        pattern=f"{_HOST}(:{_PORT})?",
        shape="host names in lower case, with :port where it is not the scheme's own, without scheme or path",
    ),
    Key(
        name="crl_publishers",
        about="roles that may write CRLs into the stack's CRL bucket",
        kind=list,
        default=(),
        pattern=r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}",
        shape="ARNs of roles (arn:aws:iam::111122223333:role/name), no wildcards",
    ),
    Key(
        name="alarm_email",
        about="address that the alarm topic is subscribed with; AWS asks it to confirm",
        pattern=r"[^@\s]+@[^@\s]+\.[^@\s]+",
        shape="an e-mail address",
    ),
    Key(
        name="api_tps",
        about="the account's quota of AWS IoT API calls a second (the lowest of DescribeCertificate, "
        "UpdateCertificate and AttachPolicy)",
        kind=int,
        default=10,
        minimum=1,
    ),
    Key(
        name="activation_share",
        about="percent of api_tps that activation may use",
        kind=int,
        default=60,
        minimum=1,
        maximum=100,
    ),
    Key(
        name="enforcement_share",
        about="percent of api_tps that switching off revoked devices may use",
        kind=int,
        default=30,
        minimum=1,
        maximum=100,
    ),
    Key(
        name="bulk_share",
        about="percent of api_tps that operators' bulk work may use",
        kind=int,
        default=10,
        minimum=1,
        maximum=100,
    ),
    Key(
        name="enforcement_minutes",
        about="minutes from one look at every CRL to the next; one put into the stack's CRL bucket counts at once",
        kind=int,
        default=5,
        minimum=1,
        maximum=60,
    ),
    Key(
        name="reserved_concurrency",
        about='concurrent executions that activation reserves, beside one for enforcement: "auto" derives them from '
        'api_tps, "off" reserves none for either',
        kind=int,
        default="auto",
        choices=("auto", "off"),
        minimum=1,
    ),
    Key(
        name="log_retention_days",
        about="how many days the functions' logs are kept",
        kind=int,
        default=90,
        choices=(*_DAYS, *_YEARS),
    ),
    Key(
        name="policies",
        about="folder with the policy templates, relative to the fleet file",
        default="policies",
    ),
)

CA_KEYS: Final = (
    Key(
        name="name",
        about="name of the CA in this deployment",
        required=True,
        pattern=CA_NAME,
        shape="letters, digits, _ . and -, at most 64, the first a letter or digit",
    ),
    Key(
        name="certificate",
        about="PEM file with the CA's certificate, relative to the fleet file",
        required=True,
    ),
    Key(
        name="ca_certificate_id",
        about="the CA's id in AWS IoT, where it is not the SHA-256 fingerprint of the certificate",
        pattern=r"[0-9a-f]{64}",
        shape="64 lower-case hexadecimal digits",
    ),
    Key(
        name="registration",
        about="SNI_ONLY: the deployment registers the CA; existing: it is registered already and only managed",
        default=Registration.SNI_ONLY.value,
        choices=tuple(each.value for each in Registration),
        later={
            "DEFAULT": '"DEFAULT" (with verification certificate) is not available yet; register the CA by other '
            'means and say registration = "existing"'
        },
    ),
    Key(
        name="status",
        about="INACTIVE stops new devices; retired: no new devices, revocation still enforced",
        default=CaStatus.ACTIVE.value,
        choices=tuple(each.value for each in CaStatus),
    ),
    Key(
        name="crl",
        about="where the CA's CRL is; cdp: where each certificate's own distribution points say; none: not checked",
        required=True,
        pattern=f"none|cdp|{_S3_OBJECT}|https?://{_HOST}(:{_PORT})?{_PATH}",
        shape='"s3://bucket/key", "https://host/path", "http://host/path", "cdp", or "none" to spell out that '
        "revocation is not checked",
    ),
    Key(
        name="crl_max_age_hours",
        about="longest time since thisUpdate that a CRL is trusted for; makes CRLs without nextUpdate usable",
        kind=int,
        minimum=1,
        maximum=8784,
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
    ),
    Key(
        name="on_existing_thing",
        about="refuse: a Thing belongs to its first certificate; replace: same CA and CN, later notBefore, takes over",
        default=OnExistingThing.REFUSE.value,
        choices=tuple(each.value for each in OnExistingThing),
    ),
)
