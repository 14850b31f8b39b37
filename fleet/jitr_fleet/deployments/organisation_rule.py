"""Whether keys, networks and hosts of a deployment go together; AWS would say so in the middle of a deploy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jitr_fleet.files.mistakes import Mistakes

_KEYS: Final = ("kms_key", "crl_kms_keys", "iot_kms_key")
_NETWORK: Final = ("vpc_subnets", "vpc_security_groups")


def note_organisation(values: Mapping[str, Any], *, path: str, mistakes: Mistakes) -> None:
    """Note keys of another Region, half a network, and private hosts that no function can reach or may ask."""
    _note_keys(values, path, mistakes)
    subnets, groups = (values.get(name) for name in _NETWORK)
    if bool(subnets) is not bool(groups):
        there, missing = _NETWORK if subnets else reversed(_NETWORK)
        mistakes.add(f"{path}.{missing}", "missing", f"expected beside {there}: functions in a VPC need both")
    hosts = values.get("private_crl_hosts") or ()
    if hosts and not subnets:
        mistakes.add(
            f"{path}.private_crl_hosts",
            f'found "{hosts[0]}"',
            "only functions in vpc_subnets reach a private network",
        )
    for host in hosts:
        if host not in (values.get("crl_hosts") or ()):
            mistakes.add(f"{path}.private_crl_hosts", f'found "{host}"', "name it in crl_hosts too")


def _note_keys(values: Mapping[str, Any], path: str, mistakes: Mistakes) -> None:
    region = values.get("region")
    for name in _KEYS:
        given = values.get(name) or ()
        for arn in (given,) if isinstance(given, str) else given:
            if region is not None and arn.split(":")[3] != region:
                mistakes.add(f"{path}.{name}", f'found "{arn}"', f"expected: a key of the Region {region}")
