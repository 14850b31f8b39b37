"""The condition keys of AWS IoT policies that are no variables: what a request says besides who the device is.

Variables are keys too; they are listed in variables.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from jitr_fleet.policies.language.actions import SourcePage, action_named

CONNECT_ATTRIBUTES: Final = "iot:ConnectAttributes"
LAST_WILL_TOPIC: Final = "iot:LastWillTopic"
CURRENT_TIME: Final = "aws:CurrentTime"
EPOCH_TIME: Final = "aws:EpochTime"
LAST_WILL: Final = "LastWill"
VPC_SOURCE_IP: Final = "aws:VpcSourceIp"


@dataclass(frozen=True, kw_only=True)
class RequestKey:
    """One key: what it holds, for which actions it has a value (none listed: all), and how a question says it.

    `option` is that of `jitr policy simulate`, `case_key` that of a file of cases. `values` are all there are, if AWS
    documents them. `may_lack` where a request of these actions may have no value at all.
    """

    name: str
    about: str
    option: str
    case_key: str
    source: SourcePage
    actions: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    multi_valued: bool = False
    may_lack: bool = True

    def belongs_to(self, action: str) -> bool:
        """Return whether a request of this action can have a value of the key."""
        found = action_named(action)
        return not self.actions or (found is not None and found.name in self.actions)


_GUIDE: Final = "IoT developer guide"
_CONNECT: Final = SourcePage(page=f"{_GUIDE}, connect-policy and mqtt (Using connectAttributes)")
_VPC: Final = SourcePage(page=f"{_GUIDE}, IoTCore-VPC; IAM user guide, reference_policies_condition-keys")
_GLOBAL: Final = SourcePage(page="IAM user guide, reference_policies_condition-keys")
_ALL: Final = (
    RequestKey(
        name=CONNECT_ATTRIBUTES,
        about="what the connection asks for beyond a plain one",
        actions=("iot:Connect",),
        values=("PersistentConnect", LAST_WILL),
        multi_valued=True,
        option="--connect-attribute",
        case_key="connect_attributes",
        source=_CONNECT,
    ),
    RequestKey(
        name=LAST_WILL_TOPIC,
        about="ARN of the topic of the connection's Last Will",
        actions=("iot:Connect",),
        option="--last-will-topic",
        case_key="last_will_topic",
        source=_CONNECT,
    ),
    RequestKey(
        name="iot:Topic",
        about="topic that a direct message is sent on",
        actions=("iot:SendDirectMessage",),
        may_lack=False,
        option="--topic",
        case_key="topic",
        source=SourcePage(page=f"{_GUIDE}, direct-messaging-policy-examples"),
    ),
    RequestKey(
        name="iot:IncludeSocketInformation",
        about="whether the device's addresses are asked for too",
        actions=("iot:GetConnection",),
        values=("true", "false"),
        option="--include-socket-information",
        case_key="include_socket_information",
        source=SourcePage(page="service authorization reference, list_iot"),
    ),
    RequestKey(
        name="iot:JobId",
        about="id of the job",
        actions=("iotjobsdata:DescribeJobExecution", "iotjobsdata:UpdateJobExecution"),
        may_lack=False,
        option="--job-id",
        case_key="job_id",
        source=SourcePage(page="service authorization reference, list_iotjobsdata"),
    ),
    RequestKey(
        name="aws:SourceVpc",
        about="VPC that the request comes through, if any",
        option="--source-vpc",
        case_key="source_vpc",
        source=_VPC,
    ),
    RequestKey(
        name="aws:SourceVpce",
        about="VPC endpoint that the request comes through, if any",
        option="--source-vpce",
        case_key="source_vpce",
        source=_VPC,
    ),
    RequestKey(
        name=VPC_SOURCE_IP,
        about="IP address in the VPC that the request comes from, if any",
        option="--vpc-source-ip",
        case_key="vpc_source_ip",
        source=_VPC,
    ),
    RequestKey(
        name=CURRENT_TIME,
        about="when the device asks",
        may_lack=False,
        option="--at",
        case_key="at",
        source=_GLOBAL,
    ),
    RequestKey(
        name=EPOCH_TIME,
        about="when the device asks, in seconds since 1970",
        may_lack=False,
        option="--at",
        case_key="at",
        source=_GLOBAL,
    ),
)
REQUEST_KEYS: Final[Mapping[str, RequestKey]] = MappingProxyType({key.name: key for key in _ALL})
