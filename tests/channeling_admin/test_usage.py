"""Usage over HTTP: sums, records page by page, exports; the figures are those of the records."""

import csv
import io
import json
from typing import Any

import httpx
import pytest

from channeling.operations.records import all_records
from channeling.reconcile.hourly_rollups import hourly_rollups
from channeling.reconcile.period_totals import period_totals
from channeling.usage.token_counts import TokenCounts
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.channeling_admin.conftest import NOW_S, AdminUnderTest

SHOP = "/api/projects/shop"
DAY = {"from": "2026-11-24T00:00:00Z", "until": "2026-11-25T00:00:00Z"}
HOSTILE = [
    "<script>alert(1)</script>",
    "\U0001f4a5" * 64,
    "x" * 256,
    "ana#other/../..%2e",
    "=HYPERLINK(1)",
    "a\u202eb",
    "' OR 1=1 --",
]


async def test_sums_are_those_of_the_records(api: httpx.AsyncClient, under_test: AdminUnderTest) -> None:
    await under_test.record(cost=2_000_000)
    await under_test.record(
        user_id="bo", cost=5_000_000, model_used="gpt-5", provider="openai", estimated=True
    )
    await under_test.record(user_id="bo", cost=0, status="refused", uncollected=7, started_s=NOW_S - 7_200)
    await under_test.record(
        user_id="bo",
        cost=-1_000_000,
        kind="adjustment",
        provider="",
        model_asked="",
        model_used="",
        counts=TokenCounts(),
    )
    await under_test.record(started_s=NOW_S - 86_400)
    usage = (await api.get(f"{SHOP}/usage", params={**DAY, "bucket": "hour"})).json()
    totals = usage["totals"]
    assert (totals["cost_usd"], totals["adjusted_usd"], totals["uncollected_usd"]) == (
        "0.007",
        "-0.001",
        "0.000000007",
    )
    assert (totals["requests"], totals["refused"], totals["estimated"]) == (3, 1, 1)
    assert (totals["input_tokens"], totals["output_tokens"]) == (30, 15)
    assert [(each["user_id"], each["cost_usd"]) for each in usage["by_user"]] == [
        ("bo", "0.005"),
        ("ana", "0.002"),
    ]
    assert usage["by_model"][0]["model"] == "openai/gpt-5"
    assert usage["by_provider"][0]["provider"] == "openai"
    assert [each["start"] for each in usage["series"]] == ["2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z"]
    of_bo = (await api.get(f"{SHOP}/usage", params={**DAY, "user": "bo", "provider": "openai"})).json()
    assert (of_bo["totals"]["cost_usd"], of_bo["totals"]["requests"]) == ("0.005", 1)
    month = (await api.get(f"{SHOP}/usage")).json()
    assert month["totals"]["requests"] == 4


async def test_rollups_change_nothing_in_the_sums(api: httpx.AsyncClient, under_test: AdminUnderTest) -> None:
    for hours in (3, 5, 5, 7):
        await under_test.record(started_s=NOW_S - hours * 3_600, user_id=f"user-{hours}")
    live = (await api.get(f"{SHOP}/usage", params=DAY)).json()
    under_test.clock.now_s = NOW_S + 3 * 3_600
    stores = under_test.stores
    made = await hourly_rollups(stores.dynamodb, stores.tables, stores.clock).run(10**15, ["shop"])
    assert made.written >= 3
    async with under_test.client(under_test.token()) as later:
        assert (await later.get(f"{SHOP}/usage", params=DAY)).json() == live


async def test_pages_of_records_hold_each_once_the_newest_first(
    api: httpx.AsyncClient, under_test: AdminUnderTest
) -> None:
    put = [
        await under_test.record(user_id=f"user-{number % 3}", started_s=NOW_S - 1 - number * 1_500)
        for number in range(12)
    ]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {**DAY, "limit": "5"} | ({"cursor": cursor} if cursor else {})
        page = (await api.get(f"{SHOP}/records", params=params)).json()
        assert len(page["records"]) <= 5
        seen += [record["request_id"] for record in page["records"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [record.request_id for record in put]
    of_one = (await api.get(f"{SHOP}/records", params={**DAY, "user": "user-1"})).json()["records"]
    assert [record["request_id"] for record in of_one] == [
        record.request_id for record in put if record.user_id == "user-1"
    ]
    assert (await api.get(f"{SHOP}/records", params={**DAY, "status": "failed"})).json()["records"] == []
    assert (
        len(
            (await api.get(f"{SHOP}/records", params={**DAY, "model": "claude-sonnet-4-5"})).json()["records"]
        )
        == 12
    )


async def test_records_of_one_hour_in_one_shard_are_paged_too(
    api: httpx.AsyncClient, under_test: AdminUnderTest
) -> None:
    put = [await under_test.record(started_s=NOW_S - 60 - number) for number in range(7)]
    first = (await api.get(f"{SHOP}/records", params={**DAY, "limit": 3})).json()
    second = (
        await api.get(f"{SHOP}/records", params={**DAY, "limit": 3, "cursor": first["next_cursor"]})
    ).json()
    third = (
        await api.get(f"{SHOP}/records", params={**DAY, "limit": 3, "cursor": second["next_cursor"]})
    ).json()
    seen = [record["request_id"] for page in (first, second, third) for record in page["records"]]
    assert seen == [record.request_id for record in put]


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "WzEsICJhIl0"},
        {"cursor": "\U0001f4a5"},
        {"from": "yesterday"},
        {"from": "2026-11-25T00:00:00Z", "until": "2026-11-24T00:00:00Z"},
        {"from": "2020-01-01T00:00:00Z"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"limit": "0"},
        {"limit": "501"},
        {"status": "fine"},
        {"user": ""},
        {"user": "x" * 257},
    ],
)
async def test_a_malformed_question_is_a_400(api: httpx.AsyncClient, query: dict[str, str]) -> None:
    refused = await api.get(f"{SHOP}/records", params=query)
    assert refused.status_code == 400, refused.text


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_come_back_as_they_are_and_run_nowhere(
    api: httpx.AsyncClient, under_test: AdminUnderTest, name: str
) -> None:
    await under_test.record(user_id=name, model_used=name, model_asked=name)
    for path, params in (
        ("usage", {}),
        ("records", {}),
        ("records", {"user": name}),
        ("users", {}),
        ("user", {"user": name}),
    ):
        answer = await api.get(f"{SHOP}/{path}", params={**DAY, **params})
        assert answer.status_code == 200, (path, answer.text)
        assert answer.headers["content-type"] == "application/json"
        assert json.dumps(name, ensure_ascii=False) in answer.text
    exported = await api.get(f"{SHOP}/export", params=DAY)
    [row] = list(csv.DictReader(io.StringIO(exported.text)))
    assert row["user_id"] == ("'" + name if name.startswith("=") else name)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_an_export_has_every_record_of_the_time_and_no_other(
    api: httpx.AsyncClient, under_test: AdminUnderTest, form: str
) -> None:
    put = {
        (await under_test.record(started_s=NOW_S - 1_800 * number, user_id=f"u{number}")).request_id
        for number in range(1, 9)
    }
    await under_test.record(started_s=NOW_S - 86_400)
    await under_test.record(user_id="bo", kind="adjustment", cost=-5)
    params = {**DAY, "format": form, "kind": "request"}
    exported = await api.get(f"{SHOP}/export", params=params)
    assert exported.headers["content-disposition"] == f'attachment; filename="usage-shop.{form}"'
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(exported.text)))
    else:
        rows = [json.loads(line) for line in exported.text.splitlines()]
    assert {row["request_id"] for row in rows} == put
    assert {row["cost_usd"] for row in rows} == {"0.001"}
    nothing = await api.get(f"{SHOP}/export", params={**params, "user": "nobody"})
    assert nothing.status_code == 200
    assert len(nothing.text.splitlines()) == (1 if form == "csv" else 0)


async def test_an_export_reads_a_page_at_a_time(
    under_test: AdminUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in memory at once is a page of one partition, however many records there are."""
    for number in range(30):
        await under_test.record(started_s=NOW_S - 60 - number)
    sizes: list[int] = []
    pages = under_test.stores.usage.pages

    async def small_pages(partition: object) -> object:
        async for items in pages(partition, page_items=5):  # type: ignore[arg-type]
            sizes.append(len(items))
            yield items

    monkeypatch.setattr(
        type(under_test.stores.usage), "pages", lambda self, partition: small_pages(partition)
    )
    records = all_records(under_test.stores, "shop", NOW_S - 3_600, NOW_S)
    await anext(records)
    assert sum(sizes) <= 5, "the first record comes before the second page is read"
    assert len([record async for record in records]) == 29


async def test_the_newest_request_of_a_project_long_idle_is_found_at_once(
    api: httpx.AsyncClient, under_test: AdminUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = under_test.stores
    newest = await under_test.record(started_s=NOW_S - 25 * 86_400)
    older = await under_test.record(started_s=NOW_S - 29 * 86_400 - 7_200)
    await hourly_rollups(stores.dynamodb, stores.tables, stores.clock).run(10**15, ["shop"])
    await period_totals(stores.dynamodb, stores.tables, stores.clock).run(10**15)
    queries: list[str] = []
    query = MemoryDynamoDB.query

    async def counted(self: MemoryDynamoDB, table: str, partition: tuple[str, str], **options: Any) -> Any:
        queries.append(partition[1])
        return await query(self, table, partition, **options)

    monkeypatch.setattr(MemoryDynamoDB, "query", counted)
    page = (await api.get(f"{SHOP}/records")).json()
    assert [record["request_id"] for record in page["records"]] == [newest.request_id, older.request_id]
    # Two days are walked through hour by hour, of the thirty; and the open hours are looked at once.
    assert len(queries) < 8 * (24 + 24 + 12)
