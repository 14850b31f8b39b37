"""The measurements measure what they say. No timing here: the stand-ins act like AWS, and the table is right."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.console import Console

from bench import cpu
from bench.figures import figure, in_turn, ratio_by_pairs, shown, table_of


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something to sign with."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def test_a_warm_activation_is_activated_with_three_calls_under_quota(credentials: None) -> None:
    """The stub answers from each request's own bytes, so every device is described, attached and activated once."""
    with cpu.warm() as bench:
        bench.aws.calls.clear()
        bench.activation()
        calls = Counter(bench.aws.calls)
    limited = {name: calls[name] for name in ("DescribeCertificate", "AttachPolicy", "UpdateCertificate")}
    assert limited == dict.fromkeys(limited, cpu.BLOCK)
    assert calls["DescribeCACertificate"] == calls["CreatePolicy"] == 0
    assert calls["S3 GET"] == cpu.BLOCK


def test_the_usual_handler_makes_the_four_calls_of_the_field(
    credentials: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Describe, a policy of its own, attach, activate."""
    with cpu.warm() as bench:
        bench.aws.calls.clear()
        cpu.usual(bench.client, bench.knocks(1)[0][1])
        assert bench.aws.calls == ["DescribeCertificate", "CreatePolicy", "AttachPolicy", "UpdateCertificate"]


def test_a_ratio_is_to_the_peer_and_without_one_to_the_floor() -> None:
    """What others would use counts first."""
    assert figure("f", 3.0, "ms", peer=6.0, floor=1.0)["ratio"] == 0.5
    assert figure("f", 3.0, "ms", floor=1.0)["ratio"] == 3.0
    assert figure("f", 3.0, "ms")["ratio"] is None


def test_ways_are_measured_in_turn_and_the_warm_up_does_not_count() -> None:
    """A slow minute is slow for every way."""
    order: list[str] = []

    def way(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = in_turn({"a": lambda: way("a"), "b": lambda: way("b")}, 2, warm_up=1)
    assert order == ["a", "b"] * 3
    assert found == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_a_ratio_by_pairs_is_not_moved_by_one_slow_round() -> None:
    """Both were slow in it."""
    assert ratio_by_pairs([1, 100, 1], [2, 200, 2]) == 0.5


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (1234.5, "1,234"), (0.12345, "0.123"), (22.16, "22.2"), (None, ""), ("n/a", "n/a")],
    ids=["whole", "large", "small", "middle", "none", "text"],
)
def test_a_number_is_shown_with_the_digits_that_count(value: float | str | None, text: str) -> None:
    """Three of them, and no fractions of what is large."""
    assert shown(value) == text


def test_the_table_shows_every_figure_with_what_it_is_beside() -> None:
    """Also one that another measurement wrote without the words."""
    console = Console(file=io.StringIO(), width=200)
    console.print(
        table_of(
            [
                figure("quick", 2.0, "ms", peer=4.0, beside="peer: slow", promise="<= 1"),
                {"figure": "bare", "value": 7, "unit": "calls", "peer": None, "floor": None, "ratio": None},
            ]
        )
    )
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(word in text for word in ("quick", "0.5", "peer: slow", "<= 1", "bare", "calls"))
