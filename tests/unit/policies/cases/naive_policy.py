"""A second, naive reading of how AWS IoT decides, to compare the evaluator with: slow, short, and written apart.

The rules as a person would apply them by hand: write down every variable's value, put the values into the text, turn
the text into a regular expression, look at every statement. What nobody said is tried with several values: if the
answers differ, there is none. It covers what the generated policies hold, no more.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

from jitr_fleet.policies.evaluation.facts import CertificateFacts, DeviceFacts

Json = dict[str, Any]
Known = dict[str, list[str]]
# For a client id that nobody said: names that the generated policies hold, and one that they do not.
COMMON_NAME, ENDPOINT = "Subject.CommonName", "aws:SourceVpce"
COMMON_NAMES = ((), ("a",), ("b", "a"))
CLIENT_IDS = ("a", "a/b", "*", "")


def known_values(facts: DeviceFacts, *, lenient: bool) -> Known:
    """Return every variable and condition key that has a value, under each name it has."""
    known: Known = {name: list(values) for name, values in facts.said.items() if values}
    if facts.client_id is not None:
        known["iot:ClientId"] = [facts.client_id]
    if facts.source_ip is not None:
        known["aws:SourceIp"] = [facts.source_ip]
    known["iot:Connection.Thing.IsAttached"] = ["false"]
    thing = facts.thing
    if thing is not None and ((thing.attached and thing.exclusive) or facts.client_id == thing.name):
        known["iot:Connection.Thing.IsAttached"] = ["true" if thing.attached else "false"]
        if thing.attached or lenient:
            known["iot:Connection.Thing.ThingName"] = [thing.name]
            for name, value in (thing.attributes or {}).items():
                known[f"iot:Connection.Thing.Attributes[{name}]"] = [value]
    for name, values in facts.certificate.names.items():
        escaped = ["".join("\\" + c if c in ',"\\+=<>;' else c for c in value) for value in values][:5]
        if escaped:
            known[f"iot:Certificate.{name}"] = escaped[:1]
            known[f"iot:Certificate.{name}.List"] = escaped
            for index, value in enumerate(escaped):
                known[f"iot:Certificate.{name}.{index}"] = [value]
    return known


def text_with_values(text: str, known: Known) -> tuple[str, dict[str, str]]:
    """Return the text with a private character for each thing that stands for itself, and what these stand for."""
    stands_for: dict[str, str] = {}

    def stand_in(value: str) -> str:
        character = chr(0xE000 + len(stands_for))
        stands_for[character] = value
        return character

    def replaced(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        if name in ("*", "?", "$"):
            return stand_in(name)
        if name not in known or name.endswith(".List"):
            return stand_in(match.group(0))
        value = known[name][0]
        if name.startswith("iot:Certificate.") and (re.search(r"[*$+?#]", value) or len(value) > 1024):
            return stand_in(match.group(0))
        return stand_in(value)

    return re.sub(r"\$\{([^{}]*)\}|\$\(([*?$])\)", replaced, text), stands_for


def expression(text: str, known: Known, *, wildcards: bool = True) -> str:
    """Return the regular expression of a policy's text."""
    parts = []
    written, stands_for = text_with_values(text, known)
    for character in written:
        if character in stands_for:
            parts.append(re.escape(stands_for[character]))
        elif wildcards and character == "*":
            parts.append("(?:.|\n)*")
        elif wildcards and character == "?":
            parts.append("(?:.|\n)")
        else:
            parts.append(re.escape(character))
    return "".join(parts)


def condition_holds(operator: str, key: str, values: list[str], known: Known) -> bool:
    """Say whether one condition holds."""
    quantifier, _, base = operator.rpartition(":")
    if_exists = base.endswith("IfExists")
    base = base.removesuffix("IfExists")
    present = known.get(key)
    if base == "Null":
        return any((value == "true") == (present is None) for value in values)
    negated = "Not" in base

    def one(value: str) -> bool:
        if base == "Bool":
            hit = any(value == each for each in values)
        else:
            patterns = [expression(each, known, wildcards="Like" in base) for each in values]
            flags = re.IGNORECASE if "IgnoreCase" in base else 0
            hit = any(re.fullmatch(pattern, value, flags) for pattern in patterns)
        return not hit if negated else hit

    if quantifier == "ForAllValues":
        return all(one(value) for value in present or [])
    if quantifier == "ForAnyValue":
        return any(one(value) for value in present or [])
    if present is None:
        return if_exists or negated
    return one(present[0])


def applies(statement: Json, action: str, resource: str, known: Known) -> bool:
    """Say whether a statement is about the request."""
    return (
        any(
            re.fullmatch(each.replace("*", ".*").replace("?", "."), action, re.IGNORECASE)
            for each in statement["Action"]
        )
        and any(re.fullmatch(expression(each, known), resource) for each in statement["Resource"])
        and all(
            condition_holds(operator, key, values, known)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def decide_knowing_all(documents: list[Json], action: str, resource: str, facts: DeviceFacts) -> str:
    """Return `allowed`, `explicit_deny` or `implicit_deny`; of two readings the device gets the stricter one."""
    readings = [known_values(facts, lenient=lenient) for lenient in (False, True)]
    effects = set()
    for document in documents:
        for statement in document["Statement"]:
            found = [applies(statement, action, resource, known) for known in readings]
            if all(found) if statement["Effect"] == "Allow" else any(found):
                effects.add(statement["Effect"])
    if "Deny" in effects:
        return "explicit_deny"
    return "allowed" if "Allow" in effects else "implicit_deny"


def decide(documents: list[Json], action: str, resource: str, facts: DeviceFacts) -> set[str]:
    """Return answers that are possible: one where the facts say all that matters, else those of a few guesses."""
    text = str(documents)
    is_open = facts.client_id is None and ("iot:ClientId" in text or "iot:Connection" in text)
    clients = CLIENT_IDS if is_open else (facts.client_id,)
    is_open = ENDPOINT not in facts.said and ENDPOINT in text
    endpoints = [(), ("a",), ("zzz",)] if is_open else [facts.said.get(ENDPOINT, ())]
    is_open = not facts.certificate.said and "iot:Certificate" in text
    names = [{COMMON_NAME: each} for each in COMMON_NAMES] if is_open else [facts.certificate.names]
    return {
        decide_knowing_all(
            documents,
            action,
            resource,
            replace(
                facts,
                client_id=client,
                said={**facts.said, ENDPOINT: endpoint},
                certificate=CertificateFacts(names=name, said=frozenset({"Subject"})),
            ),
        )
        for client, endpoint, name in itertools.product(clients, endpoints, names)
    }
