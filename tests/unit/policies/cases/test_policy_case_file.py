"""Files of policy cases: read, with every mistake told by its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitr_fleet.files.toml_lines import TomlLines
from jitr_fleet.policies.cases.file import read_cases
from jitr_fleet.policies.evaluation.facts import NAME_SIDES, CertificateFacts, DeviceFacts, ThingFacts
from jitr_fleet.policies.language.actions import Protocol
from jitr_local import pki
from tests.unit.policies.cases.policy_case_files import CASE, DEVICE, TEMPLATE, cases_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a template."""
    (tmp_path / "own.json").write_text(TEMPLATE, encoding="utf-8")
    return tmp_path


def mistakes_in(folder: Path, text: str) -> list[str]:
    """Write cases that are wrong, and return the mistakes without the file's path."""
    file = folder / "own.cases.toml"
    file.write_text(text, encoding="utf-8")
    cases, mistakes = read_cases(file)
    assert cases == ()
    return [str(mistake).removeprefix(str(file)) for mistake in mistakes]


def changed(line: str) -> str:
    """The case with one line more, or another value for a key it has."""
    name = line.partition("=")[0].strip()
    kept = [each for each in CASE.splitlines() if each.partition("=")[0].strip() != name]
    return DEVICE + "\n".join([*kept, line])


class TestReading:
    """What is right."""

    def test_a_case_has_its_line_and_its_devices_facts(self, folder: Path) -> None:
        """The line of its [[cases]]."""
        (case,) = cases_in(folder, DEVICE + CASE)
        assert (case.line, case.why, case.question) == (4, "It sends.", "sensor iot:Publish topic/a")
        assert case.facts == DeviceFacts(client_id="sensor-1")

    def test_lists_are_every_combination(self, folder: Path) -> None:
        """Of devices, actions and resources."""
        text = DEVICE + "[devices.other]\n" + CASE.replace('"sensor"', '["sensor", "other"]')
        text = text.replace('"iot:Publish"', '["iot:Publish", "iot:Receive"]').replace(
            '"topic/a"', '["topic/a", "topic/b"]'
        )
        cases = cases_in(folder, text)
        assert len({(case.device, case.action, case.resource) for case in cases}) == len(cases) == 8

    def test_every_fact_is_read(self, folder: Path) -> None:
        """Names in a certificate may be one text or several."""
        device = """
[devices.sensor]
source_ip = "203.0.113.7"
domain_name = "iot.example.com"
protocol = "https"

[devices.sensor.thing]
name = "sensor-1"
type = "sensor"
attached = false
exclusive = false
attributes = { site = "a" }

[devices.sensor.certificate]
id = "abababababababababababababababababababababababababababababababab"
serial_number = "921285cbb7a5e086"
subject = { CommonName = "d", Organization = ["A", "B"] }
issuer = { Country = "US" }
subject_alternative_name = { DNSName = "d.example.com" }
issuer_alternative_name = { IPAddress = "203.0.113.1" }
"""
        (case,) = cases_in(folder, device + CASE)
        assert case.facts == DeviceFacts(
            client_id="sensor-1",
            source_ip="203.0.113.7",
            domain_name="iot.example.com",
            protocol=Protocol.HTTPS,
            thing=ThingFacts(
                name="sensor-1", type_name="sensor", attributes={"site": "a"}, attached=False, exclusive=False
            ),
            certificate=CertificateFacts(
                certificate_id="ab" * 32,
                serial_number=0x921285CBB7A5E086,
                names={
                    "Subject.CommonName": ("d",),
                    "Subject.Organization": ("A", "B"),
                    "Issuer.Country": ("US",),
                    "Subject.AlternativeName.DNSName": ("d.example.com",),
                    "Issuer.AlternativeName.IPAddress": ("203.0.113.1",),
                },
                said=frozenset(NAME_SIDES),
            ),
        )

    def test_a_certificate_can_be_a_file_beside_the_cases(self, folder: Path) -> None:
        """Then it says everything."""
        certificate = pki.CertificateAuthority.create("CA").issue().certificate
        (folder / "device.pem").write_text(pki.pem(certificate))
        (case,) = cases_in(folder, '[devices.sensor.certificate]\nfile = "device.pem"\n' + CASE)
        assert case.facts.certificate.serial_number == certificate.serial_number


class TestMistakes:
    """What is wrong, told with line, key and what is allowed."""

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ('expct = "allowed"', ":10: cases[0].expct: unknown key; did you mean expect? allowed: action,"),
            (
                'expect = "alowed"',
                ':9: cases[0].expect: found "alowed"; did you mean "allowed"? allowed: allowed, denied',
            ),
            (
                "expect = true",
                ":9: cases[0].expect: found true; allowed: allowed, denied, explicit_deny, implicit_deny",
            ),
            ('device = "sensr"', ':9: cases[0].device: there is no device "sensr"; did you mean sensor?'),
            ("device = []", ":9: cases[0].device: an empty list; name at least one"),
            ("device = 1", ":9: cases[0].device: found 1; a list of texts is expected"),
            ('action = "iot:Publsh"', ":9: cases[0].action: there is no action iot:Publsh; did you mean iot:Publish?"),
            ('action = "iot:*"', ':9: cases[0].action: found ["iot:*"]; expected: actions such as iot:Publish'),
            ('resource = "topic"', ":9: cases[0].resource: 'topic' is no resource; write topic/ and a name"),
            ('resource = "topics/a"', ":9: cases[0].resource: 'topics/a' is no resource; did you mean topic?"),
            (
                'resource = "topicfilter/a"',
                ":9: cases[0].resource: iot:Publish is never asked for topicfilter; expected: topic/…",
            ),
            ('why = ""', ':9: cases[0].why: found ""; expected: one sentence'),
        ],
    )
    def test_in_a_case(self, folder: Path, line: str, expected: str) -> None:
        """At the key's own line."""
        (mistake,) = mistakes_in(folder, changed(line))
        assert mistake.startswith(expected)

    def test_missing_keys(self, folder: Path) -> None:
        """All of them, at the case's line."""
        mistakes = mistakes_in(folder, DEVICE + "[[cases]]\n")
        assert [mistake.partition(": missing")[0] for mistake in mistakes] == [
            f":3: cases[0].{name}" for name in ("why", "device", "action", "expect")
        ]

    @pytest.mark.parametrize(
        ("device", "expected"),
        [
            ("client = 1", ":2: devices.sensor.client: unknown key; did you mean client_id?"),
            ("client_id = 1", ":2: devices.sensor.client_id: found 1; a text in quotes is expected"),
            ('source_ip = "1.2.3.400"', ':2: devices.sensor.source_ip: found "1.2.3.400"; expected: an IP address'),
            ('protocol = "http"', ':2: devices.sensor.protocol: found "http"; did you mean "https"?'),
            ('thing = "a"', ':2: devices.sensor.thing: found "a"; a table is expected here'),
            ("thing = {}", ":2: devices.sensor.thing.name: missing; expected: name of the Thing"),
            ('thing = { name = "a b" }', ':2: devices.sensor.thing.name: found "a b"; expected: 1 to 128 of'),
            (
                'thing = { name = "a", attached = "yes" }',
                ':2: devices.sensor.thing.attached: found "yes"; true or false',
            ),
            ('thing = { name = "a", attributes = { x = 1 } }', ":2: devices.sensor.thing.attributes: found no table"),
            ("certificate = 1", ":2: devices.sensor.certificate: found 1; a table is expected here"),
            ("certificate = { serial_number = 17 }", ":2: devices.sensor.certificate.serial_number: found 17; a text"),
            ('certificate = { subject = "d" }', ":2: devices.sensor.certificate.subject: found no table"),
            (
                'certificate = { subject = { Comonname = "d" } }',
                ":2: devices.sensor.certificate.subject.Comonname: unknown key; did you mean CommonName?",
            ),
            ("certificate = { subject = { CommonName = [] } }", ":2: devices.sensor.certificate.subject.CommonName:"),
            ('certificate = { file = "no.pem" }', ":2: devices.sensor.certificate.file: "),
            ('certificate = { file = "own.json" }', ":2: devices.sensor.certificate.file: "),
            ('certificate = { file = "a", id = "b" }', ":2: devices.sensor.certificate.id:"),
        ],
    )
    def test_in_a_device(self, folder: Path, device: str, expected: str) -> None:
        """Down to the last table."""
        mistakes = mistakes_in(folder, f"[devices.sensor]\n{device}\n{CASE}")
        assert mistakes[0].startswith(expected)

    def test_lists_that_multiply_to_more_than_anybody_means_are_refused(self, folder: Path) -> None:
        """Before they are multiplied."""
        listed = ", ".join(['"topic/a"'] * 1000)
        actions = ", ".join(['"iot:Publish"'] * 1000)
        text = changed(f"action = [{actions}]").replace('"topic/a"', f"[{listed}]")
        (mistake,) = mistakes_in(folder, text)
        assert mistake == ":4: cases[0]: 1000000 questions; one case asks 10000 at most; make several"

    def test_a_connection_is_to_ones_own_client_id(self, folder: Path) -> None:
        """Another one would be a question about another device."""
        text = changed('action = "iot:Connect"').replace("topic/a", "client/sensor-2")
        (mistake,) = mistakes_in(folder, text)
        assert "the device connects as 'sensor-1'" in mistake

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "cases: missing or empty; expected: at least one [[cases]]"),
            (b"cases = 1", ":1: cases: missing or empty"),
            (b"cases = [1]", ":1: cases[0]: found 1; a table is expected"),
            (b"devices = 1\n[[cases]]", ":1: devices: found no table"),
            (b"[case]", ":1: case: unknown key; did you mean cases?"),
            (b"[[cases]", "is no usable TOML: "),
            (b"\xff", "is not UTF-8 (byte 0)"),
            (b"a = " + b"[" * 100_000, "is no usable TOML: "),
            (b"#" * (1024 * 1024 + 1), "more than 1,048,576 bytes"),
        ],
        ids=["empty", "no list", "no table", "no devices", "other table", "syntax", "encoding", "nesting", "size"],
    )
    def test_in_the_whole_file(self, folder: Path, content: bytes, words: str) -> None:
        """Nothing raises, whatever it holds."""
        file = folder / "own.cases.toml"
        file.write_bytes(content)
        cases, mistakes = read_cases(file)
        assert cases == ()
        assert words in str(mistakes[0])
        assert str(mistakes[0]).startswith(str(file))

    def test_a_missing_file(self, folder: Path) -> None:
        """Is a mistake too."""
        (mistake,) = read_cases(folder / "none.cases.toml")[1]
        assert "cannot be read" in str(mistake)


def test_lines_are_found_past_texts_and_comments() -> None:
    """What looks like a table inside a text is none."""
    text = '''# [devices.no]
x = """ # not a comment
[devices.no]
""" # [devices.no]
y = "\\"[[cases]]"
[ devices . a ] # here
client_id = "x"
thing.name = "y"
[[cases]]
z = \'\'\'
[[cases]]\'\'\'
[[cases]]
device = [
  "a",
]
'''
    lines = TomlLines(text)
    paths = (
        "devices.a",
        "devices.a.client_id",
        "devices.a.thing.name",
        "cases[0]",
        "cases[1].device",
        "cases[1].why",
        "nothing.at[3].all",
    )
    assert [lines.line_of(path) for path in paths] == [6, 7, 8, 9, 13, 12, 1]
    assert lines.line_of("devices.no") == 1


@given(st.text())
def test_lines_are_found_or_not_in_any_text(text: str) -> None:
    """Never an error, and never a line that is not there."""
    assert 1 <= TomlLines(text).line_of("devices.a.b") <= text.count("\n") + 1
