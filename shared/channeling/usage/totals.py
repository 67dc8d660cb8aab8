"""Sums of usage records as rows of numbers: quick to add up, small to keep."""

from collections.abc import Iterable, Sequence
from operator import add
from typing import NamedTuple

from msgspec import Struct, field

from channeling.usage.rollup import Rollup
from channeling.usage.token_counts import TokenCounts

COUNTS = TokenCounts.__struct_fields__

Numbers = Sequence[int]
"""The fields of `Totals` in their order, then the token counts in theirs."""


class Totals(Struct):
    """Sums of usage records. Money in nanodollars: `cost` is what budgets were charged, `adjusted` what operators
    gave back or charged beside it (with a sign), `uncollected` what providers billed beyond it."""

    requests: int = 0
    cost: int = 0
    adjusted: int = 0
    uncollected: int = 0
    refused: int = 0
    failed: int = 0
    cancelled: int = 0
    reclaimed: int = 0
    estimated: int = 0
    clamped: int = 0
    cut: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))

    @classmethod
    def of(cls, numbers: Numbers) -> "Totals":
        """Return the sums that numbers say."""
        totals = cls(tokens=dict(zip(COUNTS, numbers[len(_PLAIN) :], strict=True)))
        for name, number in zip(_PLAIN, numbers, strict=False):
            setattr(totals, name, number)
        return totals


_PLAIN = tuple(sums for sums in Totals.__struct_fields__ if sums != "tokens")
NOTHING: Numbers = (0,) * (len(_PLAIN) + len(COUNTS))


def numbers_of(rollup: Rollup) -> list[int]:
    """Return the numbers of a rollup."""
    by_status = rollup.requests_by_status
    charged = rollup.cost_by_kind.get("request", 0) + rollup.cost_by_kind.get("correction", 0)
    return [
        rollup.records_by_kind.get("request", 0),
        charged,
        rollup.cost - charged,
        rollup.uncollected,
        by_status.get("refused", 0),
        by_status.get("failed", 0),
        by_status.get("cancelled", 0),
        by_status.get("reclaimed", 0),
        rollup.estimated,
        rollup.clamped,
        rollup.cut,
        *(getattr(rollup.counts, name) for name in COUNTS),
    ]


class UseOf(NamedTuple):
    """Whose use of what: the key of a row; a tuple, since a month has tens of thousands to look up."""

    user_id: str
    provider: str
    model: str


Rows = dict[UseOf, Numbers]


def added(one: Numbers, other: Numbers) -> Numbers:
    """Return the sums of two rows of numbers."""
    return tuple(map(add, one, other))


def rows_of(rollups: Iterable[Rollup]) -> tuple[Rows, int]:
    """Return the rows of rollups, and how many records they are of."""
    rows: Rows = {}
    records = 0
    for rollup in rollups:
        key = UseOf(rollup.user_id, rollup.provider, rollup.model)
        rows[key] = added(rows.get(key, NOTHING), numbers_of(rollup))
        records += rollup.records
    return rows, records
