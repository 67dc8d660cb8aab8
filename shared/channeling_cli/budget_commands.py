"""`channeling budget show | adjust | reset | raise | revoke`: a user's budget, seen and changed by an operator."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from channeling.budget_answer import iso_time
from channeling.budgets.item import BudgetItem, WindowState
from channeling.budgets.operations import Adjusted, check_user_id
from channeling.money import dollars
from channeling.operations import users
from channeling.operations.stores import Stores
from channeling.operations.users import UserView
from channeling.window_kind import WindowKind
from channeling_cli.amounts import microdollars
from channeling_cli.confirmation import confirm
from channeling_cli.deployment import open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.operator_name import cli_operator
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target, Yes
from channeling_cli.output import print_facts, print_json, print_line

app = typer.Typer(no_args_is_help=True, help="One user's budget: see it, correct it, raise it, revoke.")

User = Annotated[str, typer.Argument(metavar="USER", help="The user's id, as in the token.")]
OfWindow = Annotated[WindowKind, typer.Option("--window", help="Each kind of window is a budget of its own.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: it is kept in the usage record.")]
Actor = Annotated[str | None, typer.Option("--actor", help="Who does it (default: your login name).")]


@app.command("show")
def show(
    user: User,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show what is settled and held in every window the user has."""
    with _open(Target(stack, region, profile), project, user) as books:
        view = asyncio.run(books.read_all())
    if not view.budgets:
        raise CommandFailed(
            f"user {user!r} has no budget in project {books.project_id}: the first request begins one",
            exit_code=ExitCode.NOT_FOUND,
        )
    revoked_before_ms = view.revoked_before_ms
    now_s = time.time()
    windows = [_shown(kind, item, item.window, now_s) for kind, item in view.budgets.items() if item.window]
    if as_json:
        print_json(
            {
                "project_id": books.project_id,
                "user_id": user,
                "revoked_before_ms": revoked_before_ms,
                "windows": windows,
            }
        )
        return
    for window in windows:
        ended = " (ended: the next request begins a new one)" if window["has_ended"] else ""
        facts = [
            ("settled", f"${window['settled_usd']}"),
            ("held", f"${window['held_usd']}, requests running: {window['running_requests']}"),
            ("raise", f"${window['raise_usd']}"),
            ("from", window["starts_at"]),
            ("until", window["ends_at"] + ended),
        ]
        if window["pending_adjustment_usd"] is not None:
            facts.append(("not yet applied", f"${window['pending_adjustment_usd']}"))
        if window["previous"] is not None:
            before = window["previous"]
            facts.append(("window before", f"${before['settled_usd']} settled, ${before['held_usd']} held"))
        print_facts(f"{user}, {window['window']}", facts)
    if revoked_before_ms is not None:
        print_line(f"Revoked: tokens issued until {iso_time(revoked_before_ms // 1000)}")


@app.command("adjust")
def adjust(
    user: User,
    reason: Reason,
    credit: Annotated[str | None, typer.Option(metavar="USD", help="Dollars to give back.")] = None,
    debit: Annotated[str | None, typer.Option(metavar="USD", help="Dollars to charge.")] = None,
    window: OfWindow = "day",
    actor: Actor = None,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Give back, or charge, an amount in the user's current window."""
    if (credit is None) == (debit is None):
        raise typer.BadParameter("say either --credit USD or --debit USD")
    amount = -_nanodollars(credit, "--credit") if credit is not None else _nanodollars(debit or "", "--debit")
    operator = cli_operator(actor)
    with _open(Target(stack, region, profile), project, user) as books:
        done = asyncio.run(
            users.adjust_budget(books.stores, operator, books.project_id, user, window, amount, reason)
        )
    _tell_adjusted(books, window, done, as_json=as_json)


@app.command("reset")
def reset(
    user: User,
    reason: Reason,
    window: OfWindow = "day",
    actor: Actor = None,
    yes: Yes = False,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Give back all that is settled in the user's current window; requests in flight are charged as ever."""
    operator = cli_operator(actor)
    with _open(Target(stack, region, profile), project, user) as books:
        confirm(f"Give user {user!r} back all that is settled of this {window}?", yes=yes)
        done = asyncio.run(users.reset_budget(books.stores, operator, books.project_id, user, window, reason))
    _tell_adjusted(books, window, done, as_json=as_json)


@app.command("raise")
def raise_limit(
    user: User,
    amount: Annotated[
        str, typer.Argument(metavar="USD", help="Dollars, all that is added; 0 takes it away.")
    ],
    reason: Reason,
    window: OfWindow = "day",
    actor: Actor = None,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Add dollars to the user's limit until the current window ends; not on top of an earlier raise."""
    added = _nanodollars(amount, "USD")
    operator = cli_operator(actor)
    with _open(Target(stack, region, profile), project, user) as books:
        item = asyncio.run(
            users.raise_budget(books.stores, operator, books.project_id, user, window, added, reason)
        )
    ends_at = iso_time(item.window.end_s) if item.window else ""
    if as_json:
        print_json(books.identity(window) | {"raise_usd": dollars(item.live_raise()), "ends_at": ends_at})
        return
    if item.live_raise() == 0:
        print_line(f"The limit of {user!r} is that of the token again; nothing is added to it.")
        return
    print_line(f"The limit of {user!r} is raised by ${dollars(item.live_raise())} until {ends_at}.")


@app.command("revoke")
def revoke(
    user: User,
    reason: Annotated[str, typer.Option("--reason", help="Why: it is kept.")] = "revoked",
    actor: Actor = None,
    yes: Yes = False,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Refuse every token the user has now; those minted later work."""
    operator = cli_operator(actor)
    with _open(Target(stack, region, profile), project, user) as books:
        confirm(f"Refuse every token that user {user!r} has now?", yes=yes)
        asyncio.run(users.revoke_user(books.stores, operator, books.project_id, user, reason))
        revoked_before_ms = asyncio.run(books.read_all()).revoked_before_ms
    if as_json:
        print_json({"project_id": books.project_id, "user_id": user, "revoked_before_ms": revoked_before_ms})
        return
    # Tokens say in whole seconds when they were issued, so one of this very second counts as issued before.
    print_line(
        f"Every token of {user!r} issued until now is refused. One minted from the next second on lets them in."
    )


@dataclass(frozen=True, slots=True)
class _Books:
    """A user's budgets in an opened deployment."""

    stores: Stores
    project_id: str
    user_id: str

    def identity(self, kind: WindowKind) -> dict[str, Any]:
        return {"project_id": self.project_id, "user_id": self.user_id, "window": kind}

    async def read_all(self) -> UserView:
        return await users.show_user(self.stores, self.project_id, self.user_id)


@contextmanager
def _open(target: Target, project: str | None, user: str) -> Iterator[_Books]:
    check_user_id(user)
    with open_deployment(target) as deployment:
        project_id = deployment.project_id(project)
        asyncio.run(deployment.read_project(project_id))
        yield _Books(deployment.stores, project_id, user)


def _shown(kind: WindowKind, item: BudgetItem, window: WindowState, now_s: float) -> dict[str, Any]:
    return {
        "window": kind,
        **_money(window),
        "raise_usd": dollars(item.live_raise()),
        "starts_at": iso_time(window.start_s),
        "ends_at": iso_time(window.end_s),
        "has_ended": window.end_s <= now_s,
        "pending_adjustment_usd": dollars(item.adjustment.amount) if item.adjustment else None,
        "previous": _money(item.previous) if item.previous else None,
    }


def _money(window: WindowState) -> dict[str, Any]:
    return {
        "settled_usd": dollars(window.settled),
        "held_usd": dollars(window.held),
        "running_requests": len(window.holds),
    }


def _tell_adjusted(books: _Books, window: WindowKind, done: Adjusted, *, as_json: bool) -> None:
    settled = dollars(done.item.window.settled) if done.item.window else "0"
    if as_json:
        print_json(books.identity(window) | {"adjusted_usd": dollars(done.amount), "settled_usd": settled})
        return
    if done.amount == 0:
        print_line(f"Nothing is settled in this {window} of {books.user_id!r}; nothing was changed.")
        return
    verb = "Gave back" if done.amount < 0 else "Charged"
    print_line(
        f"{verb} ${dollars(abs(done.amount))}. Settled in this {window} of {books.user_id!r}: ${settled}."
    )


def _nanodollars(text: str, option: str) -> int:
    return microdollars(text, option) * 1_000
