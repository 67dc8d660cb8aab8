"""`channeling user list | show`: who spends what, and how their budgets stand."""

import asyncio
from typing import Annotated

import typer

from channeling.budget_answer import iso_time
from channeling.money import dollars
from channeling.operations.stores import Stores
from channeling.operations.usage import Selection, Totals, UsageReport, read_usage
from channeling.operations.users import UserView, budgets_of, show_user
from channeling_cli.deployment import open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target
from channeling_cli.output import print_facts, print_json, print_line, print_table
from channeling_cli.time_range import First, Last, Since, TimeRange, time_range

app = typer.Typer(no_args_is_help=True, help="Users: who spends what, and what they have left.")

_READS_AT_ONCE = 16


@app.command("list")
def list_users(
    since: Since = "7d",
    first: First = None,
    last: Last = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="The dearest so many.")] = 20,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List users by what they spent, the dearest first, with what is settled in their budgets now."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id, stores = deployment.project_id(project), deployment.stores
        time = time_range(since, first, last, stores.now_s)
        report, views = asyncio.run(_dearest(stores, project_id, time, limit))
    if as_json:
        from channeling_admin.answers import totals_answer, user_answer

        print_json(
            {
                "project_id": project_id,
                "from": iso_time(report.from_s),
                "until": iso_time(report.until_s),
                "count": len(report.by_user),
                "users": [
                    user_answer(view, stores.now_s) | {"usage": totals_answer(report.by_user[view.user_id])}
                    for view in views
                ],
            }
        )
        return
    if not views:
        print_line(f"Nobody used project {project_id} since {iso_time(report.from_s)}.")
        print_line(f"Next: channeling token mint --user ana --budget 5 --project {project_id}")
        return
    print_table(
        ["user", "spent", "requests", "tokens in", "out", "budgets now"],
        [_user_row(view, report.by_user[view.user_id], stores.now_s) for view in views],
        right=["spent", "requests", "tokens in", "out"],
    )
    if len(report.by_user) > len(views):
        print_line(f"{len(report.by_user) - len(views)} more: --limit {len(report.by_user)}", style="dim")


@app.command("show")
def show(
    user: Annotated[str, typer.Argument(metavar="USER", help="The user's id, as in the token.")],
    since: Since = "7d",
    first: First = None,
    last: Last = None,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show one user: budgets as they stand, and what was used, by model."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id, stores = deployment.project_id(project), deployment.stores
        time = time_range(since, first, last, stores.now_s)
        view, report = asyncio.run(_one(stores, project_id, user, time))
    if not view.budgets and not report.totals.requests and view.revoked_before_ms is None:
        raise CommandFailed(
            f"user {user!r} is not known in project {project_id}: the first request makes them so",
            next_step=f"channeling user list --project {project_id}{deployment.target.flags} lists those that are",
            exit_code=ExitCode.NOT_FOUND,
        )
    if as_json:
        from channeling_admin.answers import usage_answer, user_answer

        answer = {"project_id": project_id, **user_answer(view, stores.now_s)}
        print_json(answer | {"usage": usage_answer(report, 50)})
        return
    facts = _budget_facts(view, stores.now_s)
    facts.append((f"since {iso_time(report.from_s)[:10]}", _totals_text(report.totals)))
    if report.totals.adjusted:
        facts.append(("adjusted", f"${dollars(report.totals.adjusted)} by operators"))
    print_facts(f"{user} in project {project_id}", facts)
    if report.by_model:
        print_table(
            ["model", "spent", "requests", "tokens in", "out"],
            [[model or "(none)", *_figures(totals)] for model, totals in report.by_model.items()],
            right=["spent", "requests", "tokens in", "out"],
        )


async def _dearest(
    stores: Stores, project_id: str, time: TimeRange, limit: int
) -> tuple[UsageReport, list[UserView]]:
    report = await read_usage(stores, project_id, time.from_s, time.until_s)
    slots = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(user_id: str) -> UserView:
        async with slots:
            return await budgets_of(stores, project_id, user_id)

    return report, await asyncio.gather(*(read(user_id) for user_id in list(report.by_user)[:limit]))


async def _one(
    stores: Stores, project_id: str, user_id: str, time: TimeRange
) -> tuple[UserView, UsageReport]:
    view = await show_user(stores, project_id, user_id)
    chosen = Selection(user_id=user_id)
    return view, await read_usage(stores, project_id, time.from_s, time.until_s, selection=chosen)


def _user_row(view: UserView, totals: Totals, now_s: int) -> list[str]:
    budgets = [
        f"{kind}: ${dollars(item.window.settled)}"
        + (f" (+${dollars(item.window.held)} held)" if item.window.held else "")
        for kind, item in view.budgets.items()
        if item.window is not None and item.window.end_s > now_s
    ]
    return [view.user_id, *_figures(totals), ", ".join(budgets)]


def _figures(totals: Totals) -> list[str]:
    return [f"${dollars(totals.cost)}", f"{totals.requests:,}", f"{_input(totals):,}", f"{_output(totals):,}"]


def _budget_facts(view: UserView, now_s: int) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    for kind, item in view.budgets.items():
        window = item.window
        if window is None:
            continue
        ended = window.end_s <= now_s
        text = f"${dollars(window.settled)} settled, ${dollars(window.held)} held by {len(window.holds)} requests"
        until = f"ended {iso_time(window.end_s)}" if ended else f"until {iso_time(window.end_s)}"
        raised = f", raised by ${dollars(item.live_raise())}" if item.live_raise() else ""
        facts.append((kind, f"{text}{raised}, {until}"))
    if view.revoked_before_ms is not None:
        facts.append(("revoked", f"tokens issued until {iso_time(view.revoked_before_ms // 1_000)}"))
    return facts or [("budgets", "none yet")]


def _totals_text(totals: Totals) -> str:
    return (
        f"${dollars(totals.cost)} for {totals.requests:,} request{'' if totals.requests == 1 else 's'},"
        f" {_input(totals):,} tokens in, {_output(totals):,} out"
    )


def _input(totals: Totals) -> int:
    names = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    return sum(int(totals.tokens[name]) for name in names)


def _output(totals: Totals) -> int:
    return int(totals.tokens["output_tokens"])
