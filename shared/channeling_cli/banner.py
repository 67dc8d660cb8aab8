"""What `channeling serve` prints to people once it listens."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from channeling_cli.output import is_written_plainly

MODEL, OPENAI_MODEL = "claude-sonnet-4-5-20250929", "gpt-5.2"


@dataclass(frozen=True, slots=True)
class Banner:
    """What there is to say. `command` is how `channeling` is called in a second terminal; `provider_names` have a
    key; `missing_key` names the variable of a key that is not set although its provider's address is."""

    command: str
    base_url: str
    token: str
    budget_usd: str
    dashboard_url: str
    provider_names: tuple[str, ...]
    is_demo: bool
    missing_key: str | None
    lasting_store_url: str | None

    @property
    def model(self) -> str:
        """A model that answers: Anthropic's, but where the project has OpenAI's key alone."""
        has_openai_alone = "openai" in self.provider_names and "anthropic" not in self.provider_names
        return OPENAI_MODEL if has_openai_alone else MODEL


def command_to_type(program: str, here: Path) -> str:
    """Return how this program is called from a folder: by its name where PATH finds it, else by its path."""
    path = Path(os.path.abspath(program))  # noqa: PTH100 - resolve() would leave the virtual environment
    found = shutil.which(path.name)
    if found is not None and Path(found).resolve() == path.resolve():
        return path.name
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Text whose parts have styles of Rich's."""

    parts: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.parts)


@dataclass(frozen=True, slots=True)
class _Box:
    """Text in a box."""

    title: str
    text: str


def print_banner(banner: Banner) -> None:
    """Print it on standard output; long lines are left whole, to be pasted."""
    blocks = _blocks(banner)
    lines = [line for block in blocks if isinstance(block, _Lines) for line in block.text.split("\n")]
    if any(isinstance(block, _Box) for block in blocks) or not is_written_plainly(lines, sys.stdout):
        _print_styled(blocks)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()


def _print_styled(blocks: Sequence[_Lines | _Box]) -> None:
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    for block in blocks:
        if isinstance(block, _Box):
            console.print(Panel(block.text, title=block.title, border_style="yellow", expand=False))
        else:
            console.print(Text.assemble(*block.parts))


def _blocks(banner: Banner) -> list[_Lines | _Box]:
    blocks: list[_Lines | _Box] = [
        _Lines((("Channeling listens on ", "bold"), (banner.base_url, "bold cyan"))),
        *_notices(banner),
    ]
    for title, snippet in _snippets(banner):
        blocks += [_line(f"\n{title}", "bold"), _line(snippet)]
    blocks.append(_line("\nIn a second terminal, in this folder:", "bold"))
    for arguments in ("token mint --user ana --budget 1 --window day", "key set anthropic", "doctor"):
        blocks.append(_line(f"  {banner.command} {arguments}"))
    return [*blocks, _line("\nCtrl-C stops it.")]


def _line(text: str, style: str = "") -> _Lines:
    return _Lines(((text, style),))


def _notices(banner: Banner) -> list[_Lines | _Box]:
    notices: list[_Lines | _Box] = []
    if banner.is_demo:
        notices.append(
            _Box(
                "DEMO UPSTREAM",
                "No provider key is set: the built-in DEMO answers, not a model.\n"
                "For real answers: stop, export ANTHROPIC_API_KEY=…, start again;\n"
                f"or leave it running and: {banner.command} key set anthropic",
            )
        )
    if banner.missing_key is not None:
        notices.append(
            _line(
                f"{banner.missing_key} is not set, though CHANNELING_ANTHROPIC_BASE_URL is: Anthropic models "
                f"answer 400 until it is, or until: {banner.command} key set anthropic",
                "yellow",
            )
        )
    if banner.provider_names and not banner.is_demo:
        notices.append(_line(f"Providers with a key: {', '.join(banner.provider_names)}"))
    notices.append(_line(f"The token below is good for 24 hours and ${banner.budget_usd} a day."))
    if banner.lasting_store_url is None:
        notices.append(
            _line(
                "The store is in memory: projects, keys, budgets and usage are lost at exit. "
                "To keep them, set AWS_ENDPOINT_URL_DYNAMODB to a DynamoDB.",
                "dim",
            )
        )
    else:
        notices.append(
            _line(f"The store is the DynamoDB at {banner.lasting_store_url}: nothing is lost at exit.", "dim")
        )
    return notices


def _snippets(banner: Banner) -> list[tuple[str, str]]:
    url, token, model = banner.base_url, banner.token, banner.model
    # Its own names for its large and small models are Anthropic's.
    chosen = f"ANTHROPIC_MODEL={model} ANTHROPIC_DEFAULT_HAIKU_MODEL={model} " if model != MODEL else ""
    message = '[{"role": "user", "content": "Hello!"}]'
    return [
        (
            "curl",
            f"curl -N {url}/v1/messages -H 'x-api-key: {token}' -H 'anthropic-version: 2023-06-01' "
            f"-H 'content-type: application/json' "
            f'-d \'{{"model": "{model}", "max_tokens": 256, "stream": true, "messages": {message}}}\'',
        ),
        (
            "Python (pip install anthropic)",
            "import anthropic\n\n"
            f'client = anthropic.Anthropic(base_url="{url}", api_key="{token}")\n'
            f'with client.messages.stream(model="{model}", max_tokens=256, messages={message}) as stream:\n'
            "    for text in stream.text_stream:\n"
            '        print(text, end="", flush=True)',
        ),
        (
            "TypeScript (npm install @anthropic-ai/sdk)",
            "import Anthropic from '@anthropic-ai/sdk';\n\n"
            f"const client = new Anthropic({{ baseURL: '{url}', apiKey: '{token}' }});\n"
            f"const stream = client.messages.stream({{ model: '{model}', max_tokens: 256, messages: "
            "[{ role: 'user', content: 'Hello!' }] });\n"
            "stream.on('text', (text) => process.stdout.write(text));\n"
            "await stream.finalMessage();",
        ),
        ("Claude Code", f"ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN={token} {chosen}claude"),
        ("Dashboard (signed in for 12 hours)", banner.dashboard_url),
        ("Budget", f"curl {url}/v1/budget -H 'x-api-key: {token}'"),
    ]
