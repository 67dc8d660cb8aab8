"""A request's hold while it runs: lowered, at most once, when the provider has said what the input is."""

import asyncio
from dataclasses import replace

from channeling.admit import Admitted
from channeling.budgets.store import BudgetStore, Hold, Refused
from channeling.errors import StoreUnavailable
from channeling.usage.token_counts import TokenCounts


class StandingHold:
    """Holds what `admit` admitted, until `last` is asked for."""

    def __init__(self, budgets: BudgetStore, admitted: Admitted) -> None:
        self._budgets = budgets
        self._admitted = admitted
        self._lowering: asyncio.Task[Hold] | None = None

    def lower(self, counts: TokenCounts) -> None:
        """Start to give back what the input turned out not to need, where less than half of the budget is free.

        With more than half free nobody is waiting for it, and a write costs.
        """
        held, quote = self._admitted.held, self._admitted.quote
        window = held.item.window
        if window is None or (held.limit - window.committed) * 2 >= held.limit or quote.has_tool_rounds:
            return
        quote = replace(quote, input_tokens=min(quote.input_tokens, counts.total_input_tokens))
        amount = quote.amount(self._admitted.max_tokens)
        if amount < held.hold.amount:
            self._lowering = asyncio.ensure_future(self._lower_to(amount))

    async def last(self) -> Hold:
        """Return the hold as it stands now."""
        return self._admitted.held.hold if self._lowering is None else await self._lowering

    async def _lower_to(self, amount: int) -> Hold:
        hold = self._admitted.held.hold
        try:
            await self._budgets.change_hold(hold, amount, limit=None)
        except (Refused, StoreUnavailable):
            # Settling reads the hold as it stands in the store, whatever it is believed to be here.
            return hold
        return replace(hold, amount=amount)
