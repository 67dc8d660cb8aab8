"""Thinking and effort as OpenAI's reasoning.

`thinking` says whether the client wants thinking at all, `output_config.effort` how much; OpenAI has one effort for
both. Which efforts a model takes: `model_traits`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channeling.providers.openai.model_traits import Effort, ModelTraits
from channeling.providers.refusal import invalid, object_of

_ASKED_EFFORTS: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")
# The least thinking budgets (tokens) that stand for an effort; a smaller one is low.
_BUDGETS: tuple[tuple[int, Effort], ...] = ((32_768, "xhigh"), (16_384, "high"), (4_096, "medium"))
_THINKS = frozenset({"enabled", "adaptive", "between_tools"})
# Reasoning that is left to the model: what OpenAI calls the balanced default.
_ADAPTIVE: Effort = "medium"


@dataclass(slots=True)
class ReasoningSettings:
    """The keys of the body, and whether thinking was asked for and its text is to be shown."""

    body: dict[str, Any] = field(default_factory=dict)
    asked: bool = False
    shown: bool = False


def translate_reasoning(
    document: Mapping[str, Any], traits: ModelTraits, *, has_web_search: bool
) -> ReasoningSettings:
    """Return how the model is to reason; raise InvalidRequest for a mode or an effort that does not exist."""
    effort = _asked_effort(document)
    kind, display, budget_tokens = _thinking(document)
    asked = kind in _THINKS
    shown = asked and kind != "between_tools" and display != "omitted"
    if not traits.reasons:
        return ReasoningSettings()
    reasoning: dict[str, Any] = {}
    if kind == "disabled":
        least = traits.nearest_effort("none")
        # 400 "The following tools cannot be used with reasoning.effort 'minimal': web_search."
        reasoning["effort"] = traits.nearest_effort("low") if has_web_search and least == "minimal" else least
    elif effort is not None:
        reasoning["effort"] = traits.nearest_effort(effort)
    elif kind == "enabled":
        reasoning["effort"] = traits.nearest_effort(_effort_of_budget(budget_tokens))
    elif asked:
        reasoning["effort"] = traits.nearest_effort(_ADAPTIVE)
    if shown and traits.has_summaries:
        reasoning["summary"] = "auto"
    body: dict[str, Any] = {"reasoning": reasoning} if reasoning else {}
    return ReasoningSettings(body, asked=asked, shown=shown)


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


def _effort_of_budget(budget_tokens: int) -> Effort:
    return next((effort for least, effort in _BUDGETS if budget_tokens >= least), "low")


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
