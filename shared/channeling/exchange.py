"""What became of one call to a provider, filled in as it happens, and the bill that it makes."""

from collections.abc import Callable

from msgspec import Struct, field
from msgspec.structs import replace

from channeling.pricing.cost import BilledPart, cost_of_parts
from channeling.pricing.model_price import ModelPrice
from channeling.providers.answer_stream import AnswerFacts, Emitted
from channeling.usage.record import Status
from channeling.usage.token_counts import TokenCounts
from channeling.usage.tokens_per_byte import TokensPerByte

# A token is 3 to 4 bytes of JSON in every current tokenizer; used only where the provider never said.
_INPUT_TOKENS_PER_1000_BYTES = 300
# What a model writes per second, for an answer that came neither whole nor in pieces: the middle of current
# models' speeds, so that leaving early is not free.
_SILENT_TOKENS_PER_S = 60
_BYTES_PER_NON_ASCII_CHARACTER = 3
# A provider notices that it was left only a moment later, and bills until then.
NOTICE_MS = 200


class Exchange(Struct):
    """One call to a provider, as far as it came. Times in milliseconds since the epoch."""

    streamed: bool
    body_bytes: int
    sent_ms: int
    max_tokens: int
    # What the input is taken for where the provider never says; None: by the bytes of the body.
    input_tokens_estimate: int | None = None
    status: Status = "failed"
    # The request left this machine, so that the provider may have read it.
    may_be_billed: bool = False
    # The model has begun to write: a 200 came for an answer that is sent whole, or the beginning of a streamed one.
    began: bool = False
    # We stopped reading while the provider still wrote: the client left, or this server had to stop.
    abandoned: bool = False
    facts: AnswerFacts = field(default_factory=AnswerFacts)
    emitted: Emitted = field(default_factory=Emitted)
    # We ended the stream because no more could be held for it.
    cut: bool = False
    # Tokens were metered in silence, so that its bytes do not say how many tokens it had.
    was_silent: bool = False
    # The provider answered an error, before anything of an answer.
    refused_by_provider: bool = False
    # The most that the provider is likely to have written (`OutputMeter`); None where nothing metered it.
    metered_tokens: int | None = None
    first_token_ms: int | None = None
    ended_ms: int = 0

    @property
    def bills_nothing(self) -> bool:
        """Whether no provider bills this: it was not reached, it refused, or it broke off before a sign of life.

        An answer that we abandoned or cut is another matter: the provider was about to write, and bills for that.
        """
        if not self.may_be_billed or self.refused_by_provider:
            return True
        nothing_seen = self.facts.usage is None and not self.written_bytes and not self.began
        return nothing_seen and not self.abandoned and not self.cut

    @property
    def written_bytes(self) -> int:
        """How much the model was seen to write, as UTF-8."""
        return self.emitted.ascii_bytes + _BYTES_PER_NON_ASCII_CHARACTER * self.emitted.non_ascii_chars


class Bill(Struct, frozen=True):
    """What an exchange costs. Money in nanodollars; `estimated` where the provider's own figures never came."""

    counts: TokenCounts
    cost: int
    estimated: bool


def bill_of(
    exchange: Exchange,
    *,
    price: ModelPrice,
    price_of: Callable[[str], ModelPrice],
    tokens_per_byte: TokensPerByte,
    tokens_per_s: int | None,
    held: int,
) -> Bill:
    """Return the bill: the provider's own sum, else its counts at our prices, else estimated and then never more
    than was held.

    `price_of` prices what other models wrote beside the answer (an advisor's), by their names. `tokens_per_s` is
    how fast the model usually writes, None where that is not known.
    """
    if exchange.bills_nothing:
        return Bill(TokenCounts(), 0, estimated=False)
    facts = exchange.facts
    estimated = facts.usage is None or not facts.output_is_final
    counts = (
        _estimated_counts(exchange, price, tokens_per_byte, tokens_per_s)
        if estimated
        else facts.usage or TokenCounts()
    )
    if facts.reported_cost is not None:
        return Bill(counts, facts.reported_cost, estimated=False)
    parts = [BilledPart(price, counts, facts.terms)]
    parts += [
        BilledPart(price if side.model is None else price_of(side.model), side.usage, facts.terms)
        for side in facts.side_usages
    ]
    cost = cost_of_parts(parts)
    return Bill(counts, min(cost, held) if estimated else cost, estimated)


def _estimated_counts(
    exchange: Exchange, price: ModelPrice, tokens_per_byte: TokensPerByte, tokens_per_s: int | None
) -> TokenCounts:
    counts = exchange.facts.usage
    if counts is None:
        input_tokens = exchange.input_tokens_estimate
        if input_tokens is None:
            input_tokens = -(-exchange.body_bytes * _INPUT_TOKENS_PER_1000_BYTES // 1000)
        counts = TokenCounts(input_tokens=input_tokens)
    output_tokens = _estimated_output(exchange, price, tokens_per_byte, tokens_per_s)
    return replace(
        counts,
        output_tokens=max(counts.output_tokens, min(output_tokens, exchange.max_tokens)),
        web_search_requests=max(counts.web_search_requests, exchange.facts.web_searches),
    )


def _estimated_output(
    exchange: Exchange, price: ModelPrice, tokens_per_byte: TokensPerByte, tokens_per_s: int | None
) -> int:
    by_bytes = tokens_per_byte.estimate(price.model_id, exchange.written_bytes)
    left = exchange.cut or exchange.abandoned
    since_ms = exchange.sent_ms if exchange.first_token_ms is None else exchange.first_token_ms
    elapsed_ms = max(0, exchange.ended_ms - since_ms) + (NOTICE_MS if exchange.streamed and left else 0)
    by_time = elapsed_ms * (tokens_per_s or _SILENT_TOKENS_PER_S) // 1000
    if exchange.metered_tokens is not None:
        # Bytes say nothing of hidden thinking and little of emoji: how long it wrote does.
        counts_time = tokens_per_s is not None or exchange.was_silent
        return min(max(by_bytes, by_time if counts_time else 0), exchange.metered_tokens)
    was_silent = not exchange.written_bytes and (not exchange.streamed or (exchange.began and left))
    return by_time if was_silent else by_bytes
