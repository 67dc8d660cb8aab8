"""Write the default price table, `shared/channeling/pricing/default_prices.json`, from the `genai-prices` package.

    python scripts/bake_prices.py [--baked-on YYYY-MM-DD] [--check]

Needs the development dependencies. Everything that the table can't say about a price is counted in its provenance
under `left_out`; a kind of price or constraint that this script does not know is an error, never skipped.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices.data import providers
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

DATA_PATH = Path(__file__).resolve().parent.parent / "shared/channeling/pricing/default_prices.json"
PROVIDERS = ("anthropic", "openai", "openrouter")
NANOUSD_PER_USD = 1_000_000_000

# Units that a Messages request never has: other kinds of content than text have no count in Anthropic's `usage`.
UNCOUNTED_UNITS = frozenset(
    {
        "audio_hours",
        "cache_audio_read_mtok",
        "cache_image_read_mtok",
        "input_audio_hours",
        "input_audio_mtok",
        "input_image_mtok",
        "input_mchars",
        "output_audio_mtok",
        "output_image_mtok",
        "storage_searches_kcount",
    }
)
COUNTED_UNITS = frozenset(
    {
        "input_mtok",
        "output_mtok",
        "output_reasoning_mtok",
        "cache_read_mtok",
        "cache_write_mtok",
        "cache_write_5m_mtok",
        "cache_write_1h_mtok",
        "web_searches_kcount",
    }
)
CLAUSE_FIELDS = ("starts_with", "ends_with", "contains", "equals", "regex")


def bake(baked_on: str) -> dict[str, Any]:
    """Return the data of the table; `baked_on` is the day that prices from it name as their source."""
    left_out: Counter[str] = Counter()
    baked = {
        provider.id: _bake_provider(provider, left_out) for provider in providers if provider.id in PROVIDERS
    }
    return {
        "provenance": {
            "package": "genai-prices",
            "version": version("genai-prices"),
            "baked_on": baked_on,
            "unit": "nanodollars per million tokens, or per 1,000 searches",
            "left_out": dict(sorted(left_out.items())),
        },
        "providers": baked,
    }


def render(data: Mapping[str, Any]) -> str:
    """Return the data as JSON with one model, rule or name a line, so that a refresh reads well as a diff."""
    lines = ["{", f'"provenance": {_compact(data["provenance"])},', '"providers": {']
    blocks = []
    for provider, baked in data["providers"].items():
        names = ",\n".join(f"{_compact(name)}:{index}" for name, index in baked["equals"].items())
        rules = ",\n".join(_compact(rule) for rule in baked["rules"])
        models = ",\n".join(_compact(model) for model in baked["models"])
        blocks.append(
            f'"{provider}": {{\n"equals": {{\n{names}\n}},\n"rules": [\n{rules}\n],\n"models": [\n{models}\n]\n}}'
        )
    return "\n".join([*lines, ",\n".join(blocks), "}", "}", ""])


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _bake_provider(provider: Provider, left_out: Counter[str]) -> dict[str, Any]:
    equals: dict[str, int] = {}
    rules: list[list[Any]] = []
    for index, model in enumerate(provider.models):
        for clause in _alternatives(_clause(model.match)):
            if "equals" in clause:
                equals.setdefault(clause["equals"].lower(), index)
            else:
                rules.append([index, clause])
    return {
        "equals": dict(sorted(equals.items())),
        "rules": rules,
        "models": [_bake_model(provider.id, model, left_out) for model in provider.models],
    }


def _clause(match: Any) -> dict[str, Any]:
    for name, key in (("or_", "or"), ("and_", "and")):
        if hasattr(match, name):
            return {key: [_clause(part) for part in getattr(match, name)]}
    for key in CLAUSE_FIELDS:
        if hasattr(match, key):
            return {key: getattr(match, key)}
    raise ValueError(f"unknown match clause {match!r}")


def _alternatives(clause: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if "or" not in clause:
        return [clause]
    return [alternative for part in clause["or"] for alternative in _alternatives(part)]


def _bake_model(provider_id: str, model: ModelInfo, left_out: Counter[str]) -> list[Any]:
    periods = model.prices if isinstance(model.prices, list) else [ConditionalPrice(prices=model.prices)]
    rates_of_periods = [_rates(period.prices, left_out) for period in periods]
    prices = [
        [_when(period.constraint), rates] for period, rates in zip(periods, rates_of_periods, strict=True)
    ]
    if any(len(rates) < 2 or None in rates[:2] for rates in rates_of_periods):
        left_out["models without a price for text in and out"] += 1
        prices = []
    variants = []
    for variant in model.price_variants or () if prices else ():
        terms = _terms(variant.when)
        rates = _rates(variant.prices, left_out)
        if terms is None:
            left_out[f"variants by {', '.join(sorted(variant.when))}"] += 1
        elif rates:  # OpenAI's tier "default" replaces nothing
            variants.append([terms, _when(variant.constraint), rates])
    listed = int(bool(prices) and _is_listed(provider_id, model))
    return [model.id, model.name, model.context_window, listed, prices, variants]


def _terms(when: Mapping[str, str]) -> dict[str, str] | None:
    terms = {}
    for key, value in when.items():
        if key == "speed":
            terms["speed"] = value
        elif (key, value) == ("processing", "batch"):
            terms["service_tier"] = "batch"
        elif key == "service_tier":
            # `BillingTerms` spells the ordinary tier as Anthropic does.
            terms["service_tier"] = "standard" if value == "default" else value
        elif key == "route":
            return None
        else:
            raise ValueError(f"unknown price variant {when!r}")
    return terms


def _when(constraint: object) -> list[Any] | None:
    if constraint is None:
        return None
    if isinstance(constraint, StartDateConstraint):
        midnight = datetime.combine(constraint.start_date, time(), UTC)
        return ["from", int(midnight.timestamp())]
    if isinstance(constraint, TimeOfDateConstraint):
        return ["daily", _second_of_day(constraint.start_time), _second_of_day(constraint.end_time)]
    raise ValueError(f"unknown constraint {constraint!r}")


def _second_of_day(moment: time) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    in_utc = datetime.combine(date(1970, 1, 1), aware).astimezone(UTC)
    if in_utc.microsecond:
        raise ValueError(f"{moment} is not a whole second")
    return in_utc.hour * 3_600 + in_utc.minute * 60 + in_utc.second


def _rates(prices: ModelPrice, left_out: Counter[str]) -> list[Any]:
    units = {unit: price for unit, price in vars(prices).items() if price is not None}
    for unit in units.keys() - COUNTED_UNITS:
        if unit not in UNCOUNTED_UNITS:
            raise ValueError(f"unknown unit {unit!r}")
        left_out[f"prices by {unit}"] += 1
    rate = {unit: _rate(price, left_out) for unit, price in units.items() if unit in COUNTED_UNITS}
    if isinstance(rate.get("web_searches_kcount"), list):
        raise ValueError("a stepped price of web searches")
    if "output_reasoning_mtok" in rate:
        # Thinking is a part of output here: it is priced like the rest, which must not make it cheaper.
        if not _is_at_least(rate.get("output_mtok"), rate["output_reasoning_mtok"]):
            raise ValueError("thinking dearer than output")
        left_out["prices by output_reasoning_mtok, which are below those of output"] += 1
    row = [
        rate.get("input_mtok"),
        rate.get("output_mtok"),
        rate.get("cache_read_mtok"),
        rate.get("cache_write_5m_mtok", rate.get("cache_write_mtok")),
        # Anthropic's models have a rule for hours that the list leaves out (`model_price.rates_of`).
        rate.get("cache_write_1h_mtok"),
        rate.get("web_searches_kcount"),
    ]
    while row and row[-1] is None:
        row.pop()
    return row


def _is_at_least(rate: Any, other: Any) -> bool:
    return isinstance(rate, int) and isinstance(other, int) and rate >= other


def _rate(price: Decimal | TieredPrices, left_out: Counter[str]) -> int | list[Any]:
    if isinstance(price, TieredPrices):
        if not price.tiers:
            return _nanousd(price.base, left_out)
        return [
            _nanousd(price.base, left_out),
            *([tier.start, _nanousd(tier.price, left_out)] for tier in price.tiers),
        ]
    return _nanousd(price, left_out)


def _nanousd(usd: Decimal, left_out: Counter[str]) -> int:
    nanousd = (usd * NANOUSD_PER_USD).to_integral_value(rounding=ROUND_CEILING)
    if nanousd < 0:
        raise ValueError(f"a price of {usd} dollars")
    if nanousd != usd * NANOUSD_PER_USD:
        left_out["digits below a nanodollar, rounded up"] += 1
    return int(nanousd)


def _is_listed(provider_id: str, model: ModelInfo) -> bool:
    """Tell whether a model is served today under its id.

    The package marks few models as deprecated, but prices batches and service tiers only of those on the provider's
    present price page, and names only those OpenRouter models that its own list has.
    """
    if model.deprecated:
        return False
    if provider_id == "openrouter":
        return (
            bool(model.name) and "/" in model.id and not model.id.startswith("~") and ":batch" not in model.id
        )
    # A fine-tuned model's id goes on with its owner's name; image models do not answer messages.
    is_usable = not model.id.startswith(("ft:", "gpt-image")) and not model.id.endswith("-")
    return bool(model.price_variants) and is_usable


def main() -> int:
    """Write the file, or with --check say whether it is what this package version gives."""
    parser = argparse.ArgumentParser(description="Write the default price table from genai-prices.")
    parser.add_argument("--baked-on", default=None, help="the day to name as the source (today, UTC)")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when the file is out of date"
    )
    arguments = parser.parse_args()
    if arguments.check:
        present = DATA_PATH.read_text(encoding="utf-8")
        fresh = render(bake(json.loads(present)["provenance"]["baked_on"]))
        if fresh != present:
            print(f"{DATA_PATH.name} is out of date: run python scripts/bake_prices.py", file=sys.stderr)
            return 1
        return 0
    baked_on = arguments.baked_on or datetime.now(UTC).date().isoformat()
    text = render(bake(date.fromisoformat(baked_on).isoformat()))
    DATA_PATH.write_text(text, encoding="utf-8")
    print(f"{DATA_PATH}: {len(text):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
