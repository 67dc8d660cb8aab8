"""`channeling usage recover`: billing requests whose end only the log knows."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from channeling.budgets.recovery import (
    Correct,
    EndHold,
    FinishAdjustment,
    Nothing,
    Recovered,
    RecoveryRefused,
    SettleHold,
    recover,
)
from channeling.budgets.store import BudgetStore
from channeling.budgets.unsettled_log import NOT_SETTLED, LineInvalid, Unsettled, parse_unsettled
from channeling.clock import SystemClock
from channeling.errors import StoreUnavailable
from channeling.money import dollars
from channeling.usage.store import UsageStore
from channeling_cli import usage_reports, usage_tail
from channeling_cli.deployment import open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.log_lines import Unreadable, find_log_lines
from channeling_cli.operator_name import operator_name
from channeling_cli.options import AsJson, Profile, Region, Stack, Target
from channeling_cli.output import print_facts, print_json, print_line

app = typer.Typer(no_args_is_help=True, help="Usage records: what requests were billed.")
app.command("show")(usage_reports.show)
app.command("tail")(usage_tail.tail)
app.command("export")(usage_reports.export)

# One request that the store refuses is that request's trouble; so many in a row are the store's.
MAX_FAILURES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was found, and what it says: a request, or why none."""

    place: str
    unsettled: Unsettled | None
    reason: str = ""


@app.command("recover")
def recover_requests(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE…|-]", help="Logs of the gateway; - or nothing is standard input."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    actor: Annotated[str | None, typer.Option(help="Who does it (default: your login name).")] = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Bill the requests that a log says could not be settled. Doing it again changes nothing."""
    by = operator_name(actor)
    with ExitStack() as opened:
        logs = [(name, _open_log(name, opened)) for name in files or ["-"]]
        deployment = opened.enter_context(open_deployment(Target(stack, region, profile)))
        budgets = BudgetStore(deployment.dynamodb, deployment.tables.budgets)
        records = UsageStore(deployment.dynamodb, deployment.tables.usage, SystemClock())
        results = asyncio.run(_recover_all(budgets, records, _read(logs), by, dry_run=dry_run))
    _tell(results, dry_run=dry_run, as_json=as_json)
    outcomes = {result["outcome"] for result in results}
    if outcomes & {"failed", "not tried"}:
        raise typer.Exit(ExitCode.UNREACHABLE)
    if "refused" in outcomes:
        raise typer.Exit(ExitCode.REFUSED)


def _open_log(name: str, opened: ExitStack) -> BinaryIO:
    if name == "-":
        if sys.stdin.isatty():
            raise CommandFailed(
                "no log was given",
                next_step="name files, or pipe one in: aws logs tail GROUP --since 2d | channeling usage recover",
                exit_code=ExitCode.USAGE,
            )
        return sys.stdin.buffer
    try:
        return opened.enter_context(Path(name).open("rb"))
    except OSError as error:
        raise CommandFailed(
            f"{name!r} cannot be read: {error.strerror}", exit_code=ExitCode.NOT_FOUND
        ) from error


def _read(logs: list[tuple[str, BinaryIO]]) -> Iterator[Line]:
    for name, stream in logs:
        for found in find_log_lines(stream, NOT_SETTLED):
            place = f"{name}:{found.place}"
            if isinstance(found, Unreadable):
                yield Line(place, None, found.reason)
                continue
            try:
                yield Line(place, parse_unsettled(found.fields))
            except LineInvalid as error:
                yield Line(place, None, str(error))


async def _recover_all(
    budgets: BudgetStore, usage: UsageStore, lines: Iterator[Line], actor: str, *, dry_run: bool
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    failed_in_a_row = 0
    for line in lines:
        if line.unsettled is None:
            results.append({"line": line.place, "outcome": "refused", "reason": line.reason})
        elif failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
            results.append(
                _result(line.place, line.unsettled, "not tried", "the store did not answer before")
            )
        else:
            result = await _recover_one(budgets, usage, line.place, line.unsettled, actor, dry_run=dry_run)
            failed_in_a_row = failed_in_a_row + 1 if result["outcome"] == "failed" else 0
            results.append(result)
    return results


async def _recover_one(
    budgets: BudgetStore, usage: UsageStore, place: str, unsettled: Unsettled, actor: str, *, dry_run: bool
) -> dict[str, Any]:
    try:
        recovered = await recover(budgets, usage, unsettled, actor, dry_run=dry_run)
    except RecoveryRefused as refused:
        return _result(place, unsettled, "refused", str(refused))
    except StoreUnavailable as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        return _result(place, unsettled, "failed", f"{error.message}{cause}")
    uncollected = sum(record.uncollected for record in (recovered.bill, recovered.correction) if record)
    return _result(place, unsettled, recovered.done, _reason(recovered, unsettled)) | {
        "corrected_usd": dollars(recovered.step.amount) if isinstance(recovered.step, Correct) else "0",
        "uncollected_usd": dollars(uncollected),
    }


def _result(place: str, unsettled: Unsettled, outcome: str, reason: str) -> dict[str, Any]:
    record = unsettled.record
    return {
        "line": place,
        "outcome": outcome,
        "reason": reason,
        "project_id": record.project_id,
        "user_id": record.user_id,
        "window": record.window_kind,
        "request_id": record.request_id,
        "cost_usd": dollars(record.cost),
    }


def _reason(recovered: Recovered, unsettled: Unsettled) -> str:
    match recovered.step:
        case EndHold():
            return "its hold stood: recorded and settled"
        case SettleHold(cost=cost):
            return f"its record of ${dollars(cost)} stood, and so did its hold: settled"
        case FinishAdjustment():
            return "an order of this budget was half done: that is finished first"
        case Nothing(reason):
            return reason
        case Correct(bill, amount, uncollected, window_is_gone):
            parts = [f"it was billed ${dollars(bill.cost)} by estimate"]
            if uncollected:
                parts.append(f"${dollars(uncollected)} more cannot be collected")
            elif window_is_gone:
                parts.append(f"${dollars(-amount)} less in the records; its window is gone")
            else:
                parts.append(f"${dollars(-amount)} given back")
                rest = bill.cost - unsettled.record.cost + amount
                if rest:
                    parts.append(f"${dollars(rest)} had been given back before")
            return "; ".join(parts)


def _tell(results: list[dict[str, Any]], *, dry_run: bool, as_json: bool) -> None:
    counts = Counter(str(result["outcome"]) for result in results)
    if as_json:
        print_json({"dry_run": dry_run, "counts": dict(sorted(counts.items())), "lines": results})
        return
    for result in results:
        whose = f"{result['project_id']}, user {result['user_id']!r}: " if "user_id" in result else ""
        failed = result["outcome"] in ("refused", "failed", "not tried")
        print_line(f"{result['line']}: {result['outcome']}: {whose}{result['reason']}", to_stderr=failed)
    if not results:
        print_line("No line says that a request could not be settled; there is nothing to recover.")
        return
    words = {"nothing": "nothing to do"}
    print_facts(
        "Would be done (nothing was changed)" if dry_run else "Done",
        [(words.get(outcome, outcome), str(count)) for outcome, count in sorted(counts.items())],
    )
