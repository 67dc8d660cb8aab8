"""Tools and tool choice: functions, with `strict` always said, and the web search that both providers run.

`openai` 3.54.0, `types/responses/function_tool_param.py`: where `strict` is left out the API makes every optional
parameter required, and the model invents values for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channeling.providers.anthropic_tools import FUNCTIONS
from channeling.providers.names import short_name
from channeling.providers.refusal import (
    Place,
    invalid,
    list_of,
    object_of,
    optional_text,
    text_of,
    unsupported,
)
from channeling.providers.schemas import fits_strict, object_schema

_WEB_SEARCH = "web_search"
# All tools are sent in full, so that there is nothing to search for.
_TOOL_SEARCH = "tool_search_tool_"
_LOCATION_KEYS = ("city", "country", "region", "timezone")


@dataclass(slots=True)
class ToolSettings:
    """What a request's tools become: keys of the body, and what the answer's reader must know."""

    body: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    has_web_search: bool = False


def translate_tools(document: Mapping[str, Any]) -> ToolSettings:
    """Return the tools, the choice among them and whether calls may be parallel; raise InvalidRequest."""
    settings = ToolSettings()
    tools: list[dict[str, Any]] = []
    taken: set[str] = set()
    given = document.get("tools")
    for position, tool in enumerate([] if given is None else list_of(given, ("tools",))):
        place: Place = ("tools", position)
        translated = _tool(object_of(tool, place), place, settings)
        if translated is None:
            continue
        name = translated.get("name", _WEB_SEARCH)
        if name in taken:
            raise invalid((*place, "name"), "Tool names must be unique")
        taken.add(name)
        tools.append(translated)
    if tools:
        settings.body["tools"] = tools
        _choose(document.get("tool_choice"), taken, settings)
    return settings


def _tool(tool: Mapping[str, Any], place: Place, settings: ToolSettings) -> dict[str, Any] | None:
    kind = optional_text(tool, "type", place) or "custom"
    if kind == "custom":
        schema = object_of(tool.get("input_schema"), (*place, "input_schema"))
        parameters = object_schema(schema, (*place, "input_schema"))
        return _function(tool, place, optional_text(tool, "description", place), parameters, settings)
    if kind in FUNCTIONS:
        known = FUNCTIONS[kind]
        parameters = {"type": "object", "properties": known["properties"], "required": known["required"]}
        return _function(tool, place, known["description"], parameters, settings)
    if kind.startswith(f"{_WEB_SEARCH}_"):
        settings.has_web_search = True
        return _web_search(tool, place, settings)
    if kind.startswith(_TOOL_SEARCH):
        return None
    raise unsupported((*place, "type"), f"the tool {kind!r}")


def _function(
    tool: Mapping[str, Any],
    place: Place,
    description: str | None,
    parameters: dict[str, Any],
    settings: ToolSettings,
) -> dict[str, Any]:
    name = text_of(tool, "name", place)
    upstream_name = short_name(name)
    if upstream_name != name:
        settings.names[upstream_name] = name
    function = {"type": "function", "name": upstream_name, "parameters": parameters}
    if description:
        function["description"] = description
    return function | {"strict": tool.get("strict") is True and fits_strict(parameters)}


def _web_search(tool: Mapping[str, Any], place: Place, settings: ToolSettings) -> dict[str, Any]:
    if tool.get("blocked_domains"):
        raise unsupported((*place, "blocked_domains"), "a list of blocked domains")
    search: dict[str, Any] = {"type": _WEB_SEARCH}
    if tool.get("allowed_domains"):
        domains = list_of(tool["allowed_domains"], (*place, "allowed_domains"))
        if not all(isinstance(domain, str) for domain in domains):
            raise invalid((*place, "allowed_domains"), "Input should be an array of strings")
        search["filters"] = {"allowed_domains": domains}
    if tool.get("user_location") is not None:
        location_place = (*place, "user_location")
        location = object_of(tool["user_location"], location_place)
        known = {key: optional_text(location, key, location_place) for key in _LOCATION_KEYS}
        search["user_location"] = {"type": "approximate"} | {
            key: value for key, value in known.items() if value is not None
        }
    max_uses = tool.get("max_uses")
    if max_uses is not None:
        if isinstance(max_uses, bool) or not isinstance(max_uses, int) or max_uses < 1:
            raise invalid((*place, "max_uses"), "must be greater than or equal to 1")
        # It bounds the calls of all tools that OpenAI runs; this is the only one that is ever sent.
        settings.body["max_tool_calls"] = max_uses
    return search


def _choose(choice: Any, taken: set[str], settings: ToolSettings) -> None:
    if choice is None:
        return
    choice = object_of(choice, ("tool_choice",))
    match choice.get("type"):
        case "auto":
            settings.body["tool_choice"] = "auto"
        case "any":
            settings.body["tool_choice"] = "required"
        case "none":
            settings.body["tool_choice"] = "none"
        case "tool":
            settings.body["tool_choice"] = _named_choice(choice, taken, settings)
        case kind:
            raise invalid(("tool_choice", "type"), f"{kind!r} should be 'auto', 'any', 'tool' or 'none'")
    if choice.get("disable_parallel_tool_use") is True:
        settings.body["parallel_tool_calls"] = False


def _named_choice(choice: Mapping[str, Any], taken: set[str], settings: ToolSettings) -> dict[str, Any]:
    name = text_of(choice, "name", ("tool_choice",))
    upstream_name = short_name(name)
    if upstream_name not in taken:
        raise invalid(("tool_choice", "name"), f"{name!r} is not among the tools")
    if upstream_name == _WEB_SEARCH and settings.has_web_search:
        return {"type": "allowed_tools", "mode": "required", "tools": [{"type": _WEB_SEARCH}]}
    return {"type": "function", "name": upstream_name}
