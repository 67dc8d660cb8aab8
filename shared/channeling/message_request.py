"""The facts of a Messages API request that routing, budgets and translation need, read permissively.

The body itself stays as it came: unknown fields are nobody's business here, and mistyped ones that bear neither on
routing nor on money are left for the provider to refuse in its own words. Shapes: `anthropic` 2.12.0,
`types/beta/message_create_params.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from msgspec import Struct

from channeling.errors import InvalidRequest
from channeling.hidden_fields import repr_without
from channeling.json_spans import JsonText, Span
from channeling.plain_json_spans import has_plain_objects, plain_spans

LEAST_MAX_TOKENS = 1
# Eighty times what any model writes today (128,000 tokens): more is a mistake, and would make absurd holds.
GREATEST_MAX_TOKENS = 10_000_000
LONGEST_MODEL_NAME = 256

# Two parsers must not disagree about these, so none may be spelled with escapes.
READ_KEYS = frozenset(
    {
        "model",
        "max_tokens",
        "messages",
        "stream",
        "system",
        "thinking",
        "tools",
        "mcp_servers",
        "container",
        "thread",
        "context_management",
        "compaction",
        "cache_control",
        "speed",
        "inference_geo",
        "service_tier",
        "fallbacks",
    }
)
_MONEY_ARRAYS = frozenset({"tools", "fallbacks", "mcp_servers"})
# Tools that the client runs; any other type with a name of its own may run (and bill) at the provider.
_CLIENT_TOOLS = ("bash_", "browser_toolset_", "computer_", "memory_", "text_editor_")
_REMOTE_SOURCES = ("url", "file")  # no set: what is asked for in it may be anything, lists too
# Arbitrary JSON of a tool's own: what looks like a content block inside it is none.
_OPAQUE_KEYS = frozenset({"input", "input_schema"})
# What a content block is looked at for.
_TELLING_KEYS = frozenset({"cache_control", "caching", "type", "source"})
_TEXT_KEYS = 2
_CONTAINERS = (dict, list)  # `dict | list` would be made anew for each value


class Thinking(Struct, frozen=True):
    """The `thinking` parameter: its type (enabled, adaptive, disabled, …) and, if given, its budget in tokens."""

    kind: str
    budget_tokens: int | None = None


class BuiltinTool(Struct, frozen=True):
    """A tool that the provider defines, such as `web_search_20260318`.

    `max_uses` is None where the request sets no bound; `model` is that of an advisor tool.
    """

    kind: str
    max_uses: int | None = None
    model: str | None = None

    @property
    def runs_at_provider(self) -> bool:
        """Whether calls are run, and their results billed as input again, before the answer ends."""
        return not self.kind.startswith(_CLIENT_TOOLS)


class Fallback(Struct, frozen=True):
    """One entry of `fallbacks`: what its attempt changes (None: as in the request)."""

    model: str
    max_tokens: int | None = None
    speed: str | None = None


class MessageRequest(Struct, frozen=True):
    """A request for a message (or for its token count, then `max_tokens` is None), as facts beside its bytes."""

    raw: bytes
    document: Mapping[str, Any]
    spans: Mapping[str, Span]
    model: str
    max_tokens: int | None
    stream: bool
    message_count: int
    tool_count: int = 0
    thinking: Thinking | None = None
    builtin_tools: tuple[BuiltinTool, ...] = ()
    image_count: int = 0
    # PDFs, and anything fetched by URL or file id: their tokens cannot be bounded by the bytes of the body.
    has_unmeasured_sources: bool = False
    # Conversation, container or compaction state that the provider adds to what the body says.
    has_provider_state: bool = False
    has_mcp_servers: bool = False
    caches_5m: bool = False
    caches_1h: bool = False
    speed: str | None = None
    inference_geo: str | None = None
    service_tier: str | None = None
    fallbacks: tuple[Fallback, ...] = ()
    # `fallbacks: "default"`: the provider chooses the models.
    has_default_fallbacks: bool = False
    __repr__ = repr_without("raw", "document", "spans")

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that the request names for its answer: its own, then its fallbacks'."""
        return (self.model, *(fallback.model for fallback in self.fallbacks))

    @property
    def greatest_max_tokens(self) -> int:
        """The most output tokens that any attempt may take (a fallback may ask for more than the request)."""
        asked = [self.max_tokens, *(fallback.max_tokens for fallback in self.fallbacks)]
        return max((tokens for tokens in asked if tokens is not None), default=0)


def parse_message_request(body: bytes) -> MessageRequest:
    """Read the body of POST /v1/messages; raise InvalidRequest saying what is wrong and where."""
    document, spans = _parse_object(body)
    return _facts(body, document, spans, max_tokens=_max_tokens(document), stream=_stream(document))


def parse_count_tokens_request(body: bytes) -> MessageRequest:
    """Read the body of POST /v1/messages/count_tokens, which has no `max_tokens`; raise InvalidRequest."""
    document, spans = _parse_object(body)
    return _facts(body, document, spans, max_tokens=None, stream=False)


def top_level_spans(body: bytes) -> dict[str, Span]:
    """Return where each top-level value lies in a body that a JSON parser has accepted as an object.

    Raise InvalidRequest for a key that occurs twice (in the object itself, or in a tool, a fallback or an MCP
    server), and for one that we read (READ_KEYS) written with escapes.
    """
    plain = plain_spans(body)
    if plain is not None and all(
        has_plain_objects(body[plain[name].start : plain[name].end]) for name in _MONEY_ARRAYS & plain.keys()
    ):
        return plain
    text, spans = JsonText(body, watched=_MONEY_ARRAYS), {}
    for key, is_escaped, value in text.members(text.after_space(0)):
        if key in spans:
            raise InvalidRequest(f"{key}: the key occurs twice in the request body")
        if is_escaped and key in READ_KEYS:
            raise InvalidRequest(f"{key}: the key must be written without escape sequences")
        spans[key] = value
    if text.has_repeated_keys:
        for name in _MONEY_ARRAYS & spans.keys():
            _refuse_repeated_keys(body, text, spans[name], name)
    return spans


def _parse_object(body: bytes) -> tuple[dict[str, Any], dict[str, Span]]:
    if not body.strip(b" \t\r\n"):
        raise InvalidRequest("The request body is empty; a JSON object is needed")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequest(f"The request body must be a JSON object, not {_json_type(document)}")
    return document, top_level_spans(body)


def _refuse_repeated_keys(body: bytes, text: JsonText, array: Span, name: str) -> None:
    """What a tool is, and how often it may run, must be the same to every parser too."""
    if body[array.start : array.start + 1] != b"[":
        return
    for position, element in enumerate(text.elements(array.start)):
        if body[element.start : element.start + 1] == b"{":
            keys = [member.key for member in text.members(element.start)]
            if len(set(keys)) < len(keys):
                raise InvalidRequest(f"{name}.{position}: a key occurs twice")


def _facts(
    body: bytes, document: dict[str, Any], spans: dict[str, Span], *, max_tokens: int | None, stream: bool
) -> MessageRequest:
    model, messages = _model(document), _messages(document)
    tools = [tool for tool in _list(document.get("tools")) if isinstance(tool, dict)]
    content = _ContentFacts()
    content.look_at(document.get("cache_control"))
    content.walk([document.get("system"), messages, tools])
    fallbacks = document.get("fallbacks")
    return MessageRequest(
        raw=body,
        document=document,
        spans=spans,
        model=model,
        max_tokens=max_tokens,
        stream=stream,
        message_count=len(messages),
        tool_count=len(tools),
        thinking=_thinking(document.get("thinking")),
        builtin_tools=tuple(_builtin_tools(tools)),
        image_count=content.image_count,
        has_unmeasured_sources=content.has_unmeasured_sources,
        has_provider_state=_has_provider_state(document),
        has_mcp_servers=bool(document.get("mcp_servers")),
        caches_5m=content.caches_5m,
        caches_1h=content.caches_1h,
        speed=_text(document.get("speed")),
        inference_geo=_text(document.get("inference_geo")),
        service_tier=_text(document.get("service_tier")),
        fallbacks=tuple(_fallbacks(fallbacks)),
        has_default_fallbacks=isinstance(fallbacks, str),
    )


def _model(document: Mapping[str, Any]) -> str:
    model = _required(document, "model")
    if not isinstance(model, str):
        raise InvalidRequest(f"model: Input should be a valid string, not {_json_type(model)}")
    if not model or len(model) > LONGEST_MODEL_NAME or not model.isprintable():
        raise InvalidRequest(f"model: must be 1 to {LONGEST_MODEL_NAME} printable characters")
    return model


def _max_tokens(document: Mapping[str, Any]) -> int:
    max_tokens = _required(document, "max_tokens")
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int):
        if isinstance(max_tokens, float) and max_tokens > GREATEST_MAX_TOKENS:
            raise _max_tokens_too_great()  # orjson reads whole numbers over 64 bits as floats
        raise InvalidRequest(f"max_tokens: Input should be a valid integer, not {_json_type(max_tokens)}")
    if max_tokens < LEAST_MAX_TOKENS:
        raise InvalidRequest(f"max_tokens: must be greater than or equal to {LEAST_MAX_TOKENS}")
    if max_tokens > GREATEST_MAX_TOKENS:
        raise _max_tokens_too_great()
    return max_tokens


def _max_tokens_too_great() -> InvalidRequest:
    return InvalidRequest(
        f"max_tokens: must be at most {GREATEST_MAX_TOKENS}, far above what any model writes"
    )


def _messages(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages = _required(document, "messages")
    if not isinstance(messages, list):
        raise InvalidRequest(f"messages: Input should be a valid array, not {_json_type(messages)}")
    if not messages:
        raise InvalidRequest("messages: at least one message is required")
    for position, message in enumerate(messages):
        if not isinstance(message, dict):
            kind = _json_type(message)
            raise InvalidRequest(f"messages.{position}: Input should be an object, not {kind}")
    return messages


def _stream(document: Mapping[str, Any]) -> bool:
    stream = document.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise InvalidRequest(f"stream: Input should be a valid boolean, not {_json_type(stream)}")
    return bool(stream)


def _required(document: Mapping[str, Any], key: str) -> Any:
    if key not in document:
        raise InvalidRequest(f"{key}: Field required")
    return document[key]


def _thinking(thinking: Any) -> Thinking | None:
    if not isinstance(thinking, dict) or not isinstance(thinking.get("type"), str):
        return None
    return Thinking(thinking["type"], _whole_number(thinking.get("budget_tokens")))


def _builtin_tools(tools: Sequence[dict[str, Any]]) -> Iterator[BuiltinTool]:
    for tool in tools:
        kind = tool.get("type")
        if isinstance(kind, str) and kind != "custom":
            yield BuiltinTool(kind, _whole_number(tool.get("max_uses")), _text(tool.get("model")))


def _fallbacks(fallbacks: Any) -> Iterator[Fallback]:
    for fallback in _list(fallbacks):
        if isinstance(fallback, dict) and isinstance(fallback.get("model"), str):
            max_tokens = _whole_number(fallback.get("max_tokens"))
            yield Fallback(fallback["model"], max_tokens, _text(fallback.get("speed")))


def _has_provider_state(document: Mapping[str, Any]) -> bool:
    if any(document.get(key) for key in ("container", "thread", "compaction")):
        return True
    management = document.get("context_management")
    edits = _list(management.get("edits")) if isinstance(management, dict) else []
    return any(isinstance(edit, dict) and str(edit.get("type")).startswith("compact") for edit in edits)


class _ContentFacts:
    """What the content blocks of a request hold, wherever they are nested."""

    def __init__(self) -> None:
        self.image_count = 0
        self.has_unmeasured_sources = False
        self.caches_5m = False
        self.caches_1h = False

    def walk(self, roots: list[Any]) -> None:
        """Look at every object under the roots, without recursion: depth is the sender's choice."""
        stack = roots
        while stack:
            node = stack.pop()
            if isinstance(node, list):
                stack += [child for child in node if isinstance(child, _CONTAINERS)]
            elif isinstance(node, dict):
                if (
                    len(node) == _TEXT_KEYS
                    and node.get("type") == "text"
                    and isinstance(node.get("text"), str)
                ):
                    continue  # nearly all blocks: two keys, and neither tells anything
                if not _TELLING_KEYS.isdisjoint(node):
                    self._look_at_block(node)
                stack += [
                    child
                    for key, child in node.items()
                    if isinstance(child, _CONTAINERS) and key not in _OPAQUE_KEYS
                ]

    def look_at(self, cache_control: Any) -> None:
        """Note what kind of cache write a `cache_control` asks for (`ttl` is 5m where it is not given)."""
        if isinstance(cache_control, dict):
            if cache_control.get("ttl") == "1h":
                self.caches_1h = True
            else:
                self.caches_5m = True

    def _look_at_block(self, block: dict[str, Any]) -> None:
        self.look_at(block.get("cache_control"))
        self.look_at(block.get("caching"))  # an advisor tool's own prompt
        match block.get("type"):
            case "image":
                self.image_count += 1
            case "container_upload":
                self.has_unmeasured_sources = True
        source = block.get("source")
        if isinstance(source, dict) and (
            source.get("type") in _REMOTE_SOURCES or source.get("media_type") == "application/pdf"
        ):
            self.has_unmeasured_sources = True


def _whole_number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _json_type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
    return "an object"
