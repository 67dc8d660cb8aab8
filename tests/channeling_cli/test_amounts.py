"""Dollars and durations are read exactly or refused."""

import pytest
import typer

from channeling_cli.amounts import duration_s, microdollars, usd_text


@pytest.mark.parametrize(
    ("text", "microusd"),
    [("5", 5_000_000), ("$0.25", 250_000), ("0", 0), ("0.000001", 1), ("1e3", 10**9), ("1000000", 10**12)],
)
def test_dollars(text: str, microusd: int) -> None:
    assert microdollars(text, "--budget") == microusd


@pytest.mark.parametrize(
    "text", ["", "five", "-0.01", "1000000.01", "0.0000001", "NaN", "Infinity", "1e999999", "5 USD", "$$5"]
)
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        microdollars(text, "--budget")


@pytest.mark.parametrize(
    ("text", "seconds"), [("3600", 3600), ("45s", 45), ("90m", 5400), ("12h", 43_200), ("7d", 604_800)]
)
def test_durations(text: str, seconds: int) -> None:
    assert duration_s(text, "--expires-in") == seconds


@pytest.mark.parametrize("text", ["", "0", "0h", "-1", "1.5h", "1w", "h", "1h30m", "٣", "9" * 10])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration_s(text, "--expires-in")


@pytest.mark.parametrize(
    ("microusd", "text"), [(5_000_000, "5"), (250_000, "0.25"), (1, "0.000001"), (0, "0")]
)
def test_dollars_as_text(microusd: int, text: str) -> None:
    assert usd_text(microusd) == text
