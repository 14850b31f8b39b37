"""The scope that `jitr crl confirm|reject|reset` are about: one CRL of one issuer, as a deployment knows it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from jitr.aws.iot import IotRegistry
from jitr.aws.state_table import StateTable
from jitr.certificates import issuer_key, load_certificate
from jitr.crls.versions import CrlVersions, ScopeState
from jitr_cli.console.call import Call
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import CA_HELP, CaCertificateId
from jitr_cli.console.output import say


@dataclass(frozen=True, kw_only=True)
class Scopes:
    """The scopes of a deployment that the options name; without `ca_certificate_id` and `ending` all of them."""

    call: Call
    ca_certificate_id: str | None
    ending: str | None

    @property
    def table(self) -> StateTable:
        """The deployment's state table."""
        return StateTable(self.call.aws.client("dynamodb"), self.call.stack.state_table)

    @property
    def iot(self) -> IotRegistry:
        """AWS IoT."""
        return IotRegistry(self.call.aws.client("iot"))

    @property
    def versions(self) -> CrlVersions:
        """What the deployment knows of every CRL."""
        return CrlVersions(self.table)

    def only(self, fits: Callable[[ScopeState], object], *, what: str) -> ScopeState:
        """Return the only scope that fits; raises CommandFailed, and says which there are, where it is not one."""
        found = [state for state in self._matching() if fits(state)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise CommandFailed(f"no {what}")
        for state in found:
            say(f"  {state.scope}")
        raise CommandFailed(f"more than one {what}: name one with --scope or --ca-certificate-id")

    def _matching(self) -> Iterator[ScopeState]:
        prefix = ""
        if self.ca_certificate_id is not None:
            prefix = f"{issuer_key(load_certificate(self.iot.describe_ca(self.ca_certificate_id).pem))}#"
        for state in self.versions.states():
            if state.scope.startswith(prefix) and state.scope.endswith(self.ending or ""):
                yield state


def scope_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a scope, and hand the command `scopes: Scopes`."""

    @click.option("--ca-certificate-id", type=CaCertificateId(), help=f"only scopes of this CA: {CA_HELP}")
    @click.option("--scope", metavar="TEXT", help="the CRL's scope, or the end of it (its address)")
    @functools.wraps(function)
    def with_scopes(call: Call, *, ca_certificate_id: str | None, scope: str | None, **options: object) -> object:
        scopes = Scopes(call=call, ca_certificate_id=ca_certificate_id, ending=scope)
        return function(call, scopes=scopes, **options)

    return with_scopes


def address(scope: str) -> str:
    """Return the address in a scope, which is what people know a CRL by."""
    return scope.partition("#")[2]


def say_braked(state: ScopeState) -> None:
    """Say which CRL is braked and how much it is about."""
    say(f"CRL {address(state.scope)}")
    say(f"  braked: sha256 {state.braked}, more than {state.braked_devices - 1} registered devices newly listed")
    say_accepted(state)


def say_accepted(state: ScopeState) -> None:
    """Say which version of the CRL was accepted last."""
    number = state.accepted.number if state.accepted else None
    say(f"  accepted: number {'none' if number is None else number}, thisUpdate {this_update(state)}")


def this_update(state: ScopeState) -> str:
    """Return the accepted CRL's thisUpdate as text."""
    return state.accepted.this_update.isoformat() if state.accepted else "none"
