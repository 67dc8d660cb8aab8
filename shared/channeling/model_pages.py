"""GET /v1/models and /v1/models/{id}: what this token may ask for, from aliases and the price list, without a call.

Source: `anthropic` 2.12.0, `types/model_info.py`, `pagination.py` (Page: data, has_more, first_id, last_id), and
`types/model_list_params.py` (limit, before_id, after_id).
"""

from collections.abc import Mapping
from typing import Any

from channeling.caller import Caller
from channeling.errors import InvalidRequest, NotFound
from channeling.pricing.listing import ListedModel, list_models
from channeling.pricing.price_table import PriceTable
from channeling.provider import Provider
from channeling.providers.registry import ADAPTERS, is_other_chat_server
from channeling.routing.route import route_model

DEFAULT_LIMIT, GREATEST_LIMIT = 20, 1_000
# "may be set to an epoch value if the release date is unknown": `created_at` of ModelInfo.
_UNKNOWN_TIME = "1970-01-01T00:00:00Z"


def models_of(caller: Caller, table: PriceTable) -> list[dict[str, Any]]:
    """Return every model of the caller's, aliases first: only providers with a key, only models of the token."""
    listed: dict[Provider, tuple[ListedModel, ...]] = {
        provider: list_models(table, provider)
        for provider in ADAPTERS
        if caller.project.provider_keys.get(provider)
    }
    if is_other_chat_server("openrouter", caller.project.base_urls.get("openrouter")):
        listed["openrouter"] = ()  # what it has is for the project's aliases to say
    by_name = {(model.provider, model.model_id): model for models in listed.values() for model in models}
    models: dict[str, dict[str, Any]] = {}
    for alias, target in caller.project.aliases.items():
        route = route_model(alias, caller.project.aliases)
        if route.provider in listed:
            known = by_name.get((route.provider, route.upstream_model))
            models[alias] = _model(alias, f"{alias} ({known.display_name if known else target})", known)
    for provider, known_models in listed.items():
        for known in known_models:
            model_id = f"or:{known.model_id}" if provider == "openrouter" else known.model_id
            models.setdefault(model_id, _model(model_id, known.display_name, known))
    return [model for model_id, model in models.items() if caller.claims.allows(model_id)]


def page_of(models: list[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """Return the page that `limit`, `after_id` and `before_id` ask for; raise InvalidRequest."""
    limit = _limit(query.get("limit"))
    after_id, before_id = query.get("after_id"), query.get("before_id")
    if after_id is not None and before_id is not None:
        raise InvalidRequest("after_id and before_id: give at most one of them")
    if before_id is not None:
        end = _position(models, "before_id", before_id)
        start = max(0, end - limit)
        page, has_more = models[start:end], start > 0
    else:
        start = 0 if after_id is None else _position(models, "after_id", after_id) + 1
        page, has_more = models[start : start + limit], start + limit < len(models)
    return {
        "data": page,
        "has_more": has_more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def model_named(models: list[dict[str, Any]], model_id: str) -> dict[str, Any]:
    """Return one model; raise NotFound."""
    for model in models:
        if model["id"] == model_id:
            return model
    raise NotFound(f"model: {model_id}")


def _model(model_id: str, display_name: str, known: ListedModel | None) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model_id,
        "display_name": display_name,
        "created_at": _UNKNOWN_TIME,
        "max_input_tokens": known.context_window if known else None,
        "max_tokens": None,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 6) or not 1 <= int(text) <= GREATEST_LIMIT:
        raise InvalidRequest(f"limit: must be a whole number from 1 to {GREATEST_LIMIT}")
    return int(text)


def _position(models: list[dict[str, Any]], name: str, model_id: str) -> int:
    for position, model in enumerate(models):
        if model["id"] == model_id:
            return position
    raise InvalidRequest(f"{name}: no model on this list has that id")
