"""The tables of the budgets page are true: each is played on a budget of $5, row by row."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from channeling.admit import refusal_of
from channeling.budget_answer import BudgetState, budget_headers, held_by_others, spent, too_many_concurrent
from channeling.budgets.admission import Held, NotHeld
from channeling.budgets.item import WindowState
from channeling.budgets.quote import COUNT_MARGIN_PERCENT, COUNT_MARGIN_TOKENS, Quote
from channeling.errors import BudgetExceeded, BudgetHeld
from channeling.money import NANOUSD_PER_USD, dollars
from channeling.pipeline import CLAMPED_HEADER
from tests.channeling.budgets.conftest import HOLD_LIFETIME_S, Protocol, protocol
from tests.docs.pages import ROOT

__all__ = ["protocol"]

PAGE = Path(ROOT / "docs" / "budgets.md").read_text("utf-8")
LIMIT = 5 * NANOUSD_PER_USD
REQUEST = re.compile(r"\*\*(?P<name>\w)\*\* (?P<verb>asks|ends), and (can cost|cost) \$(?P<usd>[\d.]+)")


def tables() -> list[list[list[str]]]:
    """The page's tables of what happens: rows of cells, without their headings."""
    found = re.findall(r"^\| what happens \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.M)
    return [
        [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
        for table in found
    ]


@pytest.mark.parametrize("rows", tables(), ids=["a day", "a window ends", "above the hold", "a crash"])
async def test_a_table_is_what_happens(protocol: Protocol, rows: list[list[str]]) -> None:
    running: dict[str, Held] = {}
    for what, answer, *figures in rows:
        assert await happens(protocol, running, what) == answer, what
        assert await figures_of(protocol) == figures, what
    await protocol.assert_books_balance()


async def happens(protocol: Protocol, running: dict[str, Held], what: str) -> str:
    """Do what a row says, and return its answer."""
    request = REQUEST.fullmatch(what)
    if request is None:
        seconds = {"the window ends": 86_400, "17 minutes pass": 17 * 60}[what]
        assert seconds > HOLD_LIFETIME_S
        protocol.clock.now_s += seconds
        return ""
    amount = int(Decimal(request["usd"]) * NANOUSD_PER_USD)
    if request["verb"] == "ends":
        ended = await protocol.end(running.pop(request["name"]), amount)
        uncollected = ended.record.uncollected
        return f"uncollected: {dollars(uncollected)}" if uncollected else ""
    ask = replace(protocol.ask(limit=LIMIT), max_concurrent=100)
    outcome = await protocol.hold(amount, ask)
    if isinstance(outcome, Held):
        running[request["name"]] = outcome
        return "admitted"
    return refused(protocol, outcome, ask_amount=amount)


def refused(protocol: Protocol, outcome: NotHeld, *, ask_amount: int) -> str:
    # One nanodollar a token, all of them needed.
    quote = Quote(0, 0, output_rate=1_000_000, max_tokens=ask_amount, least_tokens=ask_amount)
    refusal = refusal_of(outcome, protocol.ask(limit=LIMIT), quote, int(protocol.clock.now_s))
    assert isinstance(refusal, BudgetExceeded | BudgetHeld), refusal
    return "429, spent" if isinstance(refusal, BudgetExceeded) else "429, held by others"


async def figures_of(protocol: Protocol) -> list[str]:
    """Settled, held and remaining as GET /v1/budget shows them: an ended window's are those of the next."""
    window = (await protocol.item()).window
    assert window is not None
    if window.end_s <= protocol.clock.now_s:
        return ["0", "0", dollars(LIMIT)]
    return [dollars(window.settled), dollars(window.held), dollars(LIMIT - window.committed)]


def test_the_headers_are_those_that_are_sent() -> None:
    """Every header in the table is sent with what the table says, and none is left out."""
    window = WindowState(0, 86_400, 96, 96, {"a": 0})
    state = BudgetState("day", 100, window)
    sent = {
        "answers": dict(budget_headers(state)),
        "spent": spent(state, request_amount=5, now_s=0).headers,
        "held": held_by_others(state, request_amount=3).headers,
    }
    listed = dict(re.findall(r"^\| `((?:x-|anthropic-)[\w-]+)` \| ([^|]*) \|", PAGE, re.M))
    of_budget = {
        name for headers in sent.values() for name in headers if name.startswith(("x-ch", "anthropic"))
    }
    assert set(listed) == of_budget | {CLAMPED_HEADER}
    for name, on in listed.items():
        if name != CLAMPED_HEADER:
            assert (name in sent["answers"]) == on.startswith("answers"), name
            assert (name in sent["spent"]) == ("spent" in on or "both" in on), name
            assert (name in sent["held"]) == ("both" in on), name


def test_the_refusals_are_those_that_are_sent() -> None:
    state = BudgetState("day", 100, WindowState(0, 86_400, 96, 90, {"a": 6}))
    refusals = [
        spent(state, request_amount=20, now_s=0),
        held_by_others(state, request_amount=8),
        too_many_concurrent(100),
    ]
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:5]]
        for line in PAGE.splitlines()
        if len(cells := line.split("|")) == 6
    }
    for refusal, message, code, retry_after, retried in zip(
        refusals,
        rows["message"],
        rows["`details.error_code`"],
        rows["`retry-after`"],
        rows["do clients retry"],
        strict=True,
    ):
        error = refusal.body("req_1")["error"]
        assert (refusal.status, error["type"]) == (429, "rate_limit_error")
        assert error["message"].startswith(message.strip("`").removesuffix("…"))
        assert error["details"]["error_code"] == code.strip("`")
        expected = "86400" if retry_after.startswith("seconds") else retry_after
        assert dict(refusal.headers)["retry-after"] == expected
        assert (refusal.headers.get("x-should-retry") == "false") == retried.startswith("no")
    named = set(re.findall(r"`(\w+_usd|resets_at)`", PAGE))
    assert named == set(refusals[0].body("req_1")["error"]["details"]) - {"error_code"}


def test_figures_in_the_text_are_those_of_the_code() -> None:
    assert f"{COUNT_MARGIN_PERCENT} % + {COUNT_MARGIN_TOKENS:,} tokens" in PAGE
    assert f"{HOLD_LIFETIME_S // 60} minutes by default" in PAGE
