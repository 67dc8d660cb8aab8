"""Anthropic's web search tool, read for the providers that search themselves."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from channeling.providers.refusal import Place, invalid, list_of, object_of, optional_text

WEB_SEARCH = "web_search"
_LOCATION_KEYS = ("city", "country", "region", "timezone")


class WebSearchTool(Struct, frozen=True):
    """What the client asks of searches: whole domains to keep to or to leave out, where the user is, how many."""

    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    user_location: Mapping[str, str] | None = None
    max_uses: int | None = None


def is_web_search(kind: str) -> bool:
    """Say whether a type of tool is Anthropic's web search."""
    return kind.startswith(f"{WEB_SEARCH}_")


def web_search_of(tool: Mapping[str, Any], place: Place) -> WebSearchTool:
    """Return what a web search tool asks for; raise InvalidRequest for what is malformed."""
    location = None
    if tool.get("user_location") is not None:
        location_place = (*place, "user_location")
        given = object_of(tool["user_location"], location_place)
        known = {key: optional_text(given, key, location_place) for key in _LOCATION_KEYS}
        location = {key: value for key, value in known.items() if value is not None}
    max_uses = tool.get("max_uses")
    if max_uses is not None and (isinstance(max_uses, bool) or not isinstance(max_uses, int) or max_uses < 1):
        raise invalid((*place, "max_uses"), "must be greater than or equal to 1")
    return WebSearchTool(
        _domains(tool, "allowed_domains", place), _domains(tool, "blocked_domains", place), location, max_uses
    )


def _domains(tool: Mapping[str, Any], key: str, place: Place) -> tuple[str, ...]:
    if not tool.get(key):
        return ()
    domains = list_of(tool[key], (*place, key))
    if not all(isinstance(domain, str) for domain in domains):
        raise invalid((*place, key), "Input should be an array of strings")
    return tuple(domains)
