"""What moto makes again for every account and request, made once for each process; accounts stay new for each test."""

from __future__ import annotations

import functools
import re
from typing import Any

import moto.core.responses
import moto.core.utils
from moto.core.base_backend import BaseBackend
from moto.core.models import MockAWS, botocore_stubber, responses_mock

from tests.aws import dynamodb_once


@functools.cache
def install() -> None:
    """Put the kept results where moto would make them again; once for each process, before moto loads a service."""
    spelled: Any = functools.cache(moto.core.utils.camelcase_to_underscores)
    moto.core.utils.camelcase_to_underscores = moto.core.responses.camelcase_to_underscores = spelled  # type: ignore[attr-defined]
    _keep_addresses()
    _keep_answers()
    dynamodb_once.install()


def _keep_addresses() -> None:
    """A service's addresses and who answers at each, which moto puts together for every request."""
    put_together: Any = BaseBackend.urls.fget  # type: ignore[attr-defined]
    kept: dict[type, dict[re.Pattern[str], Any]] = {}

    def urls(self: Any) -> dict[re.Pattern[str], Any]:
        if type(self) not in kept:
            kept[type(self)] = {re.compile(url): handler for url, handler in put_together(self).items()}
        return kept[type(self)]

    backend: Any = BaseBackend
    backend.urls = property(urls)


def _keep_answers() -> None:
    """The 1,288 answers for those who ask through `requests`, which moto makes for every test."""
    enable = MockAWS._enable_patching
    answers: list[Any] = []

    def enable_patching(self: Any, reset: bool = True) -> None:  # noqa: FBT002 - moto's own signature
        if not answers:
            enable(self, reset)
            answers.extend(responses_mock.registered())
            return
        botocore_stubber.enabled = True
        if reset:
            self.reset()
        responses_mock.start()
        for answer in answers:
            responses_mock._registry.add(answer)

    mocks: Any = MockAWS
    mocks._enable_patching = enable_patching
