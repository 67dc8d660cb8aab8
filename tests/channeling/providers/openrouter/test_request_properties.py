"""Whatever a conversation looks like, what goes up is taken, and all that a model can read is in it."""

import copy
import json
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channeling.errors import InvalidRequest
from channeling.message_request import parse_message_request
from channeling.pricing.allowances import allowance_tokens
from channeling.providers.chat_completions import request as chat_completions
from channeling.providers.chat_completions.reasoning_signature import SealedReasoning, seal
from channeling.providers.chat_completions.request import Translation
from channeling.providers.openrouter.request import translate_request
from tests.channeling.providers.conversations import messages, requests
from tests.channeling.providers.golden_requests import Case, cases
from tests.channeling.providers.marked_conversations import JUNK, Marked, paths, replaced
from tests.stand_ins.chat_validator import assert_taken

MODELS = (
    *("deepseek/deepseek-chat-v3.1", "mistralai/devstral-2512:free", "google/gemini-3-pro", "openai/gpt-5.2"),
    *("qwen/qwen3-coder", "anthropic/claude-sonnet-5", "moonshotai/kimi-k2-thinking", "someone/a-new-model"),
)
DETAILS = st.lists(
    st.sampled_from(
        [
            {"type": "reasoning.text", "text": "Let me see.", "signature": None, "index": 0},
            {"type": "reasoning.summary", "summary": "It looked.", "id": "rs_1", "index": 1},
            {"type": "reasoning.encrypted", "data": "gAAA", "id": "call_1", "index": 2},
        ]
    ),
    min_size=1,
    max_size=3,
).map(tuple)
OURS = st.builds(
    lambda model, details: seal(SealedReasoning(model, details)), st.sampled_from(MODELS), DETAILS
)
TEXTS_OF_OURS = st.sampled_from(["reasoning", "reasoning_content"]).map(
    lambda key: seal(SealedReasoning("deepseek-reasoner", text="Hm.", text_key=key))
)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def translated(document: dict[str, Any], *, stream: bool = False) -> Translation:
    """Translate a request for the model that it names."""
    request = parse_message_request(orjson.dumps(document))
    before = copy.deepcopy(request.document)
    translation = translate_request(request, model=request.model, max_tokens=None, stream=stream)
    assert request.document == before
    return translation


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(requests(MODELS, OURS))
def test_openrouter_takes_it(document: dict[str, Any]) -> None:
    """The official package's types and the known refusals have nothing against it."""
    translation = translated(document, stream=bool(document.get("stream")))
    body = orjson.loads(orjson.dumps(translation.body))
    assert_taken(body)
    assert translation.terms.input_tokens_estimate > 0
    sent = [tool["function"]["name"] for tool in body.get("tools", ()) if tool["type"] == "function"]
    given_names = [tool["name"] for tool in document.get("tools", ()) if "search" not in tool.get("type", "")]
    assert [translation.terms.client_name(name) for name in sent] == given_names
    roles = [message["role"] for message in body["messages"]]
    assert all(first == "tool" or first != second for first, second in pairwise(roles))


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(messages(TEXTS_OF_OURS), st.sampled_from(["deepseek-reasoner", "mistral-large-latest", "qwen3:8b"]))
def test_other_servers_take_it(conversation: list[dict[str, Any]], model: str) -> None:
    """Without files, which they do not take, nothing is refused, and nothing of OpenRouter's is sent."""
    document = {"model": model, "max_tokens": 100, "messages": without_files(conversation)}
    request = parse_message_request(orjson.dumps(document))
    body = chat_completions.translate_request(request, model=model, max_tokens=None, stream=True).body
    assert_taken(orjson.loads(orjson.dumps(body)), plain=True)


def without_files(node: Any) -> Any:
    """Return a conversation without the documents that are files."""
    if isinstance(node, list):
        return [without_files(child) for child in node if not is_file(child)]
    return {key: without_files(child) for key, child in node.items()} if isinstance(node, dict) else node


def is_file(node: Any) -> bool:
    """Say whether a block is a document that is no text."""
    return (
        isinstance(node, dict)
        and node.get("type") == "document"
        and node["source"]["type"] in ("base64", "url")
    )


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(messages(OURS), st.sampled_from(MODELS))
def test_nothing_readable_is_lost(conversation: list[dict[str, Any]], model: str) -> None:
    """Every text, image, call and result of the history is in what goes up, as often as it was said."""
    marked = Marked()
    conversation = [{**message, "content": marked.mark(message["content"])} for message in conversation]
    document = {"model": model, "max_tokens": 100, "messages": conversation}
    sent = orjson.dumps(translated(document).body["messages"]).decode()
    assert [mark for mark in marked.marks if sent.count(mark) != 1] == []


CASES = cases("openrouter", least=50)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
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


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(requests(MODELS, OURS))
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
    assert read_bytes(body) + len(orjson.dumps(body.get("tools", []))) // BYTES_PER_TOKEN_OF_OUR_OWN <= held


# Texts that we add are English, at no less than this.
BYTES_PER_TOKEN_OF_OUR_OWN = 3


def read_bytes(body: Any) -> int:
    """Return the bytes of all that the model reads of a body as text, but for tools."""
    texts: list[str] = [orjson.dumps(body.get("response_format", "")).decode()]
    for message in body["messages"]:
        content = message["content"] or ""
        parts = [{"text": content}] if isinstance(content, str) else content
        texts += [part["text"] for part in parts if "text" in part]
        for call in message.get("tool_calls", ()):
            texts += [call["function"]["name"], call["function"]["arguments"]]
        texts += [
            str(detail.get(key) or "")
            for detail in message.get("reasoning_details", ())
            for key in ("text", "summary", "data")
        ]
    return sum(len(text.encode()) for text in texts)
