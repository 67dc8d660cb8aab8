"""What a request may cost at most, before anything is known but its bytes. Pure.

Input is billed before we hear of it, so it is held at a bound: every byte of the body as a token (no tokenizer
makes more tokens than bytes), plus allowances for what the provider adds, at the dearest price that this body can
lead to. Output is the caller's `max_tokens`.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from channeling.errors import InvalidRequest
from channeling.message_request import BuiltinTool, MessageRequest
from channeling.pricing.allowances import IMAGE_TOKENS, UNASKED_SEARCH_TOKENS, allowance_tokens
from channeling.pricing.bound import (
    PossibleTerms,
    amount_nanousd,
    dearest_rates,
    tokens_within,
)
from channeling.pricing.model_price import ModelPrice

# Where the price list gives no context window: the largest that any model of the table has.
UNLISTED_CONTEXT_WINDOW = 2_000_000
# A counted input is still an estimate in the provider's own words
# (platform.claude.com/docs/en/build-with-claude/token-counting, "Token counts are estimates").
COUNT_MARGIN_PERCENT, COUNT_MARGIN_TOKENS = 5, 1_000
# A count costs a round trip to the provider. Below this many bytes its margin eats what it could save, and with
# less than this share of the quote in the input it decides little.
_LEAST_TOKENS_WORTH_COUNTING, _LEAST_SHARE_WORTH_COUNTING = 2 * COUNT_MARGIN_TOKENS, 10


class Quote(Struct, frozen=True):
    """The most a request can cost. Money in nanodollars, `output_rate` in nanodollars per million tokens."""

    input_tokens: int
    input_rate: int
    output_rate: int
    max_tokens: int
    least_tokens: int
    fees: int = 0
    # The input is that of several rounds: server tools bring their results in.
    has_tool_rounds: bool = False
    # The provider's count of the request's own tokens bounds the input: no rounds, nothing kept at the provider.
    is_countable: bool = True

    @property
    def input_amount(self) -> int:
        """What the input may cost, with the fees of server tools."""
        return amount_nanousd(self.input_tokens, self.input_rate) + self.fees

    def output_amount(self, tokens: int) -> int:
        """What this much output may cost."""
        return amount_nanousd(tokens, self.output_rate)

    def amount(self, max_tokens: int | None = None) -> int:
        """What the request may cost with this `max_tokens` (None: as asked).

        Never 0: a free request too needs a budget with something left in it.
        """
        tokens = self.max_tokens if max_tokens is None else max_tokens
        return max(1, self.input_amount + self.output_amount(tokens))

    @property
    def least_amount(self) -> int:
        """What the shortest useful answer may cost."""
        return self.amount(self.least_tokens)

    @property
    def is_worth_counting(self) -> bool:
        """Whether the provider's own count of the input may lower the quote by something that matters."""
        return self.is_worth_counting_in(self.amount())

    def is_worth_counting_in(self, held: int) -> bool:
        """Whether the provider's own count may lower what is held, in nanodollars, by something that matters."""
        return (
            self.is_countable
            and self.input_tokens > _LEAST_TOKENS_WORTH_COUNTING
            and self.input_amount * _LEAST_SHARE_WORTH_COUNTING >= held
        )

    def tokens_within(self, room: int) -> int | None:
        """Return the `max_tokens` that fits into `room`, at most what was asked; None if no useful one does."""
        tokens = tokens_within(room - self.input_amount, self.output_rate)
        fitting = self.max_tokens if tokens is None else min(tokens, self.max_tokens)
        return fitting if fitting >= self.least_tokens and self.amount(fitting) <= room else None

    def counted(self, input_tokens: int) -> "Quote":
        """Return the quote with the provider's own count of the input, where that is lower than the bound."""
        margin = input_tokens * COUNT_MARGIN_PERCENT // 100 + COUNT_MARGIN_TOKENS
        return replace(self, input_tokens=min(self.input_tokens, input_tokens + margin), is_countable=False)


def quote_request(
    request: MessageRequest,
    prices: Sequence[ModelPrice],
    *,
    max_tokens: int,
    least_tokens: int,
    allow_unbounded_tools: bool,
    count_rounds: bool = True,
    image_tokens: int = IMAGE_TOKENS,
    keeps_state: bool = True,
    unasked_searches: int = 0,
) -> Quote:
    """Quote a request that any of `prices` may be billed at: its model's, its fallbacks', its advisors'.

    `max_tokens` is the most output that the provider can be made to bill, `least_tokens` the least of use,
    `image_tokens` the most input that an image can become. Without `keeps_state` nothing is kept or compacted at
    the provider, whatever the request says of it. `unasked_searches` of the web come with the model.

    Without `count_rounds` what server tools bring in is left out: for projects that allow that. Raises
    InvalidRequest where nothing bounds what a server tool may cost and the project does not allow that.
    """
    context_window = max(price.context_window or UNLISTED_CONTEXT_WINDOW for price in prices)
    input_tokens = len(request.raw) + allowance_tokens(
        _tool_types(request), request.image_count, image_tokens=image_tokens
    )
    input_tokens += unasked_searches * UNASKED_SEARCH_TOKENS
    has_state = request.has_provider_state and keeps_state
    if request.has_unmeasured_sources or has_state:
        input_tokens = max(input_tokens, context_window)
    # A route that keeps nothing is sent every tool in full, and the search for tools is left out of it.
    server_tools = [
        tool
        for tool in request.builtin_tools
        if tool.runs_at_provider and (keeps_state or not tool.kind.startswith("tool_search"))
    ]
    rounds = _server_tool_rounds(request, server_tools) if count_rounds else 0
    if rounds is None and not allow_unbounded_tools:
        raise InvalidRequest(_unbounded_message(server_tools))
    if rounds:
        # Each result is billed again as input, with all that came before it.
        input_tokens = max(input_tokens, context_window) * (rounds + 1)
    possible = possible_terms(request, max_input_tokens=input_tokens)
    searches = sum(tool.max_uses or 0 for tool in request.builtin_tools if tool.kind.startswith("web_search"))
    dearest = [dearest_rates(price, possible) for price in prices]
    return Quote(
        input_tokens=input_tokens,
        input_rate=max(rate for rate, _ in dearest),
        output_rate=max(rate for _, rate in dearest),
        max_tokens=max_tokens,
        least_tokens=least_tokens,
        fees=(searches + unasked_searches) * max(price.web_search_nanousd for price in prices),
        has_tool_rounds=bool(rounds),
        is_countable=not rounds and not has_state,
    )


def possible_terms(request: MessageRequest, *, max_input_tokens: int | None = None) -> PossibleTerms:
    """Return every term of billing that the request can lead to, with the bound on its input (None: no bound).

    `service_tier` left out means "auto", which may be served, and billed, as priority
    (platform.claude.com/docs/en/api/service-tiers).
    """
    speeds = {request.speed, *(fallback.speed for fallback in request.fallbacks)}
    return PossibleTerms(
        cache_5m=request.caches_5m or request.caches_1h,
        cache_1h=request.caches_1h,
        service_tiers=("standard",) if request.service_tier == "standard_only" else ("standard", "priority"),
        speeds=("standard", "fast") if "fast" in speeds else ("standard",),
        inference_geo=request.inference_geo,
        max_input_tokens=max_input_tokens,
    )


def _tool_types(request: MessageRequest) -> list[str]:
    builtin = [tool.kind for tool in request.builtin_tools]
    return builtin + ["custom"] * (request.tool_count - len(builtin))


def _server_tool_rounds(request: MessageRequest, server_tools: Sequence[BuiltinTool]) -> int | None:
    """How often server tools may bring their results in: 0 without any, None where nothing says."""
    if request.has_mcp_servers:
        return None
    rounds = 0
    for tool in server_tools:
        if tool.max_uses is None:
            return None
        rounds += tool.max_uses
    return rounds


def _unbounded_message(server_tools: Sequence[BuiltinTool]) -> str:
    unbounded = [tool.kind for tool in server_tools if tool.max_uses is None]
    named = " and ".join(unbounded) or "mcp_servers"
    return (
        f"tools: nothing bounds what {named} may cost, and this project allows no unbounded tools. "
        "Give each server tool a max_uses, or allow unbounded tools in the project's settings."
    )
