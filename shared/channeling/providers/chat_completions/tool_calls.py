"""Which call a piece of `tool_calls` belongs to, by its index, id and name, whichever of them a server sends.

Calls may come in turns (`openai` 3.54.0, `types/chat/chat_completion_chunk.py`: pieces say their index). Servers
were seen to give every call the index 0, none at all, the id again with each piece, an empty one, or one that an
earlier call had.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from channeling.errors import UpstreamFailed
from channeling.providers.answer_stream import Emitted
from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.chat_completions.answer_items import CallItem, too_deep
from channeling.providers.message_ids import tool_use_id


class ToolCalls:
    """The calls of one answer. `client_ids` leads from the ids of calls that got another to that one."""

    def __init__(self, terms: AnswerTerms, emitted: Emitted, request_id: str) -> None:
        self.client_ids: dict[str, str] = {}
        self.last: CallItem | None = None
        self._terms = terms
        self._emitted = emitted
        self._request_id = request_id
        self._used_ids = set(terms.used_tool_ids)
        self._kept_ids: set[str] = set()
        self._by_index: dict[int, CallItem] = {}
        self._count = 0

    def take(self, piece: Mapping[str, Any], *, index: int | None) -> CallItem | None:
        """Take a piece, and return the call that begins with it, if one does; raises UpstreamFailed."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        call_id, name = _text(piece, "id"), _text(function, "name")
        arguments = _arguments(function.get("arguments"))
        call = self.call_at(index)
        begins = call is None or (name is not None and _is_another(call, call_id, name, arguments))
        if begins:
            if call_id is None and name is None and not arguments:
                return None
            call = CallItem(self._terms, self._emitted)
            self.last = call
            if index is not None:
                self._by_index[index] = call
        if call is None:  # never, but for the type checker
            return None
        self._identify(call, call_id, name)
        if call.done and arguments.strip():
            raise UpstreamFailed("the upstream provider sent more of a tool call that was whole")
        call.delta(call.ARGUMENTS, arguments)
        return call if begins else None

    def call_at(self, index: int | None) -> CallItem | None:
        """Return the call that a piece with this index, and without a name, is of."""
        return self.last if index is None else self._by_index.get(index)

    def _identify(self, call: CallItem, call_id: str | None, name: str | None) -> None:
        if call.upstream_id is None:
            call.upstream_id = call_id
        if call.name is not None or name is None:
            return
        call.name = name
        own = call.upstream_id or ""
        client_id = tool_use_id(own, self._used_ids, self._request_id, self._count)
        self._count += 1
        self._used_ids.add(client_id)
        if client_id == own:
            self._kept_ids.add(own)
        elif own and own not in self._kept_ids:
            self.client_ids.setdefault(own, client_id)
        call.identify({"call_id": client_id, "name": name})


def _is_another(call: CallItem, call_id: str | None, name: str, arguments: str) -> bool:
    """Say whether a piece that names a tool is of another call than the one that has its place."""
    if call.name is None:
        return False
    both_have_ids = call_id is not None and call.upstream_id is not None
    if (both_have_ids and call_id != call.upstream_id) or (not both_have_ids and name != call.name):
        return True
    # Another object after a whole one. That it begins with a brace is looked at first: the rest takes time.
    return arguments.lstrip()[:1] == "{" and call.is_whole


def _text(mapping: Mapping[str, Any], name: str) -> str | None:
    value = mapping.get(name)
    return value if isinstance(value, str) and value else None


def _arguments(value: Any) -> str:
    """Some servers send the object itself instead of its text, some null."""
    if value is None:
        return ""
    if isinstance(value, dict):
        try:
            return orjson.dumps(value).decode()
        except orjson.JSONEncodeError as error:
            raise too_deep("arguments of a tool call") from error
    if not isinstance(value, str):
        raise UpstreamFailed("the upstream provider sent arguments of a tool call that are no text")
    return value
