"""Which client ids a policy template lets connect, worked out at synth for the functions (jitr.policies.connecting)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from jitr.policies.connecting import ANY_CLIENT, CERTIFICATE_ID, COMMON_NAME, THING_NAME
from jitr.policies.document import VERSION_WITH_VARIABLES, Effect, matches, parse_document
from jitr.policies.values import PolicyError
from jitr_fleet.policies.language.variables import LITERALS, split_at_variables

_CONNECT: Final = "iot:connect"
_CLIENT: Final = ":client/"
_VARIABLES: Final[Mapping[str, str]] = {
    "iot:CertificateId": CERTIFICATE_ID,
    "iot:Connection.Thing.ThingName": THING_NAME,
    "iot:Certificate.Subject.CommonName": COMMON_NAME,
}


def client_ids(template: str) -> tuple[str, ...]:
    """Return the patterns of all client ids that a template may let connect, in order and each once.

    Not looked at: conditions, and statements that deny; both only narrow what this says. A template that cannot be read
    lets nobody connect; the lint says what is wrong with it.
    """
    try:
        document = parse_document(json.loads(template))
    except (PolicyError, ValueError, RecursionError):
        return ()
    with_variables = document.version == VERSION_WITH_VARIABLES
    found = (
        _client_id(resource, with_variables=with_variables)
        for statement in document.statements
        if statement.effect is Effect.ALLOW and any(matches(pattern.lower(), _CONNECT) for pattern in statement.actions)
        for resource in statement.resources
    )
    return tuple(dict.fromkeys(each for each in found if each is not None))


def _client_id(resource: str, *, with_variables: bool) -> str | None:
    """Return the pattern of a resource's client ids; None for a resource that is no client."""
    before, client, name = resource.partition(_CLIENT)
    if any(wildcard in before for wildcard in "*?"):
        return ANY_CLIENT
    if not client:
        return None
    # As of 2008 `${…}` is plain text, which a pattern could not tell from a literal.
    return "".join(_as_pattern(name)) if with_variables or "${" not in name else ANY_CLIENT


def _as_pattern(name: str) -> Iterator[str]:
    for part in split_at_variables(name):
        if isinstance(part, str):
            yield part
        elif part.name in LITERALS:
            yield f"${{{part.name}}}"
        else:
            yield _VARIABLES.get(part.name, ANY_CLIENT)
