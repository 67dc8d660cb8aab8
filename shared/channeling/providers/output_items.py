"""Parts of an answer, each turned into writes for its message: text, calls, whatever else an answer has.

They may be written in parallel, blocks of a message may not: an item only notes its writes, and whoever has the
items lets one at a time write. An item is told of deltas, and at its end of all that it holds: what was never
streamed is written then, so that an answer that comes whole takes the same way.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import orjson
from msgspec import Struct, field

from channeling.errors import UpstreamFailed
from channeling.providers.answer_stream import Emitted
from channeling.providers.answer_terms import AnswerTerms

# Version, time, initialization vector, padding and signature of a Fernet token, which `gAAA` is the beginning of.
_CIPHER_OVERHEAD_BYTES = 64

WriteKind = Literal[
    "text", "thinking", "signature", "citation", "tool", "tool_input", "broken_tool_input", "search", "stop"
]
Write = tuple[WriteKind, Any]
Part = tuple[str, int]


class StreamedText:
    """The text of one part so far; all of it is metered as it comes."""

    def __init__(self, emitted: Emitted) -> None:
        self._emitted = emitted
        self._pieces: list[str] = []

    @property
    def so_far(self) -> str:
        """What has come."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def add(self, piece: str) -> str:
        """Take a piece and return it."""
        if piece:
            self._emitted.add(piece)
            self._pieces.append(piece)
        return piece

    def rest_of(self, whole: Any) -> str:
        """Take what the whole has more than came in pieces, and return it; a whole that differs adds nothing."""
        if not isinstance(whole, str) or not whole.startswith(so_far := self.so_far):
            return ""
        return self.add(whole[len(so_far) :])


class OutputItem:
    """What is common to items. `id` is the item's own; `writes` wait to be taken by whoever may write."""

    def __init__(self, terms: AnswerTerms, emitted: Emitted) -> None:
        self.id: str | None = None
        self.writes: list[Write] = []
        self.done = False
        self._terms = terms
        self._emitted = emitted
        self._parts: dict[Part, StreamedText] = {}

    def identify(self, item: Mapping[str, Any]) -> None:
        """Take note of what an item says of itself when it begins."""
        if isinstance(item_id := item.get("id"), str):
            self.id = item_id

    def delta(self, part: Part, piece: str) -> None:
        """Take a piece of a part."""
        if piece and not self.done:
            self._write(part, self._part(part).add(piece))

    def whole_part(self, part: Part, whole: Any) -> None:
        """Take all of a part; what has come of it already is not written again."""
        if not self.done and (rest := self._part(part).rest_of(whole)):
            self._write(part, rest)

    @property
    def open_part(self) -> Part | None:
        """The part whose pieces go into the item's block as they are, once what was written before is."""
        return None

    def note(self, part: Part, piece: str) -> None:
        """Take a piece of the open part that the caller writes."""
        self._part(part).add(piece)

    def finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        """Take the whole item, as far as it is known; `cut_off`: it ended before the model was done with it."""
        if self.done:
            return
        self.identify(item)
        self._finish(item, cut_off=cut_off)
        self.writes.append(("stop", None))
        self.done = True

    def _part(self, part: Part) -> StreamedText:
        if part not in self._parts:
            self._parts[part] = StreamedText(self._emitted)
        return self._parts[part]

    def _write(self, part: Part, piece: str) -> None:
        raise NotImplementedError

    def _finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        raise NotImplementedError


class ToolCall(Struct, frozen=True):
    """A call as the provider names it."""

    call_id: str
    name: str


class FunctionCallItem(OutputItem):
    """A call of one of the client's tools. Nothing of it is written before its name is known."""

    ARGUMENTS: Part = ("arguments", 0)

    def __init__(self, terms: AnswerTerms, emitted: Emitted) -> None:
        super().__init__(terms, emitted)
        self._is_open = False

    def identify(self, item: Mapping[str, Any]) -> None:
        super().identify(item)
        call_id, name = item.get("call_id"), item.get("name")
        if not self._is_open and isinstance(call_id, str) and isinstance(name, str) and name:
            self._is_open = True
            self.writes.append(("tool", ToolCall(call_id, name)))
            if so_far := self._part(self.ARGUMENTS).so_far:
                self.writes.append(("tool_input", so_far))

    @property
    def open_part(self) -> Part | None:
        return self.ARGUMENTS if self._is_open else None

    def whole_part(self, part: Part, whole: Any) -> None:
        """Take all of the arguments; raise UpstreamFailed where those that came in pieces were others.

        They may be spelt differently. But a call with a piece missing must not be made.
        """
        super().whole_part(part, whole)
        came = self._part(part).so_far
        if isinstance(whole, str) and whole not in ("", came) and not self.done:
            stated, streamed = arguments_object(whole), arguments_object(came)
            if None not in (stated, streamed) and stated != streamed:
                raise UpstreamFailed("the upstream provider sent the input of a tool call twice, differently")

    def _write(self, part: Part, piece: str) -> None:
        if self._is_open:
            self.writes.append(("tool_input", piece))

    def _finish(self, item: Mapping[str, Any], *, cut_off: bool) -> None:
        self.whole_part(self.ARGUMENTS, item.get("arguments"))
        if not self._is_open:
            if cut_off:
                return
            raise UpstreamFailed("the upstream provider sent a tool call without a name or an id")
        if arguments_object(self._part(self.ARGUMENTS).so_far) is None:
            if item.get("status") == "completed" and not cut_off:
                raise broken_call()
            # Whether that is a fault is known only when the answer ends: at its limit, it is none.
            self.writes.append(("broken_tool_input", None))


class Search(Struct, frozen=True):
    """A web search: `urls` is None where it failed; `titles` are of some of them."""

    item_id: str
    query: str
    urls: tuple[str, ...] | None
    titles: Mapping[str, str] = field(default_factory=dict)


class ItemQueue:
    """Items in the order of their blocks: the first one that is not done may write, those behind it wait."""

    def __init__(self) -> None:
        self._waiting: deque[OutputItem] = deque()

    def add(self, item: OutputItem) -> None:
        """Put an item behind all others."""
        self._waiting.append(item)

    def finish_all(self, *, cut_off: bool) -> None:
        """End the items that are not done; raises UpstreamFailed."""
        for item in self._waiting:
            item.finish({}, cut_off=cut_off)

    @property
    def writing(self) -> OutputItem | None:
        """The item that may write, once all `writes` were taken."""
        return self._waiting[0] if self._waiting else None

    def writes(self) -> Iterator[list[Write]]:
        """Yield what may be written now: of the first item that is not done, and of every one before it."""
        while self._waiting:
            item = self._waiting[0]
            if item.writes:
                writes, item.writes = item.writes, []
                yield writes
            if not item.done:
                return
            self._waiting.popleft()


def hidden_bytes(encrypted: str, *, shown: int) -> int:
    """Return how long reasoning is, in ASCII bytes, that is billed, not shown, and known by its ciphertext alone.

    The ciphertext is about as long, in base64 with some overhead. That is not documented; how many tokens such
    bytes are is learned from reported answers. `shown` is how many bytes of it were seen.
    """
    return max(0, len(encrypted) * 3 // 4 - _CIPHER_OVERHEAD_BYTES - shown)


def broken_call() -> UpstreamFailed:
    """Return the error of a call whose input no client could read."""
    return UpstreamFailed("the model called a tool with input that is no JSON object")


def arguments_object(arguments: str) -> dict[str, Any] | None:
    """Return a call's input, or None where the arguments are no JSON object.

    No arguments at all are an empty object: tools without parameters are called so. Halves of surrogate pairs
    make none, since official SDKs stumble over them.
    """
    try:
        value = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
