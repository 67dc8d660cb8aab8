"""A rollup is the sum of the records it was made of, survives the store's form, and stays small."""

from typing import Any

import pytest
from msgspec.structs import replace

from channeling.dynamodb import Item, to_attributes
from channeling.usage.record import RETENTION_S, RecordPartition, UsageRecord, record_item, record_key
from channeling.usage.rollup import RecordInvalid, RollupTally, rollup_from_item, rollup_item
from channeling.usage.token_counts import TokenCounts
from simulation.rollup_invariant import rollup_violations
from tests.dynamodb_local.metered_dynamodb import item_bytes

KEY = record_key("demo", "ana", "day", "tozsg0uv183t4b", 1_795_499_712)
RECORD = UsageRecord(
    key=KEY,
    project_id="demo",
    user_id="ana",
    window_kind="day",
    window_start_s=1_795_478_400,
    started_ms=1_795_499_712_868,
    request_id="req_1",
    status="ok",
    cost=165_000,
    provider="anthropic",
    model_asked="sonnet",
    model_used="claude-sonnet-4-6",
    counts=TokenCounts(1, 2, 3, 4, 5, 6, 7, 8),
)


def tally_of(*records: UsageRecord) -> RollupTally:
    tally = RollupTally(KEY.partition)
    for record in records:
        tally.add(record)
    return tally


def test_a_key_tells_its_partition() -> None:
    assert KEY.partition.pk == KEY.pk
    assert KEY.partition == RecordPartition("demo", 1_795_499_712 // 3_600, KEY.partition.shard)


def test_records_of_one_model_are_one_rollup_and_others_are_others() -> None:
    records = [
        RECORD,
        replace(RECORD, cost=1, uncollected=2, estimated=True, clamped=True, cut=True, status="cancelled"),
        replace(RECORD, window_kind="hour", window_start_s=1_795_498_000),
        replace(RECORD, model_used="other"),
        replace(RECORD, model_used=""),
        replace(RECORD, provider="openrouter"),
        replace(RECORD, user_id="ben"),
        replace(RECORD, kind="adjustment", cost=-5, provider="", model_asked="", model_used=""),
    ]
    rollups = tally_of(*records).rollups()
    assert [(rollup.user_id, rollup.provider, rollup.model, rollup.records) for rollup in rollups] == [
        ("ana", "", "", 1),
        ("ana", "anthropic", "claude-sonnet-4-6", 3),
        ("ana", "anthropic", "other", 1),
        ("ana", "anthropic", "sonnet", 1),
        ("ana", "openrouter", "claude-sonnet-4-6", 1),
        ("ben", "anthropic", "claude-sonnet-4-6", 1),
    ]
    most = rollups[1]
    assert most.counts == TokenCounts(3, 6, 9, 12, 15, 18, 21, 24)
    assert (most.cost, most.uncollected, most.estimated, most.clamped, most.cut) == (330_001, 2, 1, 1, 1)
    assert most.requests_by_status == {"ok": 2, "cancelled": 1}
    assert most.cost_by_window == {"day#1795478400": 165_001, "hour#1795498000": 165_000}
    assert rollups[0].records_by_kind == {"adjustment": 1}
    assert rollups[0].requests_by_status == {}
    assert rollup_violations(records, rollups, {}) == []


def test_the_order_of_records_changes_nothing() -> None:
    """Else two runs that saw the same records would write over each other for ever."""
    records = [
        RECORD,
        replace(RECORD, status="failed", window_kind="hour"),
        replace(RECORD, kind="correction"),
    ]
    forth, back = tally_of(*records), tally_of(*reversed(records))
    assert list(map(rollup_item, forth.rollups())) == list(map(rollup_item, back.rollups()))


def test_a_rollup_is_read_back_as_it_was() -> None:
    [rollup] = tally_of(RECORD, replace(RECORD, kind="raise")).rollups()
    item = rollup_item(rollup)
    assert rollup_from_item(item) == rollup
    assert "user_key" not in item, "the index by user would take it for a record"


def test_a_rollup_does_not_expire_before_its_records() -> None:
    last_s = (KEY.partition.hour + 1) * 3_600 - 1
    last = replace(RECORD, started_ms=last_s * 1000 + 999)
    [rollup] = tally_of(last).rollups()
    expires_at = rollup_item(rollup)["expires_at"]
    record_expires_at = record_item(last)["expires_at"]
    assert isinstance(expires_at, int)
    assert isinstance(record_expires_at, int)
    assert record_expires_at < expires_at <= last_s + 1 + RETENTION_S


def test_a_rollup_of_everything_at_once_is_under_2_kb() -> None:
    """All statuses, kinds and kinds of windows, sums of a million dollars; the longest of ids aside."""
    records = [
        replace(
            RECORD, status=status, kind=kind, window_kind=window_kind, window_start_s=start_s, cost=10**15
        )
        for status in ("ok", "refused", "failed", "cancelled", "reclaimed")
        for kind in ("request", "adjustment", "raise", "revocation", "correction")
        for window_kind in ("hour", "day", "week", "month")
        for start_s in (1_795_478_400, 1_795_482_000)
    ]
    [rollup] = tally_of(*records).rollups()
    assert item_bytes(to_attributes(rollup_item(rollup))) < 1_024
    longest = replace(RECORD, user_id="\U0001f600" * 256)
    [small] = tally_of(longest).rollups()
    assert item_bytes(to_attributes(rollup_item(small))) < 2 * 1_024
    assert len(str(rollup_item(small)["sk"])) < 64


@pytest.mark.parametrize(
    "broken",
    [
        {"cost": 1.5},
        {"cost": True},
        {"uncollected": None},
        {"window_start_s": "0"},
        {"user_id": None},
        {"provider": 3},
        {"cut": 1},
        {"status": "fine"},
        {"kind": "gift"},
        {"project_id": "another"},
        {"key": record_key("demo", "ana", "day", "tozsg0uv183t4b", 1_795_499_712 + 3_600)},
    ],
    ids=repr,
)
def test_what_cannot_be_added_up_changes_nothing(broken: dict[str, Any]) -> None:
    tally = tally_of(RECORD)
    before: list[Item] = list(map(rollup_item, tally.rollups()))
    with pytest.raises(RecordInvalid):
        tally.add(replace(RECORD, **broken))
    assert list(map(rollup_item, tally.rollups())) == before
