"""What `jitr ca create` is told of every new CA, and of one in AWS Private CA; its key files are in new_ca.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from jitr_cli.console.options import gathered
from jitr_cli.signing.private_ca import PrivateCaArn
from jitr_fleet.issuing.cas import KEY_KINDS

_LONGEST_DAYS = 36500
_TEN_YEARS = 3650


@dataclass(frozen=True, kw_only=True)
class PrivateCaWish:
    """What was asked for of AWS Private CA; `kind` is root, subordinate or None: then the CA is made here."""

    kind: str | None
    parent: str | None
    finish: str | None
    crl_bucket: str | None
    crl_days: int
    crl_type: str

    def is_given(self) -> bool:
        """Return whether AWS Private CA is meant."""
        return self.kind is not None or self.finish is not None

    def revocation(self) -> dict[str, Any]:
        """Return CreateCertificateAuthority's RevocationConfiguration."""
        if self.crl_bucket is None:
            return {"CrlConfiguration": {"Enabled": False}}
        # The bucket blocks public access, as every bucket should; PUBLIC_READ is the default and would fail there.
        return {
            "CrlConfiguration": {
                "Enabled": True,
                "S3BucketName": self.crl_bucket,
                "S3ObjectAcl": "BUCKET_OWNER_FULL_CONTROL",
                "ExpirationInDays": self.crl_days,
                "CrlType": self.crl_type,
            }
        }


private_ca_options = gathered(
    "wish",
    PrivateCaWish,
    click.option(
        "--private-ca",
        "kind",
        type=click.Choice(["root", "subordinate"]),
        metavar="KIND",
        help="make a root or subordinate CA in AWS Private CA, which has a price",
    ),
    click.option("--parent", type=PrivateCaArn(), help="the CA in AWS Private CA that signs a subordinate one"),
    click.option("--finish", type=PrivateCaArn(), help="go on with a CA in AWS Private CA that has no certificate yet"),
    click.option("--crl-bucket", metavar="NAME", help="the bucket that AWS Private CA writes CRLs into"),
    click.option(
        "--crl-days", type=click.IntRange(1, 5000), default=7, show_default=True, help="how long such a CRL is valid"
    ),
    click.option(
        "--crl-type",
        type=click.Choice(["COMPLETE", "PARTITIONED"]),
        metavar="TYPE",
        default="COMPLETE",
        show_default=True,
        help="COMPLETE, or PARTITIONED for more than a million certificates",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Properties:
    """What every new CA has."""

    common_name: str | None
    organization: str | None
    days: int
    key_type: str


property_options = gathered(
    "properties",
    Properties,
    click.option("--common-name", metavar="TEXT", help="the CA's name"),
    click.option("--organization", metavar="TEXT", help="the organization in its subject"),
    click.option(
        "--days", type=click.IntRange(1, _LONGEST_DAYS), default=_TEN_YEARS, show_default=True, help="how long it lives"
    ),
    click.option(
        "--key-type",
        type=click.Choice(KEY_KINDS),
        default="ec-p256",
        show_default=True,
        metavar="KIND",
        help=f"its key: {', '.join(KEY_KINDS)}",
    ),
)
