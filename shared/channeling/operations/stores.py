"""The stores that operators work on, opened once, with the clock and chance that operations take."""

from collections.abc import Callable

from msgspec import Struct

from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.store import BudgetStore
from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.operations.audit_log import AuditLog
from channeling.projects.cipher import Cipher
from channeling.projects.price_store import PriceStore
from channeling.projects.store import ProjectStore
from channeling.tables import TableNames
from channeling.usage.rollup_reader import RollupReader
from channeling.usage.store import UsageStore
from channeling.usage.totals_reader import TotalsReader


class Stores(Struct, frozen=True):
    """A deployment's stores; `randomness(n)` returns n random bytes."""

    dynamodb: DynamoDB
    tables: TableNames
    projects: ProjectStore
    prices: PriceStore
    budgets: BudgetStore
    usage: UsageStore
    rollups: RollupReader
    totals: TotalsReader
    audit: AuditLog
    cipher: Cipher
    clock: Clock
    randomness: Callable[[int], bytes]

    @property
    def now_s(self) -> int:
        """The time, in whole seconds since the epoch."""
        return self.clock.now_ms() // 1_000

    def new_order_id(self) -> str:
        """Return the id of a new order on a budget."""
        return new_hold_id(self.now_s, self.randomness)


def open_stores(
    dynamodb: DynamoDB,
    tables: TableNames,
    cipher: Cipher,
    clock: Clock,
    randomness: Callable[[int], bytes],
) -> Stores:
    """Return the stores over doors that are open already; nothing is read yet."""
    return Stores(
        dynamodb=dynamodb,
        tables=tables,
        projects=ProjectStore(dynamodb, tables.projects),
        prices=PriceStore(dynamodb, tables.projects),
        budgets=BudgetStore(dynamodb, tables.budgets),
        usage=UsageStore(dynamodb, tables.usage, clock),
        rollups=RollupReader(dynamodb, tables.usage, clock),
        totals=TotalsReader(dynamodb, tables.usage, clock),
        audit=AuditLog(dynamodb, tables.usage, clock, randomness),
        cipher=cipher,
        clock=clock,
        randomness=randomness,
    )
