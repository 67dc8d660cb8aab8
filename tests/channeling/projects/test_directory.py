"""The directory reads a project once a minute whoever asks, decrypts only what changed, and outlives an outage."""

import asyncio
import logging

import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.dynamodb import Item
from channeling.errors import RateLimited, StoreUnavailable
from channeling.pricing.price_rows import PriceRows, read_price_rows
from channeling.projects.cipher import CipherUnavailable
from channeling.projects.directory import ProjectDirectory
from channeling.projects.key_file_cipher import KeyFileCipher
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_secrets import change_secrets, create_project, with_provider_key
from channeling.projects.store import ProjectStore, StoredProject
from channeling.tables import TableNames
from channeling.token_bucket import TokenBucket
from tests.stand_ins.clock import SetClock

SECRETS = ProjectSecrets(("hk_live_a",), {"anthropic": "sk-ant-1"})


class WatchedStore(ProjectStore):
    """A store that counts its reads, fails on demand, and can be held up."""

    def __init__(self, dynamodb: BotocoreDynamoDB, table: str) -> None:
        super().__init__(dynamodb, table)
        self.reads: list[str] = []
        self.down = False
        self.open = asyncio.Event()
        self.open.set()
        self.reading = asyncio.Event()

    async def read(self, project_id: str) -> StoredProject | None:
        self.reads.append(project_id)
        self.reading.set()
        await self.open.wait()
        if self.down:
            raise StoreUnavailable("the budget store did not answer")
        return await super().read(project_id)

    async def read_global_prices(self) -> tuple[Item, ...]:
        self.reads.append("*")
        await self.open.wait()
        if self.down:
            raise StoreUnavailable("the budget store did not answer")
        return await super().read_global_prices()


class WatchedCipher(KeyFileCipher):
    """A cipher that counts its decryptions and fails on demand."""

    decrypted = 0
    down = False

    async def decrypt(self, project_id: str, ciphertext: bytes) -> bytes:
        self.decrypted += 1
        if self.down:
            raise CipherUnavailable("KMS did not answer: EndpointConnectionError")
        return await super().decrypt(project_id, ciphertext)


@pytest.fixture
def cipher() -> WatchedCipher:
    return WatchedCipher(bytes(32))


@pytest.fixture
async def store(dynamodb: BotocoreDynamoDB, tables: TableNames, cipher: WatchedCipher) -> WatchedStore:
    store = WatchedStore(dynamodb, tables.projects)
    await create_project(store, cipher, "shop", ProjectRules("Shop"), SECRETS, now_ms=5)
    return store


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def directory(store: WatchedStore, cipher: WatchedCipher, clock: SetClock) -> ProjectDirectory:
    return ProjectDirectory(store, cipher, clock)


async def test_a_project_is_read_once_a_minute(
    directory: ProjectDirectory, store: WatchedStore, clock: SetClock
) -> None:
    project = await directory.get("shop")
    assert project is not None
    assert (project.name, project.hmac_secrets) == ("Shop", ("hk_live_a",))
    assert dict(project.provider_keys) == {"anthropic": "sk-ant-1"}
    assert "hk_live" not in repr(project)
    assert "sk-ant" not in repr(project)
    clock.now_s += 59
    assert await directory.get("shop") is project
    assert store.reads == ["shop"]
    await store.change_rules("shop", ProjectRules("Renamed", "disabled"))
    clock.now_s += 1
    changed = await directory.get("shop")
    assert changed is not None
    assert (changed.name, changed.status) == ("Renamed", "disabled")
    assert store.reads == ["shop"] * 2


async def test_freshness_is_as_short_as_a_deployment_says(
    store: WatchedStore, cipher: WatchedCipher, clock: SetClock
) -> None:
    directory = ProjectDirectory(store, cipher, clock, fresh_ms=250)
    for ask in (directory.get("shop"), directory.get("missing"), directory.global_prices()):
        await ask
    clock.now_s += 0.125
    for ask in (directory.get("shop"), directory.get("missing"), directory.global_prices()):
        await ask
    assert store.reads == ["shop", "missing", "*"]
    clock.now_s += 0.125
    for ask in (directory.get("shop"), directory.get("missing"), directory.global_prices()):
        await ask
    assert store.reads == ["shop", "missing", "*"] * 2


async def test_only_a_changed_ciphertext_is_decrypted(
    directory: ProjectDirectory, store: WatchedStore, cipher: WatchedCipher, clock: SetClock
) -> None:
    await directory.get("shop")
    clock.now_s += 60
    await directory.get("shop")
    assert (cipher.decrypted, len(store.reads)) == (1, 2)
    await change_secrets(store, KeyFileCipher(bytes(32)), "shop", with_provider_key("openai", "sk-2"))
    clock.now_s += 60
    project = await directory.get("shop")
    assert project is not None
    assert project.provider_keys["openai"] == "sk-2"
    assert cipher.decrypted == 2


async def test_an_unknown_project_is_asked_for_again_after_ten_seconds(
    directory: ProjectDirectory, store: WatchedStore, cipher: WatchedCipher, clock: SetClock
) -> None:
    assert await directory.get("later") is None
    await create_project(store, cipher, "later", ProjectRules("Later"), SECRETS, now_ms=5)
    clock.now_s += 9
    assert await directory.get("later") is None
    assert store.reads == ["later"]
    clock.now_s += 1
    assert await directory.get("later") is not None


@pytest.mark.parametrize("project_id", ["", "*", "a#b", "x" * 65, "a\x00", "é"])
async def test_malformed_ids_cost_no_look_up(
    directory: ProjectDirectory, store: WatchedStore, project_id: str
) -> None:
    assert await directory.get(project_id) is None
    assert store.reads == []


async def test_many_who_ask_at_once_share_one_look_up_even_when_the_first_goes_away(
    directory: ProjectDirectory, store: WatchedStore, cipher: WatchedCipher
) -> None:
    store.open.clear()
    asking = [asyncio.create_task(directory.get("shop")) for _ in range(20)]
    await store.reading.wait()
    asking[0].cancel()
    store.open.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert all(project is not None and project is answers[1] for project in answers[1:])
    assert (store.reads, cipher.decrypted) == (["shop"], 1)


async def test_a_failure_whose_every_caller_has_gone_is_no_unhandled_error(
    directory: ProjectDirectory, store: WatchedStore
) -> None:
    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    store.open.clear()
    store.down = True
    asking = asyncio.create_task(directory.get("shop"))
    await store.reading.wait()
    asking.cancel()
    store.open.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(StoreUnavailable):
        await directory.get("shop")
    assert unhandled == []


@pytest.mark.parametrize("what", ["store", "cipher"])
async def test_an_outage_is_outlived_for_ten_minutes(
    directory: ProjectDirectory,
    store: WatchedStore,
    cipher: WatchedCipher,
    clock: SetClock,
    what: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    known = await directory.get("shop")
    await change_secrets(store, KeyFileCipher(bytes(32)), "shop", with_provider_key("openai", "sk-2"))
    (store if what == "store" else cipher).down = True
    store.reads.clear()
    clock.now_s += 60
    with caplog.at_level(logging.WARNING):
        assert await directory.get("shop") == known
        assert await directory.get("shop") == known
        assert store.reads == ["shop"], "a store that just failed is left alone for a second"
        clock.now_s += 1
        assert await directory.get("shop") == known
        assert store.reads == ["shop"] * 2
    assert "served from memory" in caplog.text
    assert "sk-" not in caplog.text
    clock.now_s += 600 - 61 - 1
    assert await directory.get("shop") == known
    clock.now_s += 1
    with pytest.raises(StoreUnavailable):
        await directory.get("shop")
    (store if what == "store" else cipher).down = False
    back = await directory.get("shop")
    assert back is not None
    assert back.provider_keys["openai"] == "sk-2"


async def test_a_project_never_read_before_fails_closed_in_an_outage(
    directory: ProjectDirectory, store: WatchedStore, clock: SetClock
) -> None:
    assert await directory.get("missing") is None
    clock.now_s += 10
    store.down = True
    for project_id in ("shop", "missing"):
        with pytest.raises(StoreUnavailable):
            await directory.get(project_id)


async def test_a_deleted_project_is_gone_within_a_minute(
    directory: ProjectDirectory, clock: SetClock, dynamodb_client: object, tables: TableNames
) -> None:
    assert await directory.get("shop") is not None
    key = {"pk": {"S": "shop"}, "sk": {"S": "project"}}
    dynamodb_client.delete_item(TableName=tables.projects, Key=key)  # type: ignore[attr-defined]
    clock.now_s += 60
    assert await directory.get("shop") is None


async def test_made_up_ids_are_limited_and_real_ones_go_on(
    store: WatchedStore, cipher: WatchedCipher, clock: SetClock
) -> None:
    directory = ProjectDirectory(
        store, cipher, clock, look_up_limit=TokenBucket(clock, burst=3, per_second=1)
    )
    await directory.get("shop")
    for number in range(3):
        assert await directory.get(f"made-up-{number}") is None
    store.reads.clear()
    with pytest.raises(RateLimited) as refused:
        await directory.get("made-up-3")
    assert refused.value.headers["retry-after"] == "1"
    assert await directory.get("made-up-0") is None
    assert await directory.get("shop") is not None
    clock.now_s += 60
    assert store.reads == []
    for number in range(3):
        await directory.get(f"again-{number}")
    assert await directory.get("shop") is not None, (
        "a refresh of a known project is no look-up of an unknown one"
    )


async def test_memory_is_bounded_and_the_least_asked_for_goes(
    store: WatchedStore, cipher: WatchedCipher, clock: SetClock
) -> None:
    for project_id in ("a", "b", "c"):
        await create_project(store, cipher, project_id, ProjectRules(project_id), SECRETS, now_ms=5)
    directory = ProjectDirectory(store, cipher, clock, max_projects=2, max_unknown=2)
    for project_id in ("a", "b", "a", "c", "a", "b"):
        assert await directory.get(project_id) is not None
    assert store.reads == ["a", "b", "c", "b"]
    store.reads.clear()
    for project_id in ("x", "y", "z", "z", "x"):
        assert await directory.get(project_id) is None
    assert store.reads == ["x", "y", "z", "x"]


async def test_global_prices_are_read_once_a_minute_and_outlive_an_outage(
    directory: ProjectDirectory,
    store: WatchedStore,
    clock: SetClock,
    dynamodb: BotocoreDynamoDB,
    tables: TableNames,
) -> None:
    store.down = True
    with pytest.raises(StoreUnavailable):
        await directory.global_prices()
    store.down = False
    price: Item = {"pk": "*", "sk": "price#b", "model": "y", "input": "1", "output": "2"}
    read = read_price_rows([price])
    assert len(read.prices) == 1
    assert await directory.global_prices() == PriceRows()
    await dynamodb.put(tables.projects, price)
    clock.now_s += 59
    assert await directory.global_prices() == PriceRows()
    clock.now_s += 1
    assert await asyncio.gather(*(directory.global_prices() for _ in range(3))) == [read] * 3
    assert store.reads == ["*"] * 3
    store.down = True
    clock.now_s += 60
    assert await directory.global_prices() == read
    clock.now_s += 541
    with pytest.raises(StoreUnavailable):
        await directory.global_prices()


async def test_a_price_that_cannot_be_read_is_logged_by_name_at_each_refresh(
    directory: ProjectDirectory,
    clock: SetClock,
    dynamodb: BotocoreDynamoDB,
    tables: TableNames,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once a minute, not with every request; the project and its other prices are read all the same."""
    good: Item = {"pk": "shop", "sk": "price#a", "model": "x", "input": "1", "output": "2"}
    await dynamodb.put(tables.projects, good)
    await dynamodb.put(tables.projects, good | {"sk": "price#bad", "model": "y", "input": 3})
    await dynamodb.put(tables.projects, good | {"pk": "*", "sk": "price#worse", "output": "NaN"})
    for _ in range(3):
        project = await directory.get("shop")
        everywhere = await directory.global_prices()
        assert project is not None
        assert [price.model for price in project.prices.prices] == ["x"]
        assert [row.name for row in project.prices.unreadable] == ["price#bad"]
        assert [row.name for row in everywhere.unreadable] == ["price#worse"]
    assert [record.getMessage() for record in caplog.records] == [
        "custom price 'price#bad' of project shop cannot be read, and requests for model 'y' are refused: "
        'input must be dollars as a decimal string, such as "2.50", not int',
        "custom price 'price#worse' for all projects cannot be read, and requests for model 'x' are refused: "
        "output must be dollars as a decimal string, such as \"2.50\", not 'NaN'",
    ]
    clock.now_s += 60
    await directory.get("shop")
    await directory.global_prices()
    assert len(caplog.records) == 4
