"""All of AWS IoT's registry over one client, for use cases that need several of its nouns."""

from __future__ import annotations

from dataclasses import dataclass

from jitr.aws.iot.cas import CaCertificates
from jitr.aws.iot.certificates import DeviceCertificates
from jitr.aws.iot.policies import Policies
from jitr.aws.iot.things import Things


@dataclass(frozen=True)
class IotRegistry(DeviceCertificates, CaCertificates, Things, Policies):
    """AWS IoT's control plane in one account and Region; what needs one noun asks for that noun alone."""
