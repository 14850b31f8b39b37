"""What the functions are told: the configuration in their bundle and the deploy-time values in their environment.

The configuration (CAs, policies) is a file in the bundle, so what was reviewed is what runs. Only values that are
known no sooner than at deploy come by environment variable. Both are written by infra and read by the handlers
through the same two classes, so that neither side spells a key twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

CONFIGURATION_FILE = "jitr-configuration.json"
POLICY_NAME_PREFIX = "jitr"


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


@dataclass(frozen=True, kw_only=True)
class ManagedCa:
    """One CA under management: `certificate` is PEM (empty if adopted), `crl` a source (see crl_sources.py).

    `crl_max_age_seconds` bounds a CRL's age since thisUpdate and makes one without nextUpdate usable; None: no bound.

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

    @property
    def crl_max_age(self) -> timedelta | None:
        """Return the bound on the age of its CRLs."""
        return None if self.crl_max_age_seconds is None else timedelta(seconds=self.crl_max_age_seconds)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The reviewed part: CAs, policy templates by name (their text), hosts that CRLs may come from.

    `enforcement_tps` is how many AWS IoT calls a second enforcement may make.
    """

    deployment: str
    cas: tuple[ManagedCa, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)
    crl_hosts: tuple[str, ...] = ()
    enforcement_tps: float = 3.0

    def to_json(self) -> str:
        """Return the file's text: the same text for the same configuration, whatever order it was built in."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Configuration:
        """Read what `to_json` wrote; raises ValueError, KeyError or TypeError on anything else."""
        data = json.loads(text)
        cas = tuple(
            ManagedCa(
                **{
                    **ca,
                    "status": CaStatus(ca["status"]),
                    "thing_name": ThingNameSource(ca["thing_name"]),
                    "on_existing_thing": OnExistingThing(ca["on_existing_thing"]),
                }
            )
            for ca in data["cas"]
        )
        return cls(
            deployment=data["deployment"],
            cas=cas,
            policies=data["policies"],
            crl_hosts=tuple(data["crl_hosts"]),
            enforcement_tps=float(data["enforcement_tps"]),
        )

    @classmethod
    def beside(cls, package_root: Path) -> Configuration:
        """Read the configuration file of the bundle whose root is `package_root`."""
        return cls.from_json((package_root / CONFIGURATION_FILE).read_text(encoding="utf-8"))

    def policy_name(self, template: str) -> str:
        """Return the stable AWS IoT policy name of a template; deployment names hold no `_`, so no two ever meet."""
        return f"{POLICY_NAME_PREFIX}-{self.deployment}_{template}"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Values known no sooner than at deploy; Lambda itself sets AWS_REGION."""

    account: str
    region: str
    partition: str
    state_table: str
    crl_bucket: str

    _VARIABLES: ClassVar[Mapping[str, str]] = {
        "account": "JITR_ACCOUNT",
        "region": "AWS_REGION",
        "partition": "JITR_PARTITION",
        "state_table": "JITR_STATE_TABLE",
        "crl_bucket": "JITR_CRL_BUCKET",
    }

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Environment:
        """Read the variables; raises KeyError naming the first one that is missing or empty."""
        for variable in cls._VARIABLES.values():
            if not environ.get(variable):
                raise KeyError(variable)
        return cls(**{name: environ[variable] for name, variable in cls._VARIABLES.items()})

    @classmethod
    def to_environ(cls, values: Mapping[str, str]) -> dict[str, str]:
        """Return the variables for the given values (tokens included), without those that Lambda sets itself."""
        return {cls._VARIABLES[name]: value for name, value in values.items() if name != "region"}
