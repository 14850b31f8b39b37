"""A small template and its cases, for tests of files of policy cases."""

from __future__ import annotations

from pathlib import Path

from jitr_fleet.policies.cases.case import Case
from jitr_fleet.policies.cases.file import read_cases

CASE = """
[[cases]]
why = "It sends."
device = "sensor"
action = "iot:Publish"
resource = "topic/a"
expect = "allowed"
"""
DEVICE = """[devices.sensor]
client_id = "sensor-1"
"""
TEMPLATE = """{
  "Version": "2012-10-17",
  "Statement": {
    "Effect": "Allow",
    "Action": "iot:Publish",
    "Resource": "arn:@{partition}:iot:@{region}:@{account}:topic/a"
  }
}"""


def cases_in(folder: Path, text: str) -> tuple[Case, ...]:
    """Write cases that are right, and read them."""
    file = folder / "own.cases.toml"
    file.write_text(text, encoding="utf-8")
    cases, mistakes = read_cases(file)
    assert mistakes == ()
    return cases
