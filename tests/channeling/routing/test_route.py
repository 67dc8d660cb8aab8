"""Every form of model name goes to its provider, project aliases come first, and impossible names are refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channeling.errors import InvalidRequest
from channeling.provider import Provider
from channeling.routing.route import Route, missing_key, missing_key_message, route_model

ALIASES = {
    "fast": "or:mistralai/devstral-2512:free",
    "smart": "claude-opus-4-5-20251101[1m]",
    "claude-sonnet-4-5-20250929": "gpt-5",
    "first": "second",
    "second": "first",
    "itself": "itself",
    "or:pinned": "o4-mini",
    "nothing": "",
    "nowhere": "or:",
}


@pytest.mark.parametrize(
    ("model", "provider", "upstream_model"),
    [
        ("claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5-20250929"),
        ("claude-opus-4-5-20251101", "anthropic", "claude-opus-4-5-20251101"),
        ("claude-3-5-haiku-20241022", "anthropic", "claude-3-5-haiku-20241022"),
        ("gpt-5.2", "openai", "gpt-5.2"),
        ("gpt-5", "openai", "gpt-5"),
        ("chatgpt-4o-latest", "openai", "chatgpt-4o-latest"),
        ("codex-mini-latest", "openai", "codex-mini-latest"),
        ("o1", "openai", "o1"),
        ("o3-pro", "openai", "o3-pro"),
        ("o4-mini", "openai", "o4-mini"),
        ("o7-later", "openai", "o7-later"),
        ("or:mistralai/mistral-large", "openrouter", "mistralai/mistral-large"),
        ("or:deepseek/deepseek-chat", "openrouter", "deepseek/deepseek-chat"),
        ("or:mistralai/devstral-2512:free", "openrouter", "mistralai/devstral-2512:free"),
        ("or:gpt-5", "openrouter", "gpt-5"),
        ("or:or:x", "openrouter", "or:x"),
        ("mistralai/mistral-large", "openrouter", "mistralai/mistral-large"),
        ("anthropic/claude-opus-4.5", "openrouter", "anthropic/claude-opus-4.5"),
        ("openai/gpt-5", "openrouter", "openai/gpt-5"),
        ("claude", "openrouter", "claude"),
        ("gpt", "openrouter", "gpt"),
        ("o-mini", "openrouter", "o-mini"),
        ("olmo-2", "openrouter", "olmo-2"),
        ("o٣", "openrouter", "o٣"),
        ("not-claude-x", "openrouter", "not-claude-x"),
        ("GPT-5", "openrouter", "GPT-5"),
    ],
)
def test_the_table(model: str, provider: Provider, upstream_model: str) -> None:
    assert route_model(model, {}) == Route(provider, upstream_model, model)


@pytest.mark.parametrize("suffix", ["[1m]", "[1M]", "[1M][1m]", "[1m][1m][1m]"])
@pytest.mark.parametrize("model", ["claude-opus-4-5", "gpt-5", "or:a/b", "a/b", "fast"])
def test_the_long_context_suffix_is_cut_everywhere(model: str, suffix: str) -> None:
    assert route_model(model + suffix, ALIASES) == route_model(model, ALIASES)


def test_only_a_trailing_suffix_is_cut() -> None:
    assert route_model("m]", {}).upstream_model == "m]"
    assert route_model("claude-[1m]-x", {}).upstream_model == "claude-[1m]-x"
    assert route_model("claude-x[2m]", {}).upstream_model == "claude-x[2m]"


@pytest.mark.parametrize(
    ("model", "provider", "upstream_model"),
    [
        pytest.param("fast", "openrouter", "mistralai/devstral-2512:free", id="to an explicit route"),
        pytest.param("smart", "anthropic", "claude-opus-4-5-20251101", id="suffix in the target"),
        pytest.param("claude-sonnet-4-5-20250929", "openai", "gpt-5", id="over a known name"),
        pytest.param("or:pinned", "openai", "o4-mini", id="over an explicit route"),
        pytest.param("first", "openrouter", "second", id="one step, then the table"),
        pytest.param("itself", "openrouter", "itself", id="to itself"),
    ],
)
def test_aliases_come_first_and_go_one_step(model: str, provider: Provider, upstream_model: str) -> None:
    assert route_model(model, ALIASES) == Route(provider, upstream_model, model)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("[1m]", "empty"),
        ("or:", "empty"),
        ("or: ", "empty"),
        ("or:[1m]", "empty"),
        ("claude-\n", "control"),
        ("gpt-5\x00", "control"),
        ("a\x7fb", "control"),
        ("a\x85b", "control"),
        ("or:\ud800", "control"),
        ("m" * 257, "256 characters"),
        ("m" * 1_000_000, "256 characters"),
        ("[1m]" * 250_000, "empty"),
        ("[1m" * 250_000, "256 characters"),
        ("[1m]" * 250_000 + "x", "256 characters"),
        ("nothing", "empty"),
        ("nowhere", "empty"),
    ],
)
def test_impossible_names(model: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as refused:
        route_model(model, ALIASES)
    refused.value.message.encode()


def test_the_longest_name() -> None:
    assert route_model("m" * 256 + "[1m]", {}).upstream_model == "m" * 256


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_routed_or_refused(model: str) -> None:
    try:
        route = route_model(model, {})
    except InvalidRequest:
        return
    assert route.upstream_model.encode()
    assert route.requested_model.endswith(route.upstream_model)


@pytest.mark.parametrize(
    ("provider", "name"), [("anthropic", "Anthropic"), ("openai", "OpenAI"), ("openrouter", "OpenRouter")]
)
def test_a_missing_key_names_the_provider_and_the_command(provider: Provider, name: str) -> None:
    message = missing_key_message(provider)
    assert f"answered by {name}" in message
    assert "not configured for this project" in message
    assert f"channeling key set {provider}" in message
    assert (missing_key(provider).status, missing_key(provider).message) == (400, message)
