"""Requests go up as the Responses API takes them, or are refused with the name of what cannot be sent."""

import copy
from typing import Any

import orjson
import pytest

from channeling.errors import InvalidRequest
from channeling.message_request import parse_count_tokens_request, parse_message_request
from channeling.providers.names import short_name
from channeling.providers.openai.request import Translation, translate_request
from tests.channeling.providers.golden_requests import Case, cases, readable
from tests.stand_ins.openai_validator import assert_taken

CASES = cases("openai", least=70)


def translated(
    document: dict[str, Any], *, max_tokens: int | None = None, stream: bool = False
) -> Translation:
    """Translate a request that is sent to the model it asks for."""
    document = {"model": "gpt-5.2", "max_tokens": 1000, **document}
    request = parse_message_request(orjson.dumps(document))
    return translate_request(request, model=request.model, max_tokens=max_tokens, stream=stream)


def asking(*content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of a request with one user message."""
    return [{"role": "user", "content": list(content) or "Hi"}]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case) -> None:
    """Each case becomes the very body, and the API takes it; or it is refused in these words."""
    before = copy.deepcopy(case.request.document)

    def translate() -> Translation:
        return translate_request(
            case.request, model=case.request.model, max_tokens=None, stream=case.request.stream
        )

    if case.refusal is not None:
        with pytest.raises(InvalidRequest) as refused:
            translate()
        assert refused.value.message == case.refusal
        return
    translation = translate()
    assert translation.body == case.body
    assert readable(translation.terms) == case.terms
    assert_taken(orjson.loads(orjson.dumps(translation.body)))
    assert case.request.document == before, "the request itself was changed"


def test_order_of_keys_is_the_same_each_time() -> None:
    """Prompt caches compare beginnings of bytes: the same request gives the same ones."""
    for case in CASES:
        if case.refusal is None:
            first, second = (
                orjson.dumps(
                    translate_request(case.request, model="gpt-5.2", max_tokens=None, stream=False).body
                )
                for _ in range(2)
            )
            assert first == second


def test_a_longer_conversation_begins_with_the_shorter_one() -> None:
    """A turn added at the end leaves all items before it as they were."""
    turns: list[dict[str, Any]] = []
    earlier: list[dict[str, Any]] = []
    for number in range(4):
        use = {"type": "tool_use", "id": f"toolu/{number}", "name": "Read", "input": {"n": number}}
        result = {"type": "tool_result", "tool_use_id": use["id"], "content": "x", "is_error": number == 2}
        turns += [
            {"role": "user", "content": f"Turn {number}"},
            {"role": "assistant", "content": [{"type": "text", "text": "Reading."}, use]},
            {"role": "user", "content": [result]},
        ]
        items = translated({"messages": turns}).body["input"]
        assert items[: len(earlier)] == earlier
        earlier = items


@pytest.mark.parametrize(
    ("asked", "bound", "sent"),
    [(1000, None, 1000), (1000, 500, 500), (1000, 3, 16), (1, None, 16), (10_000_000, None, 128_000)],
)
def test_bounds_of_the_output(asked: int, bound: int | None, sent: int) -> None:
    """A lower bound than asked counts, within what OpenAI takes at least and the model writes at most."""
    body = translated({"messages": asking(), "max_tokens": asked}, max_tokens=bound).body
    assert body["max_output_tokens"] == sent


def test_count_request_has_no_bound() -> None:
    """A request for a count has no max_tokens."""
    request = parse_count_tokens_request(orjson.dumps({"model": "gpt-5.2", "messages": asking()}))
    assert (
        "max_output_tokens"
        not in translate_request(request, model="gpt-5.2", max_tokens=None, stream=False).body
    )


def test_the_client_keeps_its_own_name_for_the_model() -> None:
    """The upstream name goes up, and the answer's reader is told the one that was asked for."""
    request = parse_message_request(
        orjson.dumps({"model": "claude-on-gpt", "max_tokens": 100, "messages": asking()})
    )
    translation = translate_request(request, model="gpt-4.1", max_tokens=None, stream=False)
    assert translation.body["model"] == "gpt-4.1"
    assert "include" not in translation.body
    assert translation.terms.model == "claude-on-gpt"


def test_tool_names_come_back() -> None:
    """Every name that was shortened leads back to the client's own, in tools, choice and history alike."""
    names = ["mcp__" + "server" * 12 + f"__tool_{number}" for number in range(50)]
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in [*names, "Read"]]
    translation = translated({"messages": asking(), "tools": tools})
    sent = [tool["name"] for tool in translation.body["tools"]]
    assert len(set(sent)) == len(tools)
    assert [translation.terms.client_name(name) for name in sent] == [*names, "Read"]
    assert short_name(sent[0]) == sent[0]


@pytest.mark.parametrize("text", ["", "a b", "é", "x" * 65, "\ud800", "a" * 64 + "\n"])
def test_short_names_are_taken(text: str) -> None:
    """Whatever a name is, OpenAI takes what becomes of it; a line break at its end is no exception."""
    name = short_name(text)
    assert len(name) <= 64
    assert name.replace("_", "").replace("-", "").isalnum()
    assert name.isascii()
    assert name != short_name(text + "x")


USE = {"type": "tool_use", "id": "a", "name": "b", "input": {}}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
TOOL = {"name": "a", "input_schema": {"type": "object"}}

# What the messages hold, and where they go wrong.
BAD_MESSAGES: list[tuple[list[Any], str]] = [
    ([{"role": "user"}], "messages.0.content"),
    ([{"role": "user", "content": 3}], "messages.0.content"),
    ([{"role": "user", "content": ["Hi"]}], "messages.0.content.0"),
    (asking({"type": "text"}), "messages.0.content.0.text"),
    (asking({"type": "image"}), "messages.0.content.0.source"),
    (asking(USE), "messages.0.content.0"),
    (asking({"type": "document", "source": {"type": "text", "data": "x"}, "title": 3}), "content.0.title"),
    ([{"role": "assistant", "content": [{"role": "user"}]}], "messages.0.content.0.type"),
    ([{"role": "assistant", "content": [IMAGE]}], "messages.0.content.0"),
    ([{"role": "assistant", "content": [USE | {"input": "{}"}]}], "messages.0.content.0.input"),
    ([{"role": "system", "content": [IMAGE]}], "messages.0.content"),
]
# Other keys of the request, and where they go wrong.
BAD_KEYS: list[tuple[dict[str, Any], str]] = [
    ({"tools": {}}, "tools"),
    ({"tools": [3]}, "tools.0"),
    ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
    ({"tools": [{"name": "a", "input_schema": []}]}, "tools.0.input_schema"),
    ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "tool_choice.type"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 0}]}, "tools.0.max_uses"),
    ({"system": 3}, "system"),
    ({"system": [{"type": "image"}]}, "system.0.type"),
    ({"metadata": "me"}, "metadata"),
    ({"metadata": {"user_id": 3}}, "metadata.user_id"),
    ({"thinking": "yes"}, "thinking"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    ({"output_config": []}, "output_config"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ({"stop_sequences": "x"}, "stop_sequences"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": True}, "top_p"),
]


@pytest.mark.parametrize(
    ("document", "named"),
    [({"messages": messages}, named) for messages, named in BAD_MESSAGES]
    + [({"messages": asking(), **keys}, named) for keys, named in BAD_KEYS],
)
def test_bad_input_is_named(document: dict[str, Any], named: str) -> None:
    """What is malformed is refused with the place where it stands."""
    with pytest.raises(InvalidRequest) as refused:
        translated(document)
    assert named in refused.value.message


def test_deep_tool_input_is_refused() -> None:
    """JSON nested so deeply that it cannot be written again is the sender's error, not ours."""
    body = b'{"model":"gpt-5.2","max_tokens":9,"messages":[{"role":"assistant","content":[%b]}]}'
    use = b'{"type":"tool_use","id":"a","name":"b","input":' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}"
    request = parse_message_request(body % use)
    with pytest.raises(InvalidRequest, match=r"messages\.0\.content\.0\.input.*nested too deeply"):
        translate_request(request, model="gpt-5.2", max_tokens=None, stream=False)
