"""Only models that a provider serves today are listed, each under a name that leads back to its own price."""

import pytest

from channeling.pricing.listing import list_models
from channeling.pricing.price_table import PriceTable
from channeling.provider import Provider
from tests.channeling.pricing.conftest import NOW_S


@pytest.mark.parametrize(
    ("provider", "present", "absent"),
    [
        (
            "anthropic",
            {"claude-opus-5-5", "claude-sonnet-4-5", "claude-haiku-4-5"},
            {"claude-2", "claude-v1", "claude-3-5-sonnet", "claude-3-opus-latest"},
        ),
        ("openai", {"gpt-5.2", "gpt-5", "o4-mini"}, {"ada", "gpt-image-1", "whisper-1", "ft:gpt-4o-mini"}),
        (
            "openrouter",
            {"mistralai/mistral-large", "deepseek/deepseek-chat", "mistralai/devstral-2512"},
            {"claude-2", "openai/gpt-5.4:batch", "~x-ai/grok-latest"},
        ),
    ],
)
def test_current_models(table: PriceTable, provider: Provider, present: set[str], absent: set[str]) -> None:
    listed = {model.model_id for model in list_models(table, provider)}
    assert present <= listed
    assert not absent & listed


@pytest.mark.parametrize("provider", ["anthropic", "openai", "openrouter"])
def test_each_listed_name_leads_to_its_own_price(table: PriceTable, provider: Provider) -> None:
    listed = list_models(table, provider)
    assert len({model.model_id for model in listed}) == len(listed)
    for model in listed:
        price = table.price_of(provider, model.model_id, NOW_S)
        assert price is not None
        assert (price.model_id, price.name, price.context_window) == (
            model.model_id,
            model.display_name,
            model.context_window,
        )


def test_what_is_shown_of_a_model(table: PriceTable) -> None:
    opus = next(model for model in list_models(table, "anthropic") if model.model_id == "claude-opus-5-5")
    assert (opus.display_name, opus.context_window) == ("Claude Opus 5.5", 1_000_000)
