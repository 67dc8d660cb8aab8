"""Usage records: keyed by the hold alone, read back as they were put, and put only once."""

import pytest
from msgspec.structs import replace

from channeling.dynamodb import DynamoDB
from channeling.tables import TableNames
from channeling.usage.record import RETENTION_S, UsageRecord, record_item, record_key, usage_record
from channeling.usage.store import UsageStore
from channeling.usage.token_counts import TokenCounts
from tests.stand_ins.clock import SetClock

RECORD = UsageRecord(
    key=record_key("demo", "zoë#1", "day", "tozsg0uv183t4b", 1_795_499_712),
    project_id="demo",
    user_id="zoë#1",
    window_kind="day",
    window_start_s=1_795_478_400,
    started_ms=1_795_499_712_868,
    request_id="req_1",
    status="ok",
    cost=165_000,
    provider="anthropic",
    model_asked="claude-sonnet-4-6",
    model_used="claude-sonnet-4-6",
    price_source="default:2026-11-24",
    counts=TokenCounts(input_tokens=15, output_tokens=8),
    first_token_ms=None,
    streamed=True,
)


def test_a_record_is_read_back_as_it_was() -> None:
    """Every field survives the store's form; the item expires 400 days after its start."""
    item = record_item(RECORD)
    assert usage_record(item) == RECORD
    assert item["expires_at"] == RECORD.started_ms // 1000 + RETENTION_S


@pytest.mark.parametrize(
    ("project", "user", "kind", "hold", "same"),
    [
        ("demo", "zoë#1", "day", "tozsg0uv183t4b", True),
        ("demo", "zoë#2", "day", "tozsg0uv183t4b", False),
        ("demo", "zoë#1", "month", "tozsg0uv183t4b", False),
        ("demo", "zoë#1", "day", "tozsg0uv183t4c", False),
    ],
)
def test_two_holds_never_share_a_bill(project: str, user: str, kind: str, hold: str, same: bool) -> None:
    """The same random id in two users' budgets, or in two of one user's, makes two records."""
    key = record_key(project, user, kind, hold, 1_795_499_712)  # type: ignore[arg-type]
    assert (key == RECORD.key) is same


def test_a_long_user_id_fits_the_sort_key() -> None:
    """DynamoDB's sort keys end at 1,024 bytes, and user ids may be as long."""
    key = record_key("p" * 64, "\U0001f600" * 256, "month", "tozsg0uv183t4b", 0)
    assert len(key.sk.encode()) < 64
    assert len(key.pk.encode()) < 128


async def test_a_second_put_finds_the_first(dynamodb: DynamoDB, tables: TableNames) -> None:
    """The bill that stands is returned, and is not changed."""
    usage = UsageStore(dynamodb, tables.usage, SetClock(1_795_499_800))
    assert await usage.put(RECORD) == RECORD
    assert await usage.put(replace(RECORD, cost=1, status="reclaimed")) == RECORD
    assert await usage.of_user("demo", "zoë#1") == [RECORD]
    assert await usage.of_user("demo", "zoë") == []


@pytest.mark.parametrize("count", [-1, True, 1.0, None])
def test_counts_are_whole_numbers_of_at_least_nothing(count: object) -> None:
    """A negative count would be a credit."""
    with pytest.raises(ValueError, match="input_tokens"):
        TokenCounts(input_tokens=count)  # type: ignore[arg-type]
