"""What the pipeline sees of an answer while it streams, whatever the provider."""

from typing import Protocol

from msgspec import Struct, field

from channeling.errors import GatewayError
from channeling.usage.token_counts import BillingTerms, TokenCounts


class Emitted(Struct):
    """How much the model has written so far: decoded text, thinking and tool input, as they are handed on.

    `ascii_bytes` counts ASCII characters, `non_ascii_chars` all others (code points); both only grow.
    """

    ascii_bytes: int = 0
    non_ascii_chars: int = 0

    def add(self, text: str) -> None:
        """Count a piece of decoded output."""
        if text.isascii():
            self.ascii_bytes += len(text)
        else:
            ascii_bytes = len(text.encode("ascii", "ignore"))
            self.ascii_bytes += ascii_bytes
            self.non_ascii_chars += len(text) - ascii_bytes


class StreamError(Struct, frozen=True):
    """The error that ended a stream: Anthropic's error type and the message."""

    error_type: str
    message: str


class SideUsage(Struct, frozen=True):
    """Tokens that are billed beside the answer's own: an advisor model's, or those of a compaction.

    `model` is None where the request's own model was used. Source: `anthropic` 2.12.0,
    `types/beta/beta_iterations_usage.py`: such entries are not part of the top-level counts.
    """

    kind: str
    model: str | None
    usage: TokenCounts


class AnswerFacts(Struct):
    """What is known of an answer's bill and end so far.

    `usage` is None until the provider reported any; its `output_tokens` is a bill only if `output_is_final`.
    `web_searches` is how many were seen in the answer: each has a fee, also where no final usage ever comes.
    `reported_cost` is what the provider itself says it bills, in nanodollars, rounded up; None: it does not say.
    """

    usage: TokenCounts | None = None
    output_is_final: bool = False
    terms: BillingTerms = field(default_factory=BillingTerms)
    side_usages: tuple[SideUsage, ...] = ()
    model: str | None = None
    stop_reason: str | None = None
    web_searches: int = 0
    reported_cost: int | None = None


class AnswerStream(Protocol):
    """Turns a provider's stream into the client's: bytes in, whole server-sent events out.

    Everything is metered in `emitted` before it is returned, and pings may go between any two returned pieces.
    Once `ended`, every method returns b"".
    """

    @property
    def emitted(self) -> Emitted:
        """What the model has written so far."""

    @property
    def facts(self) -> AnswerFacts:
        """Usage, model and stop reason so far."""

    @property
    def started(self) -> bool:
        """Whether the client was given the beginning of a message."""

    @property
    def ended(self) -> bool:
        """Whether the client was given an ending, good or bad: no byte may follow it."""

    @property
    def error(self) -> StreamError | None:
        """The error that the stream ended with."""

    @property
    def failure(self) -> GatewayError | None:
        """The same error where it can be a whole answer with a status, to a client that was given nothing yet."""

    def feed(self, chunk: bytes) -> bytes:
        """Return the events that this chunk completes."""

    def finish(self) -> bytes:
        """Return the ending after the upstream's end: none needed, `message_stop`, or an `event: error`."""

    def cut(self, stop_reason: str = "max_tokens", output_tokens: int | None = None) -> bytes:
        """Return an orderly ending now, with the usage so far (`output_tokens`: the meter's figure)."""

    def fail(self, error: GatewayError) -> bytes:
        """Return an `event: error` as the ending."""
