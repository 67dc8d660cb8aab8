"""`channeling usage show | export`: what a project used, in sums and record by record."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from channeling.budget_answer import iso_time
from channeling.money import dollars
from channeling.operations.records import RecordSelection, all_records
from channeling.operations.stores import Stores
from channeling.operations.usage import Selection, Totals, UsageReport, read_usage
from channeling_cli.deployment import open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_facts, print_json, print_line, print_table
from channeling_cli.time_range import First, Last, Since, TimeRange, time_range

OfUser = Annotated[str | None, typer.Option("--user", help="Of this user alone.")]
OfModel = Annotated[str | None, typer.Option("--model", help="Of this model alone.")]


class Breakdown(StrEnum):
    """What the sums are by."""

    DAY = "day"
    HOUR = "hour"
    MODEL = "model"
    USER = "user"
    PROVIDER = "provider"


class ExportFormat(StrEnum):
    """The forms of an export."""

    JSONL = "jsonl"
    CSV = "csv"


def show(
    by: Annotated[Breakdown, typer.Option("--by", help="What the sums are by.")] = Breakdown.DAY,
    since: Since = "7d",
    first: First = None,
    last: Last = None,
    user: OfUser = None,
    model: OfModel = None,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a project used and what it cost, in whole hours, up to this moment."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id, stores = deployment.project_id(project), deployment.stores
        time = time_range(since, first, last, stores.now_s)
        report = asyncio.run(
            read_usage(
                stores,
                project_id,
                time.from_s,
                time.until_s,
                bucket="hour" if by is Breakdown.HOUR else "day",
                selection=Selection(user_id=user, model=model),
            )
        )
    if as_json:
        from channeling_admin.answers import usage_answer

        print_json({"project_id": project_id, **usage_answer(report, 1_000)})
        return
    total = report.totals
    facts = [("cost", f"${dollars(total.cost)}"), ("requests", f"{total.requests:,}{_troubles(total)}")]
    if total.adjusted:
        facts.append(("adjusted", f"${dollars(total.adjusted)} by operators"))
    if total.uncollected:
        facts.append(("uncollected", f"${dollars(total.uncollected)}"))
    print_facts(f"Project {project_id}, {iso_time(report.from_s)} to {iso_time(report.until_s)}", facts)
    rows = _rows(report, by)
    if not rows:
        print_line("\nNothing was used. Longer ago: --since 90d")
        return
    figures = ["cost", "requests", "in", "cached", "out", "thinking"]
    print_table([by, *figures], rows, right=figures)


def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write (default: standard output).")
    ] = None,
    form: Annotated[ExportFormat, typer.Option("--format", help="JSON Lines, or CSV.")] = ExportFormat.JSONL,
    since: Since = "7d",
    first: First = None,
    last: Last = None,
    user: OfUser = None,
    model: OfModel = None,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Write every usage record of a time, as it comes from the store: a large export takes little memory."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id, stores = deployment.project_id(project), deployment.stores
        asyncio.run(deployment.read_project(project_id))
        time = time_range(since, first, last, stores.now_s)
        selection = RecordSelection(user_id=user, model=model)
        lines = _lines(stores, project_id, time, selection, form)
        if output is None:
            asyncio.run(_write(lines, sys.stdout))
            return
        try:
            written = _write_file(lines, output)
        except OSError as error:
            raise CommandFailed(
                f"{str(output)!r} cannot be written: {error.strerror}", exit_code=ExitCode.REFUSED
            ) from error
    print_line(f"Wrote {written:,} lines to {output}", style="dim", to_stderr=True)


def _lines(
    stores: Stores, project_id: str, time: TimeRange, selection: RecordSelection, form: ExportFormat
) -> AsyncIterator[str]:
    from channeling_admin.export_lines import csv_lines, json_lines

    records = all_records(stores, project_id, time.from_s, time.until_s, selection=selection)
    return json_lines(records) if form is ExportFormat.JSONL else csv_lines(records)


async def _write(chunks: AsyncIterator[str], file: TextIO) -> int:
    """Write chunks and return how many lines they had; a reader that has left, such as `head`, ends it quietly."""
    lines = 0
    try:
        async for chunk in chunks:
            file.write(chunk)
            lines += chunk.count("\n")
        file.flush()
    except BrokenPipeError:
        # What is still buffered has nowhere to go; Python would complain when it flushes it at the end.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return lines


def _write_file(chunks: AsyncIterator[str], output: Path) -> int:
    draft = output.with_name(f".{output.name}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            written = asyncio.run(_write(chunks, file))
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
    return written


def _rows(report: UsageReport, by: Breakdown) -> list[list[str]]:
    groups: Mapping[str, Totals]
    match by:
        case Breakdown.DAY | Breakdown.HOUR:
            characters = 16 if by is Breakdown.HOUR else 10
            groups = {
                iso_time(start_s)[:characters].replace("T", " "): totals
                for start_s, totals in report.series.items()
            }
        case Breakdown.MODEL:
            groups = report.by_model
        case Breakdown.USER:
            groups = report.by_user
        case Breakdown.PROVIDER:
            groups = report.by_provider
    return [[name or "(none)", *_figures(totals)] for name, totals in groups.items()]


def _figures(totals: Totals) -> list[str]:
    tokens = totals.tokens
    written = tokens["cache_write_5m_tokens"] + tokens["cache_write_1h_tokens"]
    counts = (
        tokens["input_tokens"] + tokens["cache_read_tokens"] + written,
        tokens["cache_read_tokens"],
        tokens["output_tokens"],
        tokens["thinking_tokens"],
    )
    return [f"${dollars(totals.cost)}", f"{totals.requests:,}", *(f"{count:,}" for count in counts)]


def _troubles(total: Totals) -> str:
    named = {
        "refused": total.refused,
        "failed": total.failed,
        "left by the client": total.cancelled,
        "reclaimed": total.reclaimed,
        "estimated": total.estimated,
        "clamped": total.clamped,
        "cut": total.cut,
    }
    told = ", ".join(f"{count:,} {what}" for what, count in named.items() if count)
    return f" ({told})" if told else ""
