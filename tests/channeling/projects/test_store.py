"""Projects are read whole by one Query, created once, and changed only where they exist."""

from types import MappingProxyType

import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.dynamodb import ConditionFailed, DynamoDB, Item
from channeling.projects.errors import ProjectExists, ProjectInvalid, ProjectMissing
from channeling.projects.project import ProjectRules
from channeling.projects.store import ProjectStore, SealedSecrets
from channeling.tables import TableNames

RULES = ProjectRules("Web shop", aliases=MappingProxyType({"fast": "claude-haiku-4-5"}), max_concurrent=8)


@pytest.fixture
def store(dynamodb: BotocoreDynamoDB, tables: TableNames) -> ProjectStore:
    return ProjectStore(dynamodb, tables.projects)


async def test_one_query_reads_rules_secrets_and_prices(
    dynamodb: BotocoreDynamoDB, tables: TableNames
) -> None:
    class Counting:
        calls = 0

        def __getattr__(self, operation: str) -> object:
            Counting.calls += 1
            return getattr(dynamodb, operation)

    door = Counting()
    await ProjectStore(dynamodb, tables.projects).create("shop", RULES, b"sealed", now_ms=5)
    price: Item = {"pk": "shop", "sk": "price#a", "model": "x"}
    everywhere: Item = {"pk": "*", "sk": "price#b", "model": "y"}
    for item in (price, everywhere, {"pk": "shop2", "sk": "price#c"}, {"pk": "*", "sk": "other"}):
        await dynamodb.put(tables.projects, item)
    store = ProjectStore(door, tables.projects)  # type: ignore[arg-type] # counts, then passes on
    project = await store.read("shop")
    assert Counting.calls == 1
    assert project is not None
    assert (project.rules, project.sealed) == (RULES, SealedSecrets(1, b"sealed"))
    assert project.price_items == (price,)
    assert await store.read_global_prices() == (everywhere,)


async def test_a_project_is_created_once(store: ProjectStore) -> None:
    await store.create("shop", RULES, b"first", now_ms=5)
    with pytest.raises(ProjectExists):
        await store.create("shop", ProjectRules("Another"), b"second", now_ms=6)
    project = await store.read("shop")
    assert project is not None
    assert (project.rules, project.sealed.ciphertext) == (RULES, b"first")


@pytest.mark.parametrize(
    "project_id", ["", "*", "a#b", "a b", "a/b", "é", "x" * 65, "a\n", "shop\x00", "../shop", "１"]
)
async def test_hostile_ids_are_no_projects(tables: TableNames, project_id: str) -> None:
    class Untouched:
        def __getattr__(self, operation: str) -> object:
            raise AssertionError(f"{operation} was called")

    door: DynamoDB = Untouched()  # type: ignore[assignment] # any call fails the test
    store = ProjectStore(door, tables.projects)
    assert await store.read(project_id) is None
    with pytest.raises(ProjectInvalid):
        await store.create(project_id, RULES, b"", now_ms=5)


async def test_rules_change_only_where_there_is_a_project(store: ProjectStore) -> None:
    with pytest.raises(ProjectMissing):
        await store.change_rules("shop", RULES)
    await store.create("shop", RULES, b"sealed", now_ms=5)
    changed = ProjectRules(
        "Shop",
        "disabled",
        "soft",
        MappingProxyType({}),
        None,
        5_000_000,
        True,
        MappingProxyType({"openrouter": "http://vllm:8000/v1"}),
        False,
    )
    await store.change_rules("shop", changed)
    project = await store.read("shop")
    assert project is not None
    assert (project.rules, project.sealed) == (changed, SealedSecrets(1, b"sealed"))


async def test_secrets_are_written_over_the_version_seen_or_not_at_all(store: ProjectStore) -> None:
    await store.create("shop", RULES, b"first", now_ms=5)
    await store.replace_secrets("shop", b"second", seen_version=1)
    for seen in (0, 1, 3):
        with pytest.raises(ConditionFailed):
            await store.replace_secrets("shop", b"lost", seen_version=seen)
    project = await store.read("shop")
    assert project is not None
    assert project.sealed == SealedSecrets(2, b"second")


async def test_a_status_or_mode_this_version_does_not_know_is_read_as_the_stricter(
    dynamodb: BotocoreDynamoDB, tables: TableNames, store: ProjectStore
) -> None:
    item: Item = {"pk": "shop", "sk": "project", "name": "n", "status": "paused", "enforcement": "later"}
    await dynamodb.put(tables.projects, item)
    project = await store.read("shop")
    assert project is not None
    assert (project.rules.status, project.rules.enforcement) == ("disabled", "strict")
    assert project.sealed == SealedSecrets(0, None)


@pytest.mark.parametrize(
    "rules",
    [
        ProjectRules(""),
        ProjectRules("two\nlines"),
        ProjectRules("x" * 201),
        ProjectRules("n", "gone"),  # type: ignore[arg-type] # what a careless caller could pass
        ProjectRules("n", enforcement="lenient"),  # type: ignore[arg-type] # the same
        ProjectRules("n", max_concurrent=0),
        ProjectRules("n", max_concurrent=129),
        ProjectRules("n", max_ai_microusd=-1),
        ProjectRules("n", max_ai_microusd=10**12 + 1),
        ProjectRules("n", aliases={"": "claude-haiku-4-5"}),
        ProjectRules("n", aliases={"fast": ""}),
        ProjectRules("n", aliases={"a" * 65_000: "b"}),
        ProjectRules("n", base_urls={"mistral": "https://api.mistral.ai/v1"}),  # type: ignore[dict-item] # the same
        ProjectRules("n", base_urls={"openrouter": "https://user:secret@example.com/v1"}),
        ProjectRules("n", base_urls={"openrouter": "http://169.254.169.254/v1"}),
        ProjectRules("n", base_urls={"openrouter": "https://example.com/v1/"}),
        ProjectRules("n", base_urls={"anthropic": "https://example.com/v1"}),
    ],
)
async def test_malformed_rules_are_refused(store: ProjectStore, rules: ProjectRules) -> None:
    with pytest.raises(ProjectInvalid):
        await store.create("shop", rules, b"", now_ms=5)
