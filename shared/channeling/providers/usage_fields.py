"""Fields of what providers say of an answer's usage: counts, nested objects, the tier that it was served under."""

from collections.abc import Mapping
from typing import Any

from channeling.usage.token_counts import BillingTerms

# As the price list names its tiers; what is served as ordinary has more than one name in the API.
_ORDINARY_TIERS = frozenset({"auto", "default", "scale"})


def count_in(mapping: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number of at least 0, or None for anything else."""
    value = mapping.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def object_in(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object, an empty one for anything else."""
    value = mapping.get(name)
    return value if isinstance(value, dict) else {}


def billing_terms(answer: Mapping[str, Any]) -> BillingTerms:
    """Return the terms that an answer was served under; the tiers are those of the price list."""
    tier = answer.get("service_tier")
    if not isinstance(tier, str) or not tier or tier in _ORDINARY_TIERS:
        return BillingTerms()
    return BillingTerms(service_tier="priority" if tier == "fast" else tier)
