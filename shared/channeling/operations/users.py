"""One user: their budgets as they stand, and what an operator does to them."""

from collections.abc import Mapping

from msgspec import Struct

from channeling.budgets import operations as budget_operations
from channeling.budgets.item import BudgetItem, BudgetKey
from channeling.budgets.operations import Adjusted, Order, check_user_id
from channeling.money import dollars
from channeling.operations.operator import Operator
from channeling.operations.projects import read_project
from channeling.operations.stores import Stores
from channeling.window_kind import WindowKind


class UserView(Struct, frozen=True):
    """A user's budgets, by kind of window; `revoked_before_ms` refuses tokens issued until then."""

    user_id: str
    budgets: Mapping[WindowKind, BudgetItem]
    revoked_before_ms: int | None


async def show_user(stores: Stores, project_id: str, user_id: str) -> UserView:
    """Return a user's budgets; one who has asked for nothing yet has none.

    Raises ProjectMissing, OperationRefused (no user id) and StoreUnavailable.
    """
    check_user_id(user_id)
    await read_project(stores, project_id)
    return await budgets_of(stores, project_id, user_id)


async def budgets_of(stores: Stores, project_id: str, user_id: str) -> UserView:
    """Return a user's budgets, whether or not there is such a project. Raises StoreUnavailable."""
    found = await stores.budgets.read_all(project_id, user_id)
    revoked = [item.revoked_before_ms for item in found.values() if item.revoked_before_ms is not None]
    return UserView(user_id, found, max(revoked, default=None))


async def adjust_budget(
    stores: Stores,
    operator: Operator,
    project_id: str,
    user_id: str,
    window: WindowKind,
    amount_nanousd: int,
    reason: str,
) -> Adjusted:
    """Add to what is settled of the live window (negative: give back).

    Raises ProjectMissing, OperationRefused, NoLiveWindow and StoreUnavailable.
    """
    details = {"window": window, "amount_usd": dollars(amount_nanousd), "reason": reason}
    async with stores.audit.entry(operator, "budget.adjust", project_id, user_id, details):
        key = await _key(stores, project_id, user_id, window)
        return await budget_operations.adjust(
            stores.budgets, stores.usage, key, _order(stores, operator, reason), amount_nanousd, stores.now_s
        )


async def reset_budget(
    stores: Stores, operator: Operator, project_id: str, user_id: str, window: WindowKind, reason: str
) -> Adjusted:
    """Give back all that is settled of the live window. Raises as `adjust_budget`."""
    details = {"window": window, "reason": reason}
    async with stores.audit.entry(operator, "budget.reset", project_id, user_id, details):
        key = await _key(stores, project_id, user_id, window)
        return await budget_operations.reset(
            stores.budgets, stores.usage, key, _order(stores, operator, reason), stores.now_s
        )


async def raise_budget(
    stores: Stores,
    operator: Operator,
    project_id: str,
    user_id: str,
    window: WindowKind,
    amount_nanousd: int,
    reason: str,
) -> BudgetItem:
    """Make an amount all that is added to the limit in the live window (0: nothing). Raises as `adjust_budget`."""
    details = {"window": window, "amount_usd": dollars(amount_nanousd), "reason": reason}
    async with stores.audit.entry(operator, "budget.raise", project_id, user_id, details):
        key = await _key(stores, project_id, user_id, window)
        return await budget_operations.raise_limit(
            stores.budgets, stores.usage, key, _order(stores, operator, reason), amount_nanousd, stores.now_s
        )


async def revoke_user(stores: Stores, operator: Operator, project_id: str, user_id: str, reason: str) -> None:
    """Refuse every token of a user issued until now. Raises ProjectMissing, OperationRefused, StoreUnavailable."""
    async with stores.audit.entry(operator, "user.revoke", project_id, user_id, {"reason": reason}):
        await read_project(stores, project_id)
        await budget_operations.revoke(
            stores.budgets,
            stores.usage,
            project_id,
            user_id,
            _order(stores, operator, reason),
            stores.clock.now_ms(),
        )


async def _key(stores: Stores, project_id: str, user_id: str, window: WindowKind) -> BudgetKey:
    check_user_id(user_id)
    await read_project(stores, project_id)
    return BudgetKey(project_id, user_id, window)


def _order(stores: Stores, operator: Operator, reason: str) -> Order:
    return Order(stores.new_order_id(), operator.name, reason)
