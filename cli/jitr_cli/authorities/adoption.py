"""What to know before a CA is adopted: who manages it already, what keeps devices out, whether its CRL is usable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from jitr.certificates import AnyCertificate
from jitr.crls.http_fetch import HttpFetcher
from jitr.crls.sources import CDP, HTTP_SCHEMES, NONE, CrlSources
from jitr.errors import Undecided
from jitr.revocation import CrlRefused, verify_crl
from jitr_cli.authorities.management import DeployedCas, Owner, describe_management
from jitr_cli.console.aws import Aws
from jitr_cli.console.output import progress
from jitr_fleet.deployments.stack_outputs import StackOutputs


def manager_warnings(here: str, deployments: Iterable[DeployedCas], ca_certificate_id: str) -> Iterator[str]:
    """Yield a sentence for each deployment that manages the CA already; `here` is the one that is to adopt it."""
    for deployed in deployments:
        found = deployed.management(ca_certificate_id)
        if found is None:
            continue
        if found.deployment != here:
            yield f"another deployment manages it too, both would act on its devices: {describe_management(found)}"
        elif found.owner is Owner.FLEET_FILE:
            yield f"the fleet file wins, so adopting changes nothing: {describe_management(found)}"
        else:
            yield f"it is adopted already, and what is given here takes its place: {describe_management(found)}"


def crl_problem(aws: Aws, stack: StackOutputs, source: str, ca: AnyCertificate, *, at: datetime) -> str | None:
    """Fetch the CRL at a source and check it as the functions do; returns what is wrong with it, or None.

    Not checked: `none`, and `cdp`, whose addresses stand in the devices' certificates. The function may see other
    things: an HTTP host may answer only inside its network.
    """
    if source in (NONE, CDP):
        return None
    hosts = frozenset(stack.crl_hosts.split(","))
    sources = CrlSources(
        s3=aws.client("s3"), http=HttpFetcher(hosts=hosts), own_bucket=stack.crl_bucket, account=aws.account()
    )
    where = " from this computer" if source.startswith(HTTP_SCHEMES) else ""
    try:
        with progress("reading the CRL", total=None):
            fetched = sources.fetch(source, etag=None)
    except Undecided as failure:
        return f"the CRL cannot be read{where}: {failure.message} ({failure.reason})"
    try:
        verify_crl(fetched.data if fetched else b"", ca, at=at)
    except CrlRefused as refusal:
        return f"the CRL at {source} is not usable for this CA: {refusal.message} ({refusal.reason})"
    return None
