"""A stream's hold grows ahead of what it writes, and says when no more is to be had."""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channeling.admit import Admitted, CountInput
from channeling.budgets.admission import Held
from channeling.budgets.hold_id import new_hold_id
from channeling.budgets.item import BudgetItem, BudgetKey
from channeling.budgets.quote import Quote
from channeling.budgets.settlement import end_hold
from channeling.budgets.store import BudgetStore, Hold, Refused
from channeling.clock import SystemClock
from channeling.errors import StoreUnavailable
from channeling.output_meter import ByteRates, OutputMeter, ahead_tokens
from channeling.providers.answer_stream import Emitted
from channeling.standing_hold import StandingHold
from channeling.usage.record import UsageRecord
from channeling.usage.store import UsageStore
from channeling.usage.token_counts import TokenCounts
from tests.channeling.budgets.conftest import HOLD_LIFETIME_S, Protocol, protocol

__all__ = ["protocol"]

# A token of output costs one nanodollar here, and of input too.
RATE = 1_000_000
INPUT = 100
A_TOKEN_A_BYTE = ByteRates(usual=1_000, top=1_000)


async def never_counted() -> int | None:
    raise AssertionError("nothing is to be counted here")


@dataclass
class Stream:
    """A standing hold with the stream that writes under it; times are set."""

    standing: StandingHold
    now: list[float]
    emitted: Emitted = field(default_factory=Emitted)

    async def writes(self, tokens: int, *, after_s: float = 0.1) -> bool:
        self.emitted.ascii_bytes += tokens
        self.now[0] += after_s
        return await self.standing.keeps_up(self.emitted)

    async def counted(self) -> None:
        assert self.standing._counting is not None
        await self.standing._counting

    async def settled_change(self) -> int:
        return (await self.standing.last()).amount


async def stream_of(
    protocol: Protocol,
    *,
    limit: int,
    expected: int,
    max_tokens: int = 32_000,
    budgets: BudgetStore | None = None,
    top_tokens_per_s: int = 100,
    input_tokens: int = INPUT,
    count_input: CountInput = never_counted,
) -> Stream:
    quote = Quote(input_tokens, RATE, RATE, max_tokens, least_tokens=64)
    held = await protocol.held(quote.amount(expected), protocol.ask(limit=limit, enforcement="elastic"))
    now = [0.0]
    standing = StandingHold(
        budgets or protocol.budgets,
        Admitted(held, quote, None, expected),
        meter=OutputMeter(top_tokens_per_s, A_TOKEN_A_BYTE),
        clock=protocol.clock,
        monotonic_s=lambda: now[0],
        hold_lifetime_s=HOLD_LIFETIME_S,
        count_input=count_input,
    )
    standing.begin()
    return Stream(standing, now)


async def held_by(protocol: Protocol) -> dict[str, int]:
    window = (await protocol.item()).window
    assert window is not None
    assert window.committed == window.settled + sum(window.holds.values())
    return dict(window.holds)


async def test_more_is_held_before_it_is_needed(protocol: Protocol) -> None:
    """While the hold covers what is written nothing is asked for; near its end an eighth of what is free is."""
    stream = await stream_of(protocol, limit=9_100, expected=1_000)
    assert await stream.writes(900)
    assert await stream.settled_change() == 1_100
    assert await stream.writes(40)
    # Metered so far 941, ahead by 64, an eighth of the 8,000 that are free: 2,065 or so, and the input.
    assert 2_090 < await stream.settled_change() <= 2_180
    assert await stream.writes(60)
    assert await stream.writes(900)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 0.3, allow_nan=False) | st.floats(0.9, 2.0), st.integers(0, 200), st.integers(0, 20)
        ),  # seconds, and what comes after them
        max_size=40,
    ),
    st.integers(1, 400),
    st.sampled_from([None, ByteRates(usual=200, top=900), A_TOKEN_A_BYTE]),
    st.booleans(),
    st.integers(0, 400),
)
def test_a_quick_look_finds_enough_only_where_a_full_one_would(
    events: list[tuple[float, int, int]],
    top_tokens_per_s: int,
    rates: ByteRates | None,
    shows_all: bool,
    beyond: int,
) -> None:
    """What the meter itself says then is never above what is held, less what a hold is to be ahead of it."""
    now = [0.0]
    meter, ahead = (
        OutputMeter(top_tokens_per_s, rates, 50, shows_all=shows_all),
        ahead_tokens(top_tokens_per_s),
    )
    hold = Hold(BudgetKey("demo", "ana", "day"), new_hold_id(1_795_550_000, os.urandom), 0, 10**9)
    standing = StandingHold(
        None,  # type: ignore[arg-type]  # nothing is asked of it
        Admitted(Held(hold, BudgetItem(), 10**9), Quote(INPUT, RATE, RATE, 10**6, 64), None, ahead + beyond),
        meter=meter,
        clock=SystemClock(),
        monotonic_s=lambda: now[0],
        hold_lifetime_s=HOLD_LIFETIME_S,
        count_input=never_counted,
    )
    emitted = Emitted()
    meter.begin(0.0)
    for after_s, ascii_bytes, other_chars in events:
        now[0] += after_s
        emitted.ascii_bytes += ascii_bytes
        emitted.non_ascii_chars += other_chars
        meter.read(emitted, now[0])
        tokens = meter.tokens(now[0])
        if standing._is_ample(meter, now[0]):
            assert tokens <= beyond
        elif tokens <= beyond:
            standing._looked_s, standing._looked_tokens = now[0], tokens
            standing._looked_visible = meter.visible_tokens


async def test_time_alone_makes_a_full_look_due(protocol: Protocol) -> None:
    """What is not shown may be written at top speed meanwhile."""
    stream = await stream_of(protocol, limit=10**6, expected=320, top_tokens_per_s=400)
    assert await stream.writes(5, after_s=0.02)
    assert stream.standing._change is None
    assert await stream.writes(0, after_s=0.22)
    assert stream.standing._change is not None, "96 tokens may be written, and the hold is to be 240 ahead"
    await stream.standing.last()


async def test_most_events_that_come_alone_need_no_full_look(protocol: Protocol) -> None:
    stream = await stream_of(protocol, limit=10**6, expected=1_000)
    with mock.patch.object(OutputMeter, "tokens", autospec=True, side_effect=OutputMeter.tokens) as tokens:
        for _ in range(50):
            assert await stream.writes(1, after_s=0.02)
    assert tokens.call_count <= 6


async def test_a_stream_never_holds_more_than_its_max_tokens(protocol: Protocol) -> None:
    """Once `max_tokens` are held for, nothing is metered: the provider itself enforces that bound."""
    stream = await stream_of(protocol, limit=10**9, expected=1_000, max_tokens=1_200)
    assert await stream.writes(990)
    assert await stream.settled_change() == 1_300
    assert await stream.writes(5_000)
    assert stream.standing.look_in_s() is None


async def test_spent_is_cut_when_the_hold_is_used_up(protocol: Protocol) -> None:
    """The last of the budget is held, every token of it is used, and then the stream is cut."""
    stream = await stream_of(protocol, limit=1_500, expected=1_000)
    written = 0
    while await stream.writes(30):
        written += 30
    # All but what a provider may still write until it notices that it was left.
    assert written >= 1_400 - 30 - 20
    assert await held_by(protocol) == {(await stream.standing.last()).hold_id: 1_500}


async def test_what_others_hold_is_asked_for_again(protocol: Protocol) -> None:
    """Refused because another request holds the rest, it goes on as long as its hold covers it; once a second it
    asks again, and goes on when the other has ended."""
    stream = await stream_of(protocol, limit=3_000, expected=1_000)
    other = await protocol.held(1_900, protocol.ask(limit=3_000))
    assert await stream.writes(940)
    await stream.standing.last()
    assert await stream.writes(10)  # asked a moment ago
    assert len(await held_by(protocol)) == 2
    await protocol.end(other, 10)
    assert await stream.writes(10, after_s=0.9)
    assert await stream.settled_change() > 1_100
    assert await stream.writes(60)


async def test_what_others_hold_is_cut_when_the_hold_is_used_up(protocol: Protocol) -> None:
    """It waits no longer than its own hold lasts: providers write on, whoever waits."""
    stream = await stream_of(protocol, limit=3_000, expected=1_000)
    await protocol.held(1_900, protocol.ask(limit=3_000))
    assert await stream.writes(940)
    await stream.standing.last()
    assert not await stream.writes(55)


async def test_a_burst_waits_for_the_answer_that_it_needs(protocol: Protocol) -> None:
    """A jump over all that is held is no reason to cut while there is money: the answer is waited for."""
    stream = await stream_of(protocol, limit=10**6, expected=1_000)
    assert await stream.writes(5_000)
    assert await stream.settled_change() > 5_000


async def test_silence_uses_the_hold_up_too(protocol: Protocol) -> None:
    """Nothing comes for ten seconds: that much writing at top speed is held for, else the stream is cut."""
    stream = await stream_of(protocol, limit=1_100, expected=1_000)
    look_s = stream.standing.look_in_s()
    assert look_s is not None
    assert 9 < look_s < 10
    assert await stream.writes(0, after_s=look_s)
    assert not await stream.writes(0, after_s=1.0)


async def test_a_hold_that_is_gone_cuts_at_once(protocol: Protocol) -> None:
    """Somebody ended the hold (a reclaimer with a clock ahead): the stream has no money under it any more."""
    stream = await stream_of(protocol, limit=10**6, expected=1_000)
    hold = await stream.standing.last()
    await protocol.budgets.settle(hold, 0)
    assert await stream.writes(940)
    await stream.standing.last()
    assert not await stream.writes(0)


async def test_a_hold_about_to_expire_is_not_raised(protocol: Protocol) -> None:
    """From ten seconds before its expiry on others may soon end it, so the stream ends first."""
    stream = await stream_of(protocol, limit=10**6, expected=1_000)
    protocol.clock.now_s += HOLD_LIFETIME_S - 10
    assert await stream.writes(940)
    await stream.standing.last()
    assert not await stream.writes(0)


class LosesAnswers(BudgetStore):
    """A store whose next changes apply (or do not) and whose answers are lost."""

    lost = 0
    applies = True

    async def change_hold(self, hold, amount, *, limit):  # type: ignore[no-untyped-def]
        if not self.lost:
            return await super().change_hold(hold, amount, limit=limit)
        self.lost -= 1
        if self.applies:
            await super().change_hold(hold, amount, limit=limit)
        raise StoreUnavailable("the budget store did not answer")


@pytest.mark.parametrize("applies", [True, False], ids=["applied", "not applied"])
async def test_a_lost_answer_is_resolved_by_the_next_ask(protocol: Protocol, applies: bool) -> None:
    """An extension whose answer was lost is neither counted nor forgotten: the hold is what the store says."""
    budgets = LosesAnswers(protocol.budgets._dynamodb, protocol.budgets._table)
    budgets.lost, budgets.applies = 1, applies
    stream = await stream_of(protocol, limit=10**6, expected=1_000, budgets=budgets)
    assert await stream.writes(940)
    assert await stream.settled_change() == 1_100
    assert await stream.writes(5, after_s=0.6)
    assert await stream.writes(5, after_s=0.6)
    amount = await stream.settled_change()
    assert amount > 1_100
    hold = await stream.standing.last()
    assert (await held_by(protocol))[hold.hold_id] == amount


async def test_a_store_that_is_down_cuts_when_the_hold_is_used_up(protocol: Protocol) -> None:
    """Nothing more is let through on trust."""
    budgets = LosesAnswers(protocol.budgets._dynamodb, protocol.budgets._table)
    budgets.lost, budgets.applies = 10**6, False
    stream = await stream_of(protocol, limit=10**6, expected=1_000, budgets=budgets)
    assert await stream.writes(940)
    assert not await stream.writes(60, after_s=0.1)


async def test_input_that_was_not_needed_covers_output(protocol: Protocol) -> None:
    """With more than half of the budget free, what the input leaves of its bound is used without a write."""
    stream = await stream_of(protocol, limit=10**6, expected=1_000)
    stream.standing.input_is_known(TokenCounts(input_tokens=20))
    assert await stream.writes(1_010)
    assert await stream.settled_change() == 1_100


async def test_input_that_was_not_needed_is_given_back_when_money_is_short(protocol: Protocol) -> None:
    """With less than half free, others may be waiting for it."""
    stream = await stream_of(protocol, limit=1_500, expected=1_000)
    stream.standing.input_is_known(TokenCounts(input_tokens=20))
    assert await stream.settled_change() == 1_020


def counts(*answers: int | None) -> tuple[CountInput, list[int | None]]:
    """Return a provider's count that answers these in turn, and those that it has answered."""
    left, told = list(answers), []

    async def count_input() -> int | None:
        told.append(left.pop(0))
        return told[-1]

    return count_input, told


async def test_input_that_is_told_at_the_end_is_counted_meanwhile_when_money_is_short(
    protocol: Protocol,
) -> None:
    """With less than half free: once, with the counter's margin, and what that leaves is given back."""
    count_input, told = counts(2_000)
    stream = await stream_of(
        protocol, limit=15_000, expected=1_000, input_tokens=10_000, count_input=count_input
    )
    for _ in range(3):
        stream.standing.input_is_untold()
        assert await stream.writes(10)
    await stream.counted()
    assert await stream.settled_change() == 2_000 + 100 + 1_000 + 1_000
    assert list((await held_by(protocol)).values()) == [4_100]
    assert told == [2_000]
    assert await stream.writes(930)
    assert await stream.settled_change() > 4_100  # it grows from there as it would have


@pytest.mark.parametrize(
    ("limit", "input_tokens"),
    [
        pytest.param(10**6, 10_000, id="money is free"),
        pytest.param(1_500, INPUT, id="the bound is hardly more than the margin of a count"),
    ],
)
async def test_input_is_not_counted_where_that_helps_nobody(
    protocol: Protocol, limit: int, input_tokens: int
) -> None:
    stream = await stream_of(protocol, limit=limit, expected=1_000, input_tokens=input_tokens)
    held = await held_by(protocol)
    stream.standing.input_is_untold()
    assert await stream.writes(10)
    await stream.standing.last()
    assert await held_by(protocol) == held


async def test_a_count_that_fails_leaves_the_hold(protocol: Protocol) -> None:
    count_input, told = counts(None)
    stream = await stream_of(
        protocol, limit=15_000, expected=1_000, input_tokens=10_000, count_input=count_input
    )
    stream.standing.input_is_untold()
    await stream.counted()
    assert await stream.settled_change() == 11_000
    assert told == [None]


async def test_a_stream_that_ends_does_not_wait_for_its_count(protocol: Protocol) -> None:
    """The count is given up, and the hold is what it was."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def count_input() -> int | None:
        begun.set()
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    stream = await stream_of(
        protocol, limit=15_000, expected=1_000, input_tokens=10_000, count_input=count_input
    )
    stream.standing.input_is_untold()
    await begun.wait()
    assert await stream.settled_change() == 11_000
    assert ended.is_set()


async def test_a_count_waits_for_a_change_that_is_under_way(protocol: Protocol) -> None:
    """More was just asked for: the hold is lowered from what that made of it, and is what the store says."""

    class Waits(BudgetStore):
        go_on = asyncio.Event()

        async def change_hold(self, hold, amount, *, limit):  # type: ignore[no-untyped-def]
            await self.go_on.wait()
            return await super().change_hold(hold, amount, limit=limit)

    budgets = Waits(protocol.budgets._dynamodb, protocol.budgets._table)
    count_input, _ = counts(2_000)
    stream = await stream_of(
        protocol, limit=15_000, expected=1_000, input_tokens=10_000, count_input=count_input, budgets=budgets
    )
    assert await stream.writes(940)  # asks for more
    stream.standing.input_is_untold()
    await asyncio.sleep(0)
    budgets.go_on.set()
    await stream.counted()
    hold = await stream.standing.last()
    assert await held_by(protocol) == {hold.hold_id: hold.amount}
    assert 3_100 + 940 < hold.amount < 11_000


@pytest.mark.parametrize("applies", [True, False], ids=["applied", "not applied"])
@pytest.mark.parametrize("bill", [900, 1_020, 1_060, 1_100])
async def test_a_bill_is_settled_whole_where_a_giving_back_was_not_answered(
    protocol: Protocol, applies: bool, bill: int
) -> None:
    """I2: a record never says more than what the hold, given back or not, can be settled at."""
    budgets = LosesAnswers(protocol.budgets._dynamodb, protocol.budgets._table)
    budgets.lost, budgets.applies = 1, applies
    stream = await stream_of(protocol, limit=1_500, expected=1_000, budgets=budgets)
    stream.standing.input_is_known(TokenCounts(input_tokens=20))
    hold = await stream.standing.last()
    record = protocol.record(hold, bill)
    ended = await end_hold(protocol.budgets, protocol.usage, hold, record, limit=1_500)
    assert (ended.record.cost, ended.record.uncollected) == (bill, 0)
    assert ended.item.window is not None
    assert ended.item.window.settled == ended.item.window.committed == bill


@pytest.mark.parametrize(
    ("limit", "bill", "settled"),
    [
        (1_500, 700, 700),
        (1_500, 1_050, 1_050),
        (1_500, 1_100, 1_100),
        (1_500, 1_300, 1_300),
        (1_500, 9_000, 1_500),
        # No room to give the hold another amount but below: one nanodollar is not collected.
        (1_100, 1_100, 1_099),
        (1_100, 1_101, 1_099),
    ],
)
async def test_a_giving_back_that_lands_after_the_record_takes_nothing_from_the_bill(
    protocol: Protocol, limit: int, bill: int, settled: int
) -> None:
    """I2: the write was on its way for so long that the record stands when it arrives; the record is the bill."""
    budgets = LosesAnswers(protocol.budgets._dynamodb, protocol.budgets._table)
    budgets.lost, budgets.applies = 1, False
    stream = await stream_of(protocol, limit=limit, expected=1_000, budgets=budgets)
    before = stream.standing._hold
    stream.standing.input_is_known(TokenCounts(input_tokens=20))
    hold = await stream.standing.last()
    assert hold.amount == 1_020

    class LandsLate(UsageStore):
        async def put(self, record: UsageRecord) -> UsageRecord:
            standing = await super().put(record)
            with suppress(Refused):
                await protocol.budgets.change_hold(before, 1_020, limit=None)
            return standing

    usage = LandsLate(protocol.usage._dynamodb, protocol.usage._table, protocol.clock)
    ended = await end_hold(protocol.budgets, usage, hold, protocol.record(hold, bill), limit=limit)
    assert ended.record.cost == settled
    assert ended.record.cost + ended.record.uncollected == bill
    assert ended.item.window is not None
    assert ended.item.window.settled == ended.item.window.committed == settled


async def test_a_window_that_rolls_is_extended_where_it_was_held(protocol: Protocol) -> None:
    """A hold belongs for ever to the window it was admitted in, and so do its extensions."""
    stream = await stream_of(protocol, limit=10**6, expected=1_000)
    protocol.clock.now_s += 86_400
    other = await protocol.held(10, protocol.ask(limit=10**6))
    hold = await stream.standing.last()
    protocol.clock.now_s -= 86_400
    assert await stream.writes(940)
    assert await stream.settled_change() > 1_100
    item = await protocol.item()
    assert item.previous is not None
    assert item.previous.holds[hold.hold_id] > 1_100
    await protocol.end(other, 5)


async def test_without_a_meter_nothing_is_asked(protocol: Protocol) -> None:
    """Strict and soft holds stand as they are."""
    stream = await stream_of(protocol, limit=10**6, expected=1_000)
    stream.standing.meter = None
    assert await stream.writes(50_000)
    assert await stream.settled_change() == 1_100
    assert stream.standing.look_in_s() is None


async def test_two_streams_share_what_is_left_to_the_nanodollar(protocol: Protocol) -> None:
    """However they race, together they never hold more than the limit."""
    one = await stream_of(protocol, limit=4_000, expected=1_000)
    two = await stream_of(protocol, limit=4_000, expected=1_000)
    running = [one, two]
    while running:
        went_on = await asyncio.gather(*(stream.writes(97) for stream in running))
        assert sum((await held_by(protocol)).values()) <= 4_000
        running = [stream for stream, goes_on in zip(running, went_on, strict=True) if goes_on]
    holds = await held_by(protocol)
    assert sum(holds.values()) == 4_000
    for stream in (one, two):
        hold = await stream.standing.last()
        assert stream.emitted.ascii_bytes <= hold.amount
        held = Held(replace(hold), await protocol.item(), 4_000)
        await protocol.end(held, stream.emitted.ascii_bytes)
    await protocol.assert_books_balance()
