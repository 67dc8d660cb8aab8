"""The tools that the client runs, its own and those that Anthropic defines, and the choice among tools."""

from collections.abc import Container, Mapping
from typing import Any, Literal

from msgspec import Struct

from channeling.providers.anthropic_tools import FUNCTIONS
from channeling.providers.names import short_name
from channeling.providers.refusal import Place, invalid, object_of, optional_text, text_of
from channeling.providers.schemas import fits_strict, object_schema

_CUSTOM = "custom"


class FunctionTool(Struct, frozen=True):
    """A tool as a function. `client_name` is what the client calls it, `name` what every provider takes.

    `strict`: it was asked for, and the schema fits OpenAI's strict mode.
    """

    client_name: str
    name: str
    description: str | None
    parameters: dict[str, Any]
    strict: bool


class ToolChoice(Struct, frozen=True):
    """Which tool the model is to call. `name` (as it goes up) is there where `kind` is "tool"."""

    kind: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    one_at_a_time: bool = False


def kind_of_tool(tool: Mapping[str, Any], place: Place) -> str:
    """Return the type of a tool; raise InvalidRequest where it is no text."""
    return optional_text(tool, "type", place) or _CUSTOM


def function_tool(tool: Mapping[str, Any], place: Place) -> FunctionTool | None:
    """Return a tool that the client runs as a function; None for any other. Raises InvalidRequest."""
    kind = kind_of_tool(tool, place)
    if kind == _CUSTOM:
        schema = object_of(tool.get("input_schema"), (*place, "input_schema"))
        parameters = object_schema(schema, (*place, "input_schema"))
        description = optional_text(tool, "description", place)
    elif kind in FUNCTIONS:
        known = FUNCTIONS[kind]
        parameters = {"type": "object", "properties": known["properties"], "required": known["required"]}
        description = known["description"]
    else:
        return None
    name = text_of(tool, "name", place)
    strict = tool.get("strict") is True and fits_strict(parameters)
    return FunctionTool(name, short_name(name), description, parameters, strict)


def tool_choice_of(choice: Any, taken: Container[str]) -> ToolChoice | None:
    """Return the choice among the tools whose names are `taken`; None without one. Raises InvalidRequest."""
    if choice is None:
        return None
    choice = object_of(choice, ("tool_choice",))
    one_at_a_time = choice.get("disable_parallel_tool_use") is True
    match choice.get("type"):
        case "auto" | "any" | "none" as kind:
            return ToolChoice(kind, one_at_a_time=one_at_a_time)
        case "tool":
            name = text_of(choice, "name", ("tool_choice",))
            if short_name(name) not in taken:
                raise invalid(("tool_choice", "name"), f"{name!r} is not among the tools")
            return ToolChoice("tool", short_name(name), one_at_a_time)
        case kind:
            raise invalid(("tool_choice", "type"), f"{kind!r} should be 'auto', 'any', 'tool' or 'none'")
