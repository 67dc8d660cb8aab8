"""A walk over the types of the official SDK's requests: what docs/wire-formats.md says of each part is held true.

One walk is one provider's part of the page, and its translation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from channeling.errors import InvalidRequest
from channeling.message_request import MessageRequest, parse_message_request
from tests.channeling.providers.sdk_request_types import (
    OPAQUE,
    Type,
    add_type,
    keys_of_requests,
    types_under,
    values,
)
from tests.channeling.providers.wire_formats import DOCUMENT, Part, WireFormats

# Older than the SDK's types, and still sent by clients.
KEYS_BEYOND_THE_SDK = {"temperature", "top_p", "top_k"}
REFUSAL = "can be sent to Anthropic's models alone"
# Where the first values of a type do not show whether a field is looked at.
TELLING_VALUES: dict[tuple[str, str], list[Any]] = {
    ("tools: custom", "input_schema"): [
        {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": "string"}}},
    ],
    ("tool_choice: tool", "name"): ["first", "second"],
    ("content: tool_result", "tool_use_id"): ["called", "called before"],
    ("content: web_fetch_result", "content"): [{"type": "document", "title": title} for title in ("A", "B")],
    ("messages: system", "output_config"): [{}, {"effort": "high"}],
}
# Fields that a value of the type cannot do without, though the SDK does not say so.
NEEDED: dict[str, dict[str, Any]] = {"messages: system": {"content": "Be brief."}}
KEY_VALUES: dict[str, list[Any]] = {
    "max_tokens": [100, 200],
    "container": ["container_1"],
    "metadata": [{}, {"user_id": "somebody"}],
    "output_config": [{}, {"effort": "high"}],
    "messages": [[{"role": "user", "content": text}] for text in ("Hi", "Ho")],
    "temperature": [0.1, 0.2],
    "top_p": [0.1, 0.2],
    "top_k": [1, 2],
    "tool_choice": [{"type": "any"}, {"type": "none"}],
    "tools": [[{"name": name, "input_schema": {"type": "object"}}] for name in ("first", "second")],
}
ASSISTANT_BLOCKS = (
    *("thinking", "redacted_thinking", "tool_use", "server_tool_use", "mcp_tool_use", "compaction"),
    *("fallback", "mcp_tool_listing"),
)
TOOL_RESULT_BLOCKS = ("tool_reference", "browser_state")


Translate = Callable[[MessageRequest], Any]


@dataclass
class RequestWalk:
    """One provider. `translate` returns the body and the terms of a request.

    `modules` says where the parts under each key of the wire are translated. `telling` and `needed` are added to
    TELLING_VALUES and NEEDED; `models` has a model of its own for a key that not every model takes.
    """

    tables: WireFormats
    translate: Translate
    folder: str
    modules: Mapping[str, str]
    model: str
    models: Mapping[str, str] = field(default_factory=dict)
    telling: Mapping[tuple[str, str], list[Any]] = field(default_factory=dict)
    needed: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    types: dict[str, Type] = field(init=False)

    def __post_init__(self) -> None:
        self.types = self._walked()

    def _walked(self) -> dict[str, Type]:
        """Return the parts of all requests, but for what is inside of parts that do not go up anyway."""
        known: dict[str, Type] = {}
        waiting = [
            (key, hint) for key, hint in keys_of_requests().items() if self.tables.keys.get(key) == "carried"
        ]
        seen: set[tuple[str, Any]] = set()
        while waiting:
            key, hint = waiting.pop()
            for name, typed in types_under(key, hint):
                if (name, typed) in seen:
                    continue
                seen.add((name, typed))
                found = add_type(known, name, typed)
                row = self.tables.part(name)
                if row is not None and row.fate == "carried":
                    waiting += [
                        (field, found.hints[field]) for field in row.carried & set(found.hints) - OPAQUE
                    ]
        return known

    def parts(self, fate: str) -> list[str]:
        """Return the parts that have this fate."""
        return [
            name for name in sorted(self.types) if (row := self._row(name)) is not None and row.fate == fate
        ]

    def fields(self, column: str) -> list[Any]:
        """Return every field that is in this column of a row, as test cases."""
        return [
            pytest.param(name, field, id=f"{name}.{field}")
            for name in self.parts("carried")
            if (row := self._row(name)) is not None
            for field in sorted(getattr(row, column) & set(self.types[name].hints))
            # What can only be one thing cannot be seen to differ: the name of a tool that Anthropic defines.
            if field not in self.types[name].required or len(self._telling_values(name, field)) > 1
        ]

    def check_keys(self) -> None:
        """A key that is new in the SDK has to be looked at."""
        keys = keys_of_requests()
        for key in keys:
            assert key in self.tables.keys, (
                f"The SDK's requests have a key {key!r} that no table has. {self._how_to_add(key)}"
            )
        assert set(self.tables.keys) == set(keys) | KEYS_BEYOND_THE_SDK, (
            "the table has keys that the SDK has not"
        )

    def check_type(self, name: str) -> None:
        """A type that is new in the SDK has to be looked at, and so has a new field of one that is carried."""
        found = self.types[name]
        classes = " and ".join(sorted(found.classes))
        row, how = self._row(name), self._how_to_add(name.partition(": ")[0])
        assert row is not None, f"{classes} ({name!r} on the wire) is in no table. {how}"
        if row.fate == "carried":
            new = found.fields - row.fields
            assert not new, (
                f"{classes} ({name!r} on the wire) has fields that no column has: {sorted(new)}. {how}"
            )

    def check_no_row_is_stale(self) -> None:
        """What the SDK no longer has is no longer in the tables."""
        used = [self._row(name) for name in self.types]
        assert [part.name for part in self.tables.parts if part not in used] == []
        for part in self.tables.parts:
            fields = {
                field for name in self.types if self._row(name) is part for field in self.types[name].hints
            }
            if part.fate == "carried":
                assert part.fields <= fields, f"{part.name} has no {sorted(part.fields - fields)}"

    def check_refused_part(self, name: str) -> None:
        """The refusal says what it is about."""
        with pytest.raises(InvalidRequest) as refused:
            self._sent(scene(name, self._value_of(name)))
        assert REFUSAL in refused.value.message

    def check_lost_part(self, name: str) -> None:
        """What goes up is what goes up without it."""
        with_it = scene(name, self._value_of(name))
        without = (
            {key: [] for key in with_it}
            if "messages" not in with_it
            else assistant({"type": "text", "text": ""})
        )
        assert self._sent(with_it)[0] == self._sent(without)[0]

    def check_carried_part(self, name: str) -> None:
        """Its least value is translated."""
        self._sent(scene(name, self._value_of(name)))

    def check_carried_field(self, name: str, field: str) -> None:
        """Some two values of the field, or having it at all, lead to different requests."""
        assert len(self._outcomes(name, field)) > 1, f"{field} of {name} changes nothing: it is lost"

    def check_lost_field(self, name: str, field: str) -> None:
        """Whatever the value of the field, the same goes up."""
        assert len(self._outcomes(name, field)) == 1, f"{field} of {name} changes what goes up: it is carried"

    def check_refused_field(self, name: str, field: str) -> None:
        """The refusal names the field."""
        for value in filter(None, self._telling_values(name, field)):
            with pytest.raises(InvalidRequest, match=field):
                self._sent(scene(name, self._value_of(name) | {field: value}))

    def check_key(self, key: str) -> None:
        """The key is carried, lost or refused as the table says."""
        tools = {"tools": [custom_tool("first")]} if key == "tool_choice" else {}
        model = self.models.get(key, self.model)
        found = [self.model, "another-model"] if key == "model" else KEY_VALUES.get(key)
        found = found or values(keys_of_requests()[key], key)
        assert found
        bodies = set()
        for value in [value for value in found if value != []]:
            keys = {"model": model, **tools, key: value}
            if self.tables.keys[key] == "refused":
                with pytest.raises(InvalidRequest, match=key):
                    self._sent(keys)
            else:
                bodies.add(repr(self._sent(keys)))
        plain = repr(self._sent({"model": model, **tools}))
        match self.tables.keys[key]:
            case "carried":
                assert len(bodies | {plain}) > 1
            case "lost":
                assert bodies == {plain}

    def _sent(self, keys: dict[str, Any]) -> Any:
        """Return the body and the terms that a request with these keys becomes."""
        document = {
            "model": self.model,
            "max_tokens": 100_000,
            "messages": [{"role": "user", "content": "Hi"}],
            **keys,
        }
        translation = self.translate(parse_message_request(orjson.dumps(document)))
        return orjson.loads(orjson.dumps(translation.body)), repr(translation.terms)

    def _row(self, name: str) -> Part | None:
        return self.tables.part(name)

    def _how_to_add(self, key: str) -> str:
        """Return what is to be done about a part that no table has."""
        module = self.modules.get(key, "request.py")
        return (
            f"Translate it in shared/channeling/providers/{self.folder}, or beside it ({module}), and list it as "
            f"carried in docs/{DOCUMENT.name}, or list it as lost or refused there and see that it is."
        )

    def _value_of(self, name: str) -> dict[str, Any]:
        """Return the least value of a part, with what telling values it needs."""
        key, _, tag = name.partition(": ")
        found = self.types[name]
        typed = {"type": tag} if tag and key != "messages" else {"role": tag} if tag else {}
        value = {field: self._telling_values(name, field)[0] for field in sorted(found.required)}
        return typed | value | self._needed(name)

    def _telling_values(self, name: str, field: str) -> list[Any]:
        """Return values of a field that differ in what they mean."""
        known = self.telling.get((name, field)) or TELLING_VALUES.get((name, field))
        return known or values(self.types[name].hints[field], field)

    def _needed(self, name: str) -> dict[str, Any]:
        return NEEDED.get(name, {}) | self.needed.get(name, {})

    def _outcomes(self, name: str, field: str) -> set[str]:
        """Return the different requests that values of a field lead to."""
        base = self._value_of(name)
        candidates = [base | {field: value} for value in self._telling_values(name, field)]
        if field not in self.types[name].required and field not in self._needed(name):
            candidates.append({key: value for key, value in base.items() if key != field})
        found = set()
        for candidate in candidates:
            try:
                found.add(repr(self._sent(scene(name, candidate))))
            except InvalidRequest as refusal:
                found.add(refusal.message)
        return found


def assistant(block: dict[str, Any]) -> dict[str, Any]:
    """Return the messages of a conversation in which an assistant said this."""
    said = [block, {"type": "text", "text": "That was it."}]
    return {"messages": [{"role": "assistant", "content": said}, {"role": "user", "content": "Go on"}]}


def user(block: dict[str, Any]) -> dict[str, Any]:
    """Return the messages of a conversation in which a user said this."""
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Look:"}, block]}]}


def tool_result(block: dict[str, Any]) -> dict[str, Any]:
    """Return the messages of a conversation in which a tool returned this."""
    return user({"type": "tool_result", "tool_use_id": "called", "content": [block]})


def scene(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a request in which the part stands where it belongs."""
    key, _, tag = name.partition(": ")
    match key:
        case "messages":
            more = [value] if tag == "system" else []
            turns = [{"role": "user", "content": text} for text in ("Hi", "Go on")]
            return {"messages": [turns[0], value, turns[1], *more]}
        case "system" | "tools":
            return {key: [value]}
        case "tool_choice":
            return {key: value, "tools": [custom_tool("first"), custom_tool("second")]}
        case "format":
            return {"output_config": {key: value}}
        case "source":
            return user({"type": "document" if tag in ("text", "content") else "image", key: value})
        case "user_location":
            return {"tools": [{"type": "web_search_20250305", "name": "web_search", key: value}]}
        case "tool_references":
            found = {"type": "tool_search_tool_search_result", key: [value]}
            return assistant({"type": "tool_search_tool_result", "tool_use_id": "x", "content": found})
        case "content" if tag == "tool_result":
            use = {"type": "tool_use", "id": "called", "name": "Read", "input": {}}
            return {"messages": [{"role": "assistant", "content": [use]}, *user(value)["messages"]]}
        case "content" if tag in TOOL_RESULT_BLOCKS:
            return tool_result(value)
        case "content" if tag in ASSISTANT_BLOCKS or tag.endswith("_tool_result"):
            return assistant(value)
        case "content" if tag.endswith(("_result", "_error")) and tag != "search_result":
            return assistant({"type": "web_fetch_tool_result", "tool_use_id": "x", "content": value})
        case "content":
            return user(value)
    return {key: value}


def custom_tool(name: str) -> dict[str, Any]:
    """Return a tool of the client's own."""
    return {"name": name, "input_schema": {"type": "object"}}
