"""`channeling usage tail`: requests as they end, one line each."""

import asyncio
import json
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from channeling.money import dollars
from channeling.operations.follow import LONGEST_S, follow_records
from channeling.operations.stores import Stores
from channeling.usage.record import UsageRecord
from channeling_cli.amounts import duration_s
from channeling_cli.deployment import open_deployment
from channeling_cli.options import InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_line, printable

_STYLES = {"ok": "", "cancelled": "yellow", "reclaimed": "yellow", "refused": "red", "failed": "red"}


def tail(
    user: Annotated[str | None, typer.Option("--user", help="Of this user alone.")] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="DURATION", help="Begin so far back: 10m, at most 1h.")
    ] = "1m",
    interval: Annotated[
        float, typer.Option("--interval", min=0.1, max=60, metavar="SECONDS", help="Between two looks.")
    ] = 1.0,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="End after so many (default: on Ctrl-C).")
    ] = None,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show requests as they end, with cost, tokens and times, until Ctrl-C."""
    back_s = min(duration_s(since, "--since"), LONGEST_S)
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id, stores = deployment.project_id(project), deployment.stores
        if not as_json and sys.stderr.isatty():
            print_line(f"Requests of project {project_id}; Ctrl-C ends it.", style="dim", to_stderr=True)
        try:
            asyncio.run(_tail(stores, project_id, user, back_s, interval, count, as_json=as_json))
        except KeyboardInterrupt:
            return


async def _tail(
    stores: Stores,
    project_id: str,
    user: str | None,
    back_s: int,
    interval_s: float,
    count: int | None,
    *,
    as_json: bool,
) -> None:
    async def wait() -> None:
        await asyncio.sleep(interval_s)

    left = count
    following = follow_records(stores, project_id, user_id=user, since_s=stores.now_s - back_s, wait=wait)
    async with aclosing(following) as records:
        async for record in records:
            if as_json:
                sys.stdout.write(json.dumps(_answer(record), ensure_ascii=False) + "\n")
                sys.stdout.flush()
            else:
                print_line(line_of(record), style=_STYLES[record.status])
                sys.stdout.flush()
            if left is not None:
                left -= 1
                if left == 0:
                    return


def line_of(record: UsageRecord) -> str:
    """Return a record as one line of text; what others chose in it is made harmless to a terminal."""
    at = datetime.fromtimestamp(record.started_ms / 1_000, UTC).strftime("%H:%M:%S")
    if record.kind != "request":
        what = f"{record.kind} by {record.actor}: {record.reason}"
        return printable(f"{at}  {record.user_id}  ${dollars(record.cost)}  {what}")
    counts = record.counts
    cached = f" ({counts.cache_read_tokens:,} cached)" if counts.cache_read_tokens else ""
    thinking = f" ({counts.thinking_tokens:,} thinking)" if counts.thinking_tokens else ""
    first = "" if record.first_token_ms is None else f", first token {record.first_token_ms / 1_000:.2f} s"
    flags = [name for name in ("estimated", "clamped", "cut") if getattr(record, name)]
    status = " ".join([record.status, *flags])
    return printable(
        f"{at}  {record.user_id}  {record.model_used or record.model_asked or '(no model)'}  "
        f"${dollars(record.cost)}  {counts.total_input_tokens:,} in{cached}, "
        f"{counts.output_tokens:,} out{thinking}  {record.duration_ms / 1_000:.2f} s{first}  {status}"
    )


def _answer(record: UsageRecord) -> dict[str, Any]:
    from channeling_admin.answers import record_answer

    return record_answer(record)
