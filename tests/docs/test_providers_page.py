"""The providers page is true: every name in its table goes where the table says, and its settings exist."""

import re
from pathlib import Path

import pytest

from channeling.errors import InvalidRequest
from channeling.routing.route import missing_key_message, route_model
from tests.docs.pages import ROOT

PAGE = Path(ROOT / "docs" / "providers.md").read_text("utf-8")
NAMES = {"Anthropic": "anthropic", "OpenAI": "openai", "OpenRouter": "openrouter"}


def rows() -> list[list[str]]:
    [table] = re.findall(r"^\| A model named \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.M)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]


@pytest.mark.parametrize("row", rows(), ids=[row[0] for row in rows()])
def test_a_name_goes_where_the_table_says(row: list[str]) -> None:
    patterns, provider, sent, examples = row
    for example in re.findall(r"`([^`]+)`", examples):
        route = route_model(example, {})
        assert route.provider == NAMES[provider], example
        assert route.upstream_model == (example.removeprefix("or:") if "without" in sent else example)
        assert route.requested_model == example
    for pattern in re.findall(r"`([^`]+)…`", patterns):
        assert route_model(f"{pattern}x", {}).provider == NAMES[provider], pattern


def test_what_is_said_of_names() -> None:
    assert route_model("fast", {"fast": "claude-haiku-4-5"}).upstream_model == "claude-haiku-4-5"
    assert route_model("claude-sonnet-4-6[1m]", {}).upstream_model == "claude-sonnet-4-6"
    for name in ("or:gpt-4o", "or:gpt-oss:20b", "or:anthropic/claude-sonnet-4.5"):
        assert f"`{name}`" in PAGE
        assert route_model(name, {}).provider == "openrouter"
    with pytest.raises(InvalidRequest):
        route_model("or:", {})


@pytest.mark.parametrize("provider", ["anthropic", "openai", "openrouter"])
def test_the_command_that_a_missing_key_names_is_on_the_page(provider: str) -> None:
    said = missing_key_message(provider)  # type: ignore[arg-type]  # one of the three, as a parameter
    [command] = re.findall(r"channeling key set \w+", said)
    assert command in PAGE
    assert f"`{provider.upper()}_API_KEY`" in PAGE
