"""A request's hold while its answer comes: lowered when its input is known, raised ahead of what a stream writes.

A stream under elastic enforcement holds what it is expected to write. While it writes, a meter says what it may
have cost by now, and more is held before that is used up; when no more is to be had, the stream is to be cut.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from channeling.admit import Admitted, CountInput
from channeling.budgets.hold_id import hold_started_s
from channeling.budgets.item import BudgetItem
from channeling.budgets.quote import Quote
from channeling.budgets.store import BudgetStore, Hold, Refused, window_of
from channeling.clock import Clock
from channeling.errors import StoreUnavailable
from channeling.exchange import NOTICE_MS
from channeling.limited_wait import cancel
from channeling.output_meter import OutputMeter, ahead_tokens
from channeling.pricing.bound import tokens_within
from channeling.providers.answer_stream import Emitted
from channeling.usage.token_counts import TokenCounts

_LEAST_TRANCHE_S = 1.0
_SHARE_OF_FREE = 8
_ASK_AGAIN_AFTER_S = 1.0
_ANSWER_TIMEOUT_S = 1.0
_LEAST_LOOK_S = 0.05
# How long a look that found enough may be gone by, and what its sums may be rounded off by.
_LOOK_HOLDS_S, _ROUNDED_TOKENS = 0.25, 3
# A change can be refused for another reason than money only where an answer of ours was lost.
_MAX_TRIES = 3
# Whoever finds a hold expired ends it; a stream must be over by then, whatever the clocks say.
_EXPIRY_MARGIN_S = 10


# Why no more is held: others hold it (ask again), it is spent, or the hold itself is no more (or about to expire).
_Refusal = Literal["held", "spent", "gone"]


class _Change(Struct, frozen=True):
    """How a change of the hold went: the hold and its budget after it, and why it is not what was asked."""

    hold: Hold
    item: BudgetItem | None = None
    refused: _Refusal | None = None


class StandingHold:
    """Holds what `admit` admitted, until `last` is asked for. `meter` is None where the hold need not grow;
    `monotonic_s` tells a time that only passes, in seconds; `count_input` asks the provider how many tokens the
    input has."""

    def __init__(
        self,
        budgets: BudgetStore,
        admitted: Admitted,
        *,
        meter: OutputMeter | None,
        clock: Clock,
        monotonic_s: Callable[[], float],
        hold_lifetime_s: int,
        count_input: CountInput,
    ) -> None:
        self.meter = meter
        self._monotonic_s = monotonic_s
        self._budgets = budgets
        self._clock = clock
        self._quote = admitted.quote
        self._limit = admitted.held.limit
        self._hold = admitted.held.hold
        self._item = admitted.held.item
        self._expires_s = hold_started_s(self._hold.hold_id) + hold_lifetime_s
        self._most = admitted.quote.max_tokens if admitted.max_tokens is None else admitted.max_tokens
        self._covered = admitted.covered_tokens
        self._count_input: CountInput | None = count_input
        self._counting: asyncio.Task[None] | None = None
        self._change: asyncio.Task[_Change] | None = None
        self._refused: _Refusal | None = None
        self._asked_s = float("-inf")
        # The last look that found enough: when it was, what the meter said, and how much of that could be seen.
        self._looked_s = float("-inf")
        self._looked_tokens = self._looked_visible = 0

    def input_is_known(self, counts: TokenCounts) -> None:
        """Use what the input turned out not to need: for the output, or, where less than half of the budget is
        free, for others. With more than half free nobody is waiting for it, and a write costs."""
        if self._quote.has_tool_rounds or self._change is not None:
            return
        known = min(self._quote.input_tokens, counts.total_input_tokens)
        self._use_input(replace(self._quote, input_tokens=known))

    def input_is_untold(self) -> None:
        """The stream has begun, and has not said what its input is billed as: some providers say so at the end
        alone. Where others may wait for what is held, the input is counted meanwhile, once."""
        count_input, self._count_input = self._count_input, None
        held = self._hold.amount
        if count_input is not None and not self._has_plenty() and self._quote.is_worth_counting_in(held):
            self._counting = asyncio.ensure_future(self._count(count_input))

    def begin(self) -> None:
        """The provider has begun to answer."""
        if self.meter is not None:
            self.meter.begin(self._monotonic_s())

    async def keeps_up(self, emitted: Emitted) -> bool:
        """Hold more where the stream is about to need it; return whether it may go on, False: cut it now."""
        meter = self.meter
        if meter is None:
            return True
        now_s = self._monotonic_s()
        meter.read(emitted, now_s)
        if self._is_ample(meter, now_s):
            return True
        self._take_change()
        if self._is_gone():
            return False
        tokens = meter.tokens(now_s)
        if self._covers(tokens + ahead_tokens(meter.top_tokens_per_s)):
            self._looked_s, self._looked_tokens, self._looked_visible = now_s, tokens, meter.visible_tokens
            return True
        self._ask_for_more(meter, now_s)
        if not self._covers(meter.tokens(now_s) + self._cut_ahead(meter)) and self._change is not None:
            await asyncio.wait({self._change}, timeout=_ANSWER_TIMEOUT_S)
            self._take_change()
        covered = self._covers(meter.tokens(self._monotonic_s()) + self._cut_ahead(meter))
        return covered and not self._is_gone()

    def look_in_s(self) -> float | None:
        """Return when `keeps_up` is to be asked even if nothing comes; None: it need not be."""
        meter = self.meter
        if meter is None or self._covered >= self._most:
            return None
        now_s = self._monotonic_s()
        left = self._covered - meter.tokens(now_s)
        look_s = (left - ahead_tokens(meter.top_tokens_per_s)) / meter.top_tokens_per_s
        if look_s <= 0:
            until_cut_s = (left - self._cut_ahead(meter)) / meter.top_tokens_per_s
            look_s = min(self._asked_s + _ASK_AGAIN_AFTER_S - now_s, until_cut_s)
        return max(_LEAST_LOOK_S, look_s)

    def metered_tokens(self) -> int:
        """Return the meter's figure, at most what is held for."""
        if self.meter is None:
            return 0
        return min(self._covered, self.meter.tokens(self._monotonic_s()))

    def least_tokens(self) -> int:
        """Return how many output tokens there are at least; 0 where nothing is metered."""
        return 0 if self.meter is None else self.meter.least_tokens

    async def last(self) -> Hold:
        """Return the hold as it stands now."""
        if self._counting is not None:
            await cancel(self._counting)
        if self._change is not None:
            await asyncio.wait({self._change})
            self._take_change()
        return self._hold

    def _is_ample(self, meter: OutputMeter, now_s: float) -> bool:
        """Whether what is held is enough by far, as it was at the last look: the meter can have come no further
        than by what was seen since, and by what can be written in the time. Quickly said, event by event."""
        passed_s = now_s - self._looked_s
        if passed_s > _LOOK_HOLDS_S or self._change is not None or self._refused is not None:
            return False
        seen = meter.visible_tokens - self._looked_visible
        most = self._looked_tokens + seen + int(passed_s * meter.top_tokens_per_s) + _ROUNDED_TOKENS
        return self._covers(most + ahead_tokens(meter.top_tokens_per_s))

    def _has_plenty(self) -> bool:
        window = self._item.window
        return window is None or (self._limit - window.committed) * 2 >= self._limit

    def _use_input(self, quote: Quote) -> None:
        self._quote = quote
        if self._has_plenty():
            self._covered = self._covered_by(self._hold)
            return
        amount = quote.amount(self._covered)
        if amount < self._hold.amount:
            self._change = asyncio.ensure_future(self._lower_to(amount))

    async def _count(self, count_input: CountInput) -> None:
        counted = await count_input()
        if counted is None:
            return
        while self._change is not None:
            await asyncio.wait({self._change})
            self._take_change()
        self._use_input(self._quote.counted(counted))

    def _is_gone(self) -> bool:
        return self._refused == "gone"

    def _cut_ahead(self, meter: OutputMeter) -> int:
        return meter.top_tokens_per_s * NOTICE_MS // 1000

    def _covers(self, tokens: int) -> bool:
        return self._covered >= min(tokens, self._most)

    def _covered_by(self, hold: Hold) -> int:
        tokens = tokens_within(hold.amount - self._quote.input_amount, self._quote.output_rate)
        return self._most if tokens is None else max(self._covered, min(tokens, self._most))

    def _ask_for_more(self, meter: OutputMeter, now_s: float) -> None:
        again_at_s = self._asked_s + (_ASK_AGAIN_AFTER_S if self._refused else 0.0)
        if self._change is not None or self._refused == "spent" or now_s < again_at_s:
            return
        window = self._item.window
        free = 0 if window is None else self._limit - window.committed
        share = tokens_within(free // _SHARE_OF_FREE, self._quote.output_rate)
        tranche = max(int(_LEAST_TRANCHE_S * meter.top_tokens_per_s), self._most if share is None else share)
        tokens = max(self._covered, meter.tokens(now_s) + ahead_tokens(meter.top_tokens_per_s)) + tranche
        amount = self._quote.amount(min(tokens, self._most))
        self._asked_s = now_s
        self._change = asyncio.ensure_future(self._raise_to(amount))

    def _take_change(self) -> None:
        if self._change is None or not self._change.done():
            return
        change, self._change = self._change.result(), None
        self._hold, self._refused = change.hold, change.refused
        self._item = change.item or self._item
        self._covered = self._covered_by(self._hold)

    async def _lower_to(self, amount: int) -> _Change:
        try:
            item = await self._budgets.change_hold(self._hold, amount, limit=None)
        except Refused:
            return _Change(self._hold)
        except StoreUnavailable:
            # Made or not: a bill above what is believed to be held looks at the hold again before its record is
            # written, one below it does not. So of the two amounts the smaller one is believed.
            return _Change(replace(self._hold, amount=amount))
        return _Change(replace(self._hold, amount=amount), item)

    async def _raise_to(self, amount: int) -> _Change:
        hold = self._hold
        if self._clock.now_ms() // 1000 >= self._expires_s - _EXPIRY_MARGIN_S:
            return _Change(hold, refused="gone")
        item: BudgetItem | None = None
        for _ in range(_MAX_TRIES):
            if amount <= hold.amount:
                return _Change(hold, item)
            try:
                item = await self._budgets.change_hold(hold, amount, limit=self._limit)
                return _Change(replace(hold, amount=amount), item)
            except StoreUnavailable:
                return _Change(hold, refused="held")  # it may answer a second later
            except Refused as refused:
                item = refused.item
            found = window_of(item, hold.window_start_s)
            if found is None or hold.hold_id not in found[0].holds:
                return _Change(hold, item, "gone")
            window, standing = found[0], found[0].holds[hold.hold_id]
            if standing != hold.amount:
                hold = replace(hold, amount=standing)  # an answer of ours was lost
                continue
            free = self._limit - window.committed
            if free <= 0:
                return _Change(hold, item, "held" if window.held > standing else "spent")
            amount = min(amount, standing + free)
        return _Change(hold, item, "held")
