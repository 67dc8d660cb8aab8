"""How much to hold for a stream whose hold can grow with it. Pure.

Where money is free, so much is held that few streams ask for more. Where streams wait for each other, a small
budget would then mostly lie held and unused, so that each holds what it is likely to write, provided that those
that run can still grow as long as such streams do: a stream that can get no more is cut.
"""

from math import sqrt

from msgspec import Struct

from channeling.budgets.item import WindowState
from channeling.budgets.quote import Quote
from channeling.usage.output_sizes import OutputSizes

_AMPLE_PERCENT, _LIKELY_PERCENT = 95, 50
# A stream holds amply only where so many more of its kind would fit beside it.
_ROOM_FOR = 2
# How many standard deviations of what the running ones will write are kept free beyond the mean.
_SPREADS = 1.25


class HoldPlan(Struct, frozen=True):
    """Tokens of output to hold for, and the nanodollars that must be left free beside it."""

    tokens: int
    reserve: int


class ExpectedOutput(Struct, frozen=True):
    """What a stream may write: how long its model's answers are, and how far ahead of it a hold has to be."""

    sizes: OutputSizes
    ahead_tokens: int

    def ample(self, quote: Quote) -> HoldPlan:
        """Return what to hold where nobody waits for money."""
        tokens = self._ample_tokens(quote)
        return HoldPlan(tokens, _ROOM_FOR * quote.output_amount(tokens))

    def beside_others(self, quote: Quote, window: WindowState, limit: int) -> HoldPlan | None:
        """Return what to hold under `limit` beside what others hold, None where it would be at their expense."""
        free = limit - window.committed
        reserve = self._growth(quote, window)
        for tokens in (self._ample_tokens(quote), self._likely_tokens(quote)):
            if quote.amount(tokens) + reserve <= free:
                return HoldPlan(tokens, reserve)
        return None

    def _growth(self, quote: Quote, window: WindowState) -> int:
        """Return the nanodollars by which what runs, and this stream, is expected to outgrow what is held."""
        others = len(window.holds)
        if not others:
            return 0
        most = quote.max_tokens
        running = quote.output_amount(int(others * self.sizes.mean_of_running(most)))
        own = quote.output_amount(max(0, int(self.sizes.mean(most)) - self._likely_tokens(quote)))
        spread = int(_SPREADS * self.sizes.spread_of_running(most) * sqrt(others))
        return max(0, running - window.held) + own + quote.output_amount(spread)

    def _ample_tokens(self, quote: Quote) -> int:
        return min(self.sizes.percentile(_AMPLE_PERCENT) + self.ahead_tokens, quote.max_tokens)

    def _likely_tokens(self, quote: Quote) -> int:
        return min(self.sizes.percentile(_LIKELY_PERCENT) + self.ahead_tokens, quote.max_tokens)
