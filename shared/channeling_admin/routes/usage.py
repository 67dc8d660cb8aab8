"""Usage over HTTP: sums, records one by one, and exports."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from channeling.operations.records import RecordSelection, all_records, list_records
from channeling.operations.usage import Selection, read_usage
from channeling.usage.record import RecordKind, Status, UsageRecord
from channeling_admin.access import ProjectId, ProjectViewer, TheAdmin
from channeling_admin.answers import record_answer, usage_answer
from channeling_admin.export_lines import csv_lines, json_lines
from channeling_admin.time_range import TheRange

router = APIRouter(prefix="/api/projects/{project}", tags=["usage"])

Named = Annotated[str | None, Query(min_length=1, max_length=256)]


@router.get("/usage")
async def show_usage(
    admin: TheAdmin,
    who: ProjectViewer,
    project: ProjectId,
    time: TheRange,
    user: Named = None,
    model: Named = None,
    provider: Named = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Most lines of a breakdown.")] = 50,
) -> dict[str, Any]:
    """Sum up the use in a time: in all, by time, by user, by model and by provider."""
    selection = Selection(user_id=user, model=model, provider=provider)
    report = await read_usage(
        admin.stores, project, time.from_s, time.until_s, bucket=time.bucket, selection=selection
    )
    return usage_answer(report, limit)


@router.get("/records")
async def show_records(
    admin: TheAdmin,
    who: ProjectViewer,
    project: ProjectId,
    time: TheRange,
    user: Named = None,
    model: Named = None,
    provider: Named = None,
    status: Status | None = None,
    kind: RecordKind | None = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """List records, the newest first. A page may be short, or empty, and have a `next_cursor` all the same."""
    page = await list_records(
        admin.stores,
        project,
        time.from_s,
        time.until_s,
        selection=RecordSelection(user, model, provider, status, kind),
        cursor=cursor,
        limit=limit,
    )
    return {"records": [record_answer(record) for record in page.records], "next_cursor": page.next_cursor}


@router.get("/export", response_class=StreamingResponse)
async def export(
    admin: TheAdmin,
    who: ProjectViewer,
    project: ProjectId,
    time: TheRange,
    form: Annotated[Literal["csv", "jsonl"], Query(alias="format")] = "csv",
    user: Named = None,
    model: Named = None,
    provider: Named = None,
    status: Status | None = None,
    kind: RecordKind | None = None,
) -> StreamingResponse:
    """Stream all records of a time, hour by hour. A cell that a spreadsheet would run begins with an apostrophe."""
    selection = RecordSelection(user, model, provider, status, kind)
    records = all_records(admin.stores, project, time.from_s, time.until_s, selection=selection)
    # The first one is read here: what is wrong with the call is still an answer of its own.
    first = await anext(records, None)
    records = _with_first(first, records)
    lines = csv_lines(records) if form == "csv" else json_lines(records)
    media_type = "text/csv; charset=utf-8" if form == "csv" else "application/jsonl"
    name = f"usage-{project}.{form}"
    return StreamingResponse(
        lines, media_type=media_type, headers={"content-disposition": f'attachment; filename="{name}"'}
    )


async def _with_first(
    first: UsageRecord | None, rest: AsyncGenerator[UsageRecord, None]
) -> AsyncGenerator[UsageRecord, None]:
    async with aclosing(rest):
        if first is not None:
            yield first
            async for record in rest:
                yield record
