"""A walk over every budget, page by page: resumable, and safe to run twice at once.

Two walks at once do no harm because each step is: what one has done the other finds done. They share a checkpoint,
and whichever writes it last decides where the next run begins; that can repeat work and delay it by one lap, and
skips nothing for good, since each lap goes to the table's end and begins again at its start.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import cast, get_args

from msgspec import Struct, field

from channeling.budgets.item import BudgetItem, BudgetKey, budget_item
from channeling.budgets.store import BudgetStore
from channeling.clock import Clock
from channeling.dynamodb import DynamoDB, Item
from channeling.errors import StoreUnavailable
from channeling.reconcile.checkpoint import Checkpoint
from channeling.window_kind import WindowKind

PAGE_ITEMS = 500
# One item that the store refuses is that item's trouble; so many in a row are the store's.
MAX_FAILURES_IN_A_ROW = 5

_log = logging.getLogger(__name__)


class Step(Struct, frozen=True):
    """Something that a budget may be due for. `carry_out` returns how often it did it; again is harmless."""

    name: str
    is_due: Callable[[BudgetItem, int], bool]
    carry_out: Callable[[BudgetKey, BudgetItem, int], Awaitable[int]]


class Walked(Struct):
    """What a walk did: by step, and the items that it could not put right (logged one by one); whose they are."""

    items: int = 0
    failed: int = 0
    at_end: bool = False
    done: dict[str, int] = field(default_factory=dict)
    projects: set[str] = field(default_factory=set)


class BudgetWalk(Struct, frozen=True):
    """Goes over the budgets table from where the last run stopped."""

    dynamodb: DynamoDB
    table: str
    checkpoint: Checkpoint
    steps: Sequence[Step]
    clock: Clock
    page_items: int = PAGE_ITEMS

    async def run(self, deadline_ms: int) -> Walked:
        """Walk until the table's end or until the deadline; raise StoreUnavailable.

        However it ends, the next run goes on with the first item that is not known to be visited.
        """
        walked = Walked(done={step.name: 0 for step in self.steps})
        failed_in_a_row = 0
        last_key = await self.checkpoint.read()
        while self.clock.now_ms() < deadline_ms:
            page = await self.dynamodb.scan_page(self.table, after=last_key, limit=self.page_items)
            for item in page.items:
                if self.clock.now_ms() >= deadline_ms:
                    await self.checkpoint.write(last_key)
                    return walked
                walked.items += 1
                walked.projects.add(str(item["pk"]).partition("#")[0])
                try:
                    await self._visit(item, walked)
                    failed_in_a_row = 0
                except Exception as error:
                    walked.failed += 1
                    _log.exception("a budget could not be put right", extra={"fields": _named(item)})
                    if isinstance(error, StoreUnavailable):
                        failed_in_a_row += 1
                        if failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
                            raise
                last_key = _key_of(item)
            last_key = page.last_key
            await self.checkpoint.write(last_key)
            if last_key is None:
                walked.at_end = True
                return walked
        return walked

    async def _visit(self, item: Item, walked: Walked) -> None:
        now_s = self.clock.now_ms() // 1000
        standing = budget_item(item)
        if not any(step.is_due(standing, now_s) for step in self.steps):
            return
        key = _budget_key(item)
        for step in self.steps:
            # Read again, consistently: the page was a moment behind, and the step before has changed the budget.
            standing = await BudgetStore(self.dynamodb, self.table).read(key)
            if step.is_due(standing, now_s):
                walked.done[step.name] += await step.carry_out(key, standing, now_s)


def _budget_key(item: Item) -> BudgetKey:
    project_id, separator, user_id = str(item["pk"]).partition("#")
    kind = item["sk"]
    if not separator or kind not in get_args(WindowKind):
        raise ValueError("the key of a budget item is no budget's")
    return BudgetKey(project_id, user_id, cast(WindowKind, kind))


def _key_of(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}


def _named(item: Item) -> dict[str, object]:
    return {"budget": item["pk"], "window_kind": item["sk"]}
