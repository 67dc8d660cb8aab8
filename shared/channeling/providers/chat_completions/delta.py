"""One piece of a chat completion read: a `delta` of a stream, or the `message` of a completion that came whole."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from channeling.errors import UpstreamFailed
from channeling.providers.chat_completions.reasoning_signature import TextKey

# The first that has text counts: some servers say the same under both names.
_REASONING_KEYS: tuple[TextKey, ...] = ("reasoning", "reasoning_content")
# Output that a translated request never asks for. A message without it would be missing something in silence.
_NOT_ASKED_FOR = ("audio", "images")
_PLAIN_KEYS = frozenset({"role", "content"})


class Delta(NamedTuple):
    """What a piece holds; what is missing, null or empty is empty here. One is made for each token."""

    text: str = ""
    refusal: str = ""
    reasoning: str = ""
    reasoning_key: TextKey = "reasoning"
    details: tuple[Mapping[str, Any], ...] = ()
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    annotations: tuple[Mapping[str, Any], ...] = ()


def read_delta(choice: Mapping[str, Any]) -> Delta:
    """Return what a choice adds; raise UpstreamFailed for what is of no known form."""
    delta = choice.get("delta") or choice.get("message") or {}
    if not isinstance(delta, dict):
        raise _garbled("a delta that is no object")
    if delta.keys() <= _PLAIN_KEYS and isinstance(text := delta.get("content"), str):
        return Delta(text)  # as nearly all are
    for name in _NOT_ASKED_FOR:
        if delta.get(name):
            raise UpstreamFailed(f"the upstream provider sent output that was not asked for: {name}")
    text, thought = _content(delta.get("content"))
    key, reasoning = _reasoning(delta)
    calls = _objects(delta, "tool_calls")
    if isinstance(call := delta.get("function_call"), dict):
        calls = ({"index": 0, "function": call}, *calls)  # the name of before tools were
    return Delta(
        text,
        _text(delta, "refusal"),
        reasoning or thought,
        key,
        _objects(delta, "reasoning_details"),
        calls,
        _objects(delta, "annotations"),
    )


def annotations_of(delta: Delta) -> Iterator[tuple[str, str]]:
    """Yield address and title of each page that the piece says it rests on
    (openrouter.ai/docs/guides/features/plugins/web-search, "Parsing web search results")."""
    for annotation in delta.annotations:
        citation = annotation.get("url_citation")
        citation = citation if isinstance(citation, dict) else annotation
        url, title = citation.get("url"), citation.get("title")
        if annotation.get("type") == "url_citation" and isinstance(url, str):
            yield url, title if isinstance(title, str) and title else url


def _reasoning(delta: Mapping[str, Any]) -> tuple[TextKey, str]:
    for key in _REASONING_KEYS:
        if text := _text(delta, key):
            return key, text
    return "reasoning", ""


def _content(content: Any) -> tuple[str, str]:
    """Return text and reasoning. Mistral's reasoning models send both as parts
    (docs.mistral.ai/capabilities/reasoning)."""
    if content is None or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list):
        raise _garbled("content that is no text")
    texts, thoughts = [], []
    for part in content:
        match part:
            case {"type": "text", "text": str() as text}:
                texts.append(text)
            case {"type": "thinking", "thinking": [*parts]}:
                thoughts += [_text(part, "text") for part in parts if isinstance(part, dict)]
            case {"type": "thinking", "thinking": str() as text}:
                thoughts.append(text)
            case _:
                raise _garbled("a part of content that is no text")
    return "".join(texts), "".join(thoughts)


def _text(delta: Mapping[str, Any], name: str) -> str:
    value = delta.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise _garbled(f"{name} that is no text")


def _objects(delta: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], ...]:
    value = delta.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise _garbled(f"{name} that are no objects")
    return tuple(value)


def _garbled(what: str) -> UpstreamFailed:
    return UpstreamFailed(f"the upstream provider sent something that is not a chat completion: {what}")
