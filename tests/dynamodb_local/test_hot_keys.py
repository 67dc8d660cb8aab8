"""No key that all users of a project share is on a request's path, but the usage partition, cut into shards."""

from collections import Counter, defaultdict

import pytest

from channeling.usage.record import SHARDS, record_key
from tests.docs.pages import ROOT
from tests.dynamodb_local.dynamodb_local import DynamoDBLocal
from tests.dynamodb_local.metered_gateway import NOW_S, metered_gateway
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.gateway_server import PROJECT_ID

pytestmark = pytest.mark.java

USERS, REQUESTS_EACH = 40, 3
PAGE = (ROOT / "docs" / "scaling.md").read_text("utf-8")


def test_users_of_a_project_share_the_usage_shards_and_nothing_else(embedded_dynamodb: DynamoDBLocal) -> None:
    """Users take turns: JSON, streams and refusals. A key is a table, and a partition of it or of its index."""
    users_of: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    records: Counter[str] = Counter()
    with AnthropicUpstream() as upstream, metered_gateway(embedded_dynamodb, upstream) as first:
        assert first.post() == 200
        first.store.taken()
        for _ in range(USERS):
            bench = first.of_another_user()
            for turn in range(REQUESTS_EACH):
                assert bench.post(stream=bool(turn % 2)) == 200
            assert bench.post(limit_microusd=1) == 429
            for call in bench.store.taken():
                users_of[call.table, call.partition].add(bench.user)
                if call.index_partition is not None:
                    users_of["by_user", call.index_partition].add(bench.user)
                    records[call.partition] += 1
    shared = {key for key, users in users_of.items() if len(users) > 1}
    shards = {("usage", f"{PROJECT_ID}#{NOW_S // 3600}#{shard}") for shard in range(SHARDS)}
    assert shared == shards
    assert {table for table, _ in users_of} == {"budgets", "usage", "by_user"}
    assert records.total() == USERS * REQUESTS_EACH
    # A user has one shard, by a digest: 15 records each on average.
    assert max(records.values()) < 3 * USERS * REQUESTS_EACH / SHARDS


def test_shards_are_used_alike() -> None:
    spread = Counter(
        record_key(PROJECT_ID, f"user-{number}", "day", "tp064c00000001", NOW_S).pk for number in range(8_000)
    )
    assert len(spread) == SHARDS
    assert all(900 < records < 1_100 for records in spread.values())


def test_the_page_counts_with_the_shards_that_there_are() -> None:
    assert f"{SHARDS} shards" in PAGE
    assert f"{SHARDS * 1_000:,} records a second" in PAGE
