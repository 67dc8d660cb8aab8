"""The month of a capped project is the sum of its requests, told once when it reaches the cap, and refused for."""

import asyncio
import logging
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from channeling.alert_door import Alert
from channeling.budgets.hold_id import new_hold_id
from channeling.caller import Caller, refuse_capped
from channeling.errors import BudgetExceeded
from channeling.operations.operator import Operator
from channeling.operations.projects import change_project, create_project, delete_project, show_project
from channeling.operations.stores import Stores, open_stores
from channeling.projects.cap_alert import CapAlert
from channeling.projects.errors import ProjectMissing
from channeling.projects.key_file_cipher import KeyFileCipher
from channeling.projects.month_spend import MonthSpend
from channeling.projects.project import Project, ProjectRules, ProjectSecrets
from channeling.reconcile.hourly_rollups import hourly_rollups
from channeling.reconcile.projects import tend_projects
from channeling.tables import TableNames
from channeling.usage.record import RecordKind, UsageRecord, record_key
from simulation.memory_dynamodb import MemoryDynamoDB
from tests.stand_ins.clock import SetClock

NOON_S = 1_795_521_600  # 2026-11-24T12:00:00Z
MONTH_START_S = 1_793_491_200  # 2026-11-01T00:00:00Z
NO_DEADLINE_MS = 10**15
TESTER = Operator("tester", "cli")
TABLES = TableNames.with_prefix("test")


@pytest.fixture
async def stores() -> Stores:
    """Stores in memory with a project "shop" of a $1 cap."""
    numbers = iter(range(1, 10_000))
    stores = open_stores(
        MemoryDynamoDB(),
        TABLES,
        KeyFileCipher(b"k" * 32),
        SetClock(NOON_S),
        lambda count: next(numbers).to_bytes(count),
    )
    await create_project(stores, TESTER, ProjectRules("Shop"), project_id="shop")
    await change_project(stores, TESTER, "shop", {"monthly_cap_microusd": 1_000_000})
    return stores


async def put(
    stores: Stores, cost: int, started_s: int, *, kind: RecordKind = "request", uncollected: int = 0
) -> None:
    hold_id = new_hold_id(started_s, stores.randomness)
    await stores.usage.put(
        UsageRecord(
            key=record_key("shop", "ana", "day", hold_id, started_s),
            project_id="shop",
            user_id="ana",
            window_kind="day",
            window_start_s=0,
            started_ms=started_s * 1_000,
            request_id="req_1",
            status="ok",
            cost=cost,
            uncollected=uncollected,
            kind=kind,
        )
    )


async def tend(stores: Stores) -> MonthSpend | None:
    await tend_projects(stores.dynamodb, TABLES, stores.clock, stores.randomness, NO_DEADLINE_MS)
    return (await show_project(stores, "shop")).month_spend


async def test_a_month_is_what_requests_cost_in_it(stores: Stores) -> None:
    await put(stores, 100, MONTH_START_S - 1)
    await put(stores, 20, MONTH_START_S)
    await put(stores, 3, NOON_S - 5)
    await put(stores, -10, NOON_S - 4, kind="adjustment")
    await put(stores, -1, NOON_S - 3, kind="correction")
    await put(stores, 0, NOON_S - 2, uncollected=7)
    spend = await tend(stores)
    assert spend is not None
    assert (spend.total_nanousd, spend.start_s, spend.end_s) == (
        29,
        MONTH_START_S,
        MONTH_START_S + 30 * 86_400,
    )


async def test_later_runs_add_only_what_is_new_and_find_what_is_late(stores: Stores) -> None:
    clock = stores.clock
    assert isinstance(clock, SetClock)
    await put(stores, 20, MONTH_START_S)
    await put(stores, 4, NOON_S - 60)
    await tend(stores)
    clock.now_s = NOON_S + 4 * 3_600
    await put(stores, 1, NOON_S + 4 * 3_600 - 60)
    spend = await tend(stores)
    assert spend is not None
    assert (spend.total_nanousd, spend.counted_nanousd) == (25, 24)
    # Late, into an hour that was counted: it marks the hour.
    await put(stores, 300, MONTH_START_S + 60)
    spend = await tend(stores)
    assert spend is not None
    assert spend.total_nanousd == 325
    # Late, and its mark already gone: the next day's first run counts all anew.
    await put(stores, 4_000, MONTH_START_S + 61)
    await hourly_rollups(stores.dynamodb, TABLES, clock).run(NO_DEADLINE_MS, ["shop"])
    clock.now_s = NOON_S + 86_400
    spend = await tend(stores)
    assert spend is not None
    assert spend.total_nanousd == 4_325


async def test_a_new_month_begins_with_nothing_spent(stores: Stores) -> None:
    clock = stores.clock
    assert isinstance(clock, SetClock)
    await put(stores, 10**9, NOON_S - 60)
    assert (await tend(stores)) is not None
    assert (await show_project(stores, "shop")).is_cap_reached
    clock.now_s = MONTH_START_S + 30 * 86_400
    assert not (await show_project(stores, "shop")).is_cap_reached
    spend = await tend(stores)
    assert spend is not None
    assert spend.total_nanousd == 0


class KeptAlerts:
    """`AlertDoor` that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Alert] = []

    async def tell(self, alerts: Sequence[Alert]) -> None:
        self.told += alerts


async def test_reaching_the_cap_is_told_once_whoever_adds_up(stores: Stores) -> None:
    kept = KeptAlerts()

    async def tend_telling() -> None:
        await tend_projects(
            stores.dynamodb, TABLES, stores.clock, stores.randomness, NO_DEADLINE_MS, alerts=kept
        )

    await put(stores, 10**9 - 1, NOON_S - 60)
    await tend_telling()
    assert kept.told == []
    await put(stores, 1, NOON_S - 50)
    await asyncio.gather(tend_telling(), tend_telling())
    await tend_telling()
    month = (MONTH_START_S, MONTH_START_S + 30 * 86_400)
    assert kept.told == [CapAlert("shop", *month, 10**9, 10**9)]
    # A lower cap is a cap of its own; one that is not reached is not told of.
    await change_project(stores, TESTER, "shop", {"monthly_cap_microusd": 2_000_000})
    await tend_telling()
    assert len(kept.told) == 1
    await change_project(stores, TESTER, "shop", {"monthly_cap_microusd": 500_000})
    await tend_telling()
    await tend_telling()
    assert kept.told[1:] == [CapAlert("shop", *month, 5 * 10**8, 10**9)]


async def test_without_a_bus_the_cap_is_a_line_of_the_log(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await put(stores, 10**9, NOON_S - 60)
    await tend(stores)
    [line] = [record for record in caplog.records if record.message == "project spend cap reached"]
    assert line.name == "channeling.alerts"
    fields = line.__dict__["fields"]
    assert (fields["project_id"], fields["cap_usd"], fields["spent_usd"]) == ("shop", "1", "1")


@pytest.mark.parametrize(
    ("total", "cap", "now_s", "is_refused"),
    [
        (10**9, 1_000_000, NOON_S, True),
        (10**9 - 1, 1_000_000, NOON_S, False),
        (0, 0, NOON_S, True),
        (10**9, None, NOON_S, False),
        (10**9, 1_000_000, MONTH_START_S + 30 * 86_400, False),
    ],
)
def test_a_request_is_refused_from_the_cap_on(
    total: int, cap: int | None, now_s: int, is_refused: bool
) -> None:
    spend = MonthSpend(MONTH_START_S, MONTH_START_S + 30 * 86_400, total, 0, 0, 0)
    rules = replace(ProjectRules("Shop"), monthly_cap_microusd=cap)
    project = Project.of("shop", rules, ProjectSecrets(), month_spend=spend)
    caller = Caller(None, project)  # type: ignore[arg-type]  # whoever it is
    if not is_refused:
        refuse_capped(caller, now_s)
        return
    with pytest.raises(BudgetExceeded, match="project spend cap reached") as refused:
        refuse_capped(caller, now_s)
    assert refused.value.details is not None
    assert refused.value.details["error_code"] == "project_spend_cap_reached"
    assert refused.value.headers["retry-after"] == str(MONTH_START_S + 30 * 86_400 - NOON_S)
    assert refused.value.headers["x-should-retry"] == "false"


async def test_a_deleted_project_goes_when_its_time_is_over_and_not_before(stores: Stores) -> None:
    clock = stores.clock
    assert isinstance(clock, SetClock)
    await delete_project(stores, TESTER, "shop", grace_s=60)
    clock.now_s += 59
    await tend_projects(stores.dynamodb, TABLES, clock, stores.randomness, NO_DEADLINE_MS)
    assert (await show_project(stores, "shop")).rules.status == "disabled"
    clock.now_s += 1
    report = await tend_projects(stores.dynamodb, TABLES, clock, stores.randomness, NO_DEADLINE_MS)
    assert report["projects_removed"] == 1
    with pytest.raises(ProjectMissing):
        await show_project(stores, "shop")
    assert await stores.dynamodb.query(TABLES.projects, ("pk", "shop")) == []
    newest = (await stores.audit.read("shop", limit=1))[0]
    assert (newest.action, newest.via, newest.outcome) == ("project.remove", "schedule", "done")
