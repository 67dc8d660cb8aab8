"""Users over HTTP: by spend, one by one, and what is done to their budgets. Their ids are in the query."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query

from channeling.errors import InvalidRequest
from channeling.money import dollars
from channeling.operations import users
from channeling.operations.usage import Selection, read_usage
from channeling_admin.access import ProjectId, ProjectOperator, ProjectViewer, TheAdmin
from channeling_admin.amounts import nanodollars
from channeling_admin.answers import totals_answer, usage_answer, user_answer
from channeling_admin.bodies import BudgetAdjustment, BudgetRaise, OnWindow, Revocation
from channeling_admin.time_range import TheRange

router = APIRouter(prefix="/api/projects/{project}", tags=["users"])

UserId = Annotated[str, Query(alias="user", min_length=1, max_length=256, description="As in the token.")]
_READS_AT_ONCE = 16


@router.get("/users")
async def list_users(
    admin: TheAdmin,
    who: ProjectViewer,
    project: ProjectId,
    time: TheRange,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """List users by what they spent in a time, the dearest first, with their budgets as they stand."""
    report = await read_usage(admin.stores, project, time.from_s, time.until_s)
    chosen = list(report.by_user.items())[:limit]
    slots = asyncio.Semaphore(_READS_AT_ONCE)

    async def budgets_of(user_id: str) -> users.UserView:
        async with slots:
            return await users.budgets_of(admin.stores, project, user_id)

    views = await asyncio.gather(*(budgets_of(user_id) for user_id, _ in chosen))
    now_s = admin.stores.now_s
    return {
        "users": [
            user_answer(view, now_s) | {"usage": totals_answer(totals)}
            for view, (_, totals) in zip(views, chosen, strict=True)
        ],
        "count": len(report.by_user),
    }


@router.get("/user")
async def show_user(
    admin: TheAdmin, who: ProjectViewer, project: ProjectId, user: UserId, time: TheRange
) -> dict[str, Any]:
    """Show one user: budgets as they stand, and use in a time."""
    view = await users.show_user(admin.stores, project, user)
    report = await read_usage(
        admin.stores,
        project,
        time.from_s,
        time.until_s,
        bucket=time.bucket,
        selection=Selection(user_id=user),
    )
    return user_answer(view, admin.stores.now_s) | {"usage": usage_answer(report, 50)}


@router.post("/user/revoke")
async def revoke_user(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, user: UserId, body: Revocation
) -> dict[str, Any]:
    """Refuse every token of the user that was issued until now."""
    await users.revoke_user(admin.stores, who, project, user, body.reason)
    return user_answer(await users.show_user(admin.stores, project, user), admin.stores.now_s)


@router.post("/user/adjust")
async def adjust_budget(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, user: UserId, body: BudgetAdjustment
) -> dict[str, Any]:
    """Give back, or charge, an amount in the window that runs."""
    if (body.credit_usd is None) == (body.debit_usd is None):
        raise InvalidRequest("say either credit_usd or debit_usd")
    amount = (
        nanodollars(body.debit_usd) if body.debit_usd is not None else -nanodollars(body.credit_usd or "0")
    )
    done = await users.adjust_budget(admin.stores, who, project, user, body.window, amount, body.reason)
    return await _after(admin, project, user) | {"adjusted_usd": dollars(done.amount)}


@router.post("/user/reset")
async def reset_budget(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, user: UserId, body: OnWindow
) -> dict[str, Any]:
    """Give back all that is settled in the window that runs; requests in flight are charged as ever."""
    done = await users.reset_budget(admin.stores, who, project, user, body.window, body.reason)
    return await _after(admin, project, user) | {"adjusted_usd": dollars(done.amount)}


@router.post("/user/raise")
async def raise_budget(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, user: UserId, body: BudgetRaise
) -> dict[str, Any]:
    """Add to the limit until the window ends; 0 takes it away."""
    amount = nanodollars(body.amount_usd)
    await users.raise_budget(admin.stores, who, project, user, body.window, amount, body.reason)
    return await _after(admin, project, user)


async def _after(admin: TheAdmin, project: str, user: str) -> dict[str, Any]:
    return user_answer(await users.budgets_of(admin.stores, project, user), admin.stores.now_s)
