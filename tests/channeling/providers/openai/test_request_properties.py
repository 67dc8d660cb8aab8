"""Whatever a conversation looks like, what goes up is taken by the API, and all that a model can read is in it."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from channeling.errors import InvalidRequest
from channeling.message_request import parse_message_request
from channeling.pricing.allowances import allowance_tokens
from channeling.providers.openai.request import Translation, translate_request
from channeling.providers.server_tool_notes import is_server_tool_block
from tests.channeling.providers.openai.conversations import messages, requests
from tests.channeling.providers.openai.golden_requests import Case, cases
from tests.stand_ins.openai_validator import assert_taken

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def translated(document: dict[str, Any]) -> Translation:
    """Translate a request for the model that it names."""
    request = parse_message_request(orjson.dumps(document))
    before = copy.deepcopy(request.document)
    translation = translate_request(request, model=request.model, max_tokens=None, stream=request.stream)
    assert request.document == before
    return translation


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(requests())
def test_the_api_takes_it(document: dict[str, Any]) -> None:
    """The official package's types and the API's known refusals have nothing against it."""
    translation = translated(document)
    body = orjson.loads(orjson.dumps(translation.body))
    assert_taken(body)
    assert translation.terms.input_tokens_estimate > 0
    sent = [tool["name"] for tool in body.get("tools", ()) if tool["type"] == "function"]
    given_names = [tool["name"] for tool in document.get("tools", ()) if "search" not in tool.get("type", "")]
    assert [translation.terms.client_name(name) for name in sent] == given_names


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(messages())
def test_nothing_readable_is_lost(conversation: list[dict[str, Any]]) -> None:
    """Every text, image, call and result of the history is in what goes up, as often as it was said."""
    marked = Marked()
    conversation = [{**message, "content": marked.mark(message["content"])} for message in conversation]
    document = {"model": "gpt-5.2", "max_tokens": 100, "messages": conversation}
    sent = orjson.dumps(translated(document).body["input"]).decode()
    assert [mark for mark in marked.marks if sent.count(mark) != 1] == []


class Marked:
    """Puts a mark of its own into each text of a conversation, with as much more as makes it long."""

    def __init__(self, filler: str = "") -> None:
        self.marks: list[str] = []
        self._filler = filler

    def mark(self, content: Any) -> Any:
        """Return the content with marks in it."""
        if isinstance(content, str):
            return content + self._new()
        return [self._marked(block) for block in content]

    def _marked(self, block: dict[str, Any]) -> dict[str, Any]:
        match block["type"]:
            case "text":
                return {**block, "text": block["text"] + self._new()}
            case "tool_use":
                return {**block, "input": {**block["input"], "mark": self._new()}}
            case "tool_result" | "search_result" if block.get("content") is not None:
                return {**block, "content": self.mark(block["content"])}
            case "document" if block["source"]["type"] == "text":
                return {**block, "source": {**block["source"], "data": self._new()}, "context": self._new()}
            case "document":
                return {**block, "context": self._new()}
            case "image" if block["source"]["type"] == "url":
                return {**block, "source": {**block["source"], "url": f"https://example.com/{self._new()}"}}
            case kind if is_server_tool_block(kind) and "input" in block:
                return {**block, "input": {"query": self._new()}}
        return block

    def _new(self) -> str:
        self.marks.append(f"<mark {len(self.marks)}{self._filler}>")
        return self.marks[-1]


JUNK: list[Any] = [
    None,
    True,
    -1,
    2**70,
    0.5,
    "",
    "x",
    "\ud7ff",
    [],
    [None],
    [[]],
    {},
    {"type": 1},
    {"type": "text"},
]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_malformed_requests_are_refused_or_translated(case: Case) -> None:
    """Each value of each golden request is replaced by junk in turn: never anything but a refusal or a body."""
    document = orjson.loads(case.request.raw)
    for path in paths(document):
        for junk in JUNK:
            try:
                request = parse_message_request(json.dumps(replaced(document, path, junk)).encode())
                translation = translate_request(request, model=request.model, max_tokens=None, stream=True)
            except InvalidRequest:
                continue
            assert orjson.dumps(translation.body)


def paths(node: Any) -> Iterator[tuple[str | int, ...]]:
    """Yield where every value in a document stands, but for the insides of schemas deep down."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (key,)
        yield from ((key, *rest) for rest in paths(child) if len(rest) < 9)


def replaced(node: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return the document with another value at the path."""
    if not path:
        return value
    copied = node.copy()
    copied[path[0]] = replaced(node[path[0]], path[1:], value)
    return copied


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(requests())
def test_the_bytes_of_the_request_bound_the_input(document: dict[str, Any]) -> None:
    """No tokenizer makes more tokens than bytes: so what is held for the bytes that came covers those that go up.

    Images and files have bounds of their own, and what tools of Anthropic's own become has its allowance.
    """
    long = Marked("x" * 500)
    turns = [{**message, "content": long.mark(message["content"])} for message in document["messages"]]
    request = parse_message_request(orjson.dumps({**document, "messages": turns}))
    body = translate_request(request, model=request.model, max_tokens=None, stream=False).body
    kinds = [tool.get("type", "custom") for tool in document.get("tools", ())]
    held = len(request.raw) + allowance_tokens(kinds, request.image_count)
    tools = orjson.dumps(body.get("tools", []))
    assert read_bytes(body) + len(tools) // BYTES_PER_TOKEN_OF_OUR_OWN <= held


# Texts that we add are English, at no less than this.
BYTES_PER_TOKEN_OF_OUR_OWN = 3


def read_bytes(body: Any) -> int:
    """Return the bytes of all that the model reads of a body as text, but for tools."""
    texts: list[str] = [body.get("instructions", ""), orjson.dumps(body.get("text", "")).decode()]
    for item in body["input"]:
        content = item.get("content", item.get("output", ""))
        parts = [{"text": content}] if isinstance(content, str) else content
        texts += [part["text"] for part in parts if "text" in part]
        texts += [item.get(key, "") for key in ("arguments", "name", "encrypted_content")]
        texts += [part["text"] for part in item.get("summary", ())]
    return sum(len(text.encode()) for text in texts)
