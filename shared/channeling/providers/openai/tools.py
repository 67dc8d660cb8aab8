"""Tools and tool choice: functions, with `strict` always said, and the web search that both providers run.

`openai` 3.54.0, `types/responses/function_tool_param.py`: where `strict` is left out the API makes every optional
parameter required, and the model invents values for them.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from channeling.providers.refusal import Place, invalid, list_of, object_of, unsupported
from channeling.providers.tool_definitions import ToolChoice, function_tool, kind_of_tool, tool_choice_of
from channeling.providers.web_search_tool import WEB_SEARCH, is_web_search, web_search_of

# All tools are sent in full, so that there is nothing to search for.
_TOOL_SEARCH = "tool_search_tool_"


class ToolSettings(Struct):
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
        name = translated.get("name", WEB_SEARCH)
        if name in taken:
            raise invalid((*place, "name"), "Tool names must be unique")
        taken.add(name)
        tools.append(translated)
    if tools:
        settings.body["tools"] = tools
        choice = tool_choice_of(document.get("tool_choice"), taken)
        if choice is not None:
            settings.body |= _choice(choice, has_web_search=settings.has_web_search)
    return settings


def _tool(tool: Mapping[str, Any], place: Place, settings: ToolSettings) -> dict[str, Any] | None:
    function = function_tool(tool, place)
    if function is not None:
        if function.name != function.client_name:
            settings.names[function.name] = function.client_name
        described = {"description": function.description} if function.description else {}
        head = {"type": "function", "name": function.name, "parameters": function.parameters}
        return head | described | {"strict": function.strict}
    kind = kind_of_tool(tool, place)
    if is_web_search(kind):
        settings.has_web_search = True
        return _web_search(tool, place, settings)
    if kind.startswith(_TOOL_SEARCH):
        return None
    raise unsupported((*place, "type"), f"the tool {kind!r}")


def _web_search(tool: Mapping[str, Any], place: Place, settings: ToolSettings) -> dict[str, Any]:
    if tool.get("blocked_domains"):
        raise unsupported((*place, "blocked_domains"), "a list of blocked domains")
    asked = web_search_of(tool, place)
    search: dict[str, Any] = {"type": WEB_SEARCH}
    if asked.allowed_domains:
        search["filters"] = {"allowed_domains": list(asked.allowed_domains)}
    if asked.user_location is not None:
        search["user_location"] = {"type": "approximate"} | dict(asked.user_location)
    if asked.max_uses is not None:
        # It bounds the calls of all tools that OpenAI runs; this is the only one that is ever sent.
        settings.body["max_tool_calls"] = asked.max_uses
    return search


def _choice(choice: ToolChoice, *, has_web_search: bool) -> dict[str, Any]:
    chosen: Any
    match choice.kind:
        case "any":
            chosen = "required"
        case "tool" if choice.name == WEB_SEARCH and has_web_search:
            chosen = {"type": "allowed_tools", "mode": "required", "tools": [{"type": WEB_SEARCH}]}
        case "tool":
            chosen = {"type": "function", "name": choice.name}
        case kind:
            chosen = kind
    return {"tool_choice": chosen} | ({"parallel_tool_calls": False} if choice.one_at_a_time else {})
