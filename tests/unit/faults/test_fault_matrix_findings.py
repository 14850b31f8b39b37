"""The fault matrix finds mistakes: each of these, made on purpose, is found by the invariant that it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from jitr.activation.provisioning import Provisioning
from jitr.activation.queue import ActivationQueue
from jitr.activation.steps import Activation
from jitr.authorities.managed import CertificateAuthorities
from jitr.aws.iot import CertificateStatus, IotRegistry
from jitr.errors import Outcome, Undecided
from tests.faults.machine.cloud import Cloud
from tests.faults.machine.injection import Fault
from tests.faults.machine.told import Told
from tests.faults.stories import activation_stories, bulk_jobs, deploys, enforcement_stories, queue_stories
from tests.faults.stories.activation_scenarios import SCENARIOS, distribution_point
from tests.faults.stories.activations import Arranged, knock
from tests.faults.stories.bulk_jobs import calls_of, switched_off
from tests.faults.stories.enforcements import revoked_and_held

CALLS = range(1, 30)


def knocking(arranged: Arranged) -> Arranged:
    """A scenario with its event."""
    aws = arranged.begin()
    arranged.event = knock(aws, arranged.device)
    arranged.keep(aws)
    return arranged


def activations(arranged: Arranged, fault: Fault) -> Iterator[Told]:
    """The cases of one scenario with one fault."""
    for at in CALLS:
        yield activation_stories.tell(arranged, at, fault, activation_stories.Story.ONCE)


def found(cases: Iterator[Told]) -> str:
    """The first complaint."""
    return next((each for told in cases for each in told.complaints), "")


def test_an_activation_that_leaves_a_killed_one_open(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after it asked for ACTIVE: the row says ACTIVATING for ever."""
    scenario = knocking(SCENARIOS["cold_deployment"]())

    def does_nothing(self: Any, candidate: Any, owner: str, progress: Any) -> Any:
        return progress.result(Outcome.ALREADY_DECIDED, "active", "")

    monkeypatch.setattr(Activation, "_already_decided", does_nothing)
    assert "ACTIVE in AWS IoT, ACTIVATING in the registry" in found(activations(scenario, Fault.CRASH))


def test_an_activation_that_does_not_say_where_the_crl_is(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only the certificate knows has to be written before it is ACTIVE."""
    scenario = knocking(distribution_point())
    monkeypatch.setattr(CertificateAuthorities, "watch_points", lambda *_, **__: None)
    assert "a later CRL does not switch it off" in found(activations(scenario, Fault.THROTTLED))


def test_an_activation_of_what_another_key_signed(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """By OpenSSL's word, not by that of the reader that is judged."""
    scenario = knocking(SCENARIOS["wrong_signature"]())
    for module in ("certificates.rules", "revocation.verdict"):
        monkeypatch.setattr(f"jitr.{module}.verify_signature", lambda *_: None)
    complaints = next(activations(scenario, Fault.THROTTLED)).complaints
    assert any("OpenSSL does not take it" in each for each in complaints)


def test_an_activation_without_a_policy(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """I2, at the moment of the change."""
    scenario = knocking(SCENARIOS["cold_deployment"]())
    monkeypatch.setattr(Provisioning, "attach_policy", lambda *_: None)
    assert "I2: ACTIVE without a policy" in found(activations(scenario, Fault.THROTTLED))


def test_an_activation_that_takes_no_answer_for_pending(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """I3: an operator's decision before a late delivery."""
    scenario = knocking(SCENARIOS["cold_deployment"]())
    real = IotRegistry.describe_certificate

    def pending(self: Any, certificate_id: str) -> Any:
        return replace(real(self, certificate_id), status=CertificateStatus.PENDING_ACTIVATION)

    monkeypatch.setattr(IotRegistry, "describe_certificate", pending)
    cases = (
        activation_stories.tell(scenario, at, Fault.THROTTLED, activation_stories.Story.DEACTIVATED) for at in CALLS
    )
    assert "I3" in found(cases)


def test_a_sweep_that_passes_over_a_failed_call(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """I1: recorded as enforced while a device is ACTIVE."""
    swept = revoked_and_held()
    real = IotRegistry.switch_off

    def lenient(self: Any, certificate_id: str, status: Any) -> None:
        try:
            real(self, certificate_id, status)
        except Undecided:
            return

    monkeypatch.setattr(IotRegistry, "switch_off", lenient)
    cases = (
        enforcement_stories.tell(swept, at, Fault.THROTTLED, enforcement_stories.Story.ONCE) for at in range(1, 25)
    )
    assert "I1" in found(cases)


def test_a_dead_letter_that_is_not_sent(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """I5: deleted, and nowhere else."""
    monkeypatch.setattr(ActivationQueue, "bury", lambda *_: None)
    batch = queue_stories.batch()
    assert "lost" in found(queue_stories.tell(batch, at, Fault.DENIED, lasting=True) for at in CALLS)


def test_a_shift_that_begins_at_the_beginning(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """I5: each certificate is counted once."""
    job = switched_off()
    calls = calls_of(job)
    monkeypatch.setattr("jitr.bulk.work._behind", lambda certificates, _last: iter(certificates))
    assert "Tally" in found(bulk_jobs.tell(job, at, Fault.CRASH, lasting=False) for at in range(1, len(calls) + 1))


def test_a_roll_out_that_only_says_so(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """All new or all old, by what AWS IoT holds."""
    deploy = deploys.edited()
    monkeypatch.setattr(IotRegistry, "create_policy_version", lambda *_: True)
    assert "jitr-test_a means" in found(deploys.tell(deploy, 1, Fault.THROTTLED, lasting=False) for _ in "1")
