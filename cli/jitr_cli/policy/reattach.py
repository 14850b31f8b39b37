"""`jitr policy reattach`: attach a template's shared policy to all certificates of a CA.

Exit codes: 0 all done, 1 some could not be done or the job was stopped, 64 usage, 69 AWS unreachable or refused.
"""

from __future__ import annotations

import click

from jitr.bulk.job import JobKind, JobPlan
from jitr.settings import Configuration
from jitr_cli.bulk.work import Bulk, WorkOptions, new_job_id, verify_ca, work_options
from jitr_cli.console.call import Call, writing_command
from jitr_cli.console.exit_codes import ExitCode
from jitr_cli.console.failures import CommandFailed
from jitr_cli.console.options import ca_option
from jitr_cli.console.output import say


@writing_command("reattach")
@click.argument("name", metavar="NAME")
@ca_option
@click.option("--detach", metavar="POLICY", help="then detach this policy, by its full name in AWS IoT")
@work_options
def command(call: Call, *, name: str, ca_certificate_id: str, detach: str | None, options: WorkOptions) -> ExitCode:
    """Attach the shared policy of template NAME to all certificates of a CA that lack it.

    For a CA that got another template, or devices that another system brought in: editing a template needs none of
    this. More than 1,000 are done in the account. REVOKED certificates are left alone.
    """
    bulk = Bulk.of(call)
    policy = Configuration(deployment=call.stack.deployment).policy_name(name)
    _verify(bulk, name, policy, detach)
    verify_ca(bulk, ca_certificate_id)
    call.announce()
    total, _ = bulk.count(ca_certificate_id)
    plan = JobPlan(
        kind=JobKind.REATTACH, ca_certificate_id=ca_certificate_id, total=total, template=name, old_policy=detach
    )
    say(f"CA {ca_certificate_id}: attach {policy}" + (f", then detach {detach}" if detach else ""))
    bulk.say_effort(plan, options)
    return bulk.carry_out(new_job_id(JobKind.REATTACH), plan, options, question="Attach it?")


def _verify(bulk: Bulk, name: str, policy: str, detach: str | None) -> None:
    templates = bulk.call.stack.policies.split(",")
    if name not in templates:
        raise CommandFailed(f"no template {name!r} is deployed; there are {', '.join(templates)}")
    if detach == policy:
        raise CommandFailed(f"{policy} would be attached and detached again")
    if bulk.iot.policy_document(policy) is None:
        raise CommandFailed(
            f"there is no policy {policy} in AWS IoT: a template with device values makes a policy for each device, "
            "at its activation; else deploy again"
        )
