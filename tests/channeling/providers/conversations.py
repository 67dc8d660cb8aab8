"""Random conversations as clients of the Messages API hold them, valid or worn by interruptions and edits."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

words = st.text(max_size=20)
# Few, so that they meet again: of an unlucky length, with bad characters, used twice.
call_ids = st.sampled_from(
    ["call_1", "call_2", "call_2#1", "toolu_" + "x" * 70, "toolu_" + "x" * 71, "a.b:0", "é", ""]
)
tool_names = st.sampled_from(
    ["Read", "with.dots", "mcp__" + "s" * 70 + "__a", "mcp__" + "s" * 70 + "__b", "\N{SNOWMAN}"]
)


def schemas(depth: int = 3) -> st.SearchStrategy[Any]:
    """Return schemas as tools have them, with what OpenAI refuses of some."""
    kinds = [{"type": "string"}, {"type": "array"}, {"type": ["string", "null"]}]
    plain = st.sampled_from([{}, *kinds, {"enum": ["a", 1]}, {"$ref": "#/$defs/a"}])
    if depth == 0:
        return plain
    inner = schemas(depth - 1)
    properties = st.dictionaries(st.sampled_from(["a", "b", "required", "type"]), inner, max_size=3)
    objects = st.builds(
        lambda properties, required, closed: (
            {
                "type": "object",
                "properties": properties,
                "required": required
                if required is None
                else [name for name in required if name in properties],
            }
            | ({"additionalProperties": False} if closed else {})
        ),
        properties,
        st.none() | st.lists(st.sampled_from(["a", "b", "required", "type"]), unique=True),
        st.booleans(),
    )
    chosen = st.builds(
        lambda key, branches: {key: branches},
        st.sampled_from(["anyOf", "oneOf", "allOf"]),
        st.lists(inner, min_size=1, max_size=2),
    )
    return st.one_of(plain, objects, chosen, inner.map(lambda items: {"type": "array", "items": items}))


def input_schemas() -> st.SearchStrategy[dict[str, Any]]:
    """Return schemas of tools: an object at the root, but for alternatives beside or instead of it."""
    return st.builds(
        lambda root, more: {**more, **root}, st.sampled_from([{}, {"type": "object"}]), schemas()
    )


def tools() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return tools of the client's own and of Anthropic's, no name twice."""
    custom = st.fixed_dictionaries(
        {"name": tool_names, "input_schema": input_schemas()},
        optional={
            "description": words,
            "strict": st.booleans(),
            "defer_loading": st.booleans(),
            "cache_control": st.just({"type": "ephemeral"}),
        },
    )
    known = st.sampled_from(
        [
            {"type": "bash_20250124", "name": "bash"},
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
            {"type": "memory_20250818", "name": "memory"},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
            {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
        ]
    )
    return st.lists(custom | known, max_size=4, unique_by=lambda tool: tool["name"])


def texts() -> st.SearchStrategy[dict[str, Any]]:
    """Return text blocks, empty ones too, some with citations."""
    cited = {"type": "char_location", "cited_text": "x", "document_index": 0, "document_title": None}
    return st.fixed_dictionaries(
        {"type": st.just("text"), "text": words}, optional={"citations": st.sampled_from([[], None, [cited]])}
    )


def images() -> st.SearchStrategy[dict[str, Any]]:
    """Return image blocks."""
    sources = [
        {"type": "base64", "media_type": "image/png", "data": PIXEL},
        {"type": "url", "url": "https://example.com/a.png"},
    ]
    return st.sampled_from([{"type": "image", "source": source} for source in sources])


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """Return document and search result blocks."""
    sources = st.sampled_from(
        [
            {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"},
            {"type": "url", "url": "https://example.com/a.pdf"},
            {"type": "text", "media_type": "text/plain", "data": "plain"},
            {"type": "content", "content": "a string"},
        ]
    )
    document = st.fixed_dictionaries(
        {"type": st.just("document"), "source": sources},
        optional={"title": words, "context": st.none() | words},
    )
    found = st.builds(
        lambda title, content: {"type": "search_result", "title": title, "source": "s", "content": content},
        words,
        st.lists(texts(), max_size=2),
    )
    return document | found


def results() -> st.SearchStrategy[dict[str, Any]]:
    """Return tool results, of calls that there may be or not."""
    reference = tool_names.map(lambda name: {"type": "tool_reference", "tool_name": name})
    content = st.none() | words | st.lists(texts() | images() | documents() | reference, max_size=3)
    return st.fixed_dictionaries(
        {"type": st.just("tool_result"), "tool_use_id": call_ids},
        optional={"content": content, "is_error": st.booleans()},
    )


def thinking(ours: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Return thinking: with signatures of our own, some of it twice; Anthropic's; unsigned."""
    foreign = st.sampled_from(["", "EqQBCgIYAhIk", "channeling:openai:1:", "channeling:openai:2:abc:def"])
    signed = st.builds(
        lambda text, signature: {"type": "thinking", "thinking": text, "signature": signature},
        words,
        ours | foreign,
    )
    return signed | (ours | foreign).map(lambda data: {"type": "redacted_thinking", "data": data})


def uses() -> st.SearchStrategy[dict[str, Any]]:
    """Return calls of tools that the client runs."""
    arguments = st.dictionaries(
        words, st.none() | st.integers(-5, 5) | words | st.lists(words, max_size=2), max_size=2
    )
    return st.builds(
        lambda call_id, name, given: {"type": "tool_use", "id": call_id, "name": name, "input": given},
        call_ids,
        tool_names,
        arguments,
    )


def server_tools() -> st.SearchStrategy[dict[str, Any]]:
    """Return calls and results of tools that a provider ran."""
    found = {
        "type": "web_search_result",
        "title": "T",
        "url": "https://example.com",
        "encrypted_content": "E",
    }
    return st.sampled_from(
        [
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]},
        ]
    )


def messages(ours: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a conversation. Its first message has a text, so that something is left to send."""
    user = words | st.lists(texts() | images() | documents() | results(), max_size=4)
    assistant = words | st.lists(texts() | thinking(ours) | uses() | server_tools(), max_size=5)
    system = words | st.lists(texts(), max_size=2)
    turns = st.one_of(
        user.map(lambda content: {"role": "user", "content": content}),
        assistant.map(lambda content: {"role": "assistant", "content": content}),
        system.map(lambda content: {"role": "system", "content": content}),
    )
    return st.lists(turns, max_size=8).map(lambda more: [{"role": "user", "content": "Hi"}, *more])


def requests(models: Sequence[str], ours: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Return whole requests for these models; `ours` are signatures that carry a provider's own reasoning."""
    thinks = st.sampled_from(
        [
            {"type": "enabled", "budget_tokens": 5_000},
            {"type": "adaptive", "display": "omitted"},
            {"type": "between_tools"},
            {"type": "disabled"},
        ]
    )
    output_format = input_schemas().map(
        lambda schema: {"type": "json_schema", "schema": schema | {"type": "object"}}
    )
    output_config = st.fixed_dictionaries(
        {}, optional={"effort": st.sampled_from(["low", "high", "xhigh", "max"]), "format": output_format}
    )
    return st.fixed_dictionaries(
        {"model": st.sampled_from(models), "max_tokens": st.integers(1, 300_000), "messages": messages(ours)},
        optional={
            "system": words | st.lists(texts(), max_size=2),
            "tools": tools(),
            "tool_choice": st.sampled_from(
                [{"type": "auto", "disable_parallel_tool_use": True}, {"type": "any"}, {"type": "none"}]
            ),
            "thinking": thinks,
            "output_config": output_config,
            "metadata": st.builds(lambda user_id: {"user_id": user_id}, words | st.just("x" * 300)),
            "temperature": st.floats(0, 1),
            "top_p": st.floats(0, 1),
            "stop_sequences": st.lists(st.text(min_size=1, max_size=3), max_size=3),
            "service_tier": st.sampled_from(["auto", "standard_only"]),
            "stream": st.booleans(),
        },
    )
