#!/bin/sh
# Guess: in botocore's standard retry mode `max_attempts` is the number of attempts, a client that was throttled repeats
#        again after a while, and LimitExceededException is an error like any other.
# Truth: in a Config `max_attempts` counts the repetitions (total_max_attempts counts attempts). Each client has 500
#        tokens that only its own successes give back, no time: after 34 calls that were throttled to the end, a client
#        of four attempts makes one, and after any pause still one. LimitExceededException, which AWS IoT answers where
#        there may be no more of something (an eleventh policy), counts as throttling: asked four times, with waits.
# Version: botocore 1.44.5.
# Matters to: whoever keeps a client in a warm AWS Lambda function or in a long loop over a throttled API, as AWS IoT's
#        control plane with its ten calls a second.
# Prints version and counts; exits non-zero if that changes. No network is used but for the installation.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "botocore==1.44.5"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import time

import botocore
import botocore.endpoint
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError


class Clock:
    """Waits for nothing, and goes on by what was waited for."""

    now = 0.0

    def sleep(self, seconds):
        self.now += seconds


class Body:
    def stream(self, **_):
        yield b'{"message": "no"}'


clock = Clock()
botocore.endpoint.time.sleep = clock.sleep
time.monotonic = lambda: clock.now


def attempts(client, code):
    """Make one call that is answered with `code` each time, and return how often it was sent."""
    sent = []

    def answer(request, **_):
        sent.append(request)
        return AWSResponse(request.url, 400, {"x-amzn-ErrorType": code}, Body())

    client.meta.events.register("before-send.iot", answer, unique_id="answer")
    try:
        client.attach_policy(policyName="p", target="t")
    except ClientError:
        pass
    client.meta.events.unregister("before-send.iot", unique_id="answer")
    return len(sent)


def made(**retries):
    session = botocore.session.get_session()
    session.set_credentials("key", "secret")
    config = Config(retries={"mode": "standard", **retries})
    return session.create_client("iot", region_name="eu-west-1", config=config)


throttled = "ThrottlingException"
print("botocore", botocore.__version__)
counted = attempts(made(max_attempts=4), throttled), attempts(made(total_max_attempts=4), throttled)
print("attempts with max_attempts=4, with total_max_attempts=4:", *counted)
client = made(total_max_attempts=4)
burst = [attempts(client, throttled) for _ in range(40)]
clock.sleep(24 * 3600)
after = attempts(client, throttled)
print("attempts in a burst of 40 throttled calls:", *burst)
print("a day later:", after)
limit = attempts(made(total_max_attempts=4), "LimitExceededException")
print("attempts at LimitExceededException:", limit)
sys.exit(0 if (*counted, burst[0], burst[-1], after, limit) == (5, 4, 4, 1, 1, 4) else 1)
PYTHON
