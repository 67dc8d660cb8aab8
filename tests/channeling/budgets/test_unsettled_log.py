"""The log line of a request that could not be settled gives the same request back, and nothing else does."""

import json
import logging
from collections.abc import Callable
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from channeling.budgets.item import BudgetKey
from channeling.budgets.settlement import key_of_record
from channeling.budgets.store import Hold
from channeling.budgets.unsettled_log import (
    NOT_SETTLED,
    LineInvalid,
    Unsettled,
    parse_unsettled,
    unsettled_fields,
)
from channeling.json_logs import JsonFormatter
from channeling.usage.record import Status, UsageRecord
from channeling.usage.token_counts import TokenCounts
from channeling.window_kind import WindowKind

HOLD = Hold(BudgetKey("shop", "zoë#1\n{}", "week"), "tpqe0a0000000a", 1_795_000_000, 9)
STARTED_S = int("tpqe0a", 36)
RECORD = UsageRecord(
    key=key_of_record(HOLD),
    project_id="shop",
    user_id="zoë#1\n{}",
    window_kind="week",
    window_start_s=1_795_000_000,
    started_ms=STARTED_S * 1000 + 999,
    request_id="req_1",
    status="cancelled",
    cost=123_456_789,
    provider="anthropic",
    model_asked='claude-"x"',
    model_used="claude-haiku-4-5-20251001",
    price_source="default",
    counts=TokenCounts(1, 2, 3, 4, 5, 6, 7, 8),
    stop_reason="max_tokens",
    duration_ms=-5,
    first_token_ms=17,
    streamed=True,
    estimated=True,
    clamped=True,
    cut=True,
)


# What says nothing of the request, or the same of every request.
MAY_LACK = {"timestamp", "level", "logger", "message", "limit", "first_token_ms"}
MAY_LACK |= {"uncollected", "kind", "actor", "reason"}


def logged(record: UsageRecord, limit: int | None) -> dict[str, Any]:
    """Return the line, as a collector reads it."""
    line = logging.LogRecord("channeling.requests", logging.ERROR, __file__, 1, NOT_SETTLED, (), None)
    line.fields = unsettled_fields(record, limit)
    read: dict[str, Any] = json.loads(JsonFormatter().format(line))
    return read


@pytest.mark.parametrize("limit", [0, 5_000_000_000, None])
@pytest.mark.parametrize(
    "record", [RECORD, replace(RECORD, first_token_ms=None, cost=0)], ids=["full", "bare"]
)
def test_the_line_gives_the_whole_request_back(record: UsageRecord, limit: int | None) -> None:
    """Every field of the record, and the limit, go through the log unchanged."""
    read = parse_unsettled(logged(record, limit))
    assert read == Unsettled(record, limit)
    assert (read.hold_id, read.budget_key) == (HOLD.hold_id, HOLD.key)


def test_every_word_that_a_request_can_have_is_read() -> None:
    for status in set(get_args(Status)) - {"reclaimed"}:
        assert parse_unsettled(logged(replace(RECORD, status=status), 1)).record.status == status
    for kind in get_args(WindowKind):
        hold = replace(HOLD, key=replace(HOLD.key, kind=kind))
        record = replace(RECORD, window_kind=kind, key=key_of_record(hold))
        assert parse_unsettled(logged(record, 1)).record == record


def test_a_line_without_a_limit_takes_nothing_above_the_hold() -> None:
    line = logged(RECORD, 7)
    del line["limit"]
    assert parse_unsettled(line).limit == 0


def _set(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(line: dict[str, Any]) -> None:
        for name in path[:-1]:
            line = line[name]
        line[path[-1]] = to

    return change


@pytest.mark.parametrize("name", sorted(logged(RECORD, 1)))
def test_a_line_that_lacks_a_field_is_refused_by_its_name(name: str) -> None:
    line = logged(RECORD, 1)
    del line[name]
    if name in MAY_LACK:
        parse_unsettled(line)
        return
    with pytest.raises(LineInvalid, match=name):
        parse_unsettled(line)


@pytest.mark.parametrize("value", [None, True, -1, 1.5, "7", [], {}, 2**80, "\ud800"], ids=repr)
@pytest.mark.parametrize("name", sorted(unsettled_fields(RECORD, 1)))
def test_a_field_of_the_wrong_type_is_refused_or_was_allowed(name: str, value: object) -> None:
    """Whatever is put anywhere, the result is a request with the right types, or a refusal: nothing else."""
    line = logged(RECORD, 1)
    line[name] = value
    try:
        read = parse_unsettled(line)
    except LineInvalid:
        return
    texts = {"request_id", "provider", "model_asked", "model_used", "price_source", "stop_reason"}
    allowed = {(name, "'7'") for name in texts} | {("first_token_ms", "None"), ("limit", "None")}
    allowed |= {("duration_ms", "-1"), ("first_token_ms", "-1"), ("counts", "{}")}
    allowed |= {(name, "True") for name in ("streamed", "estimated", "clamped", "cut")}
    assert (name, repr(value)) in allowed, read


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("cost", to=-1), "cost"),
        (_set("cost", to=10**15 + 1), "a million dollars"),
        (_set("counts", "output_tokens", to=-1), "counts.output_tokens"),
        (_set("counts", "output_tokens", to=True), "counts.output_tokens"),
        (_set("counts", "dreams", to=1), "'dreams'"),
        (_set("project_id", to="a#b"), "project_id"),
        (_set("project_id", to="other"), "not that of its project"),
        (_set("user_id", to="bob"), "not that of its project"),
        (_set("window_kind", to="day"), "not that of its project"),
        (_set("window_kind", to="year"), "window_kind"),
        (_set("user_id", to=""), "user_id"),
        (_set("user_id", to="u" * 257), "user_id"),
        (_set("user_id", to="\ud800"), "user_id is no valid text"),
        (_set("key", "pk", to="other#1#2"), "not that of its project"),
        (_set("key", "sk", to="tpqe0a0000000b#0"), "not that of its project"),
        (_set("key", "sk", to="nothing"), "names no hold"),
        (_set("key", "sk", to=RECORD.key.sk + "#c1"), "not that of its project"),
        (_set("key", to={"pk": RECORD.key.pk, "sk": RECORD.key.sk, "x": 1}), "not that of its project"),
        (_set("started_ms", to=STARTED_S * 1000 + 1000), "started_ms"),
        (_set("status", to="reclaimed"), "status"),
        (_set("kind", to="adjustment"), "kind"),
        (_set("uncollected", to=5), "uncollected"),
        (_set("actor", to="eve"), "actor"),
        (_set("limit", to=-1), "limit"),
        (_set("limit", to="lots"), "limit"),
    ],
)
def test_hostile_lines_are_refused_with_what_is_wrong(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    line = logged(RECORD, 1)
    change(line)
    with pytest.raises(LineInvalid, match=message):
        parse_unsettled(line)


@pytest.mark.parametrize("line", [{}, {"key": None}, {"message": NOT_SETTLED}], ids=str)
def test_what_is_no_request_at_all_is_refused(line: dict[str, Any]) -> None:
    with pytest.raises(LineInvalid):
        parse_unsettled(line)
