"""Turns at AWS IoT as containers take them of the table: together within the quota, each with its share."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from jitr.aws.lending import Allotment, Part
from jitr.aws.state_table import StateTable
from jitr.aws.turns import (
    CERTIFICATES,
    LISTS,
    BatchTurns,
    Crowding,
    NoTurn,
    TurnLine,
    Turns,
    pace_calls,
    tell_throttles,
)
from jitr.errors import Reason, Undecided
from tests.aws.aws_faults import failing
from tests.aws.memory_aws import MemoryTable
from tests.worlds.deployment import TABLE, TestDeployment

START = 1_000_000.0
SHARES = {Part.ACTIVATION: 6.0, Part.ENFORCEMENT: 3.0, Part.BULK: 1.0}


@dataclass
class Container:
    """A container with a clock of its own: it waits while others go on."""

    now: float
    turns: Turns = field(init=False)
    batch: BatchTurns = field(init=False)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def container(
    table: Any, *, part: Part = Part.ACTIVATION, times: float = 1.0, at: float = START, name: str = CERTIFICATES
) -> Container:
    """A container whose clock begins at a time, with shares of so many times ten calls a second."""
    made = Container(at)
    line = TurnLine(table, name, Allotment({each: share * times for each, share in SHARES.items()}))
    made.turns = Turns(line, part, now=lambda: made.now, sleep=made.sleep, chance=lambda: 0.5)
    made.batch = BatchTurns(made.turns)
    return made


def work(containers: list[Container], *, calls: int, seconds_a_call: Callable[[int], float]) -> list[float]:
    """Let containers share work, and return when each call began."""
    began: list[float] = []
    queue = [(each.now, number) for number, each in enumerate(containers)]
    while len(began) < calls:
        _, number = heapq.heappop(queue)
        one = containers[number]
        one.turns()
        began.append(one.now)
        one.now += seconds_a_call(len(began))
        heapq.heappush(queue, (one.now, number))
    return sorted(began)


@pytest.mark.parametrize(("times", "number"), [(1.0, 1), (1.0, 10), (10.0, 40), (0.05, 2)])
def test_containers_together_keep_to_the_quota_and_use_it(times: float, number: int) -> None:
    """In no ten seconds more than the quota and what one write takes; over all of it at least 97 percent."""
    table, per_second = MemoryTable(), 10 * times
    quick = number / per_second / 2
    began = work(
        [container(table, times=times) for _ in range(number)],
        calls=int(per_second * 60),
        seconds_a_call=lambda _: quick,
    )
    for start in began[::7]:
        assert len([each for each in began if start <= each < start + 10]) <= per_second * 10.5 + 1
    assert len(began) / (began[-1] - began[0] + 1 / per_second) >= 0.97 * per_second


def test_slow_answers_cost_no_turns() -> None:
    """Ten containers, some of whose calls take long, still use the whole quota."""
    table = MemoryTable()
    began = work(
        [container(table) for _ in range(10)], calls=1500, seconds_a_call=lambda call: 1.2 if call % 3 else 0.1
    )
    assert 1500 / (began[-1] - began[0]) >= 0.97 * 10


def test_one_write_takes_a_few_turns_of_a_large_quota_and_one_of_a_small() -> None:
    """So a quota of a hundred calls a second does not mean a hundred writes."""
    for times, writes in ((1.0, 40), (10.0, 8)):
        table = MemoryTable()
        one = container(table, times=times)
        for _ in range(40):
            one.turns()
        assert int(table.items["turns", CERTIFICATES]["written"]["N"]) == writes


def test_turns_that_went_by_are_not_used() -> None:
    """A container that Lambda froze makes no burst when it thaws."""
    one = container(MemoryTable(), times=10.0)
    one.turns()
    one.now += 60
    times = []
    for _ in range(10):
        one.turns()
        times.append(one.now)
    assert times[-1] - times[0] == pytest.approx(0.09)


def test_a_batch_gives_up_what_it_cannot_begin_in_time() -> None:
    """What others took before leaves nothing until then, and nothing is taken."""
    table = MemoryTable()
    first, late = container(table, times=0.1), container(table, times=0.1)
    first.turns()
    late.batch.begin(latest=START + 0.5)
    with pytest.raises(NoTurn) as caught:
        late.batch()
    assert (caught.value.reason, late.now) == (Reason.THROTTLED, START)
    late.batch.begin(latest=START + 30)
    late.batch()
    assert late.now <= START + 3


def test_a_ca_that_crowds_others_out_is_told_so() -> None:
    """One takes all it can while another takes one a second: the other never waits long, the one is sent away."""
    table, crowd, good = MemoryTable(), "aa" * 32, "bb" * 32
    one, other = container(table), container(table)
    sent_away, waits, taken = 0, [], 0
    for tenth in range(300):
        one.now = START + tenth / 10
        one.batch.begin(latest=one.now + 30)
        one.batch.about(crowd)
        try:
            for _ in range(20):
                one.batch()
                taken += 1
                one.now = START + tenth / 10
        except Crowding:
            sent_away += 1
        except NoTurn:
            pass
        if tenth % 10 == 0:
            other.now = START + tenth / 10
            other.batch.begin(latest=other.now + 30)
            other.batch.about(good)
            other.batch()
            waits.append(other.now - START - tenth / 10)
    assert sent_away > 100
    assert max(waits[5:]) <= 0.5
    assert taken >= 30 * 9 * 0.95  # and what the other leaves is the crowd's


def test_a_ca_alone_is_never_sent_away() -> None:
    """However many devices it has: there is nobody to make way for."""
    one = container(MemoryTable())
    one.batch.begin(latest=START + 1000)
    one.batch.about("aa" * 32)
    for _ in range(500):
        one.batch()
    assert one.now - START == pytest.approx(49.9, abs=0.5)


def test_what_cas_had_is_kept_for_the_latest_only_and_read_with_care() -> None:
    """The item stays small, and what cannot be read is nothing."""
    table = MemoryTable()
    one = container(table)
    for number in range(100):
        one.turns.wait(latest=one.now + 10, ca=f"{number:064x}"[::-1])
    item = table.items["turns", CERTIFICATES]
    assert len(item["cas"]["S"]) < 3000
    table.items["turns", CERTIFICATES] = {**item, "cas": {"S": "[1, 2"}}
    one.turns.wait(latest=one.now + 10, ca="ab" * 32)
    assert "abababababab" in table.items["turns", CERTIFICATES]["cas"]["S"]


def test_a_single_event_goes_on_without_a_turn_after_a_while() -> None:
    """Lambda tries it three times only, and limits how many are at work."""
    table = MemoryTable()
    one, other = container(table, times=0.001), container(table, times=0.001)
    other.turns()
    one.batch()
    assert START <= one.now <= START + 11


def test_a_function_that_has_time_waits_for_its_turn() -> None:
    """Enforcement's call is made later, not given up; only a line that stands still ends that."""
    table = MemoryTable()
    one, other = container(table, part=Part.ENFORCEMENT, times=0.02), container(table, part=Part.BULK, times=0.02)
    for _ in range(3):
        other.turns()
    one.turns()
    assert one.now > START
    impatient = container(table, part=Part.BULK, times=0.02)
    impatient.turns.patience = 0.1
    with pytest.raises(NoTurn):
        impatient.turns()


def test_a_throttle_slows_all_containers_down_within_five_seconds() -> None:
    """One tells the table, and the others' next turns are further apart."""
    table = MemoryTable()
    one, other = container(table), container(table, part=Part.ENFORCEMENT)
    for _ in range(3):
        one.now += 2
        one.turns.slow_down()
    other.now = one.now
    times = []
    for _ in range(30):
        other.turns()
        times.append(other.now)
    assert len([each for each in times if each < one.now + 5]) < 0.6 * 5 * 10


def test_a_table_that_does_not_answer_is_undecided(deployment: TestDeployment) -> None:
    """Without the line nobody knows what others do; a throttle that cannot be told is told at the next one."""
    one = container(StateTable(deployment.dynamodb, TABLE))
    with failing(deployment.dynamodb, "GetItem", "InternalServerError", 500), pytest.raises(Undecided) as caught:
        one.turns()
    assert not isinstance(caught.value, NoTurn)
    with failing(deployment.dynamodb, "UpdateItem", "InternalServerError", 500):
        one.turns.slow_down()
    one.turns.slow_down()
    assert "throttled_at_us" in (one.turns.line.table.get({"pk": {"S": "turns"}, "sk": {"S": CERTIFICATES}}) or {})


def test_the_line_is_kept_in_the_real_table_too(deployment: TestDeployment) -> None:
    """The same conditions on DynamoDB: two containers, two parts, each turn its own place."""
    table = StateTable(deployment.dynamodb, TABLE)
    began = work([container(table), container(table, part=Part.BULK)], calls=30, seconds_a_call=lambda _: 0.01)
    assert began[-1] - began[0] == pytest.approx(2.9, abs=0.05)


def test_who_finds_that_others_wrote_meanwhile_reads_again() -> None:
    """No turn is given out twice, however the writes meet."""
    table = MemoryTable()

    @dataclass
    class Interrupted:
        """A table in which somebody else takes a turn between each first read and write."""

        left: int = 3

        def get(self, key: Any) -> Any:
            found = table.get(key)
            if self.left:
                self.left -= 1
                taken.append(other.turns.line.take(Part.BULK, 1, now=START).turns[0])
            return found

        def update(self, *given: Any, **options: Any) -> Any:
            return table.update(*given, **options)

    taken: list[float] = []
    other = container(table)
    one = container(Interrupted())
    (mine,) = one.turns.line.take(Part.ACTIVATION, 1, now=START).turns
    assert len({mine, *taken}) == len(taken) + 1


# The clients' own calls


def test_lists_and_descriptions_of_cas_wait_for_turns_of_their_own(deployment: TestDeployment) -> None:
    """Each page of a list, each DescribeCACertificate; no other call waits here."""
    waited: list[str] = []
    client = deployment.iot_client
    pace_calls(client, {name: lambda name=name: waited.append(name) for name in ("lists", "authorities")})  # type: ignore[misc]
    ca = deployment.ca.ca_certificate_id
    client.describe_ca_certificate(certificateId=ca)
    list(client.get_paginator("list_certificates_by_ca").paginate(caCertificateId=ca))
    client.list_ca_certificates()
    assert waited == ["authorities", "lists"]


def test_whatever_aws_throttles_slows_its_own_line_down(deployment: TestDeployment) -> None:
    """Each attempt counts, although botocore's next one may succeed."""
    lines = {name: container(MemoryTable(), name=name).turns for name in (CERTIFICATES, LISTS)}
    client = deployment.iot_client
    tell_throttles(client, lines)
    for code in ("ThrottlingException", "ResourceNotFoundException"):
        client.meta.events.emit(
            "response-received.iot.DescribeCertificate", parsed_response={"Error": {"Code": code}}, exception=None
        )
        client.meta.events.emit(
            "response-received.iot.ListCertificatesByCA", parsed_response={"certificates": []}, exception=None
        )
    slowed = {name: bool(turns.line.table.items) for name, turns in lines.items()}  # type: ignore[attr-defined]
    assert slowed == {CERTIFICATES: True, LISTS: False}
