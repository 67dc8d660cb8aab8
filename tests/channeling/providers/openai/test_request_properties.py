"""Whatever a conversation looks like, what goes up is taken by the API, and all that a model can read is in it."""

import copy
import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channeling.errors import InvalidRequest
from channeling.message_request import parse_message_request
from channeling.pricing.allowances import allowance_tokens
from channeling.providers.openai.reasoning_signature import SealedReasoning, seal
from channeling.providers.openai.request import Translation, translate_request
from tests.channeling.providers.conversations import messages, requests
from tests.channeling.providers.golden_requests import Case, cases
from tests.channeling.providers.marked_conversations import JUNK, Marked, paths, replaced
from tests.stand_ins.openai_validator import assert_taken

MODELS = (
    *(
        "gpt-5",
        "gpt-5-nano",
        "gpt-5-pro",
        "gpt-5-codex",
        "gpt-5.1",
        "gpt-5.1-codex-max",
        "gpt-5.2",
        "gpt-5.2-pro",
    ),
    *("gpt-5.3-codex", "gpt-5.4", "gpt-5.5-pro", "gpt-5.6-sol", "gpt-6-luna", "gpt-6.2-astra", "gpt-9-nova"),
    *("o1", "o3", "o4-mini-2025-04-16", "gpt-4.1", "gpt-4o", "gpt-4o-mini", "gpt-5-chat-latest"),
)
OURS = st.builds(
    lambda number: seal(SealedReasoning(f"rs_{number}", f"gAAA{number}", ("s",))), st.integers(0, 5)
)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def translated(document: dict[str, Any]) -> Translation:
    """Translate a request for the model that it names."""
    request = parse_message_request(orjson.dumps(document))
    before = copy.deepcopy(request.document)
    translation = translate_request(request, model=request.model, max_tokens=None, stream=request.stream)
    assert request.document == before
    return translation


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(requests(MODELS, OURS))
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
@given(messages(OURS))
def test_nothing_readable_is_lost(conversation: list[dict[str, Any]]) -> None:
    """Every text, image, call and result of the history is in what goes up, as often as it was said."""
    marked = Marked()
    conversation = [{**message, "content": marked.mark(message["content"])} for message in conversation]
    document = {"model": "gpt-5.2", "max_tokens": 100, "messages": conversation}
    sent = orjson.dumps(translated(document).body["input"]).decode()
    assert [mark for mark in marked.marks if sent.count(mark) != 1] == []


@pytest.mark.parametrize("case", cases("openai", least=70), ids=lambda case: case.name)
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


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=SLOW)
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
