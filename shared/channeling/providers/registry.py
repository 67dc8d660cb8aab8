"""The providers there are, by name: a new one is added here, and which of its adapters a request is for."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from channeling.provider import Provider
from channeling.providers.anthropic.adapter import AnthropicAdapter
from channeling.providers.chat_completions.adapter import ChatCompletionsAdapter
from channeling.providers.openai.adapter import OpenAIAdapter
from channeling.providers.openrouter.adapter import OpenRouterAdapter
from channeling.providers.openrouter.native_anthropic import NativeAnthropicAdapter, is_native_model
from channeling.providers.provider_adapter import ProviderAdapter

ADAPTERS: Mapping[Provider, ProviderAdapter] = MappingProxyType(
    {"anthropic": AnthropicAdapter(), "openai": OpenAIAdapter(), "openrouter": OpenRouterAdapter()}
)
_NATIVE_ANTHROPIC = NativeAnthropicAdapter()
_ANY_CHAT_SERVER = ChatCompletionsAdapter()
_OPENROUTER_HOST = "openrouter.ai"


def adapter_for(
    provider: Provider, model: str, *, own_base_url: str | None, native_anthropic: bool
) -> ProviderAdapter:
    """Return the adapter that calls a provider for the upstream `model`.

    `own_base_url` is the project's own server in the provider's place; `native_anthropic` whether OpenRouter is
    asked for Anthropic's models in their own format.
    """
    if is_other_chat_server(provider, own_base_url):
        return _ANY_CHAT_SERVER
    if provider == "openrouter" and native_anthropic and is_native_model(model):
        return _NATIVE_ANTHROPIC
    return ADAPTERS[provider]


def is_other_chat_server(provider: Provider, own_base_url: str | None) -> bool:
    """Say whether a project has a server of its own in OpenRouter's place that is not one of OpenRouter's regions:
    its models and what they cost are not OpenRouter's."""
    if provider != "openrouter" or own_base_url is None:
        return False
    host = urlsplit(own_base_url).hostname or ""
    return host != _OPENROUTER_HOST and not host.endswith(f".{_OPENROUTER_HOST}")
