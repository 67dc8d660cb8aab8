"""What the gateway logs when the store is away is enough to bill the request as if it had never been away."""

import asyncio
import io
import logging

import httpx
import pytest

from channeling.budgets.item import BudgetKey
from channeling.budgets.recovery import recover
from channeling.budgets.settlement import reclaim_hold
from channeling.budgets.store import BudgetStore, Hold
from channeling.budgets.unsettled_log import NOT_SETTLED, Unsettled, parse_unsettled
from channeling.clock import SystemClock
from channeling.json_logs import JsonFormatter, ReadableFormatter
from channeling.usage.store import UsageStore
from channeling_cli.log_lines import Found, find_log_lines
from tests.channeling.gateway.test_budgets import auth, message
from tests.stand_ins.anthropic_script import Script
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import PROJECT_ID, GatewayServer


def read_back(records: list[logging.LogRecord], formatter: logging.Formatter) -> list[Unsettled]:
    """Return the requests of a log as `channeling usage recover` finds them in it."""
    text = "".join(formatter.format(record) + "\n" for record in records)
    found = list(find_log_lines(io.BytesIO(text.encode()), NOT_SETTLED))
    assert all(isinstance(line, Found) for line in found), found
    return [parse_unsettled(line.fields) for line in found if isinstance(line, Found)]


def stream_while_the_store_goes(gateway: GatewayServer, upstream: AnthropicUpstream) -> None:
    """Stream an answer to its end, with the store away from its first byte on."""
    upstream.script = Script(gated=True)
    url = f"{gateway.base_url}/v1/messages"
    with httpx.stream(
        "POST", url, json=message(stream=True), headers=auth(gateway.token()), timeout=30
    ) as response:
        chunks = response.iter_bytes()
        next(chunks)
        gateway.dynamodb.is_down = True
        upstream.release()
        assert b"message_stop" in b"".join(chunks)
    gateway.dynamodb.is_down = False


@pytest.mark.parametrize("reclaimed", [False, True], ids=["in time", "after it was reclaimed"])
def test_a_request_is_billed_from_the_log_as_it_would_have_been(
    gateway: GatewayServer,
    upstream: AnthropicUpstream,
    caplog: pytest.LogCaptureFixture,
    reclaimed: bool,
) -> None:
    """The line is the same on Lambda and at a terminal; the user pays what the same request costs on a good day."""
    upstream.script = Script()
    url = f"{gateway.base_url}/v1/messages"
    assert httpx.post(url, json=message(stream=True), headers=auth(gateway.token()), timeout=30).is_success
    cost = gateway.assert_settled()
    assert cost > 0
    stream_while_the_store_goes(gateway, upstream)
    (line,) = read_back(caplog.records, JsonFormatter())
    assert [line] == read_back(caplog.records, ReadableFormatter())
    assert line.limit == 5_000_000_000
    budgets = BudgetStore(gateway.dynamodb, gateway.tables.budgets)
    usage = UsageStore(gateway.dynamodb, gateway.tables.usage, SystemClock())
    if reclaimed:
        window = gateway.budget().window
        assert window is not None
        ((hold_id, held),) = window.holds.items()
        key = BudgetKey(PROJECT_ID, gateway.user, "day")
        asyncio.run(reclaim_hold(budgets, usage, Hold(key, hold_id, window.start_s, held)))
        assert gateway.assert_settled() == cost + held
    for _ in range(2):
        asyncio.run(recover(budgets, usage, line, "ann", dry_run=False))
        assert gateway.assert_settled() == 2 * cost
    counts = [record.counts for record in gateway.records() if record.status == "ok"]
    assert counts == [line.record.counts] * 2


def test_a_hold_that_could_neither_be_confirmed_nor_released_is_given_back(
    gateway: GatewayServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The hold landed, its answer and the release were lost: refused, and from the log it costs nothing."""
    gateway.dynamodb.goes_after_update = True
    refused = httpx.post(
        f"{gateway.base_url}/v1/messages", json=message(), headers=auth(gateway.token()), timeout=30
    )
    gateway.dynamodb.is_down = False
    assert refused.status_code == 529
    window = gateway.budget().window
    assert window is not None
    assert len(window.holds) == 1
    (line,) = read_back(caplog.records, JsonFormatter())
    budgets = BudgetStore(gateway.dynamodb, gateway.tables.budgets)
    usage = UsageStore(gateway.dynamodb, gateway.tables.usage, SystemClock())
    asyncio.run(recover(budgets, usage, line, "ann", dry_run=False))
    assert gateway.assert_settled() == 0
    assert [record.status for record in gateway.records()] == ["refused"]
