"""Reading a policy file: strict where readers of JSON disagree, and every value knows its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitr_fleet.files.json_positions import MAXIMUM_DEPTH, read_json
from jitr_fleet.policies.source import MAXIMUM_BYTES, read_policy_file, read_policy_source

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
BROKEN = [
    ("", "found the end of the file; is a bracket missing?"),
    ("{", "found the end of the file; is a bracket missing?"),
    ('{"a": 1', "expected a comma or }"),
    ('{"a": 1,}', "a comma before }; remove the comma"),
    ("[1, 2,]", "a comma before ]; remove the comma"),
    ('{"a" 1}', 'expected a colon after the key "a"'),
    ("{'a': 1}", "JSON has double quotes only"),
    ('{"a": 1 // one\n}', "JSON has no comments"),
    ("{a: 1}", 'expected a key in double quotes, found "a"'),
    ('{"a": NaN}', 'expected a value, found "N"'),
    ('{"a": 01}', "expected a comma or }"),
    ('{"a": +1}', 'expected a value, found "+"'),
    ('{"a": .5}', 'expected a value, found "."'),
    ('{"a": "\n"}', "Invalid control character"),
    ('{"a": "\\x"}', "Invalid \\escape"),
    ('{"a": "\\ud83d"}', "half a character"),
    ("{} {}", "there is more after the end of the policy; remove it"),
    ("1" * 101, "a number of more than 100 characters"),
]


def rules(raw: bytes) -> list[str]:
    """Return the rules that a file's bytes break."""
    return [finding.rule for finding in read_policy_source("policy.json", raw)[1]]


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[str(index) for index in range(len(BROKEN))])
def test_what_is_no_json_is_one_finding_that_says_what_happened(text: str, message: str) -> None:
    """With its column, and no source to go on with."""
    source, (finding,) = read_policy_source("policy.json", text.encode())
    assert source is None
    assert finding.rule == "json-syntax"
    assert message in finding.message


def test_a_mistake_is_shown_where_it_stands() -> None:
    """Line and column count from 1."""
    _, (finding,) = read_policy_source("p.json", b'{\n  "a": [1,\n    2 3]\n}')
    assert str(finding) == 'p.json:3: error: column 7: expected a comma or ], found "3" [json-syntax]'
    assert finding.path == "/a"


def test_both_of_two_equal_keys_are_read_and_the_second_one_is_reported() -> None:
    """As other readers do, the last one counts."""
    source, (finding,) = read_policy_source("p.json", b'{"a": 1,\n "b": 2,\n "a": 3}')
    assert source is not None
    assert source.value == {"a": 3, "b": 2}
    assert (finding.rule, finding.line, finding.path) == ("duplicate-key", 3, "/a")


def test_a_byte_order_mark_hides_no_other_finding() -> None:
    """The file is read on after it."""
    assert rules(b'\xef\xbb\xbf{"a": 1, "a": 2}') == ["byte-order-mark", "duplicate-key"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "latin-1"])
def test_other_encodings_are_refused(encoding: str) -> None:
    """Even where their bytes happen to be characters of UTF-8."""
    assert set(rules('{"Sid": "Gerät"}'.encode(encoding))) <= {"not-utf8", "json-syntax"}
    assert rules('{"Sid": "Gerät"}'.encode(encoding))


def test_a_file_of_ten_megabytes_is_refused_unread(tmp_path: Path) -> None:
    """No more of it is read than the bound."""
    file = tmp_path / "large.json"
    file.write_bytes(b" " * 10_000_000)
    source, (finding,) = read_policy_file(file)
    assert (source, finding.rule) == (None, "file-too-large")
    assert rules(b" " * MAXIMUM_BYTES) == ["json-syntax"]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_a_finding_and_no_overflow(opening: str) -> None:
    """As deep as a file can be."""
    assert rules(opening.encode() * 60_000) == ["nested-too-deep"]
    nested = "[" * MAXIMUM_DEPTH + "1" + "]" * MAXIMUM_DEPTH
    assert rules(nested.encode()) == []


def test_every_value_knows_its_line() -> None:
    """Members stand where their key stands; what is not there, where it would have to be."""
    text = '{\n  "a/b": [\n    1,\n    {"~": 2}\n  ],\n  "c":\n    3\n}'
    source, _ = read_policy_source("p.json", text.encode())
    assert source is not None
    lines = {"": 1, "/a~1b": 2, "/a~1b/0": 3, "/a~1b/1": 4, "/a~1b/1/~0": 4, "/c": 6}
    assert source.lines == lines
    assert source.line_of("/a~1b/7/x") == 2
    assert source.line_of("/nowhere") == 1


@given(JSON_VALUES, st.sampled_from([None, 0, 2]))
def test_what_the_standard_library_writes_is_read_as_it_was(value: object, indent: int | None) -> None:
    """An independent writer; floats as repr writes them."""
    text = json.dumps(value, indent=indent, ensure_ascii=indent is None)
    assert read_json(text).value == value
    assert read_json(text).mistakes == []


@given(st.text(alphabet='{}[]",:0123456789eE.+-\\ \n/atrufalsn', max_size=40))
def test_what_is_read_is_what_the_standard_library_reads(text: str) -> None:
    """Never more lenient: whatever is taken here is JSON there, with the same value."""
    source, findings = read_policy_source("p.json", text.encode())
    if source is not None:
        assert json.loads(text) == source.value
        assert {finding.rule for finding in findings} <= {"duplicate-key"}
