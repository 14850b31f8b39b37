"""One bad item never ends a loop: not a certificate, a row, an address or a CA, whatever the exception is."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from jitr.enforcement.one_by_one import IN_A_ROW
from jitr.enforcement.sweep import SweepOutcome
from jitr.errors import Outcome, Reason, Undecided
from jitr.handlers.enforce import EnforcementHandler, SweepsFailed
from jitr_local import pki
from tests.aws.aws_faults import failing, refusing
from tests.worlds.deployment import BUCKET, TABLE, TestDeployment

SCHEDULE = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
FAILURES = [
    ValueError("nobody expected it"),
    ClientError({"Error": {"Code": "InternalFailureException", "Message": ""}}, "UpdateCertificate"),
]


def active(deployment: TestDeployment, serial: int) -> pki.Device:
    """A device that is ACTIVE."""
    device = deployment.ca.issue(f"device-{serial}", serial=serial)
    assert deployment.knock(device).outcome is Outcome.ACTIVATED
    return device


def adopted(deployment: TestDeployment, name: str, *, policy: str = "default") -> pki.CertificateAuthority:
    """A second CA, adopted with a CRL of its own."""
    other = pki.CertificateAuthority.create(name)
    deployment.iot.register_ca(other)
    deployment.publish(other.crl(), key=f"{name}.crl")
    deployment.activation.authorities.records.adopt(
        other.ca_certificate_id, crl=f"s3://{BUCKET}/{name}.crl", policy=policy, by="test", at=deployment.clock()
    )
    return other


@pytest.mark.parametrize("error", FAILURES, ids=["unexpected", "refused"])
def test_a_certificate_that_cannot_be_switched_off_does_not_keep_the_others(
    deployment: TestDeployment, error: Exception
) -> None:
    """The sweep fails, so that it alarms and is repeated; everything else that is listed is off."""
    bad, other, last = (active(deployment, serial) for serial in (1, 2, 3))
    deployment.publish(deployment.ca.crl([1, 2, 3], number=2))
    bad_one = refusing(deployment.iot_client, "UpdateCertificate", bad.certificate_id, error)
    with bad_one, pytest.raises(Undecided) as failure:
        deployment.sweep()
    assert [deployment.iot.status(each) for each in (bad, other, last)] == ["ACTIVE", "REVOKED", "REVOKED"]
    assert failure.value.certificate_id == bad.certificate_id
    assert deployment.sweep().outcome is SweepOutcome.ENFORCED
    assert deployment.iot.status(bad) == "REVOKED"


def test_a_damaged_row_does_not_keep_the_others(deployment: TestDeployment) -> None:
    """Somebody wrote nonsense into the table."""
    damaged, other = active(deployment, 1), active(deployment, 2)
    row = deployment.row(damaged)
    assert row is not None
    deployment.dynamodb.put_item(TableName=TABLE, Item=row | {"state": {"S": "nonsense"}})
    deployment.publish(deployment.ca.crl([1, 2], number=2))
    with pytest.raises(Undecided, match="damaged"):
        deployment.sweep()
    assert deployment.iot.status(other) == "REVOKED"


def test_what_fails_again_and_again_is_given_up(deployment: TestDeployment) -> None:
    """That is not one bad item: AWS throttles, and asking on makes it worse."""
    for serial in range(1, IN_A_ROW + 3):
        active(deployment, serial)
    deployment.publish(deployment.ca.crl(range(1, IN_A_ROW + 3), number=2))
    asked: list[str] = []
    error = ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "UpdateCertificate")

    def count(*, params: Any, **_: Any) -> None:
        asked.append(params["url_path"])
        raise error

    deployment.iot_client.meta.events.register_first("before-call.iot.UpdateCertificate", count)
    with pytest.raises(Undecided) as failure:
        deployment.sweep()
    assert (failure.value.reason, len(asked)) == (Reason.THROTTLED, IN_A_ROW)


def test_a_ca_that_breaks_the_reading_does_not_keep_another_cas_devices(
    deployment: TestDeployment, function: EnforcementHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first CA's trouble is its own, and is reported."""
    other = adopted(deployment, "other")
    device = other.issue("device-1", serial=1)
    deployment.iot.connect(device, other)
    deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
    deployment.publish(other.crl([1], number=2), key="other.crl")
    real = type(function.authorities).certificate

    def certificate(self: Any, ca: Any, **options: Any) -> Any:
        if ca.name == "factory-1":
            raise ValueError("a subject that no library reads")
        return real(self, ca, **options)

    monkeypatch.setattr(type(function.authorities), "certificate", certificate)
    with pytest.raises(SweepsFailed, match="internal"):
        function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == "REVOKED"


def test_a_damaged_record_of_a_ca_does_not_keep_another_cas_devices(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """It is named in the answer, and the first CA's CRL is enforced."""
    device = active(deployment, 1)
    key = {"pk": {"S": "ca"}, "sk": {"S": "0" * 64}}
    item = {**key, "adopted_policy": {"S": "default"}, "devices": {"N": "1"}, "locations": {"SS": ["a"]}}
    deployment.dynamodb.put_item(TableName=TABLE, Item=item | {"devices": {"S": "many"}, "adopted_crl": {"S": "none"}})
    deployment.dynamodb.put_item(TableName=TABLE, Item=item | {"sk": {"S": "1" * 64}, "adopted_crl": {"S": "file:///"}})
    deployment.publish(deployment.ca.crl([1], number=2))
    answer = function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == "REVOKED"
    outcomes = {each["ca"]: (each["outcome"], each["reason"]) for each in answer["sweeps"]}
    assert outcomes["adopted-111111111111"] == ("failed", "configuration")


def test_an_adopted_ca_whose_policy_is_no_longer_deployed_is_still_enforced(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """Revocation does not depend on what only activation needs."""
    other = adopted(deployment, "other", policy="gone")
    device = other.issue("device-1", serial=1)
    deployment.iot.connect(device, other)
    deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
    deployment.publish(other.crl([1], number=2), key="other.crl")
    function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == "REVOKED"
    knocking = deployment.iot.connect(other.issue("device-2", serial=2), other)
    with pytest.raises(Undecided) as refused:
        deployment.deliver(knocking)
    assert refused.value.reason is Reason.CONFIGURATION


def test_a_certificate_that_cannot_be_imported_does_not_keep_the_others(
    deployment: TestDeployment, function: EnforcementHandler
) -> None:
    """Others registered three; the newest breaks the reading, and the others are listed."""
    devices = [deployment.ca.issue(f"device-{serial}", serial=serial) for serial in (1, 2, 3)]
    for device in devices:
        deployment.iot.connect(device, deployment.ca)
        deployment.iot.certificates[device.certificate_id].status = "ACTIVE"
    deployment.publish(deployment.ca.crl([1, 2, 3], number=2))
    bad = devices[1].certificate_id
    bad_one = refusing(deployment.iot_client, "DescribeCertificate", bad, ValueError("unexpected"))
    with bad_one, pytest.raises(SweepsFailed, match="internal"):
        function.run(SCHEDULE, request_id="r")
    assert [deployment.iot.status(each) for each in devices] == ["REVOKED", "ACTIVE", "REVOKED"]


def test_a_throttled_table_stops_nothing_for_good(deployment: TestDeployment, function: EnforcementHandler) -> None:
    """The next schedule goes on."""
    device = active(deployment, 1)
    deployment.publish(deployment.ca.crl([1], number=2))
    with failing(deployment.iot_client, "UpdateCertificate", "ThrottlingException"), pytest.raises(SweepsFailed):
        function.run(SCHEDULE, request_id="r")
    function.run(SCHEDULE, request_id="r")
    assert deployment.iot.status(device) == "REVOKED"
