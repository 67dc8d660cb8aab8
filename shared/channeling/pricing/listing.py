"""The models that a provider serves today, as `GET /v1/models` shows them."""

from msgspec import Struct

from channeling.pricing.price_table import PriceTable
from channeling.provider import Provider


class ListedModel(Struct, frozen=True):
    """A model that can be asked for: `context_window` in tokens, None where the price list does not say."""

    provider: Provider
    model_id: str
    display_name: str
    context_window: int | None


def list_models(table: PriceTable, provider: Provider) -> tuple[ListedModel, ...]:
    """Return the current models of a provider by the names that it takes, in the order of the price list."""
    return tuple(
        ListedModel(provider, model.model_id, model.name, model.context_window)
        for model in table.models(provider)
        if model.is_listed
    )
