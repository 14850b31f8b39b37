"""`jitr local up`: start the stack on this computer and return when it is ready."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from click.core import ParameterSource

from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.fleet import fleet_deployment_option, fleet_option, read_deployment
from jitr_cli.console.output import say
from jitr_cli.console.signals import terminable
from jitr_cli.local.failures import local_failures
from jitr_fleet.deployments.deployment import Ingestion
from jitr_local.checkout import LOCAL_STATE
from jitr_local.stack.local_fleet import OwnFleet
from jitr_local.stack.local_stack import Instance, LocalStack


@local_command("up", fleet_deployment_option)
@click.option("--auth", is_flag=True, help="enforce the function's permissions and the devices' policies")
@click.option("--queue", is_flag=True, help="put a queue between the topic rule and the function")
@click.option("--tls", type=click.Choice(["1.2", "1.3"]), help="speak this version of TLS only; both unless given")
@fleet_option
@click.pass_context
def command(context: click.Context, call: Call, *, auth: bool, queue: bool, tls: str | None, fleet: Path) -> ExitCode:
    """Start the stack on this computer: emulator, cdk bootstrap, cdk deploy. Detaches; one instance per checkout.

    A second `up` finds the running one and prints the same. With --fleet it is a deployment of that file, under its
    own name: account, Region and CRL bucket are the emulator's, CAs are registered by the deploy, and what only a real
    account has is left out. Without --fleet no fleet file is read.
    """
    own = _own(context, call, fleet)
    stack = LocalStack(LOCAL_STATE, Ingestion.QUEUE if queue else None, tls=tls, own=own)
    with terminable(), local_failures(), stack.reserved(say):
        instance = stack.instance()
        if instance is None:
            instance = stack.start(auth=auth, progress=say)
        elif own is not None and instance.stack != own.deployment:
            raise CommandFailed(
                f"a local stack runs already, of deployment {instance.stack}: stop it with `jitr local down`"
            )
        elif auth and not stack.auth:
            raise CommandFailed("a local stack runs already, without --auth: stop it with `jitr local down`")
        elif queue and not stack.queued:
            raise CommandFailed("a local stack runs already, without --queue: stop it with `jitr local down`")
        elif tls is not None and stack.speaks != tls:
            raise CommandFailed(f"a local stack runs already, without --tls {tls}: stop it with `jitr local down`")
    say(f"warning: its MQTT port {instance.mqtt_port} listens on every interface of this computer")
    return call.finish(asdict(instance), words=lambda: click.echo(words(instance)))


def _own(context: click.Context, call: Call, fleet: Path) -> OwnFleet | None:
    """Return the deployment of somebody's own fleet file, where one is given and not only lies here."""
    if context.get_parameter_source("fleet") is not ParameterSource.COMMANDLINE:
        return None
    return OwnFleet(file=fleet, deployment=read_deployment(fleet, call.deployment).name)


def words(instance: Instance) -> str:
    """Return what a person wants to know about a running instance."""
    return "\n".join(
        (
            f"AWS endpoint  {instance.endpoint_url}  (account {instance.account}, {instance.region})",
            f"MQTT          {instance.mqtt_host}:{instance.mqtt_port}",
            f"server CA     {instance.server_ca}",
            f"CRL bucket    {instance.crl_bucket}",
            f"function      {instance.function}",
            'next          eval "$(jitr local env)"',
        )
    )
