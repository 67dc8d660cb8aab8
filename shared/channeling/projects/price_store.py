"""Custom prices in the projects table: set and removed one by one, read with the project they hold for."""

import hashlib
from collections.abc import Mapping
from typing import Any

from channeling.dynamodb import DynamoDB, Item, TransactionRefused, Update, Value
from channeling.pricing.custom_price import CustomPrice
from channeling.projects.errors import PriceMissing, ProjectInvalid, ProjectMissing
from channeling.projects.project import is_project_id
from channeling.projects.project_items import (
    GLOBAL_PRICES_PARTITION,
    PRICE_SORT_KEY_PREFIX,
    PROJECT_SORT_KEY,
)

# All of them are read with every request's project: 500 are about 100 KB.
MAX_PRICES = 500
_OPTIONAL = ("cache_read", "cache_write_5m", "cache_write_1h", "web_search", "provider", "valid_from")


def price_id(price: CustomPrice) -> str:
    """Return the id of a price: made of what it holds for and from when, so that setting it again replaces it."""
    parts = f"{price.provider or ''}\0{price.model.lower()}\0{price.valid_from_s or ''}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def price_id_of(item: Mapping[str, Any]) -> str:
    """Return the id that a stored price is removed by, whether or not it can be read."""
    return str(item["sk"]).removeprefix(PRICE_SORT_KEY_PREFIX)


class PriceStore:
    """Custom prices; `project_id` None is those for all projects. Every method raises StoreUnavailable."""

    def __init__(self, dynamodb: DynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    async def items(self, project_id: str | None) -> list[Item]:
        """Return the stored prices of a project, or those for all projects, as they are."""
        return await self._dynamodb.query(
            self._table,
            ("pk", _partition(project_id)),
            # "$" comes after "#", which ends the prefix.
            sort_between=("sk", PRICE_SORT_KEY_PREFIX, PRICE_SORT_KEY_PREFIX[:-1] + "$"),
        )

    async def set(self, project_id: str | None, price: CustomPrice, *, now_ms: int) -> str:
        """Write a price, over one for the same models and time; return its id.

        Raises ValueError for a price that could not be read again, ProjectMissing, and ProjectInvalid above 500.
        """
        attributes: Item = dict(price.to_item())
        written_id = price_id(price)
        standing = {price_id_of(item) for item in await self.items(project_id)}
        if written_id not in standing and len(standing) >= MAX_PRICES:
            raise ProjectInvalid(
                f"there are {MAX_PRICES} custom prices already; remove some, or use a prefix*"
            )
        update = self._set(project_id, written_id, attributes)
        if project_id is None:
            await self._dynamodb.update(update)
            return written_id
        touched = Update(
            self._table,
            {"pk": project_id, "sk": PROJECT_SORT_KEY},
            "SET prices_changed_ms = :now",
            "attribute_exists(pk)",
            values={":now": now_ms},
        )
        try:
            await self._dynamodb.transact([touched, update])
        except TransactionRefused as refused:
            if "ConditionalCheckFailed" in refused.reasons:
                raise ProjectMissing(f"there is no project {project_id!r}") from refused
            raise
        return written_id

    async def remove(self, project_id: str | None, removed_id: str) -> Item:
        """Remove a price and return it as it stood; raise PriceMissing."""
        key: Item = {"pk": _partition(project_id), "sk": f"{PRICE_SORT_KEY_PREFIX}{removed_id}"}
        removed = await self._dynamodb.delete(self._table, key)
        if removed is None:
            raise PriceMissing(
                f"there is no custom price with the id {removed_id[:64]!r}; list them to see their ids"
            )
        return removed

    def _set(self, project_id: str | None, written_id: str, attributes: Item) -> Update:
        unset = [name for name in _OPTIONAL if name not in attributes]
        names = {f"#{name}": name for name in (*attributes, *unset)}
        values: dict[str, Value] = {f":{name}": value for name, value in attributes.items()}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in attributes)
        if unset:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in unset)
        key: Item = {"pk": _partition(project_id), "sk": f"{PRICE_SORT_KEY_PREFIX}{written_id}"}
        return Update(self._table, key, expression, None, names, values)


def _partition(project_id: str | None) -> str:
    if project_id is None:
        return GLOBAL_PRICES_PARTITION
    if not is_project_id(project_id):
        raise ProjectMissing(f"there is no project {project_id[:64]!r}")
    return project_id
