"""From the model name in a request to the provider that answers, and the name it knows the model by."""

import re
import unicodedata
from collections.abc import Mapping

from msgspec import Struct

from channeling.errors import InvalidRequest
from channeling.provider import Provider

_MAX_MODEL_CHARACTERS = 256
# Claude Code asks for the long context by suffix, in any case and sometimes doubled; no provider knows it.
_LONG_CONTEXT_SUFFIX = "[1m]"
_OPENAI_PREFIXES = ("gpt-", "chatgpt-", "codex-")
_REASONING_MODEL = re.compile(r"o[0-9]")
_OPENROUTER_PREFIX = "or:"
_PROVIDER_NAMES: dict[Provider, str] = {
    "anthropic": "Anthropic",
    "openai": "OpenAI",
    "openrouter": "OpenRouter",
}


class Route(Struct, frozen=True):
    """Who answers. `requested_model` is the name asked for without a trailing `[1m]`: allow-lists and records
    use it. `upstream_model` is the name that the provider is sent: prices use it."""

    provider: Provider
    upstream_model: str
    requested_model: str


def route_model(model: str, aliases: Mapping[str, str]) -> Route:
    """Return the route of a model name; `aliases` are the project's own names, one step deep.

    Raises InvalidRequest for a name that cannot be one, and for `or:` with nothing behind it.
    """
    requested_model = strip_long_context_suffix(model)
    _check_name(requested_model)
    name = requested_model
    if requested_model in aliases:
        # One step only: an alias for an alias would let two of them point at each other.
        name = strip_long_context_suffix(aliases[requested_model])
        _check_name(name)
    if name.startswith("claude-"):
        return Route("anthropic", name, requested_model)
    if name.startswith(_OPENAI_PREFIXES) or _REASONING_MODEL.match(name):
        return Route("openai", name, requested_model)
    if name.startswith(_OPENROUTER_PREFIX):
        name = name.removeprefix(_OPENROUTER_PREFIX)
        _check_name(name)
    return Route("openrouter", name, requested_model)


def strip_long_context_suffix(model: str) -> str:
    """Return the model name without trailing `[1m]`, in any case, however often."""
    end = len(model)
    while model[end - len(_LONG_CONTEXT_SUFFIX) : end].lower() == _LONG_CONTEXT_SUFFIX:
        end -= len(_LONG_CONTEXT_SUFFIX)
    return model[:end]


def missing_key_message(provider: Provider) -> str:
    """Return what to tell a caller whose model is answered by a provider that this project has no key for."""
    return (
        f"This model is answered by {_PROVIDER_NAMES[provider]}, which is not configured for this project. "
        f"Set its API key: channeling key set {provider}"
    )


def missing_key(provider: Provider) -> InvalidRequest:
    """Return the refusal of a route whose provider has no key in the project."""
    return InvalidRequest(missing_key_message(provider))


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidRequest("model: the name is empty.")
    if len(name) > _MAX_MODEL_CHARACTERS:
        raise InvalidRequest("model: the name is longer than 256 characters.")
    # "Cs": a lone surrogate, which no provider could be sent. Neither kind is printable.
    if not name.isprintable() and any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise InvalidRequest("model: the name holds control characters.")
