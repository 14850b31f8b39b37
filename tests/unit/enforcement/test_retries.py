"""How often a call to AWS is tried and for how long, with botocore itself: only network and waiting are not real."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.retries.standard import ExponentialBackoff

from jitr.activation.steps import TIME_LIMIT
from jitr.aws.retries import longest_call_seconds, repeat_without_tokens, retrying
from jitr.handlers import clients
from jitr_cli.console.aws import Aws
from tests.aws.fake_iot import REGION

THROTTLED = "ThrottlingException"
FINE = ""
ID = "a" * 64
Answer = Callable[[], str]


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body


class Network:
    """What a client meets instead of AWS: it answers at once, and all that is waited goes into `seconds`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
        self.answer, self.seconds, self.requests = answer, 0.0, 0
        monkeypatch.setattr("botocore.endpoint.time.sleep", self.wait)

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        self.seconds += seconds

    def behind(self, client: Any) -> Any:
        """Put the network behind a client; returns the client."""
        client.meta.events.register("before-send.iot.*", self._send)
        return client

    def _send(self, request: Any, **_: Any) -> Any:
        self.requests += 1
        code = self.answer()
        if code == "dead":
            raise ReadTimeoutError(endpoint_url=request.url)
        if code == "unreachable":
            raise ConnectTimeoutError(endpoint_url=request.url)
        status = {FINE: 200, "InternalFailureException": 500}.get(code, 400)
        headers: Any = {"x-amzn-ErrorType": code} if code else {}
        return AWSResponse(request.url, status, headers, _Raw(json.dumps({"message": code}).encode()))


def plain(config: Config) -> Any:
    """Return a client as botocore makes it."""
    return boto3.client("iot", region_name=REGION, aws_access_key_id="t", aws_secret_access_key="t", config=config)


def ours(config: Config) -> Any:
    """Return a client as the functions have it."""
    session = boto3.Session(aws_access_key_id="t", aws_secret_access_key="t", region_name=REGION)
    repeat_without_tokens(session)
    return session.client("iot", config=config)


def revoke(client: Any) -> bool:
    """Make one call, and return whether it succeeded."""
    try:
        client.update_certificate(certificateId=ID, newStatus="REVOKED")
    except (ClientError, ReadTimeoutError, ConnectTimeoutError):
        return False
    return True


CONFIGS = {
    "activation": (clients.CLIENT_CONFIG, 4, 35),
    "bulk work": (clients.BULK_CLIENT_CONFIG, 5, 50),
    "deploys": (clients.PATIENT_CLIENT_CONFIG, 6, 73),
    "sweeps": (clients.SWEEPING_CLIENT_CONFIG, 8, 127),
    "connections": (clients.HASTY_CLIENT_CONFIG, 2, 7),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("answer", [THROTTLED, "InternalFailureException", "dead", "unreachable"])
def test_a_call_is_tried_as_often_as_the_configuration_says(
    name: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt is one of them, whatever the environment says."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "17")
    config, attempts, _ = CONFIGS[name]
    network = Network(monkeypatch, lambda: answer)
    client = network.behind(ours(config))
    for _ in range(3):
        network.requests = 0
        assert not revoke(client)
        assert network.requests == attempts


@pytest.mark.parametrize("name", CONFIGS)
def test_no_call_takes_longer_than_what_limits_are_reckoned_from(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt meets its time limits and each wait is the longest; comments and documents say that figure."""
    config: Any
    config, _, seconds = CONFIGS[name]
    # botocore keeps its source of chance as the default of a parameter: the third from the end.
    before = ExponentialBackoff.__init__.__defaults__ or ()
    monkeypatch.setattr(ExponentialBackoff.__init__, "__defaults__", (*before[:-3], lambda: 1.0, *before[-2:]))
    network = Network(monkeypatch, lambda: THROTTLED)
    client = network.behind(ours(config))
    revoke(client)
    # The longest of both: a throttled attempt waits longest before the next, a dead one takes longest itself.
    limits = network.requests * (config.connect_timeout + config.read_timeout)
    assert network.seconds + limits == longest_call_seconds(config) == seconds


def test_one_call_of_an_activation_fits_into_its_function() -> None:
    """One slow call must not be what ends the function."""
    assert longest_call_seconds(clients.CLIENT_CONFIG) < TIME_LIMIT.total_seconds()


def test_a_client_that_met_a_burst_repeats_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warm function would otherwise go on with what the burst left; botocore's own client shows what that is."""
    answers = [THROTTLED]
    network = Network(monkeypatch, lambda: answers[0])
    alone = network.behind(plain(retrying(4, connect_seconds=2, read_seconds=5)))
    client = network.behind(ours(retrying(4, connect_seconds=2, read_seconds=5)))
    for each in (alone, client):
        for _ in range(40):
            revoke(each)
    for each, attempts in ((alone, 1), (client, 4)):
        network.requests = 0
        revoke(each)
        assert network.requests == attempts


def sweeps(client: Any, devices: int) -> int:
    """Return how many sweeps it takes until all devices are off, each of which ends with the first call that fails."""
    left, count = devices, 0
    while left:
        count += 1
        while left and revoke(client):
            left -= 1
    return count


def test_a_burst_of_throttling_does_not_make_every_sweep_that_follows_a_short_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1,500 devices while AWS IoT throttles two calls of five: nearly all in one sweep, with one client."""
    chance = random.Random(1)  # noqa: S311 - a storm that is the same each time
    network = Network(monkeypatch, lambda: THROTTLED if chance.random() < 0.4 else FINE)
    config = clients.SWEEPING_CLIENT_CONFIG
    assert sweeps(network.behind(ours(config)), 1_500) <= 5
    assert sweeps(network.behind(plain(config)), 1_500) > 100


@pytest.mark.parametrize("make", [plain, ours])
def test_too_many_of_something_is_no_throttling(make: Callable[[Config], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An eleventh policy stays one too many: it is asked once and nobody waits; botocore alone asks four times."""
    network = Network(monkeypatch, lambda: "LimitExceededException")
    client = network.behind(make(retrying(4, connect_seconds=2, read_seconds=5)))
    with pytest.raises(ClientError, match="LimitExceededException"):
        client.attach_policy(policyName="p", target="t")
    assert (network.requests, network.seconds > 0) == ((1, False) if make is ours else (4, True))


@pytest.mark.parametrize("code", ["UnauthorizedException", "ResourceNotFoundException", "CertificateStateException"])
def test_what_no_repetition_changes_is_asked_once(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the tokens are used up and botocore leaves the answer to us."""
    answers = [THROTTLED]
    network = Network(monkeypatch, lambda: answers[0])
    client = network.behind(ours(clients.CLIENT_CONFIG))
    for _ in range(40):
        revoke(client)
    answers[0], network.requests = code, 0
    assert not revoke(client)
    assert network.requests == 1


def test_the_command_line_counts_attempts_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six, or four where a lease is held: also after a long loop over throttled devices."""
    network = Network(monkeypatch, lambda: THROTTLED)
    session = boto3.Session(aws_access_key_id="t", aws_secret_access_key="t", region_name=REGION)
    aws = Aws(session, None)
    for client, attempts in ((aws.client("iot"), 6), (aws.prompt_client("iot"), 4)):
        network.behind(client)
        for _ in range(40):
            network.requests = 0
            revoke(client)
            assert network.requests == attempts
