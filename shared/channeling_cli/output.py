"""What commands print: tidy lines for people, one JSON object for programs; errors on standard error.

Rich is imported where it is needed: a server that no terminal shows does without, which spares it 3 MB.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

# Wide enough for no cell to be folded: a pipe has no width of its own.
_PIPED_WIDTH = 1_000


def print_json(values: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_facts(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """Print a title and aligned name-value lines; values are taken as plain text, never as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    console.print(Text(title, style="bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(f"  {name}"), Text(value))
    console.print(table)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print rows under headings, plain text only; `right` names the columns of figures."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(
            Text(name),
            justify="right" if name in right else "left",
            no_wrap=name in right,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)


def printable(text: str) -> str:
    """Return text of others with its control characters shown as escapes: a terminal would obey them."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def is_written_plainly(lines: Iterable[str], stream: IO[str]) -> bool:
    """Return whether Rich would write these lines as they are: no terminal shows them, nor do they need escapes.

    Source: `Console.is_terminal` of Rich 15, which these two variables can overrule.
    """
    may_be_styled = stream.isatty() or "FORCE_COLOR" in os.environ or "TTY_COMPATIBLE" in os.environ
    return not may_be_styled and all(line.isprintable() for line in lines)


def print_line(text: str = "", *, style: str = "", to_stderr: bool = False) -> None:
    """Print one line as plain text."""
    stream = sys.stderr if to_stderr else sys.stdout
    if is_written_plainly([text], stream):
        stream.write(f"{text}\n")
        stream.flush()
        return
    from rich.console import Console
    from rich.text import Text

    Console(stderr=to_stderr, soft_wrap=True, highlight=False).print(Text(text, style=style))


def print_error(message: str, next_step: str, *, as_json: bool) -> None:
    """Print an error and what to do next on standard error."""
    if as_json:
        sys.stderr.write(json.dumps({"error": message, "next": next_step or None}, ensure_ascii=False) + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text.assemble(("error: ", "bold red"), message))
    if next_step:
        console.print(Text.assemble(("  next: ", "bold"), next_step))
