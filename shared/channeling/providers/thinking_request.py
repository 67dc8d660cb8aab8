"""What a request says of thinking: whether it is wanted at all, whether it is shown, and how much of it.

`thinking` says whether the client wants thinking, `output_config.effort` how much; other providers have one effort
for both.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from channeling.providers.refusal import invalid, object_of

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

_ASKED_EFFORTS: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")
# The least thinking budgets (tokens) that stand for an effort; a smaller one is low.
_BUDGETS: tuple[tuple[int, Effort], ...] = ((32_768, "xhigh"), (16_384, "high"), (4_096, "medium"))
_THINKS = frozenset({"enabled", "adaptive", "between_tools"})
# Reasoning that is left to the model: what OpenAI calls the balanced default.
_ADAPTIVE: Effort = "medium"


class ThinkingRequest(Struct, frozen=True):
    """`effort` is "none" for thinking that is disabled, and None where the model is left to decide.

    `asked`: thinking is wanted; `shown`: its text too.
    """

    effort: Effort | None = None
    asked: bool = False
    shown: bool = False


def thinking_request_of(document: Mapping[str, Any]) -> ThinkingRequest:
    """Return what a request says of thinking; raise InvalidRequest for a mode or an effort that does not exist."""
    effort = _asked_effort(document)
    kind, display, budget_tokens = _thinking(document)
    asked = kind in _THINKS
    if kind == "disabled":
        effort = "none"
    elif effort is None and kind == "enabled":
        effort = next((effort for least, effort in _BUDGETS if budget_tokens >= least), "low")
    elif effort is None and asked:
        effort = _ADAPTIVE
    shown = asked and kind != "between_tools" and display != "omitted"
    return ThinkingRequest(effort, asked, shown)


def _thinking(document: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    thinking = document.get("thinking")
    if thinking is None:
        return None, None, None
    thinking = object_of(thinking, ("thinking",))
    kind = thinking.get("type")
    if kind != "disabled" and not (isinstance(kind, str) and kind in _THINKS):
        raise invalid(
            ("thinking", "type"), f"{kind!r} should be 'enabled', 'adaptive', 'between_tools' or 'disabled'"
        )
    budget_tokens = thinking.get("budget_tokens")
    if kind == "enabled" and (isinstance(budget_tokens, bool) or not isinstance(budget_tokens, int)):
        raise invalid(("thinking", "budget_tokens"), "Input should be a valid integer")
    return kind, thinking.get("display"), budget_tokens


def _asked_effort(document: Mapping[str, Any]) -> Effort | None:
    """Return the effort that is asked for: of the system message after the last turn, else of the request."""
    config = document.get("output_config")
    asked = _effort(object_of(config, ("output_config",)), "output_config") if config is not None else None
    messages = document["messages"]
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        if not isinstance(message, dict) or message.get("role") != "system":
            break
        config = message.get("output_config")
        if isinstance(config, dict) and (later := _effort(config, f"messages.{position}.output_config")):
            return later
    return asked


def _effort(config: Mapping[str, Any], place: str) -> Effort | None:
    effort = config.get("effort")
    if effort is None:
        return None
    for known in _ASKED_EFFORTS:
        if effort == known:
            return known
    raise invalid((place, "effort"), f"{effort!r} should be one of {', '.join(_ASKED_EFFORTS)}")
