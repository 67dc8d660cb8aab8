"""Custom prices over HTTP, of a project and of all."""

from typing import Any

from fastapi import APIRouter

from channeling.operations import prices
from channeling_admin.access import (
    GlobalOperator,
    GlobalViewer,
    ProjectId,
    ProjectOperator,
    ProjectViewer,
    TheAdmin,
)
from channeling_admin.answers import price_answer
from channeling_admin.bodies import Price

router = APIRouter(prefix="/api", tags=["prices"])


@router.get("/projects/{project}/prices")
async def list_project_prices(admin: TheAdmin, who: ProjectViewer, project: ProjectId) -> dict[str, Any]:
    """List the project's own prices; those that cannot be read say why."""
    return {"prices": [price_answer(view) for view in await prices.list_prices(admin.stores, project)]}


@router.put("/projects/{project}/prices")
async def set_project_price(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, body: Price
) -> dict[str, Any]:
    """Set a price; one for the same models from the same time on is replaced."""
    return price_answer(await prices.set_price(admin.stores, who, project, body.price()))


@router.delete("/projects/{project}/prices/{price_id}", status_code=204)
async def remove_project_price(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, price_id: str
) -> None:
    """Remove a price: the next best holds."""
    await prices.remove_price(admin.stores, who, project, price_id)


@router.get("/prices")
async def list_global_prices(admin: TheAdmin, who: GlobalViewer) -> dict[str, Any]:
    """List the prices that hold for all projects without one of their own."""
    return {"prices": [price_answer(view) for view in await prices.list_prices(admin.stores, None)]}


@router.put("/prices")
async def set_global_price(admin: TheAdmin, who: GlobalOperator, body: Price) -> dict[str, Any]:
    """Set a price for all projects."""
    return price_answer(await prices.set_price(admin.stores, who, None, body.price()))


@router.delete("/prices/{price_id}", status_code=204)
async def remove_global_price(admin: TheAdmin, who: GlobalOperator, price_id: str) -> None:
    """Remove a price of all projects."""
    await prices.remove_price(admin.stores, who, None, price_id)
