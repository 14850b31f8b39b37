"""The keys of the fleet file, as data: reading checks against them, and the JSON Schema for editors is made of them.

Those of a deployment are here, those of a CA in ca_keys.py. Rules that need other files or other keys (certificates,
templates, duplicates) are in neither, but where the file is read: reader.py, ca_reader.py, fleet_rules.py.
"""

from __future__ import annotations

from typing import Final

from jitr.settings import Mode
from jitr_fleet.deployments.deployment import Ingestion
from jitr_fleet.deployments.names import HOST, PORT
from jitr_fleet.files.key import Key

# What CloudWatch Logs accepts as retention (API reference, PutRetentionPolicy).
_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180)

_YEARS: Final = (365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


_KMS_KEY: Final = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}"
_KMS_KEY_SHAPE: Final = "the ARN of a key, not of an alias (arn:aws:kms:eu-west-1:111122223333:key/…)"

DEPLOYMENT_KEYS: Final = (
    Key(
        name="account",
        about="AWS account id",
        required=True,
        pattern=r"[0-9]{12}",
        shape="12 digits in quotes",
    ),
    Key(
        name="region",
        about="AWS Region",
        required=True,
        pattern=r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}",
        shape='an AWS Region such as "eu-west-1"',
    ),
    Key(
        name="profile",
        about="credentials profile that `jitr` uses for this deployment where neither option nor variable names any",
        pattern=r"[^\s]{1,128}",
        shape="the name of a profile",
        fills=None,
    ),
    Key(
        name="new_region",
        about="true: the Region is newer than the installed boto3, which does not know it",
        kind=bool,
        default=False,
        fills=None,
    ),
    Key(
        name="ingestion",
        about="how events reach the function: the rule invokes it (direct), or sends them to a queue that it works off "
        "at the pace of its share (queue)",
        default=Ingestion.DIRECT.value,
        choices=tuple(each.value for each in Ingestion),
        read=Ingestion,
    ),
    Key(
        name="mode",
        about="activate; or observe: only log what would be decided, and write nothing, beside a handler that is there "
        "already",
        default=Mode.ACTIVATE.value,
        choices=tuple(each.value for each in Mode),
        read=Mode,
    ),
    Key(
        name="crl_hosts",
        about="hosts that CRLs may be fetched from, besides the stack's CRL bucket",
        kind=list,
        default=(),
        pattern=f"{HOST}(:{PORT})?",
        shape="host names in lower case, with :port where it is not the scheme's own, without scheme or path",
        read=tuple,
    ),
    Key(
        name="crl_publishers",
        about="roles that may write CRLs into the stack's CRL bucket",
        kind=list,
        default=(),
        pattern=r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,576}",
        shape="ARNs of roles (arn:aws:iam::111122223333:role/name), no wildcards",
        read=tuple,
    ),
    Key(
        name="alarm_email",
        about="address that the alarm topic is subscribed with; AWS asks it to confirm",
        pattern=r"[^@\s]+@[^@\s]+\.[^@\s]+",
        shape="an e-mail address",
    ),
    Key(
        name="api_tps",
        about="the account's quota of AWS IoT API calls a second (the lowest of DescribeCertificate, "
        "UpdateCertificate and AttachPolicy)",
        kind=int,
        default=10,
        minimum=1,
    ),
    Key(
        name="api_margin",
        about="calls a second of api_tps that are left to whatever else uses the account's quota",
        kind=float,
        default=0.2,
        minimum=0,
    ),
    Key(
        name="activation_share",
        about="percent of api_tps less api_margin that activation can count on, and lends while it needs less",
        kind=int,
        default=60,
        minimum=1,
        maximum=100,
    ),
    Key(
        name="enforcement_share",
        about="the same for switching off revoked devices",
        kind=int,
        default=30,
        minimum=1,
        maximum=100,
    ),
    Key(
        name="bulk_share",
        about="the same for operators' bulk work",
        kind=int,
        default=10,
        minimum=1,
        maximum=100,
    ),
    Key(
        name="enforcement_minutes",
        about="minutes from one look at every CRL to the next; one put into the stack's CRL bucket counts at once",
        kind=int,
        default=5,
        minimum=1,
        maximum=60,
    ),
    Key(
        name="reconciliation_hours",
        about="hours from the end of one comparison of all certificates with AWS IoT to the next",
        kind=int,
        default=24,
        minimum=1,
        maximum=168,
    ),
    Key(
        name="brake_devices",
        about="devices that CRLs may newly revoke for good within 24 hours, however small the fleet; more are braked",
        kind=int,
        default=100,
        minimum=1,
        maximum=100000,
    ),
    Key(
        name="brake_percent",
        about="the same in percent of a CA's ACTIVE devices, where that is more",
        kind=int,
        default=1,
        minimum=0,
        maximum=100,
    ),
    Key(
        name="reserved_concurrency",
        about='concurrent executions that activation reserves, beside one for enforcement: "auto" derives them from '
        'api_tps, "off" reserves none for either',
        kind=int,
        default="auto",
        choices=("auto", "off"),
        minimum=1,
        fills=None,
    ),
    Key(
        name="maximum_concurrency",
        about='batches of the queue that are at work at once; "auto" derives them from api_tps',
        kind=int,
        default="auto",
        choices=("auto",),
        minimum=2,
        maximum=1000,
        fills=None,
    ),
    Key(
        name="log_retention_days",
        about="how many days the functions' logs are kept",
        kind=int,
        default=90,
        choices=(*_DAYS, *_YEARS),
    ),
    Key(
        name="policies",
        about="folder with the policy templates, relative to the fleet file",
        default="policies",
        fills=None,
    ),
    Key(
        name="create_thing_groups",
        about="whether the stack creates the thing types and groups that its CAs name; false: they are there already",
        kind=bool,
        default=True,
    ),
    Key(
        name="released_cas",
        about="names or ids of CAs that may leave this file although they have ACTIVE devices",
        kind=list,
        default=(),
        pattern=r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}",
        shape="names of CAs, or their ids",
        read=tuple,
    ),
    Key(
        name="kms_key",
        about="AWS KMS key that encrypts state table, CRL bucket, queues and logs; without it AWS's own, at no cost",
        pattern=_KMS_KEY,
        shape=_KMS_KEY_SHAPE,
    ),
    Key(
        name="crl_kms_keys",
        about="AWS KMS keys of CRLs in other buckets, which the functions then may decrypt",
        kind=list,
        default=(),
        pattern=_KMS_KEY,
        shape=_KMS_KEY_SHAPE,
        read=tuple,
    ),
    Key(
        name="iot_kms_key",
        about="the customer managed key that the account's AWS IoT data is under, where it is: AWS IoT then asks every "
        "caller for it",
        pattern=_KMS_KEY,
        shape=_KMS_KEY_SHAPE,
    ),
    Key(
        name="permissions_boundary",
        about="managed policy that bounds the permissions of every role of the stack",
        pattern=r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9_+=,.@/-]{1,576}",
        shape="the ARN of a managed policy (arn:aws:iam::111122223333:policy/name)",
    ),
    Key(
        name="role_path",
        about="path of every role of the stack; another one makes new roles",
        pattern=r"/([!-.0-~]{1,64}/){1,8}",
        shape='a path such as "/jitr/"',
    ),
    Key(
        name="termination_protection",
        about="whether CloudFormation refuses to delete the stack",
        kind=bool,
        default=False,
    ),
    Key(
        name="tags",
        about="tags of the stack and of everything in it",
        kind=dict,
        default={},
        names=r"(?!aws:|jitr:)[\w .:/=+@-]{1,128}",
        pattern=r"[\w .:/=+@-]{0,256}",
        shape="texts of letters, digits and _.:/=+@- ; aws: and jitr: are no names of yours",
        read=dict,
    ),
    Key(
        name="vpc_subnets",
        about="subnets that the functions run in; they have to reach AWS's endpoints from there (NAT or VPC endpoints)",
        kind=list,
        default=(),
        pattern=r"subnet-[0-9a-f]{8,17}",
        shape="ids of subnets (subnet-0123456789abcdef0)",
        read=tuple,
    ),
    Key(
        name="vpc_security_groups",
        about="security groups of the functions in these subnets",
        kind=list,
        default=(),
        pattern=r"sg-[0-9a-f]{8,17}",
        shape="ids of security groups (sg-0123456789abcdef0)",
        read=tuple,
    ),
    Key(
        name="private_crl_hosts",
        about="those of crl_hosts that may have addresses in private networks, which functions in vpc_subnets reach",
        kind=list,
        default=(),
        pattern=f"{HOST}(:{PORT})?",
        shape="host names as in crl_hosts",
        read=tuple,
    ),
)
