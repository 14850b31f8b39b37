"""One run of a command: how it was called, where it acts, what it asks and how it ends. Every command stands on it.

A command says of what kind it is, and gets the options of that kind from here: so --json, --dry-run, --yes,
--deployment and the way to AWS are the same everywhere, in name and in what they do.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jitr_cli.console.aws import Aws
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import emit_json, say, say_versions
from jitr_fleet.deployments.stack_outputs import StackOutputs

if TYPE_CHECKING:
    from jitr_cli.console.fleet import Place

Declare = Callable[[Callable[..., Any]], "CallCommand"]


class Kind(StrEnum):
    """What a command does to AWS: nothing, read it, or write to it."""

    LOCAL = "local"
    READING = "reading"
    WRITING = "writing"


class NobodyAnswers(click.Abort):
    """A question that ended with the input: nothing is done, as when a person interrupts it."""


@dataclass(kw_only=True)
class Call:
    """One run of a command: the options that every command of its kind has, and what they mean."""

    as_json: bool = False
    dry_run: bool = False
    yes: bool = False
    deployment: str | None = None
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    _announced: bool = field(default=False, init=False)

    @functools.cached_property
    def aws(self) -> Aws:
        """The account and Region that the options name, or else the fleet file here; nothing is asked of AWS yet.

        A profile that somebody names brings its own Region; credentials in variables are meant, whatever a file says.
        """
        import boto3  # noqa: PLC0415 - only commands that reach AWS pay for boto3
        from botocore.exceptions import ProfileNotFound  # noqa: PLC0415

        region, profile = self.region or None, self.profile or None
        if self.place is not None and profile is None:
            region = region or self.place.region
            if self.place.profile and not os.environ.get("AWS_ACCESS_KEY_ID"):
                profile = self.place.profile
        try:
            session = boto3.Session(profile_name=profile, region_name=region)
        except ProfileNotFound as unknown:
            raise CommandFailed(f"{unknown}: `aws configure list-profiles` shows those there are") from unknown
        return Aws(session, self.endpoint_url or None, default_region=self.place.region if self.place else None)

    @functools.cached_property
    def place(self) -> Place | None:
        """Where the fleet file here says that the deployment is."""
        from jitr_cli.console.fleet import place_here  # noqa: PLC0415 - as for boto3

        return place_here(self.deployment)

    @functools.cached_property
    def stack(self) -> StackOutputs:
        """The deployment that the command is about; raises CommandFailed where that is not clear."""
        try:
            found = self.aws.deployment(self.deployment)
        except CommandFailed as missing:
            raise CommandFailed(f"{missing}{self._elsewhere()}", missing.exit_code) from missing
        say_versions([found])
        return found

    def _elsewhere(self) -> str:
        """Return, in words, that the fleet file here has the deployment in another place than was looked at."""
        place = self.place
        if place is None or (place.account, place.region) == (self.aws.account(), self.aws.region):
            return ""
        return (
            f". {place.file} has {place.deployment} in account {place.account}, Region {place.region}; these "
            f"credentials are of account {self.aws.account()}"
        )

    def announce(self) -> None:
        """Say, before anything is written, where: account, Region and deployment."""
        self.announce_account(f"deployment {self.stack.deployment}")

    def announce_account(self, *about: str) -> None:
        """Say the same where no single deployment is meant, and what else there is to know about the place."""
        say(" · ".join((f"account {self.aws.account()}", f"Region {self.aws.region}", *about)))
        self._announced = True

    def announce_folder(self, folder: Path) -> None:
        """Say, before anything is written on this computer, where."""
        say(f"folder {folder}")
        self._announced = True

    def confirm(self, question: str, *, yes: bool | None = None, option: str = "--yes") -> bool:
        """Return whether to write: not in a dry run, and otherwise only on a yes, which `option` gives beforehand.

        Raises CommandFailed (1) for a no. What is written to AWS is announced first; to forget that is a bug.
        """
        if self.dry_run:
            return False
        if not self._announced:
            raise RuntimeError("asked before it was said where")
        if not (self.yes if yes is None else yes) and not _answered(question, option):
            raise CommandFailed("nothing was done", ExitCode.NO)
        return True

    def finish(
        self,
        data: Mapping[str, object],
        ending: ExitCode = ExitCode.DONE,
        *,
        words: Callable[[], object] | None = None,
    ) -> ExitCode:
        """Print the answer, as one JSON object with --json and else by `words`, and return how the command ends."""
        if self.as_json:
            emit_json(data)
        elif words is not None:
            words()
        return ending


def _answered(question: str, option: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except click.Abort as ended:
        # Click ends the same way for Ctrl-C, which a person does, and for the end of input, which is nobody.
        if isinstance(ended.__context__, EOFError):
            say("")
            raise NobodyAnswers(f"nobody is there to answer, and nothing was done: give {option}") from ended
        raise


class Reference:
    """What an option names in another way than the command wants it, until a deployment or AWS was asked."""

    def resolve(self, call: Call) -> object:
        """Return what the command wants; raises CommandFailed where that is nothing, or not one thing."""
        raise NotImplementedError


def _resolved(value: object, call: Call) -> object:
    """Return an option's value, or one for each of several, as the command wants it."""
    if isinstance(value, Reference):
        return value.resolve(call)
    if isinstance(value, tuple) and any(isinstance(each, Reference) for each in value):
        return tuple(_resolved(each, call) for each in value)
    return value


class CallCommand(click.Command):
    """A command that gets a Call; `kind` says which options that one is made of."""

    kind: Kind = Kind.LOCAL


json_option = click.option("--json", "as_json", is_flag=True, help="print JSON")
dry_run_option = click.option("--dry-run", is_flag=True, help="say what would be done, and do nothing")
deployment_option = click.option(
    "--deployment", metavar="NAME", help="which deployment, where the Region holds several"
)
region_option = click.option(
    "--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], metavar="NAME", help="AWS Region [env: AWS_REGION]"
)
yes_option = click.option("--yes", "-y", is_flag=True, help="do not ask")
_CONNECTION = (
    click.option("--profile", envvar="AWS_PROFILE", metavar="NAME", help="credentials profile [env: AWS_PROFILE]"),
    region_option,
    click.option(
        "--endpoint-url", envvar="AWS_ENDPOINT_URL", metavar="URL", help="another AWS endpoint [env: AWS_ENDPOINT_URL]"
    ),
)
_WRITING = (dry_run_option, yes_option)
_OWN = ("as_json", "dry_run", "yes", "deployment", "profile", "region", "endpoint_url")


def local_command(name: str, *options: Callable[..., Any]) -> Declare:
    """Declare a command that asks nothing of AWS: --json, and `options` that end up in the Call as well."""
    return _declare(name, Kind.LOCAL, *options, json_option)


def reading_command(name: str, *, deployment: Callable[..., Any] | None = deployment_option) -> Declare:
    """Declare a command that reads from AWS and writes nothing: the way there, --json, and --deployment unless None."""
    return _declare(name, Kind.READING, *filter(None, (deployment,)), json_option, *_CONNECTION)


def writing_command(name: str, *, deployment: Callable[..., Any] | None = deployment_option) -> Declare:
    """Declare a command that writes to AWS: what a reading one has, --dry-run and --yes."""
    return _declare(name, Kind.WRITING, *filter(None, (deployment,)), *_WRITING, json_option, *_CONNECTION)


def _declare(name: str, kind: Kind, *options: Callable[..., Any]) -> Declare:
    def declare(function: Callable[..., Any]) -> CallCommand:
        @functools.wraps(function)
        def with_call(**given: Any) -> object:  # noqa: ANN401 - whatever click hands over
            call = Call(**{own: given.pop(own) for own in _OWN if own in given})
            meant = {key: _resolved(each, call) for key, each in given.items()}
            return function(call, **meant)

        # Options of every kind come last in the help, after those of the command itself.
        own = list(getattr(with_call, "__click_params__", ()))
        with_call.__click_params__ = []  # type: ignore[attr-defined]
        for option in reversed(options):
            option(with_call)
        with_call.__click_params__ += own  # type: ignore[attr-defined]
        command = click.command(name, cls=CallCommand)(with_call)
        command.kind = kind
        return command

    return declare
