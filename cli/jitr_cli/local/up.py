"""`jitr local up`: start the stack on this computer and return when it is ready."""

from __future__ import annotations

from dataclasses import asdict

import click

from jitr_cli.console.call import Call, local_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.output import say
from jitr_cli.console.signals import terminable
from jitr_cli.local.failures import local_failures
from jitr_fleet.deployments.deployment import Ingestion
from jitr_local.checkout import LOCAL_STATE
from jitr_local.stack.local_stack import Instance, LocalStack


@local_command("up")
@click.option("--auth", is_flag=True, help="enforce the function's permissions and the devices' policies")
@click.option("--queue", is_flag=True, help="put a queue between the topic rule and the function")
@click.option("--tls", type=click.Choice(["1.2", "1.3"]), help="speak this version of TLS only; both unless given")
def command(call: Call, *, auth: bool, queue: bool, tls: str | None) -> ExitCode:
    """Start the stack on this computer: emulator, cdk bootstrap, cdk deploy. Detaches; one instance per checkout.

    A second `up` finds the running one and prints the same.
    """
    stack = LocalStack(LOCAL_STATE, Ingestion.QUEUE if queue else None, tls=tls)
    with terminable(), local_failures(), stack.reserved(say):
        instance = stack.instance()
        if instance is None:
            instance = stack.start(auth=auth, progress=say)
        elif auth and not stack.auth:
            raise CommandFailed("a local stack runs already, without --auth: stop it with `jitr local down`")
        elif queue and not stack.queued:
            raise CommandFailed("a local stack runs already, without --queue: stop it with `jitr local down`")
        elif tls is not None and stack.speaks != tls:
            raise CommandFailed(f"a local stack runs already, without --tls {tls}: stop it with `jitr local down`")
    say(f"warning: its MQTT port {instance.mqtt_port} listens on every interface of this computer")
    return call.finish(asdict(instance), words=lambda: click.echo(words(instance)))


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
