"""`jitr policy reattach`: attach a template's shared policy to all certificates of a CA.

Exit codes: 0 all done, 1 some could not be done or somebody stopped it, 64 usage, 69 AWS unreachable or refused.
"""

from __future__ import annotations

import click

from jitr.bulk.job import JobKind, Plan
from jitr.settings import Configuration
from jitr_cli.bulk.progress import say_effort
from jitr_cli.bulk.work import Bulk, How, bulk_options, ended, in_account, new_job_id, verify_ca
from jitr_cli.console.aws import Aws, ask, writing_options
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import say


@click.command("reattach")
@click.argument("name", metavar="NAME")
@ca_option
@click.option("--detach", metavar="POLICY", help="then detach this policy, by its full name in AWS IoT")
@bulk_options
@writing_options
def command(
    *,
    aws: Aws,
    name: str,
    ca_certificate_id: str,
    detach: str | None,
    how: How,
    deployment: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> ExitCode:
    """Attach the shared policy of template NAME to all certificates of a CA that lack it.

    For a CA that got another template, or devices that another system brought in: editing a template needs none of
    this. More than 1,000 are done in the account. REVOKED certificates are left alone.
    """
    bulk = Bulk.of(aws, aws.deployment(deployment))
    policy = Configuration(deployment=bulk.stack.deployment).policy_name(name)
    _verify(bulk, name, policy, detach)
    verify_ca(bulk, ca_certificate_id)
    aws.announce(bulk.stack)
    total, _ = bulk.count(ca_certificate_id)
    plan = Plan(
        kind=JobKind.REATTACH, ca_certificate_id=ca_certificate_id, total=total, template=name, old_policy=detach
    )
    away = in_account(plan, how)
    say(f"CA {ca_certificate_id}: attach {policy}" + (f", then detach {detach}" if detach else ""))
    say_effort(plan, total, per_second=bulk.tps if away else how.rate or bulk.tps, in_account=away)
    if dry_run or total == 0:
        return ExitCode.DONE
    ask("Attach it?", yes=yes)
    return ended(bulk.start(new_job_id(JobKind.REATTACH), plan, how, away=away), as_json=as_json)


def _verify(bulk: Bulk, name: str, policy: str, detach: str | None) -> None:
    templates = bulk.stack.policies.split(",")
    if name not in templates:
        raise CommandFailed(f"no template {name!r} is deployed; there are {', '.join(templates)}")
    if detach == policy:
        raise CommandFailed(f"{policy} would be attached and detached again")
    if bulk.iot.policy_document(policy) is None:
        raise CommandFailed(
            f"there is no policy {policy} in AWS IoT: a template with device values makes a policy for each device, "
            "at its activation; else deploy again"
        )
