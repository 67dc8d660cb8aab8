"""Which price holds for a request: there is always one, and it is 0 only where somebody said so."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import astuple, replace

from channeling.pricing.custom_price import CustomPrice
from channeling.pricing.model_price import UNLISTED_WEB_SEARCH_NANOUSD, ModelPrice, Rates, flat_rates
from channeling.pricing.price_rows import UnreadablePrice
from channeling.pricing.price_table import PriceTable
from channeling.provider import Provider

_FREE_SUFFIX = ":free"
_FREE = Rates(0, 0, 0, 0, 0)


class PriceBook(Struct, frozen=True):
    """The prices of one project: its own, those for all projects, the default table, and a ceiling for the rest.

    Prices that cannot be read are kept beside those that can: `unreadable_for` finds where they may matter.
    Without `openrouter_is_listed` another server is in OpenRouter's place: no price of the default table, and no
    name that ends in `:free`, says what its models cost.
    Raises ValueError when a rate of the ceiling is 0.
    """

    default: PriceTable
    project_prices: Sequence[CustomPrice]
    global_prices: Sequence[CustomPrice]
    ceiling: Rates
    unreadable_project_prices: Sequence[UnreadablePrice] = ()
    unreadable_global_prices: Sequence[UnreadablePrice] = ()
    openrouter_is_listed: bool = True

    def __post_init__(self) -> None:
        rates = astuple(self.ceiling)
        if 0 in rates:
            zero = self.ceiling.__struct_fields__[rates.index(0)]
            raise ValueError(f"the ceiling price must be above 0, and its {zero} rate is 0")

    def price_of(self, provider: Provider, model: str, at_s: float) -> ModelPrice:
        """Return the price of a model at a time (epoch seconds); it never fails.

        An OpenRouter model whose name ends in `:free` costs nothing, before anything else is looked at
        (openrouter.ai/docs/guides/routing/model-variants/free), but for its searches of the web
        (openrouter.ai/docs/guides/features/web-search, "extra costs, even with free models").
        """
        if self._is_free(provider, model):
            free = ModelPrice(provider, model, model, "free", flat_rates(_FREE))
            return self._named(replace(free, web_search_nanousd=UNLISTED_WEB_SEARCH_NANOUSD[provider]), at_s)
        listed = self._listed(provider, model, at_s)
        for prices, source in ((self.project_prices, "custom"), (self.global_prices, "global")):
            matching = [price for price in prices if price.matches(provider, model, at_s)]
            if matching:
                chosen = max(matching, key=lambda price: price.precedence)
                return self._named(chosen.price_of(provider, model, source), at_s)
        if listed is not None:
            return listed
        return ModelPrice(
            provider,
            model,
            model,
            "ceiling",
            flat_rates(self.ceiling),
            web_search_nanousd=UNLISTED_WEB_SEARCH_NANOUSD[provider],
        )

    def unreadable_for(self, provider: Provider, model: str, at_s: float) -> UnreadablePrice | None:
        """Return a price that cannot be read and may be the one that holds for a model, which then has none.

        Where a closer one can be read, or the project's own takes the place of one for all, that holds.
        """
        if self._is_free(provider, model):
            return None
        for prices, unreadable in (
            (self.project_prices, self.unreadable_project_prices),
            (self.global_prices, self.unreadable_global_prices),
        ):
            matching = [price for price in prices if price.matches(provider, model, at_s)]
            closest = max(matching, key=lambda price: price.precedence, default=None)
            for row in unreadable:
                if row.may_match(provider, model, at_s) and row.outranks(closest):
                    return row
            if closest is not None:
                return None
        return None

    def _is_free(self, provider: Provider, model: str) -> bool:
        return provider == "openrouter" and self.openrouter_is_listed and model.lower().endswith(_FREE_SUFFIX)

    def _listed(self, provider: Provider, model: str, at_s: float) -> ModelPrice | None:
        if provider == "openrouter" and not self.openrouter_is_listed:
            return None
        return self.default.price_of(provider, model, at_s)

    def _named(self, price: ModelPrice, at_s: float) -> ModelPrice:
        listed = self._listed(price.provider, price.model_id, at_s)
        if listed is None:
            return price
        return replace(price, name=listed.name, context_window=listed.context_window)
