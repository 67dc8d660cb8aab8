"""Requests go up as OpenRouter takes them, or are refused with the name of what cannot be sent."""

import copy
from typing import Any

import orjson
import pytest

from channeling.errors import InvalidRequest
from channeling.message_request import parse_count_tokens_request, parse_message_request
from channeling.providers.chat_completions.reasoning_signature import SealedReasoning, seal
from channeling.providers.chat_completions.request import Translation
from channeling.providers.openrouter.adapter import OpenRouterAdapter
from channeling.providers.openrouter.native_anthropic import is_native_model
from channeling.providers.openrouter.price_limit import PriceLimit
from channeling.providers.openrouter.request import translate_request
from tests.channeling.providers.golden_requests import Case, cases, readable
from tests.stand_ins.chat_validator import assert_taken

CASES = cases("openrouter", least=50)
MODEL = "deepseek/deepseek-chat-v3.1"


def translated(document: dict[str, Any], *, model: str = MODEL, **more: Any) -> Translation:
    """Translate a request for a model."""
    document = {"model": "or:some-model", "max_tokens": 1000, "messages": asking(), **document}
    settings: dict[str, Any] = {"max_tokens": None, "stream": False, **more}
    return translate_request(parse_message_request(orjson.dumps(document)), model=model, **settings)


def asking(*content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of a request with one user message."""
    return [{"role": "user", "content": list(content) or "Hi"}]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case) -> None:
    """Each case becomes the very body, and OpenRouter takes it; or it is refused in these words."""
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
    assert orjson.dumps(translate().body) == orjson.dumps(translation.body), (
        "prompts are cached by their bytes"
    )
    assert case.request.document == before, "the request itself was changed"


@pytest.mark.parametrize(
    "model", [MODEL, "qwen/qwen3-coder", "google/gemini-3-pro", "mistralai/devstral-2512"]
)
def test_a_longer_conversation_begins_with_the_shorter_one(model: str) -> None:
    """A turn added at the end leaves all messages before it as they were, so that they are found in a cache."""
    turns: list[dict[str, Any]] = []
    earlier: list[dict[str, Any]] = []
    thinking = seal(SealedReasoning(model, ({"type": "reasoning.text", "text": "x"},)))
    for number in range(4):
        use = {"type": "tool_use", "id": f"toolu/{number}", "name": "Read", "input": {"n": number}}
        result = {"type": "tool_result", "tool_use_id": use["id"], "content": "x", "is_error": number == 2}
        thought = {"type": "thinking", "thinking": "x", "signature": thinking}
        turns += [
            {"role": "user", "content": f"Turn {number}"},
            {"role": "assistant", "content": [thought, {"type": "text", "text": "Reading."}, use]},
            {"role": "user", "content": [result, {"type": "text", "text": "Thanks."}]},
            {"role": "assistant", "content": "Read."},
        ]
        messages = translated({"messages": [*turns, {"role": "user", "content": "Go on"}]}, model=model).body[
            "messages"
        ]
        assert messages[: len(earlier)] == earlier
        earlier = messages[:-1]


@pytest.mark.parametrize(
    ("asked", "bound", "sent"), [(1000, None, 1000), (1000, 500, 500), (1000, 3, 16), (1, None, 16)]
)
def test_bounds_of_the_output(asked: int, bound: int | None, sent: int) -> None:
    """A lower bound than asked counts, within what all providers take at least."""
    assert translated({"max_tokens": asked}, max_tokens=bound).body["max_tokens"] == sent


def test_a_request_for_a_count_has_no_bound() -> None:
    """It has no max_tokens, and an estimate all the same."""
    request = parse_count_tokens_request(orjson.dumps({"model": "or:x", "messages": asking()}))
    translation = translate_request(request, model=MODEL, max_tokens=None, stream=False)
    assert "max_tokens" not in translation.body
    assert translation.terms.input_tokens_estimate > 0


def test_the_client_keeps_its_own_name_for_the_model() -> None:
    """The upstream name goes up, and the answer's reader is told both."""
    translation = translated({"model": "or:an-alias"})
    assert translation.body["model"] == MODEL
    assert translation.terms.model == "or:an-alias"
    assert translation.terms.upstream_model == MODEL


def test_the_price_that_was_held_at_is_the_limit() -> None:
    """Tools or not, no provider may serve it that costs more; where nothing is known of a price there is none."""
    limit = PriceLimit(280_000_000, 1_100_000_000)
    tool = {"name": "a", "input_schema": {"type": "object"}}
    assert translated({}, price_limit=limit).body["provider"] == {
        "max_price": {"prompt": "0.28", "completion": "1.1"}
    }
    assert translated({"tools": [tool]}, price_limit=limit).body["provider"]["require_parameters"] is True
    for free in (None, PriceLimit(0, 0)):
        assert "provider" not in translated({}, price_limit=free).body


def test_the_session_that_is_named_outside_of_the_body() -> None:
    """It comes before the one in the user id."""
    metadata = {"user_id": "user_a_account_b_session_c"}
    inside, outside = translated({"metadata": metadata}), translated({"metadata": metadata}, session="d")
    assert inside.body["user"] == outside.body["user"]
    assert outside.body["session_id"] == translated({}, session="d").body["session_id"]
    assert inside.body["session_id"] != outside.body["session_id"]


@pytest.mark.parametrize(
    ("sealed_for", "asked", "goes_back"),
    [
        ("qwen/qwen3-coder", "qwen/qwen3-coder", True),
        ("qwen/qwen3-coder", "qwen/qwen3-coder:free", True),
        ("qwen/qwen3-coder:free", "qwen/qwen3-coder:nitro", True),
        ("qwen/qwen3-coder", "qwen/qwen3-coder-plus", False),
        ("google/gemini-3-pro", "qwen/qwen3-coder", False),
    ],
)
def test_reasoning_goes_back_to_the_model_that_it_is_for(
    sealed_for: str, asked: str, goes_back: bool
) -> None:
    """Variants of a model are the same model, and another's reasoning is left out."""
    signature = seal(SealedReasoning(sealed_for, ({"type": "reasoning.text", "text": "x", "index": 0},)))
    said = [{"type": "thinking", "thinking": "x", "signature": signature}, {"type": "text", "text": "Hello"}]
    turns = [*asking(), {"role": "assistant", "content": said}, *asking()]
    message = translated({"messages": turns}, model=asked).body["messages"][1]
    assert ("reasoning_details" in message) is goes_back


BAD: list[tuple[dict[str, Any], str]] = [
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"tools": [3]}, "tools.0"),
    ({"tools": [{"name": "a", "input_schema": {}, "cache_control": 3}]}, "tools.0.cache_control"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 0}]}, "tools.0.max_uses"),
    ({"system": [{"type": "text", "text": "x", "cache_control": []}]}, "system.0.cache_control"),
    ({"cache_control": "ephemeral"}, "cache_control"),
    ({"top_k": "many"}, "top_k"),
    ({"thinking": {"type": "aloud"}}, "thinking.type"),
    ({"metadata": {"user_id": 3}}, "metadata.user_id"),
]


@pytest.mark.parametrize(("document", "named"), BAD)
def test_bad_input_is_named(document: dict[str, Any], named: str) -> None:
    """What is malformed is refused with the place where it stands."""
    with pytest.raises(InvalidRequest) as refused:
        translated(document)
    assert refused.value.message.startswith(f"{named}:")


@pytest.mark.parametrize(
    "model", ["openai/gpt-5.2:online", "openai/gpt-oss-20b:free:online", "anthropic/claude-opus-5:online"]
)
def test_a_name_that_searches(model: str) -> None:
    """It searches as it was held for, and is never asked in another way."""
    plugins = {plugin["id"]: plugin for plugin in translated({}, model=model).body["plugins"]}
    assert plugins["web"] == {"id": "web", "engine": "exa", "max_results": 5}
    assert OpenRouterAdapter().unasked_searches(model) == 1
    assert not is_native_model(model)


def test_a_name_that_does_not_search() -> None:
    """A word in it is no variant."""
    for model in ("perplexity/llama-3.1-sonar-small-128k-online", "online", MODEL, f"{MODEL}:free"):
        assert "web" not in [plugin["id"] for plugin in translated({}, model=model).body["plugins"]]
        assert OpenRouterAdapter().unasked_searches(model) == 0
    assert is_native_model("anthropic/claude-opus-5")
