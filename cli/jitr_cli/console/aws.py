"""How commands reach AWS: profile, Region and endpoint from options or the usual variables, and what they may touch."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_fleet.deployments.stack_outputs import DEPLOYMENT_TAG, StackOutputs

if TYPE_CHECKING:
    import boto3


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whose credentials are in use; `date` is AWS's time (None: it did not say) and `asked_at` this computer's then."""

    account: str
    arn: str
    asked_at: datetime
    date: datetime | None


@dataclass(frozen=True)
class Aws:
    """One account and Region, reached with one set of credentials.

    `default_region` is where to go when neither option, variable nor profile names a Region.
    """

    session: boto3.Session
    endpoint_url: str | None
    default_region: str | None = None
    _clients: dict[tuple[str, int], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def client(self, service: str) -> Any:  # noqa: ANN401 - typed by the caller, boto3-stubs names each client
        """Return the client of a service, with retries spelled out, so that a newer botocore does not change them."""
        return self._client(service, attempts=6, connect_timeout=5, read_timeout=60)

    def prompt_client(self, service: str) -> Any:  # noqa: ANN401 - as above
        """Return one that gives up within 35 seconds: who holds a lease must not keep others waiting for long."""
        return self._client(service, attempts=4, connect_timeout=2, read_timeout=5)

    def _client(self, service: str, *, attempts: int, connect_timeout: int, read_timeout: int) -> Any:  # noqa: ANN401
        from jitr.aws.retries import repeat_without_tokens, retrying  # noqa: PLC0415 - only what reaches AWS pays for boto3

        key = (service, attempts)
        if key not in self._clients:
            repeat_without_tokens(self.session)
            config = retrying(attempts, connect_seconds=connect_timeout, read_seconds=read_timeout)
            try:
                made = self.session.client(  # type: ignore[call-overload]
                    service, region_name=self._region, endpoint_url=self._endpoint_option, config=config
                )
            except ValueError as error:
                raise CommandFailed(str(error)) from error
            self._clients[key] = self.made(made)
        return self._clients[key]

    def made(self, client: Any) -> Any:  # noqa: ANN401 - as above
        """Return a new client as it is to be used."""
        return client

    @property
    def _endpoint_option(self) -> str | None:
        """Return --endpoint-url; None for what the variable says, since boto3 knows one for each service besides."""
        return None if self.endpoint_url == os.environ.get("AWS_ENDPOINT_URL") else self.endpoint_url

    @property
    def _region(self) -> str | None:
        return self.session.region_name or self.default_region

    @property
    def region(self) -> str:
        """Return the Region in use."""
        if self._region is None:
            raise CommandFailed(
                "no Region: give --region, set AWS_REGION, or be where a fleet.toml names one (JITR_FLEET)"
            )
        return self._region

    @functools.cached_property
    def identity(self) -> Identity:
        """Ask AWS, once, whose the credentials are."""
        answer = self.client("sts").get_caller_identity()
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        return Identity(
            account=answer["Account"],
            arn=answer["Arn"],
            asked_at=datetime.now(UTC),
            date=parsedate_to_datetime(date) if date else None,
        )

    def account(self) -> str:
        """Return the account that the credentials belong to."""
        return self.identity.account

    def caller(self) -> str:
        """Return the ARN of the actor, for the record."""
        return self.identity.arn

    def deployments(self) -> Iterator[StackOutputs]:
        """Yield the deployments of this account and Region, read from their stacks' outputs."""
        return filter(None, (StackOutputs.from_outputs(_outputs(stack)) for stack in self._stacks()))

    def _stacks(self) -> Iterator[Mapping[str, Any]]:
        for page in self.client("cloudformation").get_paginator("describe_stacks").paginate():
            yield from page["Stacks"]

    def deployment(self, name: str | None) -> StackOutputs:
        """Return the one deployment here, or the named one where the Region holds several."""
        stacks = list(self._stacks())
        deployments = filter(None, (StackOutputs.from_outputs(_outputs(stack)) for stack in stacks))
        found = {each.deployment: each for each in deployments}
        if name is not None and name in found:
            return found[name]
        if name is None and len(found) == 1:
            return next(iter(found.values()))
        names = ", ".join(sorted(found)) or "none"
        wanted = f"no deployment {name!r}" if name else "give --deployment"
        unfinished = _unfinished(stacks, found)
        raise CommandFailed(f"{wanted} (in {self.region}: {names}){unfinished}", _ending(found))


def _ending(found: Mapping[str, StackOutputs]) -> ExitCode:
    return ExitCode.USAGE if found else ExitCode.AWS


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _unfinished(stacks: Iterable[Mapping[str, Any]], found: Mapping[str, StackOutputs]) -> str:
    """Return, in words, the stacks of ours without outputs: their first deploy has not ended, or failed."""
    ours = {
        f"{tag['Value']} is {stack.get('StackStatus', 'there without outputs')}"
        for stack in stacks
        for tag in stack.get("Tags", [])
        if tag["Key"] == DEPLOYMENT_TAG and tag["Value"] not in found
    }
    return f"; the stack of {', '.join(sorted(ours))} (docs/upgrading.md, a deploy that failed)" if ours else ""
