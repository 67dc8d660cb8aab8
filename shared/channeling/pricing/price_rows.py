"""Custom prices as DynamoDB keeps them: those that can be read, and those that cannot, each with its name.

A price that cannot be read is never passed over in silence: what it would have said is unknown, so that the models
it was meant for have no price at all, while all others keep theirs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, get_args

from msgspec import Struct

from channeling.pricing.custom_price import MAX_VALID_FROM_S, CustomPrice, parse_custom_price
from channeling.provider import Provider

_TABLE_KEYS = ("pk", "sk")
_MAX_NAME_CHARACTERS = 300


class UnreadablePrice(Struct, frozen=True):
    """A row that is no price. `model` is what it seems to be for: a name, or a prefix and `*`; None: nothing."""

    name: str
    reason: str
    model: str | None
    provider: Provider | None
    valid_from_s: int | None

    def may_match(self, provider: Provider, model: str, at_s: float) -> bool:
        """Tell whether the price may have been meant for a model of a provider at a time."""
        return self.model is not None and self._as_price.matches(provider, model, at_s)

    def outranks(self, price: CustomPrice | None) -> bool:
        """Tell whether this may be closer than a price that can be read."""
        # Of two for the same name or prefix, provider and start decide, and here these are not certain.
        return price is None or self._as_price.precedence[:2] >= price.precedence[:2]

    @property
    def _as_price(self) -> CustomPrice:
        return CustomPrice(self.model or "", 0, 0, provider=self.provider, valid_from_s=self.valid_from_s)


class PriceRows(Struct, frozen=True):
    """The custom prices of one project, or of all."""

    prices: tuple[CustomPrice, ...] = ()
    unreadable: tuple[UnreadablePrice, ...] = ()


def read_price_rows(rows: Sequence[Mapping[str, Any]]) -> PriceRows:
    """Return the prices of rows of the projects table; it never fails."""
    prices: list[CustomPrice] = []
    unreadable: list[UnreadablePrice] = []
    for row in rows:
        try:
            prices.append(
                parse_custom_price({key: value for key, value in row.items() if key not in _TABLE_KEYS})
            )
        except ValueError as error:
            unreadable.append(_unreadable(row, str(error)))
    return PriceRows(tuple(prices), tuple(unreadable))


def _unreadable(row: Mapping[str, Any], reason: str) -> UnreadablePrice:
    provider = next((known for known in get_args(Provider) if row.get("provider") == known), None)
    valid_from = row.get("valid_from")
    return UnreadablePrice(
        name=str(row.get("sk", ""))[:_MAX_NAME_CHARACTERS],
        reason=reason,
        model=_meant_model(row.get("model")),
        provider=provider,
        valid_from_s=valid_from if _is_time(valid_from) else None,
    )


def _is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_VALID_FROM_S


def _meant_model(model: object) -> str | None:
    """What stands before a `*` counts, wherever it is. A row that names no model could not be for any."""
    if not isinstance(model, str) or not model.strip():
        return None
    prefix, star, _ = model.strip().partition("*")
    return prefix + star
