"""Which adapter a request is for: OpenRouter's two, and that of any other server in its place."""

import pytest

from channeling.providers.chat_completions.adapter import ChatCompletionsAdapter
from channeling.providers.openai.adapter import OpenAIAdapter
from channeling.providers.openrouter.adapter import OpenRouterAdapter
from channeling.providers.openrouter.native_anthropic import NativeAnthropicAdapter
from channeling.providers.registry import adapter_for, is_other_chat_server

CLAUDE, OTHER = "anthropic/claude-sonnet-4.5", "deepseek/deepseek-chat"


@pytest.mark.parametrize(
    ("model", "own_base_url", "native", "adapter"),
    [
        (OTHER, None, True, OpenRouterAdapter),
        (CLAUDE, None, True, NativeAnthropicAdapter),
        ("~anthropic/claude-sonnet-latest", None, True, NativeAnthropicAdapter),
        (CLAUDE, None, False, OpenRouterAdapter),
        ("not-anthropic/claude", None, True, OpenRouterAdapter),
        (OTHER, "https://eu.openrouter.ai/api/v1", True, OpenRouterAdapter),
        (CLAUDE, "https://openrouter.ai/api/v1", True, NativeAnthropicAdapter),
        (OTHER, "http://vllm:8000/v1", True, ChatCompletionsAdapter),
        (CLAUDE, "http://vllm:8000/v1", True, ChatCompletionsAdapter),
        (OTHER, "https://openrouter.ai.example.com/v1", True, ChatCompletionsAdapter),
        (OTHER, "https://notopenrouter.ai/v1", True, ChatCompletionsAdapter),
    ],
)
def test_openrouter_s_place(
    model: str, own_base_url: str | None, native: bool, adapter: type[ChatCompletionsAdapter]
) -> None:
    found = adapter_for("openrouter", model, own_base_url=own_base_url, native_anthropic=native)
    assert type(found) is adapter


def test_another_server_in_another_s_place_speaks_that_one_s_api() -> None:
    found = adapter_for("openai", "m", own_base_url="https://proxy.example.com/v1", native_anthropic=True)
    assert type(found) is OpenAIAdapter
    assert not is_other_chat_server("openai", "https://proxy.example.com/v1")
