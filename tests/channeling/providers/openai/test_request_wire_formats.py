"""docs/wire-formats.md says of every part of a request what becomes of it, and what it says is so."""

from typing import Any

import orjson
import pytest

from channeling.errors import InvalidRequest
from channeling.message_request import parse_message_request
from channeling.providers.openai.reasoning_signature import SealedReasoning, seal
from channeling.providers.openai.request import translate_request
from tests.channeling.providers.openai.sdk_request_types import (
    OPAQUE,
    Type,
    add_type,
    keys_of_requests,
    types_under,
    values,
)
from tests.channeling.providers.openai.wire_formats import DOCUMENT, read_request_tables

TABLES = read_request_tables()
# Where the parts under each key of the wire are translated.
MODULES = {
    "content": "history.py and content_blocks.py",
    "messages": "history.py",
    "source": "content_blocks.py",
    "tools": "tools.py",
    "tool_choice": "tools.py",
    "user_location": "tools.py",
    "thinking": "reasoning.py",
    "output_config": "reasoning.py and request.py",
    "metadata": "caller_identity.py",
}
# Older than the SDK's types, and still sent by clients.
KEYS_BEYOND_THE_SDK = {"temperature", "top_p", "top_k"}

# Where the first values of a type do not show whether a field is looked at.
TELLING_VALUES: dict[tuple[str, str], list[Any]] = {
    ("content: thinking", "signature"): [seal(SealedReasoning(f"rs_{n}", "gAAAA")) for n in (1, 2)],
    ("content: redacted_thinking", "data"): [seal(SealedReasoning(f"rs_{n}", "gAAAA")) for n in (1, 2)],
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
NEEDED = {"messages: system": {"content": "Be brief."}}

ASSISTANT_BLOCKS = (
    *("thinking", "redacted_thinking", "tool_use", "server_tool_use", "mcp_tool_use", "compaction"),
    *("fallback", "mcp_tool_listing"),
)
TOOL_RESULT_BLOCKS = ("tool_reference", "browser_state")


def walked() -> dict[str, Type]:
    """Return the parts of all requests, but for what is inside of parts that do not go up anyway."""
    known: dict[str, Type] = {}
    waiting = [(key, hint) for key, hint in keys_of_requests().items() if TABLES.keys.get(key) == "carried"]
    seen: set[tuple[str, Any]] = set()
    while waiting:
        key, hint = waiting.pop()
        for name, typed in types_under(key, hint):
            if (name, typed) in seen:
                continue
            seen.add((name, typed))
            found = add_type(known, name, typed)
            row = TABLES.part(name)
            if row is not None and row.fate == "carried":
                waiting += [(field, found.hints[field]) for field in row.carried & set(found.hints) - OPAQUE]
    return known


TYPES = walked()


def how_to_add(key: str) -> str:
    """Return what is to be done about a part that no table has."""
    module = MODULES.get(key, "request.py")
    return (
        f"Translate it in shared/channeling/providers/openai/{module} and list it as carried in "
        f"docs/{DOCUMENT.name}, or list it as lost or refused there and see that it is."
    )


def test_every_key_of_a_request_is_in_the_table() -> None:
    """A key that is new in the SDK has to be looked at."""
    keys = keys_of_requests()
    for key in keys:
        assert key in TABLES.keys, (
            f"The SDK's requests have a key {key!r} that no table has. {how_to_add(key)}"
        )
    assert set(TABLES.keys) == set(keys) | KEYS_BEYOND_THE_SDK, "the table has keys that the SDK has not"


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_type_is_in_a_table(name: str) -> None:
    """A type that is new in the SDK has to be looked at, and so has a new field of one that is carried."""
    found = TYPES[name]
    classes = " and ".join(sorted(found.classes))
    row, how = TABLES.part(name), how_to_add(name.partition(": ")[0])
    assert row is not None, f"{classes} ({name!r} on the wire) is in no table. {how}"
    if row.fate == "carried":
        new = found.fields - row.fields
        assert not new, (
            f"{classes} ({name!r} on the wire) has fields that no column has: {sorted(new)}. {how}"
        )


def test_no_row_is_stale() -> None:
    """What the SDK no longer has is no longer in the tables."""
    used = [TABLES.part(name) for name in TYPES]
    assert [part.name for part in TABLES.parts if part not in used] == []
    for part in TABLES.parts:
        fields = {field for name in TYPES if TABLES.part(name) is part for field in TYPES[name].hints}
        if part.fate == "carried":
            assert part.fields <= fields, f"{part.name} has no {sorted(part.fields - fields)}"


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


def sent(keys: dict[str, Any], *, model: str = "gpt-5.6-sol") -> Any:
    """Return the body and the terms that a request with these keys becomes."""
    document = {
        "model": model,
        "max_tokens": 100_000,
        "messages": [{"role": "user", "content": "Hi"}],
        **keys,
    }
    request = parse_message_request(orjson.dumps(document))
    translation = translate_request(request, model=model, max_tokens=None, stream=request.stream)
    return orjson.loads(orjson.dumps(translation.body)), repr(translation.terms)


def value_of(name: str) -> dict[str, Any]:
    """Return the least value of a part, with what telling values it needs."""
    key, _, tag = name.partition(": ")
    found = TYPES[name]
    typed = {"type": tag} if tag and key != "messages" else {"role": tag} if tag else {}
    value = {field: telling_values(name, field)[0] for field in sorted(found.required)}
    return typed | value | NEEDED.get(name, {})


def telling_values(name: str, field: str) -> list[Any]:
    """Return values of a field that differ in what they mean."""
    return TELLING_VALUES.get((name, field)) or values(TYPES[name].hints[field], field)


def cases(column: str) -> list[Any]:
    """Return every field that is in this column of a row, as test cases."""
    return [
        pytest.param(name, field, id=f"{name}.{field}")
        for name in sorted(TYPES)
        if (row := TABLES.part(name)) is not None and row.fate == "carried"
        for field in sorted(getattr(row, column) & set(TYPES[name].hints))
        # What can only be one thing cannot be seen to differ: the name of a tool that Anthropic defines.
        if field not in TYPES[name].required or len(telling_values(name, field)) > 1
    ]


def parts(fate: str) -> list[str]:
    """Return the parts that have this fate."""
    return [name for name in sorted(TYPES) if (row := TABLES.part(name)) is not None and row.fate == fate]


@pytest.mark.parametrize("name", parts("refused"))
def test_refused_parts_are_refused(name: str) -> None:
    """The refusal says what it is about."""
    with pytest.raises(InvalidRequest) as refused:
        sent(scene(name, value_of(name)))
    assert "can be sent to Anthropic's models alone" in refused.value.message


@pytest.mark.parametrize("name", parts("lost"))
def test_lost_parts_leave_no_trace(name: str) -> None:
    """What goes up is what goes up without them."""
    with_it = scene(name, value_of(name))
    without = (
        {key: [] for key in with_it} if "messages" not in with_it else assistant({"type": "text", "text": ""})
    )
    assert sent(with_it)[0] == sent(without)[0]


@pytest.mark.parametrize("name", parts("carried"))
def test_carried_parts_are_taken(name: str) -> None:
    """The least value of each is translated."""
    sent(scene(name, value_of(name)))


@pytest.mark.parametrize(("name", "field"), cases("carried"))
def test_carried_fields_make_a_difference(name: str, field: str) -> None:
    """Some two values of the field, or having it at all, lead to different requests."""
    assert len(outcomes(name, field)) > 1, f"{field} of {name} changes nothing: it is lost"


@pytest.mark.parametrize(("name", "field"), cases("lost"))
def test_lost_fields_make_none(name: str, field: str) -> None:
    """Whatever the value of the field, the same goes up."""
    assert len(outcomes(name, field)) == 1, f"{field} of {name} changes what goes up: it is carried"


@pytest.mark.parametrize(("name", "field"), cases("refused"))
def test_refused_fields_are_refused(name: str, field: str) -> None:
    """The refusal names the field."""
    for value in filter(None, telling_values(name, field)):
        with pytest.raises(InvalidRequest, match=field):
            sent(scene(name, value_of(name) | {field: value}))


def outcomes(name: str, field: str) -> set[str]:
    """Return the different requests that values of a field lead to."""
    base = value_of(name)
    candidates = [base | {field: value} for value in telling_values(name, field)]
    if field not in TYPES[name].required and field not in NEEDED.get(name, {}):
        candidates.append({key: value for key, value in base.items() if key != field})
    found = set()
    for candidate in candidates:
        try:
            found.add(repr(sent(scene(name, candidate))))
        except InvalidRequest as refusal:
            found.add(refusal.message)
    return found


KEY_VALUES: dict[str, list[Any]] = {
    "max_tokens": [100, 200],
    "container": ["container_1"],
    "metadata": [{}, {"user_id": "somebody"}],
    "output_config": [{}, {"effort": "high"}],
    "messages": [[{"role": "user", "content": text}] for text in ("Hi", "Ho")],
    "model": ["gpt-5.6-sol", "gpt-4.1"],
    "temperature": [0.1, 0.2],
    "top_p": [0.1, 0.2],
    "top_k": [1, 2],
    "tool_choice": [{"type": "any"}, {"type": "none"}],
    "tools": [[custom_tool("first")], [custom_tool("second")]],
}


@pytest.mark.parametrize("key", sorted(TABLES.keys))
def test_keys_of_the_request(key: str) -> None:
    """Each key is carried, lost or refused as the table says; sampling is carried to models that take it."""
    tools = {"tools": [custom_tool("first")]} if key == "tool_choice" else {}
    found = KEY_VALUES.get(key) or values(keys_of_requests()[key], key)
    assert found
    bodies = set()
    for value in [value for value in found if value != []]:
        model = "gpt-4.1" if key in ("temperature", "top_p") else "gpt-5.6-sol"
        keys = {**tools, "model": model, key: value}
        if TABLES.keys[key] == "refused":
            with pytest.raises(InvalidRequest, match=key):
                sent(keys, model=model)
        else:
            bodies.add(repr(sent(keys, model=model)))
    plain = repr(sent(tools))
    match TABLES.keys[key]:
        case "carried":
            assert len(bodies | {plain}) > 1
        case "lost":
            assert bodies == {plain}


def test_a_type_that_no_table_has_is_found() -> None:
    """The walk finds a type that the page does not know."""
    row = TABLES.part("content: hologram")
    assert row is None
    assert TABLES.part("tools: code_execution_20990101") == TABLES.part("tools: code_execution_20250522")
    assert len(TYPES) > 80
