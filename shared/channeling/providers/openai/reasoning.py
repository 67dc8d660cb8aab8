"""Thinking and effort as OpenAI's reasoning, with the efforts that a model takes (`model_traits`)."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from channeling.providers.openai.model_traits import ModelTraits
from channeling.providers.thinking_request import Effort, thinking_request_of


class ReasoningSettings(Struct):
    """The keys of the body, and whether thinking was asked for and its text is to be shown."""

    body: dict[str, Any] = field(default_factory=dict)
    asked: bool = False
    shown: bool = False


def translate_reasoning(
    document: Mapping[str, Any], traits: ModelTraits, *, has_web_search: bool
) -> ReasoningSettings:
    """Return how the model is to reason; raise InvalidRequest for a mode or an effort that does not exist."""
    thinking = thinking_request_of(document)
    if not traits.reasons:
        return ReasoningSettings()
    reasoning: dict[str, Any] = {}
    if thinking.effort is not None:
        effort = traits.nearest_effort(thinking.effort)
        # 400 "The following tools cannot be used with reasoning.effort 'minimal': web_search."
        reasoning["effort"] = (
            traits.nearest_effort("low") if has_web_search and effort == "minimal" else effort
        )
    if thinking.shown and traits.has_summaries:
        reasoning["summary"] = "auto"
    body: dict[str, Any] = {"reasoning": reasoning} if reasoning else {}
    return ReasoningSettings(body, asked=thinking.asked, shown=thinking.shown)


def effort_of(document: Mapping[str, Any], traits: ModelTraits) -> Effort:
    """Return the effort that the model will reason with, as asked or by default: that of most is medium.

    Raises InvalidRequest for a mode or an effort that does not exist.
    """
    if not traits.reasons:
        return "none"
    asked = thinking_request_of(document).effort
    if asked is None:
        return "none" if traits.rests_by_default else "medium"
    return traits.nearest_effort(asked)
