"""The providers there are, by name: a new one is added here."""

from collections.abc import Mapping
from types import MappingProxyType

from channeling.provider import Provider
from channeling.providers.anthropic.adapter import AnthropicAdapter
from channeling.providers.openai.adapter import OpenAIAdapter
from channeling.providers.provider_adapter import ProviderAdapter

ADAPTERS: Mapping[Provider, ProviderAdapter] = MappingProxyType(
    {"anthropic": AnthropicAdapter(), "openai": OpenAIAdapter()}
)
