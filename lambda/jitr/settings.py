"""What the functions are told: the configuration in their bundle and the deploy-time values in their environment.

The configuration (CAs, policies) is a file in the bundle, so what was reviewed is what runs. Only values that are
known no sooner than at deploy come by environment variable. Both are written by infra and read by the handlers
through the same two classes, so that neither side spells a key twice.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, get_origin, get_type_hints

CONFIGURATION_FILE = "jitr-configuration.json"
PRIVATE_CAS_VARIABLE = "JITR_PRIVATE_CAS"
POLICY_NAME_PREFIX = "jitr"
# The attribute by which a Thing belongs to one certificate; CreateThing with it makes it so.
CERTIFICATE_ATTRIBUTE = "certificate_id"
# How long a template's name may be to fit into the name of a device's own policy, which AWS IoT limits to 128
# characters: the prefix, the longest deployment name, the certificate's id and two dots take the other 95.
_LONGEST_IN_DEVICE_POLICY = 33
_CA_CERTIFICATE_ID = re.compile(r"[0-9a-f]{64}")


class Mode(StrEnum):
    """Whether a deployment acts on what it decides, or only says so."""

    ACTIVATE = "activate"
    OBSERVE = "observe"


class CaStatus(StrEnum):
    """What the fleet file wants of a CA."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    RETIRED = "retired"


class ThingNameSource(StrEnum):
    """Where a device's Thing name comes from."""

    CN = "cn"
    SERIAL = "serial"
    CERTIFICATE_ID = "certificate_id"
    OFF = "off"


class OnExistingThing(StrEnum):
    """What happens when the Thing already belongs to another certificate."""

    REFUSE = "refuse"
    REPLACE = "replace"


class CrlSign(StrEnum):
    """Whether the CA's certificate has to say that it may sign CRLs (keyUsage with cRLSign, RFC 10007)."""

    IF_PRESENT = "if_present"
    REQUIRED = "required"


@dataclass(frozen=True, kw_only=True)
class CaSettings:
    """What deploy and functions say of one CA: `certificate` is PEM (empty if adopted), `crl` a source (crls/sources).

    `crl_max_age_seconds` bounds a CRL's age since thisUpdate and makes one without nextUpdate usable; None: no bound.
    `crl_sign` says whether a CA certificate without keyUsage may sign CRLs. `allow_list` lets only those in whose
    serial numbers the state table names. `thing_type`, `thing_groups` and `thing_attributes` are what the Things of
    its devices get.

    A field added here, and its key in the fleet file (fleet_file/ca_keys.py), is all that a new setting needs: reading
    the fleet file, the configuration in the bundle and the editor's schema follow from the two.

    Not checked here: the fleet file module checks what people write, and infra writes only what passed there.
    """

    name: str
    ca_certificate_id: str
    certificate: str
    crl: str
    policy: str
    status: CaStatus = CaStatus.ACTIVE
    thing_name: ThingNameSource = ThingNameSource.CN
    on_existing_thing: OnExistingThing = OnExistingThing.REFUSE
    crl_max_age_seconds: int | None = None
    crl_sign: CrlSign = CrlSign.IF_PRESENT
    allow_list: bool = False
    thing_type: str | None = None
    thing_groups: tuple[str, ...] = ()
    thing_attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def crl_max_age(self) -> timedelta | None:
        """Return the bound on the age of its CRLs."""
        return None if self.crl_max_age_seconds is None else timedelta(seconds=self.crl_max_age_seconds)

    @property
    def requires_crl_sign(self) -> bool:
        """Return whether CRLs of a CA whose certificate has no keyUsage are refused."""
        return self.crl_sign is CrlSign.REQUIRED


@dataclass(frozen=True, kw_only=True)
class ManagedCa(CaSettings):
    """One CA under management, as the functions read it from their bundle.

    `known_at_deploy` is a CA in AWS Private CA whose certificate no file holds: its id, and where `crl` is empty that
    too, come by environment variable, and its id is the fingerprint that AWS IoT's certificate has to have.
    """

    known_at_deploy: bool = False

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> ManagedCa:
        """Read what JSON left of one; raises ValueError, KeyError or TypeError on anything else."""
        if "status" not in values:
            # What is missing must not become ACTIVE.
            raise KeyError("status")
        kinds = get_type_hints(cls)
        return cls(**{name: _of_kind(kinds.get(name), value) for name, value in values.items()})


def _of_kind(kind: object, value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Return a value of JSON as the field of this kind holds it; raises ValueError for no such choice."""
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    return tuple(value) if get_origin(kind) is tuple else value


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The reviewed part: CAs, policy templates by name (their text), hosts that CRLs may come from.

    `private_crl_hosts` are those of `crl_hosts` that may be in private networks.
    `enforcement_tps` is how many AWS IoT calls a second are guaranteed to enforcement, `bulk_tps` to operators' bulk
    work; `activation_tps` about how many devices a second activation can certainly ask. What one of them leaves unused
    the others borrow (jitr.aws.lending). `brake_devices` (None: the usual
    number) and `brake_percent` are the brake's limits, `reconciliation_hours` the time from one pass over all
    certificates to the next; bundles of earlier versions have none of the three.
    `connects` says by template which client ids it lets connect (jitr.policies.connecting); `version` is that of the
    jitr that wrote it.
    """

    deployment: str
    cas: tuple[ManagedCa, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)
    crl_hosts: tuple[str, ...] = ()
    private_crl_hosts: tuple[str, ...] = ()
    activation_tps: float = 5.88
    enforcement_tps: float = 2.94
    bulk_tps: float = 0.98
    mode: Mode = Mode.ACTIVATE
    connects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    brake_devices: int | None = None
    brake_percent: int = 1
    reconciliation_hours: int = 24
    version: str = ""

    def to_json(self) -> str:
        """Return the file's text: the same text for the same configuration, whatever order it was built in."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Configuration:
        """Read what `to_json` wrote; raises ValueError, KeyError or TypeError on anything else."""
        data = json.loads(text)
        return cls(
            deployment=data["deployment"],
            cas=tuple(map(ManagedCa.from_values, data["cas"])),
            policies=data["policies"],
            crl_hosts=tuple(data["crl_hosts"]),
            private_crl_hosts=tuple(data.get("private_crl_hosts", ())),
            activation_tps=float(data["activation_tps"]),
            enforcement_tps=float(data["enforcement_tps"]),
            bulk_tps=float(data["bulk_tps"]),
            mode=Mode(data["mode"]),
            # A deployment of before knows nothing of client ids; the command line reads those too.
            connects={name: tuple(patterns) for name, patterns in data.get("connects", {}).items()},
            brake_devices=data.get("brake_devices"),
            brake_percent=data.get("brake_percent", cls.brake_percent),
            reconciliation_hours=data.get("reconciliation_hours", cls.reconciliation_hours),
            version=data.get("version", cls.version),
        )

    @classmethod
    def beside(cls, package_root: Path) -> Configuration:
        """Read the configuration file of the bundle whose root is `package_root`."""
        return cls.from_json((package_root / CONFIGURATION_FILE).read_text(encoding="utf-8"))

    def completed(self, private_cas: str) -> Configuration:
        """Return the configuration with what only the deploy knew: JSON, CA name → `{"id", "crl"}`.

        Raises ValueError, KeyError or TypeError where something is missing or is no id: nothing is managed by halves.
        """
        known = json.loads(private_cas or "{}")
        return replace(self, cas=tuple(_completed(ca, known) if ca.known_at_deploy else ca for ca in self.cas))

    def policy_name(self, template: str) -> str:
        """Return the stable AWS IoT policy name of a template; deployment names hold no `_`, so no two ever meet."""
        return f"{POLICY_NAME_PREFIX}-{self.deployment}_{template}"

    def device_policy_name(self, template: str, certificate_id: str) -> str:
        """Return the stable name of one device's own policy; `device_policies` matches it.

        Deployment names hold no `.` either, so none meets a shared one's. A template's name that is too long is
        replaced by its hash, behind a sign that tells it from a name.
        """
        tail = f".{template}"
        if len(template) > _LONGEST_IN_DEVICE_POLICY:
            tail = f"={hashlib.sha256(template.encode()).hexdigest()[:32]}"
        return f"{POLICY_NAME_PREFIX}-{self.deployment}.{certificate_id}{tail}"

    @property
    def device_policies(self) -> str:
        """Return the pattern of the names of all policies that belong to one device."""
        return f"{POLICY_NAME_PREFIX}-{self.deployment}.*"


def _completed(ca: ManagedCa, known: Mapping[str, Mapping[str, str]]) -> ManagedCa:
    found = known[ca.name]
    if not _CA_CERTIFICATE_ID.fullmatch(found["id"]):
        raise ValueError(f"the id of CA {ca.name} is none")
    crl = ca.crl or found["crl"]
    if not crl:
        raise ValueError(f"CA {ca.name} has no CRL source")
    return replace(ca, ca_certificate_id=found["id"], crl=crl)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Values known no sooner than at deploy; Lambda itself sets AWS_REGION. `private_cas`: Configuration.completed.

    `activation_queue` and `dead_letters` are URLs, known to the activation function only.
    """

    account: str
    region: str
    partition: str
    state_table: str
    crl_bucket: str
    private_cas: str = ""
    activation_queue: str = ""
    dead_letters: str = ""

    _VARIABLES: ClassVar[Mapping[str, str]] = {
        "account": "JITR_ACCOUNT",
        "region": "AWS_REGION",
        "partition": "JITR_PARTITION",
        "state_table": "JITR_STATE_TABLE",
        "crl_bucket": "JITR_CRL_BUCKET",
        "private_cas": PRIVATE_CAS_VARIABLE,
        "activation_queue": "JITR_ACTIVATION_QUEUE",
        "dead_letters": "JITR_DEAD_LETTERS",
    }
    _OPTIONAL: ClassVar[frozenset[str]] = frozenset({"private_cas", "activation_queue", "dead_letters"})

    @property
    def deployment_values(self) -> dict[str, str]:
        """Return what a policy template's `@{account}`, `@{region}` and `@{partition}` stand for."""
        return {"account": self.account, "region": self.region, "partition": self.partition}

    def certificate_arn(self, certificate_id: str) -> str:
        """Return a device certificate's ARN."""
        return f"arn:{self.partition}:iot:{self.region}:{self.account}:cert/{certificate_id}"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Environment:
        """Read the variables; raises KeyError naming the first one that is missing or empty and has to be there."""
        for name, variable in cls._VARIABLES.items():
            if name not in cls._OPTIONAL and not environ.get(variable):
                raise KeyError(variable)
        return cls(**{name: environ.get(variable, "") for name, variable in cls._VARIABLES.items()})

    @classmethod
    def to_environ(cls, values: Mapping[str, str]) -> dict[str, str]:
        """Return the variables for the given values (tokens included), without those that Lambda sets itself."""
        return {cls._VARIABLES[name]: value for name, value in values.items() if name != "region"}


def read_settings(package_root: Path, environ: Mapping[str, str]) -> tuple[Configuration, Environment]:
    """Read both for a function that decides about devices: the configuration complete with what the deploy knew."""
    environment = Environment.from_environ(environ)
    return Configuration.beside(package_root).completed(environment.private_cas), environment
