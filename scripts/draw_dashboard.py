"""Draw the pictures of the dashboard in docs/img: the real page in Chromium, over a store that is made up.

    .venv/bin/python scripts/draw_dashboard.py

A shop with nine users and three providers in its fifth week; the same each time but for the day that it is drawn.
"""

import asyncio
import itertools
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from msgspec.structs import replace
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from channeling.auth.admin_token import mint_admin_token  # noqa: E402 - the repository is put on the path first
from channeling.budgets.hold_id import new_hold_id  # noqa: E402
from channeling.clock import SystemClock  # noqa: E402
from channeling.operations import prices, provider_keys  # noqa: E402
from channeling.operations.operator import Operator  # noqa: E402
from channeling.operations.projects import create_project  # noqa: E402
from channeling.operations.stores import Stores, open_stores  # noqa: E402
from channeling.pricing.custom_price import parse_custom_price  # noqa: E402
from channeling.projects.key_file_cipher import KeyFileCipher  # noqa: E402
from channeling.projects.project import ProjectRules  # noqa: E402
from channeling.projects.project_items import PROJECT_SORT_KEY  # noqa: E402
from channeling.provider import Provider  # noqa: E402
from channeling.settings import DEFAULT_BASE_URLS  # noqa: E402
from channeling.tables import TableNames  # noqa: E402
from channeling.upstream import HttpUpstream  # noqa: E402
from channeling.usage.record import UsageRecord, record_key  # noqa: E402
from channeling.usage.token_counts import TokenCounts  # noqa: E402
from channeling_admin.admin import Admin  # noqa: E402
from channeling_admin.admin_secret import FixedSecret  # noqa: E402
from channeling_admin.app import create_admin_app  # noqa: E402
from channeling_admin.sign_in_rate import SignInRate  # noqa: E402
from simulation.memory_dynamodb import MemoryDynamoDB  # noqa: E402
from tests.fetched_tools import chromium  # noqa: E402

PICTURES = ROOT / "docs" / "img"
SECRET = "a-secret-for-pictures-" * 2
DRAWER = Operator("drawing", "cli")
DAY_S, HOUR_S = 86_400, 3_600
DAYS = 62
# (user, share of the use, share of today's limit that is used)
USERS = (
    ("ana@shop.example", 30, 0.71),
    ("ben@shop.example", 22, 0.93),
    ("ci-reviews", 18, 0.34),
    ("chloe@shop.example", 12, 0.52),
    ("support-bot", 9, 0.18),
    ("dmitri@shop.example", 6, 0.41),
    ("emre@shop.example", 3, 0.11),
)
# (provider, model, share, nanodollars a request on average)
MODELS: tuple[tuple[Provider, str, int, int], ...] = (
    ("anthropic", "claude-sonnet-4-5-20250929", 48, 62_000_000),
    ("anthropic", "claude-opus-4-5-20251101", 12, 148_000_000),
    ("openai", "gpt-5.1-codex", 18, 55_000_000),
    ("anthropic", "claude-haiku-4-5-20251001", 15, 9_000_000),
    ("openrouter", "moonshotai/kimi-k2", 7, 12_000_000),
)


@dataclass(frozen=True)
class Drawn:
    """One picture: its name, the address of the view, and how it is looked at."""

    name: str
    query: str
    width: int = 1280
    height: int = 860
    theme: str = "light"


PICTURES_TO_DRAW = (
    Drawn("dashboard-overview", "project=shop&days=30", height=940),
    Drawn("dashboard-dark", "project=shop", theme="dark"),
    Drawn("dashboard-user", "project=shop&view=user&user=ana%40shop.example&days=30", height=940),
    Drawn("dashboard-settings", "project=shop&view=settings&section=prices", height=620),
    Drawn("dashboard-empty", "project=new-team", height=760),
    Drawn("dashboard-narrow", "project=shop&days=30", width=390, height=844),
)


def main() -> None:
    """Draw all pictures."""
    now_s = int(time.time())
    stores = open_stores(
        MemoryDynamoDB(),
        TableNames.with_prefix("drawn"),
        KeyFileCipher(b"k" * 32),
        SystemClock(),
        _Randomness(),
    )
    asyncio.run(_fill(stores, now_s))
    token = mint_admin_token(name="olga@shop.example", secret=SECRET, now_s=now_s)
    with _served(stores) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for drawn in PICTURES_TO_DRAW:
            _draw(browser, address, token, drawn)
        browser.close()


def _draw(browser: Browser, address: str, token: str, drawn: Drawn) -> None:
    context = browser.new_context(
        viewport={"width": drawn.width, "height": drawn.height},
        color_scheme="dark" if drawn.theme == "dark" else "light",
        device_scale_factor=1.5,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{address}?{drawn.query}#token={token}")
    page.get_by_role("heading", level=1).wait_for(timeout=120_000)
    mint = page.get_by_role("button", name="Mint a token")
    if mint.count():
        mint.click()
        page.get_by_label("A first request").wait_for()
    # Whatever the view still asks, such as what was spent in the month before.
    page.wait_for_load_state("networkidle")
    path = PICTURES / f"{drawn.name}.png"
    page.screenshot(path=path)
    context.close()
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")


@contextmanager
def _served(stores: Stores) -> Iterator[str]:
    admin = Admin(
        stores=stores,
        upstream=HttpUpstream(),
        base_urls=DEFAULT_BASE_URLS,
        secret=FixedSecret(SECRET),
        sign_in_rate=SignInRate(stores.clock),
        clock=stores.clock,
        randomness=stores.randomness,
        messages_url="https://ai.shop.example",
    )
    server = uvicorn.Server(uvicorn.Config(create_admin_app(admin), port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)  # uvicorn tells nobody when it is ready
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)


async def _fill(stores: Stores, now_s: int) -> None:
    chance = random.Random(4)  # noqa: S311 - seeded pseudo-randomness is the point
    for project_id, name in (("shop", "Web shop"), ("new-team", "New team")):
        await create_project(stores, DRAWER, ProjectRules(name), project_id=project_id)
    made = await stores.dynamodb.get(stores.tables.projects, {"pk": "shop", "sk": PROJECT_SORT_KEY})
    if made is not None:
        await stores.dynamodb.put(
            stores.tables.projects, made | {"created_at_ms": (now_s - DAYS * DAY_S) * 1_000}
        )
    for provider, *_ in MODELS:
        await provider_keys.set_key(stores, DRAWER, "shop", provider, "sk-of-the-picture")
    await provider_keys.set_key(stores, DRAWER, "new-team", "anthropic", "sk-of-the-picture")
    for price in (
        {
            "model": "claude-sonnet-4-5*",
            "provider": "anthropic",
            "input": "2.7",
            "output": "13.5",
            "cache_read": "0.27",
        },
        {"model": "moonshotai/*", "provider": "openrouter", "input": "0.5", "output": "2"},
    ):
        await prices.set_price(stores, DRAWER, "shop", parse_custom_price(price))
    await prices.set_price(
        stores, DRAWER, None, parse_custom_price({"model": "gpt-5.1-codex", "input": "1.1", "output": "9"})
    )
    numbers = itertools.count(1)
    for day in range(DAYS):
        start_s = (now_s // DAY_S - day) * DAY_S
        busy = 1.0 if time.gmtime(start_s).tm_wday < 5 else 0.25
        for _ in range(int((70 - day * 0.55) * busy * chance.uniform(0.8, 1.15))):
            started_s = start_s + int(min(max(chance.gauss(13.5, 3), 0), 23.9) * HOUR_S)
            if started_s < now_s - 5:
                await stores.usage.put(_record(chance, next(numbers), started_s))
    for back_s in (9, 31, 64, 127, 190, 380, 610, 840):
        await stores.usage.put(_record(chance, next(numbers), now_s - back_s))
    for user, _, used in USERS:
        await _put_budget(stores, user, used, now_s)


def _record(chance: random.Random, number: int, started_s: int) -> UsageRecord:
    [(user, *_)] = chance.choices(USERS, [share for _, share, _ in USERS])
    [(provider, model, _, mean)] = chance.choices(MODELS, [share for _, _, share, _ in MODELS])
    size = chance.lognormvariate(0, 0.7)
    hold_id = new_hold_id(started_s, number.to_bytes)
    record = UsageRecord(
        key=record_key("shop", user, "day", hold_id, started_s),
        project_id="shop",
        user_id=user,
        window_kind="day",
        window_start_s=started_s // DAY_S * DAY_S,
        started_ms=started_s * 1_000 + number % 1_000,
        request_id=f"req_011CSHoEeqs5C35K{number:08d}",
        status="ok",
        cost=int(mean * size) // 1_000 * 1_000,
        provider=provider,
        model_asked=model,
        model_used=model,
        price_source="custom" if model.startswith("claude-sonnet") else "genai-prices",
        counts=TokenCounts(
            input_tokens=int(900 * size),
            cache_read_tokens=int(41_000 * size),
            cache_write_5m_tokens=int(2_100 * size),
            output_tokens=int(850 * size),
            thinking_tokens=int(300 * size) if "haiku" not in model else 0,
        ),
        stop_reason="end_turn",
        duration_ms=int(3_000 + 9_000 * size),
        first_token_ms=int(420 + 500 * chance.random()),
        streamed=True,
    )
    fate = chance.random()
    if fate < 0.015:
        return replace(record, status="failed", cost=0, counts=TokenCounts(), first_token_ms=None)
    return replace(record, status="cancelled") if fate < 0.03 else record


async def _put_budget(stores: Stores, user: str, used: float, now_s: int) -> None:
    records = await stores.usage.of_user("shop", user)
    settled = sum(record.cost for record in records if record.started_ms // 1_000 >= now_s // DAY_S * DAY_S)
    limit = max(1, round(settled / used / 1e9)) * 1_000_000_000
    holds = {new_hold_id(now_s, stores.randomness): limit // 40} if used > 0.3 else {}
    start_s = now_s // DAY_S * DAY_S
    await stores.dynamodb.put(
        stores.tables.budgets,
        {
            "pk": f"shop#{user}",
            "sk": "day",
            "origin": start_s,
            "window_start": start_s,
            "window_end": start_s + DAY_S,
            "settled": settled,
            "committed": settled + sum(holds.values()),
            "holds": dict(holds),
            "token_limit": limit,
        },
    )


class _Randomness:
    """Bytes that are the same each time the pictures are drawn."""

    def __init__(self) -> None:
        self._chance = random.Random(7)  # noqa: S311 - seeded pseudo-randomness is the point

    def __call__(self, count: int) -> bytes:
        return self._chance.randbytes(count)


if __name__ == "__main__":
    main()
