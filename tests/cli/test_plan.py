"""`jitr plan`: what it prints, what it takes from the fleet file, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jitr_cli.plan import read_arrival, spoken
from jitr_local import pki
from tests.cli.conftest import Jitr

ROOT = Path(__file__).parents[2]
FLEET = """
[deployments.quick]
account = "111122223333"
region = "eu-west-1"
ingestion = "queue"
api_tps = 40
activation_share = 50
enforcement_share = 30
bulk_share = 10
policies = "policies"

[[deployments.quick.cas]]
name = "factory-1"
certificate = "factory-1.pem"
crl = "none"
policy = "default"

[deployments.plain]
account = "111122223333"
region = "us-east-1"
policies = "policies"
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A fleet file with two deployments."""
    (tmp_path / "fleet.toml").write_text(FLEET, encoding="utf-8")
    (tmp_path / "factory-1.pem").write_text(pki.pem(pki.CertificateAuthority.create().certificate), encoding="utf-8")
    (tmp_path / "policies").symlink_to(ROOT / "policies")
    return tmp_path / "fleet.toml"


def test_it_says_how_long_and_what_to_raise(jitr: Jitr) -> None:
    """The figures on stdout, what was assumed on stderr."""
    answer = jitr("plan", "--devices", 2000)
    assert answer.exit_code == 0, answer.err
    assert "2,000 devices, all-at-once · queue · 100 % of 10 less 0.2 AWS IoT calls a second" in answer.err
    for words in ("all after", "3 min", "most events that wait at once", "calls of AttachPolicy", "raise first"):
        assert words in answer.out
    assert "DescribeCertificate (10 → 20), UpdateCertificate (10 → 20), AttachPolicy (15 → 20)" in answer.out


def test_json_has_the_same_figures(jitr: Jitr) -> None:
    """For other programs: seconds, counts, and what to raise."""
    plan = jitr("plan", "--devices", 2000, "--json").json
    assert plan["bound_per_second"] == 9.8
    assert 2000 / 9.8 - 1 <= plan["seconds"]["all"] <= 1.1 * 2000 / 9.8
    assert plan["seconds"]["half"] < plan["seconds"]["ninety_nine_percent"] < plan["seconds"]["all"]
    assert plan["calls"]["UpdateCertificate"] == 2000
    assert plan["events"] > 2000
    assert plan["raise_first"]["seconds_all"] < 0.6 * plan["seconds"]["all"]


@pytest.mark.parametrize("arrival", ["all-at-once", "over 10min", "poisson 5/s", "poisson 50/s"])
@pytest.mark.parametrize("quota", [10, 50])
def test_the_least_is_never_more_than_the_result(jitr: Jitr, arrival: str, quota: int) -> None:
    """Whichever decides, quota or arrival; arrivals by chance may all be there early."""
    answer = jitr("plan", "--devices", 3000, "--arrival", arrival, "--quota", quota, "--json")
    seconds = answer.json["seconds"]
    assert 0.9 * max(read_arrival(arrival, 3000).over, 3000 / (quota - 0.2)) <= seconds["least"] <= seconds["all"]


def test_a_deployments_quota_share_and_mode_come_from_the_fleet_file(jitr: Jitr, fleet: Path) -> None:
    """Named by --deployment; what an option says wins."""
    plan = jitr("plan", "--devices", 500, "--fleet", fleet, "--deployment", "quick", "--json").json
    assert (plan["mode"], plan["bound_per_second"], plan["quotas"]["DescribeCertificate"]) == ("queue", 35.82, 40)
    plan = jitr("plan", "--devices", 500, "--fleet", fleet, "--deployment", "plain", "--json").json
    assert (plan["mode"], plan["bound_per_second"], plan["containers"]) == ("direct", 6.0, 3)
    plan = jitr(
        "plan", "--devices", 500, "--fleet", fleet, "--deployment", "plain", "--quota", 20, "--mode", "queue", "--json"
    ).json
    assert (plan["mode"], plan["bound_per_second"]) == ("queue", 19.8)


def test_a_fleet_file_in_the_folder_is_left_alone(jitr: Jitr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning needs no fleet file, not even a right one."""
    (tmp_path / "fleet.toml").write_text("broken", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JITR_FLEET", raising=False)
    assert jitr("plan", "--devices", 10).exit_code == 0
    assert jitr("plan", "--devices", 10, "--fleet", "fleet.toml").exit_code == 64


def test_direct_mode_is_called_a_model(jitr: Jitr) -> None:
    """AWS does not tell in which order Lambda's own queue hands out events."""
    assert "a model of Lambda's own queue" in jitr("plan", "--devices", 10, "--mode", "direct").err


def test_a_fleet_that_outlives_the_retention_is_warned_about(jitr: Jitr) -> None:
    """Fourteen days in the queue; and what the devices' knocks cost is said too."""
    answer = jitr("plan", "--devices", 10_000_000, "--quota", 6)
    assert answer.exit_code == 0
    assert "longer than the 14 days they are kept" in answer.err
    assert "the devices' back-off decides what is billed" in answer.err
    assert "19 d" in answer.out


def test_a_share_beyond_what_aws_registers_is_warned_about(jitr: Jitr) -> None:
    """Past 15 new certificates a second another quota holds."""
    assert "registers 15 new certificates a second" in jitr("plan", "--devices", 100, "--quota", 100).err
    assert "registers 15" not in jitr("plan", "--devices", 100, "--quota", 15).err


@pytest.mark.parametrize(
    "options",
    [
        ["--devices", "0"],
        ["--devices", "10000001"],
        ["--arrival", "soon"],
        ["--arrival", "over 0s"],
        ["--arrival", "poisson 0"],
        ["--quota", "0"],
        ["--mode", "post"],
        ["--base", "5", "--cap", "2"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_usage(jitr: Jitr, options: list[str]) -> None:
    """64, with words for it."""
    answer = jitr("plan", "--devices", 10, *options)
    assert (answer.exit_code, answer.out) == (64, "")
    assert answer.err


@pytest.mark.parametrize(
    ("text", "seconds", "poisson"),
    [
        ("all-at-once", 1.0, False),
        ("over 90s", 90.0, False),
        ("over 1.5h", 5400.0, False),
        ("over:2d", 172800.0, False),
        ("over 10 min", 600.0, False),
        ("poisson 5/s", 200.0, True),
        ("Poisson 0.5", 2000.0, True),
    ],
)
def test_arrivals_are_read(text: str, seconds: float, *, poisson: bool) -> None:
    """In the words that people use."""
    arrival = read_arrival(text, 1000)
    assert (arrival.over, arrival.poisson) == (seconds, poisson)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.0, "59 s"), (61.0, "1 min 1 s"), (3660.0, "1 h 1 min"), (1e6, "11 d 13 h"), (1e400, "longer")],
)
def test_durations_are_spoken(seconds: float, words: str) -> None:
    """In two units at most."""
    assert spoken(seconds).startswith(words)


def test_it_imports_neither_boto3_nor_the_cdk() -> None:
    """It has to start quickly, and to run where neither is set up."""
    program = (
        "import sys; from jitr_cli.__main__ import run; run(['plan', '--devices', '10']); "
        "print([name for name in ('boto3', 'botocore', 'aws_cdk') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_clients_waits_decide_how_many_events_there_are(jitr: Jitr) -> None:
    """A client that comes back every second makes many times as many as one that doubles; nobody gets in sooner."""
    plans = {
        each: jitr("plan", "--devices", 1000, "--client", each, "--json").json
        for each in ("reference", "paho", "mqttjs", "mosquitto")
    }
    events = {each: plan["events"] for each, plan in plans.items()}
    assert events["mqttjs"] == events["mosquitto"] == pytest.approx(40_000, rel=0.05)
    assert events["reference"] < events["paho"] < events["mqttjs"] / 6
    assert {round(plan["seconds"]["all"], -1) for plan in plans.values()} == {100}
    assert plans["paho"]["client"] == "paho"


def test_waits_of_ones_own_go_with_the_reference_device_only(jitr: Jitr) -> None:
    """A client that was measured has its waits."""
    answer = jitr("plan", "--devices", 10, "--client", "paho", "--cap", 5)
    assert answer.exit_code == 64
    assert "--cap is about the reference device" in answer.err


def test_a_floor_is_waited_too(jitr: Jitr) -> None:
    """`--base 2 --cap 60` alone mean full jitter, as they say."""
    without, floored = (
        jitr("plan", "--devices", 1000, "--base", 2, "--cap", 60, *more, "--json").json["events"]
        for more in ([], ["--floor", 10])
    )
    assert floored < 0.8 * without
    assert without == pytest.approx(6_068, rel=0.05)
