"""What a provider billed for one request, in disjoint counts: no token is in two of them."""

from msgspec import Struct
from msgspec.structs import astuple

_WHOLE = {int}


class TokenCounts(Struct, frozen=True):
    """Billable units by kind. Each is a whole number ≥ 0; `thinking_tokens` alone is a part of another
    (`output_tokens`), kept for the record and never priced.

    Anthropic's `usage` (`anthropic` 2.12.0, `types/usage.py`) already counts input, cache reads and cache writes
    apart; other providers' translators split theirs before they make one of these.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    web_search_requests: int = 0
    web_fetch_requests: int = 0

    def __post_init__(self) -> None:
        counts = astuple(self)
        if set(map(type, counts)) == _WHOLE and min(counts) >= 0:
            return  # several for each request, so without a loop
        for name, value in zip(_COUNTS, counts, strict=True):
            if type(value) is not int or value < 0:
                raise ValueError(f"{name} must be a whole number of at least 0, not {value!r}")

    @property
    def total_input_tokens(self) -> int:
        """Input of every kind: what long-context tiers look at."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
        )


_COUNTS = TokenCounts.__struct_fields__


class BillingTerms(Struct, frozen=True):
    """What beside the counts decides the price: values as Anthropic's `usage` object spells them.

    `service_tier`: standard | priority | batch; `speed`: standard | fast; `inference_geo`: such as "us", or None.
    """

    service_tier: str = "standard"
    speed: str = "standard"
    inference_geo: str | None = None
