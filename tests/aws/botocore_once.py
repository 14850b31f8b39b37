"""What botocore makes again for every session and client, made once for each process.

A test wants an account of its own, so it makes sessions and clients of its own; most of what that costs is work whose
result is the same each time: service models parsed from the installed package, endpoint rules built from them, the same
handlers registered under the same names. Only such results are kept here. What a session or a client may change
(configuration, credentials, handlers) stays each one's own.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import botocore.hooks
import botocore.httpsession
import botocore.loaders
import botocore.regions
import botocore.session
import botocore.useragent
from botocore.client import ClientCreator
from botocore.handlers import BUILTIN_HANDLERS
from botocore.hooks import EventAliaser, HierarchicalEmitter, NodeList
from botocore.loaders import JSONFileLoader, Loader
from botocore.model import ServiceModel


@functools.cache
def install() -> None:
    """Put the kept results where botocore would make them again; once for each process."""
    _keep_data()
    _keep_clients()
    _share_handlers()


def _keep_data() -> None:
    """Read each file once, and look for it once for each list of folders."""
    JSONFileLoader.load_file = lambda _loader, file_path: _parsed(file_path)  # type: ignore[method-assign,assignment]
    botocore.session.create_loader = _create_loader


_parsed = functools.cache(functools.partial(JSONFileLoader.load_file, JSONFileLoader()))


class _Remembering(Loader):
    """A loader that knows what others with the same search path have found."""

    found: dict[tuple[str, ...], dict[Any, Any]] = {}  # noqa: RUF012 - shared on purpose

    @property
    def _cache(self) -> dict[Any, Any]:
        return self.found.setdefault(tuple(self.search_paths), {})

    @_cache.setter
    def _cache(self, _value: dict[Any, Any]) -> None:
        """Keep nothing of one's own."""


def _create_loader(search_path_string: str | None = None) -> Loader:
    """As botocore.loaders.create_loader."""
    if search_path_string is None:
        return _Remembering()
    return _Remembering(extra_search_paths=search_path_string.split(":"))


def _keep_clients() -> None:
    """Build what belongs to a service, not to a client of it, once: its model, its methods, its endpoint rules."""
    load, methods, names = (
        getattr(ClientCreator, name) for name in ("_load_service_model", "_create_methods", "_create_name_mapping")
    )
    models: dict[tuple[str, int], ServiceModel] = {}

    def model_of(creator: Any, service_name: str, api_version: str | None = None) -> ServiceModel:
        # The description is kept alive by the model, so that its id stays its own.
        described = id(creator._loader.load_service_model(service_name, "service-2", api_version=api_version))
        if (service_name, described) not in models:
            models[service_name, described] = load(creator, service_name, api_version)
        return models[service_name, described]

    creator: Any = ClientCreator
    creator._load_service_model = model_of
    creator._create_methods = _for_each_model(methods)
    creator._create_name_mapping = _for_each_model(names)
    http: Any = botocore.httpsession
    http.URLLib3Session._get_ssl_context = _tls_context(http.URLLib3Session._get_ssl_context)
    agent: Any = botocore.useragent
    agent.sanitize_user_agent_string_component = functools.cache(agent.sanitize_user_agent_string_component)
    regions: Any = botocore.regions
    regions.EndpointProvider = _for_each_ruleset(regions.EndpointProvider)


def _for_each_model(make: Callable[[Any, ServiceModel], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    made: dict[ServiceModel, dict[str, Any]] = {}

    def of_model(creator: Any, service_model: ServiceModel) -> dict[str, Any]:
        if service_model not in made:
            made[service_model] = make(creator, service_model)
        return dict(made[service_model])

    return of_model


def _for_each_ruleset(make: Callable[..., Any]) -> Callable[..., Any]:
    made: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def provider(ruleset_data: Any, partition_data: Any, excluded_params: set[str] | None = None) -> Any:
        key = (id(ruleset_data), id(partition_data), frozenset(excluded_params or ()))
        if key not in made:
            made[key] = (make(ruleset_data, partition_data, excluded_params), ruleset_data, partition_data)
        return made[key][0]

    return provider


def _tls_context(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    made: list[Any] = []

    def context(session: Any) -> Any:
        if session._verify is not True or session._cert_file:
            return make(session)
        if not made:
            made.append(make(session))
        return made[0]

    return context


def _share_handlers() -> None:
    """Let a client share its session's tree of handlers until one of them changes it.

    botocore copies the whole tree, some 400 nodes, for each client, and registers the same 130 handlers for each
    session. Here a tree is never changed: who adds or removes a handler gets the nodes above it anew.
    """
    trie: Any = botocore.hooks._PrefixTrie  # type: ignore[attr-defined]
    trie.append_item, trie.remove_item, trie.__copy__ = _append_item, _remove_item, _same_root
    hooks: Any = botocore.hooks
    hooks.accepts_kwargs = _accepts_kwargs(hooks.accepts_kwargs)
    aliaser: Any = EventAliaser
    aliaser.__init__ = _sharing_aliases(aliaser.__init__)
    aliaser.__copy__ = lambda self: type(self)(copy.copy(self._emitter), self._event_aliases)
    session: Any = botocore.session.Session
    session._register_builtin_handlers = _registering_once(session._register_builtin_handlers)


Node = dict[str, Any]


def _append_item(self: Any, key: str, value: object, section: int = 1) -> None:
    self._root = current = _own(self._root)
    for part in key.split("."):
        known = current["children"].get(part, {"chunk": part, "values": None, "children": {}})
        current["children"][part] = current = _own(known)
    lists = NodeList([], [], []) if current["values"] is None else NodeList(*map(list, current["values"]))
    lists[section].append(value)
    current["values"] = lists


def _own(node: Node) -> Node:
    return {**node, "children": dict(node["children"])}


_remove_in_place = botocore.hooks._PrefixTrie.remove_item  # type: ignore[attr-defined]
_copy_whole = botocore.hooks._PrefixTrie._recursive_copy  # type: ignore[attr-defined]


def _remove_item(self: Any, key: str, value: object) -> None:
    self._root = _copy_whole(self, self._root)
    _own_lists(self._root)
    _remove_in_place(self, key, value)


def _own_lists(node: Node) -> None:
    if node["values"] is not None:
        node["values"] = NodeList(*map(list, node["values"]))
    for child in node["children"].values():
        _own_lists(child)


def _same_root(self: Any) -> Any:
    shared = type(self)()
    shared._root = self._root
    return shared


def _accepts_kwargs(inspected: Callable[[Any], Any]) -> Callable[[Any], Any]:
    known: dict[Any, Any] = {}

    def accepts_kwargs(function: Any) -> Any:
        code = getattr(function, "__code__", None)
        if code is None:
            return inspected(function)
        if code not in known:
            known[code] = inspected(function)
        return known[code]

    return accepts_kwargs


def _sharing_aliases(init: Callable[..., None]) -> Callable[..., None]:
    names: dict[str, str] = {}

    def sharing(self: Any, event_emitter: Any, event_aliases: Any = None) -> None:
        init(self, event_emitter, event_aliases)
        if self._event_aliases is botocore.hooks.EVENT_ALIASES:
            self._alias_name_cache = names

    return sharing


def _registering_once(register: Callable[..., None]) -> Callable[..., None]:
    prototypes: dict[tuple[Any, ...], HierarchicalEmitter] = {}

    def register_builtin_handlers(self: Any, events: Any) -> None:
        emitter = self._original_handler
        if type(emitter) is not HierarchicalEmitter or emitter._handlers._root["children"]:  # type: ignore[attr-defined]
            register(self, events)
            return
        key = tuple(BUILTIN_HANDLERS)
        if key not in prototypes:
            register(self, events)
            prototypes[key] = copy.copy(emitter)
        emitter.__dict__ = copy.copy(prototypes[key]).__dict__

    return register_builtin_handlers
