"""`channeling serve` as Typer describes it, helps with it, and reads it where it is not plain."""

import os
from pathlib import Path
from typing import Annotated

import typer

from channeling.settings import MAX_REQUEST_S_LIMIT
from channeling_cli.amounts import microdollars
from channeling_cli.local_file import HOME_VARIABLE
from channeling_cli.options import AsJson
from channeling_cli.serve_options import (
    BUDGET_VARIABLE,
    DEFAULT_HOST,
    DEFAULT_PORT,
    MAX_PORT,
    ServeOptions,
    budget_text,
)


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = DEFAULT_HOST,
    port: Annotated[
        int, typer.Option(min=0, max=MAX_PORT, help="The port; 0 takes a free one.")
    ] = DEFAULT_PORT,
    max_request_seconds: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_REQUEST_S_LIMIT, help="The longest a request may take (default: 900)."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(envvar=HOME_VARIABLE, help="The folder for its files (default: .channeling)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run Channeling on this machine until Ctrl-C."""
    # Not at the top: help and completion need none of it.
    from channeling_cli.serve_gateway import serve_gateway

    budget_microusd = microdollars(budget_text(os.environ), BUDGET_VARIABLE)
    serve_gateway(ServeOptions(host, port, max_request_seconds, data, as_json, budget_microusd))
