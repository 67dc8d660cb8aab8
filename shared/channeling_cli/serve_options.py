"""What `channeling serve` is told, and reading it without Typer where it is plain.

Typer has pydantic read each option, which takes 60 ms and 10 MB of a server that needs neither. Whatever is not
plain - a mistake, `--help`, an unusual form - is left to Typer, whose word on it holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from channeling.settings import MAX_REQUEST_S_LIMIT
from channeling_cli.amounts import parsed_microdollars
from channeling_cli.local_file import HOME_VARIABLE

BUDGET_VARIABLE = "CHANNELING_DEMO_BUDGET_USD"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
MAX_PORT = 65_535
# By which a shell asks Typer what could come next (Typer's documentation, "CLI Option autocompletion").
_COMPLETION_VARIABLE = "_CHANNELING_COMPLETE"
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line and the environment say. `data` is None for the folder that is taken by default."""

    host: str
    port: int
    max_request_seconds: int | None
    data: Path | None
    as_json: bool
    budget_microusd: int


def budget_text(environ: Mapping[str, str]) -> str:
    """Return the printed token's budget in dollars, as the environment has it."""
    return environ.get(BUDGET_VARIABLE, "").strip() or "5"


def plain_serve_options(arguments: Sequence[str], environ: Mapping[str, str]) -> ServeOptions | None:
    """Return what follows `serve` on a command line as Typer would read it; None where Typer is to read it."""
    budget_microusd = parsed_microdollars(budget_text(environ))
    values = _values(arguments)
    if budget_microusd is None or values is None or _COMPLETION_VARIABLE in environ:
        return None
    port = _number(values.get("--port", str(DEFAULT_PORT)), 0, MAX_PORT)
    longest_text = values.get("--max-request-seconds")
    longest_s = None if longest_text is None else _number(longest_text, 1, MAX_REQUEST_S_LIMIT)
    if port is None or (longest_text is not None and longest_s is None):
        return None
    folder = values.get("--data") or environ.get(HOME_VARIABLE)
    return ServeOptions(
        host=values.get("--host", DEFAULT_HOST),
        port=port,
        max_request_seconds=longest_s,
        data=Path(folder) if folder else None,
        as_json="--json" in values,
        budget_microusd=budget_microusd,
    )


def _values(arguments: Sequence[str]) -> dict[str, str] | None:
    """Return options and their values, of which the last counts; None where there is anything else."""
    values: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument == "--json":
            values[argument] = argument
            continue
        name, has_value, value = argument.partition("=")
        if name not in ("--host", "--port", "--max-request-seconds", "--data"):
            return None
        if not has_value:
            value = next(rest, "")
        if not value or value.startswith("-"):
            return None
        values[name] = value
    return values


def _number(text: str, least: int, most: int) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    number = int(text)
    return number if least <= number <= most else None
