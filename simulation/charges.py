"""What each request was charged, against what the provider did for it: I3 (once), I4 (refused: nothing), I5.

The least that an answer which broke off may be charged: what the provider had said of the input (before it said
anything: a quarter of a token for each byte of the request), and for each byte of text that it had sent the fewest
tokens that any answer of the run had by byte, or all that it had generated when it was left, at the lowest price;
or all that was held, where that is less.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from channeling.usage.record import UsageRecord
from channeling.usage.tokens_per_byte import UNKNOWN_TOKENS_PER_1000_BYTES
from simulation.asked import Asked
from simulation.observed_dynamodb import HoldPlace
from simulation.provider import Served

Price = tuple[int, int]
_INPUT_TOKENS_PER_1000_BYTES = 250


def charge_violations(
    records: Sequence[UsageRecord],
    asked_all: Sequence[Asked],
    served_all: Sequence[Served],
    holds: Mapping[HoldPlace, Sequence[int]],
    lowest_price: Price,
    prices: Sequence[Price],
) -> Iterator[str]:
    """Yield a sentence for each request that was not charged as promised."""
    served_of: dict[str, list[Served]] = defaultdict(list)
    for served in served_all:
        served_of[served.request].append(served)
    records_of: dict[tuple[str, str, str], list[UsageRecord]] = defaultdict(list)
    for record in records:
        records_of[record.user_id, record.window_kind, record.key.sk.split("#")[0]].append(record)
    least_per_byte = _least_tokens_per_byte(served_all)
    for asked in asked_all:
        own = records_of.pop((asked.user, asked.kind, asked.hold_id or ""), [])
        reached = served_of[asked.name]
        yield from _once(asked, own, reached)
        if not own:
            continue
        record, held = (
            own[0],
            holds.get((f"{own[0].project_id}#{asked.user}", asked.kind, asked.hold_id or "")),
        )
        if record.cost > max(held or (0,)):
            yield f"I5 {asked.name}: charged {record.cost}, and held were {held}"
        if record.status == "reclaimed" and record.cost not in (held or ()):
            yield f"I5 {asked.name}: reclaimed at {record.cost}, and held were {held}"
        if reached and record.status != "reclaimed":
            yield from _amount(asked, record, reached[0], max(held or (0,)), prices)
            yield from _at_least(asked, record, reached[0], min(held or (0,)), lowest_price, least_per_byte)
        yield from _uncollected(asked, record)
    for user, kind, hold_id in records_of:
        yield f"I3 {user}/{kind}: a record of {hold_id}, which no request has"


def _once(asked: Asked, own: Sequence[UsageRecord], reached: Sequence[Served]) -> Iterator[str]:
    if len(own) > 1:
        yield f"I3 {asked.name}: {len(own)} records"
    if len(reached) > 1:
        yield f"I3 {asked.name}: reached the provider {len(reached)} times"
    if reached and not own:
        yield f"I5 {asked.name}: reached the provider and has no record"
    if reached and asked.outcome.startswith("refused before"):
        yield f"I4 {asked.name}: {asked.outcome}, and it reached the provider"
    if own and not reached and own[0].cost and own[0].status != "reclaimed":
        yield f"I3 {asked.name}: reached no provider and costs {own[0].cost}"


def _amount(
    asked: Asked, record: UsageRecord, served: Served, held: int, prices: Sequence[Price]
) -> Iterator[str]:
    """An answer that told all costs what its tokens cost, and only one that did not may be estimated."""
    if served.told_all and record.estimated:
        yield f"I5 {asked.name}: estimated, though the provider had told its usage: {record}"
    if record.cost and not record.estimated:
        billed = record.cost + record.uncollected
        possible = [a * served.input_tokens + b * served.output_tokens for a, b in prices]
        if billed not in possible:
            yield f"I5 {asked.name}: billed {billed}, generated what costs one of {possible}"


def _at_least(
    asked: Asked, record: UsageRecord, served: Served, held: int, price: Price, per_byte: Fraction
) -> Iterator[str]:
    """An answer that broke off, was left or was cut is charged for what had come of it."""
    if not record.estimated and record.cost:
        return  # as reported
    began = served.told_input and served.written_bytes > 0
    if not began and record.status != "cancelled":
        return  # it broke off before a sign of life, or with an error: nobody bills it
    if not began and served.plan.behaviour in ("error status", "error event", "late error event", "lost"):
        return
    input_tokens = (
        served.input_tokens if served.told_input else served.body_bytes * _INPUT_TOKENS_PER_1000_BYTES // 1000
    )
    by_bytes = min(served.max_tokens, int(served.written_bytes * per_byte))
    output_tokens = min(by_bytes, served.generated_tokens(until_noticed=False))
    least = min(held, input_tokens * price[0] + output_tokens * price[1])
    if record.cost < least:
        yield f"I5 {asked.name}: charged {record.cost}, and what had come of it costs {least} at least: {record}"


def _uncollected(asked: Asked, record: UsageRecord) -> Iterator[str]:
    """Only a stream that reported more than its meter had seen can cost more than could be held."""
    if record.uncollected and (record.estimated or not asked.streamed or asked.enforcement != "elastic"):
        yield f"I5 {asked.name}: uncollected under {asked.enforcement}: {record}"
    if record.uncollected < 0 or record.cost < 0:
        yield f"I5 {asked.name}: below zero: {record}"


def _least_tokens_per_byte(served_all: Sequence[Served]) -> Fraction:
    """The gateway learns a mean of what was reported, and has its own figure before that."""
    seen = [
        Fraction(served.output_tokens, served.written_bytes)
        for served in served_all
        if served.told_all and served.written_bytes
    ]
    return min([Fraction(UNKNOWN_TOKENS_PER_1000_BYTES, 1000), *seen])
