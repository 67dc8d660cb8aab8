"""The prices that one request may be, and finally is, billed at."""

from msgspec import Struct

from channeling.errors import PriceUnreadable
from channeling.message_request import MessageRequest
from channeling.pricing.model_price import ModelPrice
from channeling.pricing.price_book import PriceBook
from channeling.provider import Provider


class RequestPrices(Struct, frozen=True):
    """The project's prices as they stood when the request came (`at_s`, epoch seconds), for one provider."""

    book: PriceBook
    provider: Provider
    upstream_model: str
    at_s: float

    def of(self, model: str) -> ModelPrice:
        """Return the price of a model by its upstream name."""
        return self.book.price_of(self.provider, model, self.at_s)

    def possible(self, request: MessageRequest) -> list[ModelPrice]:
        """Return what any part of the answer may be billed at: the model's price, fallbacks' and advisors'.

        Other providers than Anthropic are sent neither. Raises PriceUnreadable where one of them is not known
        because a custom price cannot be read.
        """
        names = [self.upstream_model]
        if self._other_models_can_answer:
            names += [fallback.model for fallback in request.fallbacks]
            names += [tool.model for tool in request.builtin_tools if tool.model is not None]
            if request.has_default_fallbacks:
                names += [model.model_id for model in self.book.default.models(self.provider)]
        for name in names:
            unreadable = self.book.unreadable_for(self.provider, name, self.at_s)
            if unreadable is not None:
                raise PriceUnreadable(
                    f"the custom price {unreadable.name!r}, which may hold for model {name!r}, cannot be read:"
                    f" {unreadable.reason}"
                )
        return [self.of(name) for name in names]

    def plain_rates(self, request: MessageRequest) -> tuple[int, int]:
        """Return the highest rates of plain input and of output that its prices list: who lists no more for them
        takes no more for caches or for length either than is held. Raises PriceUnreadable as `possible` does.
        """
        bases = [price.base for price in self.possible(request)]
        return max(base.input for base in bases), max(base.output for base in bases)

    def billed(self, request: MessageRequest, answered_by: str | None) -> ModelPrice:
        """Return the price of the model that was asked for, whatever dated name the answer calls it by; that of a
        fallback where one answered."""
        fell_back = self._other_models_can_answer and (
            request.has_default_fallbacks or answered_by in request.models[1:]
        )
        return self.of(answered_by if answered_by and fell_back else self.upstream_model)

    @property
    def _other_models_can_answer(self) -> bool:
        return self.provider == "anthropic"
