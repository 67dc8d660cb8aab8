"""The simulated DynamoDB answers as moto does: to generated operations, to odd ones, and to the product's own."""

import random
from typing import Any

import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.dynamodb import ConditionFailed, DynamoDB, Item, TransactionRefused, Update
from channeling.errors import StoreUnavailable
from channeling.tables import TableNames
from simulation.memory_dynamodb import MemoryDynamoDB

NAMES = {"#id": "h1", "#raise": "raise"}
PATHS = ("committed", "settled", "window_end", "holds.#id", "prev_holds", "holds", "#raise.amount")
CONDITIONS = (
    None,
    "window_end > :n",
    "(window_end > :n) AND (committed <= :m)",
    "attribute_not_exists(window_end)",
    "attribute_not_exists(holds.#id)",
    "attribute_exists(holds) AND size(holds) < :n",  # moto fails at the size of what is not there
    "attribute_not_exists(prev_holds) OR size(prev_holds) = :n",
    "holds.#id = :n AND window_end = :m",
    "NOT (committed < :n OR settled >= :m)",
    "attribute_exists(pk) AND NOT committed = :n",
    "#raise.amount = :n AND #raise.window_start = window_end",
    "committed <> :n AND attribute_exists(committed)",
    "committed = :t OR window_end <> :t",  # moto fails at comparing the order of two types
)
EXPRESSIONS = (
    "SET committed = committed + :n",
    "SET committed = :n, settled = :m, window_end = :m, holds = :map",
    "SET committed = committed - :n, settled = committed + :m",
    "SET settled = committed, committed = settled",
    "SET holds.#id = :n",
    "SET prev_holds = holds, holds = :map",
    "SET #raise = :raise",
    "SET committed = committed + :n REMOVE holds.#id",
    "REMOVE prev_holds",
    "REMOVE #raise, prev_holds SET committed = :n",
    "ADD committed :n",
    "SET holds.#id = :n, prev_holds.#id = :m",
)


def random_update(rng: random.Random, table: str) -> Update:
    """An update out of the parts above, with exactly the placeholders that it uses."""
    expression, condition = rng.choice(EXPRESSIONS), rng.choice(CONDITIONS)
    text = f"{expression} {condition or ''}"
    values: Item = {
        ":n": rng.randint(0, 3),
        ":m": rng.randint(0, 3),
        ":t": "text",
        ":map": {f"h{number}": rng.randint(0, 3) for number in range(rng.randint(0, 3))},
        ":raise": {"amount": rng.randint(0, 3), "window_start": rng.randint(0, 3)},
    }
    return Update(
        table,
        {"pk": "p", "sk": rng.choice(("a", "b"))},
        expression,
        condition,
        {name: to for name, to in NAMES.items() if name in text},
        {name: value for name, value in values.items() if _uses(text, name)},
    )


def _uses(text: str, name: str) -> bool:
    return name in text.replace("(", " ").replace(")", " ").replace(",", " ").split()


async def outcome(store: DynamoDB, update: Update) -> Any:
    """What an update ends with, in a form that can be compared."""
    try:
        return ("after", await store.update(update))
    except ConditionFailed as failed:
        return ("refused", failed.item)
    except StoreUnavailable:
        return ("invalid",)


@pytest.mark.parametrize("seed", range(6))
async def test_generated_updates_end_as_on_moto(
    dynamodb: BotocoreDynamoDB, tables: TableNames, seed: int
) -> None:
    """The same operations, one after the other, have the same outcomes and leave the same items."""
    rng, memory = random.Random(seed), MemoryDynamoDB()
    for _ in range(60):
        update = random_update(rng, tables.budgets)
        assert await outcome(memory, update) == await outcome(dynamodb, update), update
    assert await memory.query(tables.budgets, ("pk", "p")) == await dynamodb.query(
        tables.budgets, ("pk", "p")
    )


async def test_a_put_transaction_and_query_answer_as_on_moto(
    dynamodb: BotocoreDynamoDB, tables: TableNames
) -> None:
    """Conditional puts, transactions that apply and that do not, ranges, limits, and the index by user."""
    stores: list[DynamoDB] = [MemoryDynamoDB(), dynamodb]
    seen: list[list[Any]] = []
    for store in stores:
        answers: list[Any] = []
        for sk in ("c", "a", "b", "a"):
            try:
                item: Item = {"pk": f"p{sk}", "sk": sk, "user_key": "u", "list": [1, {"x": b"y"}, None, True]}
                await store.put(tables.usage, item, unless_exists="pk")
            except ConditionFailed as failed:
                answers.append(failed.item)
        answers.append(await store.query(tables.usage, ("user_key", "u"), index="by_user", limit=2))
        sets = [
            Update(
                tables.budgets, {"pk": "p", "sk": sk}, "SET n = :n", "attribute_not_exists(n)", {}, {":n": 1}
            )
            for sk in ("a", "b")
        ]
        await store.transact(sets[:1])
        try:
            await store.transact(sets)
        except TransactionRefused as refused:
            answers.append(refused.reasons)
        answers.append(await store.get(tables.budgets, {"pk": "p", "sk": "b"}))
        await store.put(tables.budgets, {"pk": "p", "sk": "b", "n": 2})
        answers.append(await store.query(tables.budgets, ("pk", "p"), sort_between=("sk", "aa", "c")))
        page = await store.scan_page(tables.budgets, after=None, limit=1)
        answers.append([page.items, page.last_key])
        answers.append((await store.scan_page(tables.budgets, after=page.last_key, limit=5)).items)
        seen.append(answers)
    assert seen[0] == seen[1]


async def test_what_is_returned_is_a_copy() -> None:
    """Nobody can change the store through an answer or a value that was written."""
    store, written = MemoryDynamoDB(), {"a": 1}
    await store.put("t", {"pk": "p", "sk": "s", "map": dict(written)})
    answer = await store.get("t", {"pk": "p", "sk": "s"})
    assert answer is not None
    answer["map"] = {}
    assert (await store.query("t", ("pk", "p")))[0]["map"] == written
