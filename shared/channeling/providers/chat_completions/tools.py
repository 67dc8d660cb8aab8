"""Tools and tool choice of a chat completion: functions, and the web search that OpenRouter runs.

`openai` 3.54.0, `types/chat/chat_completion_function_tool_param.py`, `chat_completion_tool_choice_option_param.py`.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from channeling.providers.chat_completions.dialect import Dialect
from channeling.providers.content_blocks import cache_control_of
from channeling.providers.refusal import Place, invalid, list_of, object_of, unsupported
from channeling.providers.tool_definitions import (
    FunctionTool,
    ToolChoice,
    function_tool,
    kind_of_tool,
    tool_choice_of,
)
from channeling.providers.web_search_tool import WEB_SEARCH, is_web_search, web_search_of

# All tools are sent in full, so that there is nothing to search for.
_TOOL_SEARCH = "tool_search_tool_"


class ToolSettings(Struct):
    """What a request's tools become: keys of the body, and what the answer's reader must know."""

    body: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    search_tool: Mapping[str, Any] | None = None


def translate_tools(document: Mapping[str, Any], dialect: Dialect) -> ToolSettings:
    """Return the tools, the choice among them and whether calls may be parallel; raise InvalidRequest."""
    settings = ToolSettings()
    tools: list[Mapping[str, Any]] = []
    taken: set[str] = set()
    given = document.get("tools")
    for position, tool in enumerate([] if given is None else list_of(given, ("tools",))):
        place: Place = ("tools", position)
        name, translated = _tool(object_of(tool, place), place, settings, dialect)
        if translated is None:
            continue
        if name in taken:
            raise invalid((*place, "name"), "Tool names must be unique")
        taken.add(name)
        tools.append(translated)
    if tools:
        settings.body["tools"] = tools
        choice = tool_choice_of(document.get("tool_choice"), taken)
        if choice is not None:
            settings.body |= _choice(choice, settings.search_tool)
    return settings


def _tool(
    tool: Mapping[str, Any], place: Place, settings: ToolSettings, dialect: Dialect
) -> tuple[str, Mapping[str, Any] | None]:
    function = function_tool(tool, place)
    if function is not None:
        if function.name != function.client_name:
            settings.names[function.name] = function.client_name
        return function.name, _function(function, dialect) | _cache_control(tool, place, dialect)
    kind = kind_of_tool(tool, place)
    if is_web_search(kind) and dialect.search_tool_of is not None:
        settings.search_tool = dialect.search_tool_of(web_search_of(tool, place))
        return WEB_SEARCH, settings.search_tool
    if kind.startswith(_TOOL_SEARCH):
        return kind, None
    raise unsupported((*place, "type"), f"the tool {kind!r}")


def _function(function: FunctionTool, dialect: Dialect) -> dict[str, Any]:
    described = {"description": function.description} if function.description else {}
    strict = {"strict": function.strict} if dialect.says_strict or function.strict else {}
    return {
        "type": "function",
        "function": {"name": function.name, **described, "parameters": function.parameters, **strict},
    }


def _cache_control(tool: Mapping[str, Any], place: Place, dialect: Dialect) -> dict[str, Any]:
    mark = cache_control_of(tool, place) if dialect.takes_cache_control else {}
    return {"cache_control": mark} if mark else {}


def _choice(choice: ToolChoice, search_tool: Mapping[str, Any] | None) -> dict[str, Any]:
    chosen: Any = None
    match choice.kind:
        case "any":
            chosen = "required"
        case "none":
            chosen = "none"
        case "tool" if choice.name == WEB_SEARCH and search_tool is not None:
            chosen = {"type": search_tool["type"]}
        case "tool":
            chosen = {"type": "function", "function": {"name": choice.name}}
    # "auto" is what it is anyway, and not every server knows the parameter.
    said = {} if chosen is None else {"tool_choice": chosen}
    return said | ({"parallel_tool_calls": False} if choice.one_at_a_time else {})
