"""`channeling price set | list | remove`: custom prices, of one project or of all."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from channeling.operations import prices
from channeling.operations.prices import PriceView
from channeling.pricing.custom_price import CustomPrice, parse_custom_price
from channeling.provider import Provider
from channeling_cli.confirmation import confirm
from channeling_cli.deployment import Deployment, open_deployment
from channeling_cli.failure import CommandFailed, ExitCode
from channeling_cli.operator_name import cli_operator
from channeling_cli.options import AsJson, InProject, Profile, Region, Stack, Target, Yes
from channeling_cli.output import print_json, print_line, print_table

app = typer.Typer(no_args_is_help=True, help="Custom prices: they replace the default ones of a model.")

ForAll = Annotated[bool, typer.Option("--global", help="For all projects that have no price of their own.")]
Rate = Annotated[str | None, typer.Option(metavar="USD", help="Dollars per million tokens.")]


@app.command("set")
def set_price(
    model: Annotated[str, typer.Argument(help="The model's name at the provider; NAME* is a prefix.")],
    input_rate: Annotated[
        str, typer.Option("--input", metavar="USD", help="Dollars per million input tokens.")
    ],
    output_rate: Annotated[
        str, typer.Option("--output", metavar="USD", help="Dollars per million output tokens.")
    ],
    cache_read: Rate = None,
    cache_write_5m: Annotated[str | None, typer.Option("--cache-write-5m", metavar="USD")] = None,
    cache_write_1h: Annotated[str | None, typer.Option("--cache-write-1h", metavar="USD")] = None,
    web_search: Annotated[str | None, typer.Option(metavar="USD", help="Dollars per 1,000 searches.")] = None,
    provider: Annotated[Provider | None, typer.Option(help="Only at this provider (default: any).")] = None,
    valid_from: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it begins to hold, such as 2026-12-01 (default: always)."),
    ] = None,
    for_all: ForAll = False,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Set a model's price; what is not named is priced as docs/prices.md says. Servers follow within a minute."""
    price = _price(
        model=model,
        input=input_rate,
        output=output_rate,
        cache_read=cache_read,
        cache_write_5m=cache_write_5m,
        cache_write_1h=cache_write_1h,
        web_search=web_search,
        provider=provider,
        valid_from=None if valid_from is None else _epoch_s(valid_from),
    )
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = _project_id(deployment, project, for_all=for_all)
        written = asyncio.run(prices.set_price(deployment.stores, cli_operator(), project_id, price))
    if as_json:
        print_json({"project_id": project_id, **_answer(written)})
        return
    print_line(
        f"Set price {written.price_id} for {price.model} in {_whose(project_id)}. {deployment.servers_follow}"
    )


@app.command("list")
def list_prices(
    for_all: ForAll = False,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List custom prices, with what is wrong with those that cannot be read."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = _project_id(deployment, project, for_all=for_all)
        views = asyncio.run(prices.list_prices(deployment.stores, project_id))
    if as_json:
        print_json({"project_id": project_id, "prices": [_answer(view) for view in views]})
        return
    if not views:
        print_line(f"No custom price in {_whose(project_id)}: default prices hold.")
        print_line("Next: channeling price set MODEL --input USD --output USD")
        return
    rates = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_search")
    rows = []
    for view in views:
        written = _answer(view)
        if view.price is None:
            rows.append([view.price_id, "unreadable:", view.reason, *[""] * (len(rates) + 1)])
            continue
        fees = [str(written.get(name, "")) for name in rates]
        rows.append(
            [
                view.price_id,
                view.price.model,
                view.price.provider or "any",
                *fees,
                written["valid_from"] or "",
            ]
        )
    headings = ["id", "model", "provider", *(name.replace("_", " ") for name in rates), "from"]
    print_table(headings, rows, right=[name.replace("_", " ") for name in rates])
    print_line("Dollars per million tokens; searches per 1,000.", style="dim")


@app.command("remove")
def remove_price(
    price_id: Annotated[str, typer.Argument(metavar="ID", help="As `price list` shows it.")],
    yes: Yes = False,
    for_all: ForAll = False,
    project: InProject = None,
    stack: Stack = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Remove a custom price: the next best holds, in the end the default one."""
    with open_deployment(Target(stack, region, profile)) as deployment:
        project_id = _project_id(deployment, project, for_all=for_all)
        confirm(f"Remove price {price_id} of {_whose(project_id)}?", yes=yes)
        asyncio.run(prices.remove_price(deployment.stores, cli_operator(), project_id, price_id))
    if as_json:
        print_json({"project_id": project_id, "removed": price_id})
        return
    print_line(f"Removed price {price_id} of {_whose(project_id)}. {deployment.servers_follow}")


def _price(**written: Any) -> CustomPrice:
    try:
        return parse_custom_price({name: value for name, value in written.items() if value is not None})
    except ValueError as error:
        raise CommandFailed(
            f"this price cannot be set: {error}",
            next_step="dollars are decimal, such as --input 2.50 --output 10, and --valid-from is a time",
            exit_code=ExitCode.REFUSED,
        ) from error


def _epoch_s(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{text!r} is no time such as 2026-12-01 or 2026-12-01T06:00Z", param_hint="--valid-from"
        ) from error


def _project_id(deployment: Deployment, project: str | None, *, for_all: bool) -> str | None:
    if for_all and project is not None:
        raise typer.BadParameter("a price is for one project, or for all: not both", param_hint="--global")
    return None if for_all else deployment.project_id(project)


def _whose(project_id: str | None) -> str:
    return "all projects" if project_id is None else f"project {project_id}"


def _answer(view: PriceView) -> dict[str, Any]:
    from channeling_admin.answers import price_answer

    answer: dict[str, Any] = json.loads(json.dumps(price_answer(view)))
    return answer
