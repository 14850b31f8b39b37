"""How commands reach AWS: profile, Region and endpoint from options or the usual variables, and what they may touch."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import say
from jitr_fleet.deployments.stack_outputs import StackOutputs

if TYPE_CHECKING:
    import boto3


@dataclass(frozen=True)
class Aws:
    """One account and Region, reached with one set of credentials.

    `default_region` is where to go when neither option, variable nor profile names a Region.
    """

    session: boto3.Session
    endpoint_url: str | None
    default_region: str | None = None

    def client(self, service: str) -> Any:  # noqa: ANN401 - typed by the caller, boto3-stubs names each client
        """Return a client with retries spelled out, so that a newer botocore does not change them."""
        from botocore.config import Config  # noqa: PLC0415 - only commands that reach AWS pay for boto3

        retries = Config(retries={"mode": "standard", "max_attempts": 6}, connect_timeout=5, read_timeout=60)
        try:
            return self.session.client(  # type: ignore[call-overload]
                service, region_name=self._region, endpoint_url=self._endpoint_option, config=retries
            )
        except ValueError as error:
            raise CommandFailed(str(error)) from error

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
            raise CommandFailed("no Region: give --region or set AWS_REGION")
        return self._region

    def account(self) -> str:
        """Ask AWS which account the credentials belong to."""
        account: str = self.client("sts").get_caller_identity()["Account"]
        return account

    def deployments(self) -> Iterator[StackOutputs]:
        """Yield the deployments of this account and Region, read from their stacks' outputs."""
        for page in self.client("cloudformation").get_paginator("describe_stacks").paginate():
            for stack in page["Stacks"]:
                outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
                if found := StackOutputs.from_outputs(outputs):
                    yield found

    def deployment(self, name: str | None) -> StackOutputs:
        """Return the one deployment here, or the named one where the Region holds several."""
        found = {each.deployment: each for each in self.deployments()}
        if name is not None and name in found:
            return found[name]
        if name is None and len(found) == 1:
            return next(iter(found.values()))
        names = ", ".join(sorted(found)) or "none"
        wanted = f"no deployment {name!r}" if name else "give --deployment"
        raise CommandFailed(f"{wanted} (in {self.region}: {names})", ExitCode.USAGE if found else ExitCode.AWS)

    def announce(self, deployment: StackOutputs) -> None:
        """Say, before anything is written, where it will be written."""
        say(f"account {self.account()} · Region {self.region} · deployment {deployment.deployment}")


def aws_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --profile, --region and --endpoint-url to a command and hand it `aws: Aws`."""

    @connection_options
    @functools.wraps(function)
    def with_aws(*, connect: Callable[[], Aws], **options: object) -> object:
        return function(aws=connect(), **options)

    return with_aws


def connection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the same options to a command that may do without AWS, and hand it `connect`, which returns `Aws`."""

    @click.option("--profile", envvar="AWS_PROFILE", metavar="NAME", help="credentials profile [env: AWS_PROFILE]")
    @click.option(
        "--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], metavar="NAME", help="AWS Region [env: AWS_REGION]"
    )
    @click.option(
        "--endpoint-url", envvar="AWS_ENDPOINT_URL", metavar="URL", help="another AWS endpoint [env: AWS_ENDPOINT_URL]"
    )
    @functools.wraps(function)
    def with_connection(
        *, profile: str | None, region: str | None, endpoint_url: str | None, **options: object
    ) -> object:
        def connect() -> Aws:
            import boto3  # noqa: PLC0415 - only commands that reach AWS pay for boto3

            return Aws(boto3.Session(profile_name=profile or None, region_name=region or None), endpoint_url or None)

        return function(connect=connect, **options)

    return with_connection


deployment_option = click.option(
    "--deployment", metavar="NAME", help="which deployment, where the Region holds several"
)
dry_run_option = click.option("--dry-run", is_flag=True, help="say what would be done, and do nothing")
yes_option = click.option("--yes", "-y", is_flag=True, help="do not ask")
json_option = click.option("--json", "as_json", is_flag=True, help="print JSON")


def writing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what commands have that write to AWS: --deployment, --dry-run, --yes, --json, and those of AWS itself."""
    for option in (aws_options, json_option, yes_option, dry_run_option, deployment_option):
        function = option(function)
    return function


def ask(question: str, *, yes: bool) -> None:
    """Ask before writing unless `--yes`; a no ends the command with nothing written, and the exit code for a no.

    Where nobody is there to answer (end of input, Ctrl-C), click ends it as interrupted.
    """
    if not yes and not click.confirm(question, err=True):
        raise CommandFailed("nothing was done", ExitCode.NO)
