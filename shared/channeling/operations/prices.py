"""Custom prices, of one project or of all: listed with what is wrong with them, set, removed."""

from msgspec import Struct

from channeling.operations.operator import Operator
from channeling.operations.projects import read_project
from channeling.operations.stores import Stores
from channeling.pricing.custom_price import CustomPrice
from channeling.pricing.price_rows import read_price_rows
from channeling.projects.price_store import price_id, price_id_of


class PriceView(Struct, frozen=True):
    """A stored price; one that cannot be read has no `price`, and `reason` says why."""

    price_id: str
    price: CustomPrice | None
    reason: str = ""


async def list_prices(stores: Stores, project_id: str | None) -> list[PriceView]:
    """Return a project's own prices, or (None) those for all projects, by model and time.

    Raises ProjectMissing and StoreUnavailable.
    """
    if project_id is not None:
        await read_project(stores, project_id)
    views = []
    for item in await stores.prices.items(project_id):
        rows = read_price_rows([item])
        price = rows.prices[0] if rows.prices else None
        reason = rows.unreadable[0].reason if rows.unreadable else ""
        views.append(PriceView(price_id_of(item), price, reason))
    return sorted(views, key=_order)


async def set_price(
    stores: Stores, operator: Operator, project_id: str | None, price: CustomPrice
) -> PriceView:
    """Set a price; one for the same models from the same time on is replaced, earlier ones stay for what was asked
    before. Servers follow within a minute.

    Raises ValueError (it could not be read again), ProjectMissing, ProjectInvalid and StoreUnavailable.
    """
    async with stores.audit.entry(operator, "price.set", project_id, price_id(price), price.to_item()):
        written_id = await stores.prices.set(project_id, price, now_ms=stores.clock.now_ms())
    return PriceView(written_id, price)


async def remove_price(stores: Stores, operator: Operator, project_id: str | None, removed_id: str) -> None:
    """Remove a price: the next best holds. Raises ProjectMissing, PriceMissing and StoreUnavailable."""
    async with stores.audit.entry(operator, "price.remove", project_id, removed_id):
        await stores.prices.remove(project_id, removed_id)


def _order(view: PriceView) -> tuple[str, str, int, str]:
    if view.price is None:
        return ("", "", 0, view.price_id)
    return (view.price.model.lower(), view.price.provider or "", view.price.valid_from_s or 0, view.price_id)
