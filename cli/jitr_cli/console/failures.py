"""What a failed command says, and with which exit code: AWS, the user's input, or our own mistake."""

from __future__ import annotations

import sys
import traceback

import click

from jitr.errors import Undecided
from jitr_cli.console.exit_codes import ExitCode
from jitr_fleet.deployments.stack_outputs import OutputMissing
from jitr_fleet.files.extras import add, extra_of


class CommandFailed(Exception):  # noqa: N818 - an ending, not a defect
    """A command that cannot go on, said in one sentence a user can act on."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


# What to do about failures of which botocore only says that they are, by the names of its exceptions.
_WAYS_OUT = {
    "NoCredentialsError": "give --profile or set AWS_PROFILE (`aws sts get-caller-identity` shows whose they are)",
    "PartialCredentialsError": "give --profile, or set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "SSOTokenLoadError": "aws sso login",
    "UnauthorizedSSOTokenError": "aws sso login",
    "TokenRetrievalError": "aws sso login",
    "NoRegionError": "give --region or set AWS_REGION",
}


def _what_to_do(failure: Exception) -> str:
    way = _WAYS_OUT.get(type(failure).__name__)
    return f": {way}" if way else ""


def describe_failure(failure: Exception) -> int:
    """Print what went wrong to stderr and return the exit code."""
    if isinstance(failure, CommandFailed):
        click.echo(f"jitr: {failure}", err=True)
        return failure.exit_code
    if isinstance(failure, OutputMissing):
        click.echo(f"jitr: {failure}", err=True)
        return ExitCode.AWS
    if isinstance(failure, Undecided):
        click.echo(f"jitr: {failure.message} ({failure.reason})", err=True)
        return ExitCode.AWS
    if isinstance(failure, ModuleNotFoundError) and (extra := extra_of(failure.name)) is not None:
        click.echo(f"jitr: this needs the extra {extra}, which is not installed; add it with: {add(extra)}", err=True)
        return ExitCode.USAGE
    # botocore is looked up, not imported: commands that never touch AWS must not pay for it.
    botocore = sys.modules.get("botocore.exceptions")
    if botocore and isinstance(failure, (botocore.ClientError, botocore.BotoCoreError)):
        click.echo(f"jitr: AWS: {failure}{_what_to_do(failure)}", err=True)
        return ExitCode.AWS
    traceback.print_exception(failure)
    click.echo("jitr: this is a bug in jitr, not a mistake of yours; the lines above say where.", err=True)
    return ExitCode.BUG
