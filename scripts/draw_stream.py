"""Draw the README's terminal picture from a real run: `.venv/bin/python scripts/draw_stream.py`.

It starts `channeling serve` with the demo upstream, runs the commands of SHOWN in bash, and writes what they
printed to docs/img/stream.svg: long lines cut at the edge, and the middle of the stream left out. The plain text is
in the picture's `<desc>`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parents[1] / "docs" / "img" / "stream.svg"
COLUMNS = 116
# An event is three lines, its blank one with it.
FIRST_LINES, LAST_LINES = 5 * 3, 2 * 3 + 2
SHOWN = (
    """curl -N "$URL/v1/messages" -H "x-api-key: $TOKEN" -H "anthropic-version: 2023-06-01" \\
    -H "content-type: application/json" -d '{"model": "claude-sonnet-4-5-20250929", "max_tokens": 1024,
    "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'""",
    'curl "$URL/v1/budget" -H "x-api-key: $TOKEN"',
)
# rich's own format loads a font from another site; the fonts of the machine do.
_SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <title>A streamed answer, and the budget after it</title>
    <desc>DESCRIPTION</desc>
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


def printed_lines(base_url: str, token: str) -> list[str]:
    """Run the commands against a server and return the lines of the picture: prompts, and what was printed."""
    lines = []
    for command in SHOWN:
        lines += [f"$ {command}", *_shortened(_output_of(command, base_url, token).strip().splitlines()), ""]
    # A command of several lines is several lines of the picture.
    return "\n".join(lines).strip().split("\n")


def picture_of(lines: Sequence[str]) -> str:
    """Return the picture as SVG."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, highlight=False)
        for line in lines:
            console.print(Text(_fitted(line), style=_style_of(line)))
        svg = console.export_svg(title="channeling", code_format=_SVG, unique_id="stream")
    return re.sub(r"[ \t]+$", "", svg.replace("DESCRIPTION", escape("\n".join(lines))), flags=re.M)


def _output_of(command: str, base_url: str, token: str) -> str:
    environ = os.environ | {"URL": base_url, "TOKEN": token}
    quiet = command.replace("curl ", "curl --silent --show-error --fail --noproxy '*' ", 1)
    ran = subprocess.run(  # noqa: S603 - the commands are those of SHOWN
        ["bash", "-c", quiet],  # noqa: S607 - a developer's own bash
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stdout


def _shortened(lines: list[str]) -> list[str]:
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out <= 0:
        return lines
    return [*lines[:FIRST_LINES], f"…  {left_out // 3} more events", "", *lines[-LAST_LINES:]]


def _fitted(line: str) -> str:
    if len(line) <= COLUMNS:
        return line
    if line.startswith("data: "):
        return line[: COLUMNS - 1] + "…"
    last_comma = line.rindex(",", 0, COLUMNS) + 1
    return line[:last_comma] + "\n " + line[last_comma:]


def _style_of(line: str) -> str:
    if line.startswith("event: "):
        return "dim"
    return "" if line.startswith(("data: ", "{", "…")) else "bold green"


def main() -> None:
    """Draw it."""
    with tempfile.TemporaryDirectory() as folder:
        command: list[str | Path] = [
            Path(sys.executable).parent / "channeling",
            "serve",
            "--port",
            "0",
            "--json",
            "--data",
            folder,
        ]
        environ = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as server:  # noqa: S603
            try:
                ready = json.loads(server.stdout.readline() if server.stdout else b"")
                PICTURE.write_text(picture_of(printed_lines(ready["base_url"], ready["token"])), "utf-8")
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
