"""Conditions: operators and keys that AWS IoT has."""

from __future__ import annotations

import re
from collections.abc import Iterable

from jitr_fleet.files.tables import show
from jitr_fleet.policies.language.variables import VARIABLES, VariableUse
from jitr_fleet.policies.rules.reading.report import Report, nearest
from jitr_fleet.policies.rules.reading.written import WrittenCondition, WrittenStatement
from jitr_fleet.policies.rules.variables import nearest_variable

_COMPARISONS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
# IAM's operators (IAM user guide, "JSON policy elements: Condition operators").
OPERATORS = (
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    *(f"Numeric{each}" for each in _COMPARISONS),
    *(f"Date{each}" for each in _COMPARISONS),
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
)
# Keys of AWS's that are no variables of AWS IoT (developer guide, direct messaging and VPC endpoints; service
# authorization reference; IAM's global keys).
KEYS = (
    "iot:Topic",
    "iot:JobId",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpcSourceIp",
    "aws:CurrentTime",
    "aws:EpochTime",
)
_OPERATOR = re.compile(r"(?:(?:ForAllValues|ForAnyValue):)?(?P<base>\w+?)(?P<if_exists>IfExists)?")


def check_conditions(statements: Iterable[WrittenStatement], report: Report) -> None:
    """Report operators and keys that do not exist; values are read by the evaluator."""
    for statement in statements:
        for condition in statement.conditions:
            _check_operator(condition, report)
            _check_key(condition, report)


def _check_operator(condition: WrittenCondition, report: Report) -> None:
    match = _OPERATOR.fullmatch(condition.operator)
    if match is not None and match["base"] in OPERATORS and not (match["base"] == "Null" and match["if_exists"]):
        return
    meant = nearest(condition.operator, OPERATORS, otherwise="the operators are IAM's, such as StringEquals")
    report.add("unknown-operator", condition.pointer, f"there is no operator {show(condition.operator)}; {meant}")


def _check_key(condition: WrittenCondition, report: Report) -> None:
    use = VariableUse.parse(condition.key)
    if use.variable is not None or condition.key in KEYS:
        return
    if use.base in VARIABLES:
        message = f"{use.base} has no form {show(condition.key)}; write Attributes[name], or leave out .N and .List"
        report.add("variable-form", condition.pointer, message)
        return
    message = f"there is no condition key {show(condition.key)}; {nearest_variable(condition.key)}"
    report.add("unknown-condition-key", condition.pointer, message)
