"""What the pipeline asks of a provider: how to call it, and how to read its answers. No I/O in any of it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from channeling.errors import GatewayError
from channeling.message_request import MessageRequest
from channeling.providers.answer_stream import AnswerFacts, AnswerStream, Emitted
from channeling.providers.error_answer import Relay, Replacement
from channeling.upstream import UpstreamRequest

Headers = Iterable[tuple[str, str]]


class UpstreamTarget(Struct, frozen=True):
    """Where a call goes and as whom: base URL in the vendor's own convention, key, the model's upstream name.

    `held_rates`: the plain rates that a request is held at, in nanodollars per million tokens of input and of
    output, if known.
    """

    base_url: str
    api_key: str
    model: str
    held_rates: tuple[int, int] | None = None


class WholeAnswer(Struct, frozen=True):
    """An answer that came whole: the client's bytes, what it bills and how much the model wrote.

    With a `failure` there is no message, but the provider may have said what it bills all the same.
    """

    body: bytes
    facts: AnswerFacts
    emitted: Emitted
    failure: GatewayError | None = None


class AnswerReader(Protocol):
    """Reads the answer to one request, which it may have to know."""

    def stream(self) -> AnswerStream:
        """Return a fresh reader of a streamed answer."""

    def whole_answer(self, body: bytes) -> WholeAnswer:
        """Read an answer that came whole; raise GatewayError for what is no answer of the provider's API."""


SecondTry = Callable[[int, bytes], UpstreamRequest | None]
"""From an error answer's status and body to another way to ask the same, or None where there is none."""


def no_second_try(status: int, body: bytes) -> UpstreamRequest | None:
    """There is no other way to ask."""
    return None


class MessageCall(Struct, frozen=True):
    """The call that answers a request, what reads its answer, and what to send once more where it is refused."""

    request: UpstreamRequest
    reader: AnswerReader
    second_try: SecondTry = no_second_try
    # What the input is taken for where the provider never says; None: no better guess than by its bytes.
    input_tokens_estimate: int | None = None


class ProviderAdapter(Protocol):
    """One provider."""

    @property
    def keeps_state(self) -> bool:
        """Whether what a request says of context kept, compacted or run at the provider goes up, and is billed."""

    def least_max_tokens(self, request: MessageRequest, model: str) -> int:
        """Return the lowest `max_tokens` that still gives a useful and valid answer of the upstream `model`."""

    def greatest_output_tokens(self, request: MessageRequest, model: str) -> int:
        """Return the most output tokens that the upstream `model` can be made to write, and bill, as asked."""

    def shows_all(self, request: MessageRequest, model: str) -> bool:
        """Return whether a stream of the upstream `model` shows all that it writes: no thinking is hidden."""

    def greatest_image_tokens(self, model: str) -> int:
        """Return the most input tokens that the upstream `model` makes of one image in the body."""

    def unasked_searches(self, model: str) -> int:
        """Return how often the web is searched, and that billed, because of the upstream `model`'s name alone."""

    def message_call(
        self,
        request: MessageRequest,
        target: UpstreamTarget,
        *,
        max_tokens: int | None,
        client_headers: Headers,
        query: str,
        request_id: str,
    ) -> MessageCall:
        """Return the call that answers the request; `max_tokens` is a lower bound than asked, or None.

        Raises InvalidRequest for what the provider cannot be asked.
        """

    def estimated_input_tokens(self, request: MessageRequest, model: str) -> int | None:
        """Return what a client's token count is answered with where that takes no call; None: ask the provider."""

    def count_call(
        self, request: MessageRequest, target: UpstreamTarget, *, client_headers: Headers, query: str
    ) -> UpstreamRequest | None:
        """Return the free call that counts the request's input tokens, or None where there is none."""

    def count_of(self, body: bytes) -> int:
        """Return the input tokens that a count says; raise UpstreamFailed."""

    def answer_headers(self, upstream_headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the headers of an answer that are the client's business."""

    def error_answer(
        self, status: int, headers: Mapping[str, str], body: bytes, *, api_key: str
    ) -> Relay | Replacement:
        """Decide what the client sees of an error answer."""
