"""What an OpenAI model takes, by its name: reasoning efforts, sampling parameters, images, how much it writes.

A name that no rule knows is taken for a new reasoning model, since all current ones are. Sources: OpenAI's model
pages (developers.openai.com/api/docs/models/<model>: "Max output tokens", "Reasoning effort"), the reasoning guide,
and `openai` 3.54.0, `types/shared_params/reasoning.py`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from channeling.providers.thinking_request import Effort

EFFORTS: tuple[Effort, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class ModelTraits(Struct, frozen=True):
    """One model. `efforts` are in rising order, and empty for a model that takes no `reasoning`."""

    efforts: tuple[Effort, ...]
    max_output_tokens: int = 128_000
    # `reasoning.summary` is refused by the first reasoning models.
    has_summaries: bool = True
    takes_images: bool = True
    # `temperature` and `top_p`, which no model that reasons takes.
    takes_sampling: bool = False
    # Where no effort is asked for, it does not reason: its default effort is `none`.
    rests_by_default: bool = False
    # Assistant messages of the history are labelled as commentary or final answer ("gpt-5.3-codex and beyond").
    labels_phases: bool = False

    @property
    def reasons(self) -> bool:
        """Whether it takes `reasoning`, and reasoning items of earlier turns."""
        return bool(self.efforts)

    def nearest_effort(self, asked: Effort) -> Effort:
        """Return the greatest effort that is not above the one asked for, else the least there is."""
        fitting = [effort for effort in self.efforts if EFFORTS.index(effort) <= EFFORTS.index(asked)]
        return fitting[-1] if fitting else self.efforts[0]


_LOW_TO_HIGH: tuple[Effort, ...] = ("low", "medium", "high")
_LOW_TO_XHIGH: tuple[Effort, ...] = (*_LOW_TO_HIGH, "xhigh")
_LOW_TO_MAX: tuple[Effort, ...] = (*_LOW_TO_XHIGH, "max")

# Efforts of an unknown model stop at xhigh, which every model since gpt-5.1-codex-max takes, and start at low,
# since some of the newest refuse `none` and `minimal`.
_UNKNOWN = ModelTraits(_LOW_TO_XHIGH, labels_phases=True)


def _chat(max_output_tokens: int, *, takes_images: bool = True) -> ModelTraits:
    return ModelTraits((), max_output_tokens, takes_images=takes_images, takes_sampling=True)


# The first rule whose pattern matches the beginning of the name decides. Dated names follow their family. They are
# compiled when they are first needed: a process that serves no such model need not wait for it when it starts.
_RULES: Sequence[tuple[str, ModelTraits]] = (
    (r"gpt-3\.5", _chat(4_096, takes_images=False)),
    (r"gpt-4o-2024-05-13|gpt-4-turbo|gpt-4-1106-vision|gpt-4-vision", _chat(4_096)),
    (r"gpt-4-(0125|1106)", _chat(4_096, takes_images=False)),
    (r"(gpt-4o|chatgpt-4o)", _chat(16_384)),
    (r"gpt-4\.1", _chat(32_768)),
    (r"gpt-4\.5", _chat(16_384)),
    (r"gpt-4(-32k|-0\d|\Z)", _chat(8_192, takes_images=False)),
    (r"gpt-5\.3-chat", _chat(16_384)),
    (r"gpt-5\.[12]-chat", ModelTraits((), 16_384)),
    (r"gpt-5-chat", _chat(16_384)),
    (r"o1", ModelTraits(_LOW_TO_HIGH, 100_000, has_summaries=False)),
    (r"o3-mini", ModelTraits(_LOW_TO_HIGH, 100_000, has_summaries=False, takes_images=False)),
    (r"o[34].*-deep-research", ModelTraits(("medium",), 100_000)),
    (r"(o3|o4|codex-mini)", ModelTraits(_LOW_TO_HIGH, 100_000)),
    (r"gpt-5-pro", ModelTraits(("high",), 272_000)),
    (r"gpt-5(-mini|-nano)?(-20\d\d|\Z)", ModelTraits(("minimal", *_LOW_TO_HIGH))),
    (r"gpt-5-codex|gpt-5\.1-codex(-mini)?(-20\d\d|\Z)", ModelTraits(_LOW_TO_HIGH)),
    (r"gpt-5\.1-codex-max|gpt-5\.2-codex", ModelTraits(_LOW_TO_XHIGH)),
    (r"gpt-5\.1", ModelTraits(("none", *_LOW_TO_HIGH), rests_by_default=True)),
    (r"gpt-5\.2-pro", ModelTraits(("medium", "high", "xhigh"))),
    (r"gpt-5\.2", ModelTraits(("none", *_LOW_TO_XHIGH), rests_by_default=True)),
    (r"gpt-5\.3-codex-spark", ModelTraits(("none", *_LOW_TO_XHIGH), 32_000, labels_phases=True)),
    (r"gpt-5\.3-codex", ModelTraits(("none", *_LOW_TO_XHIGH), labels_phases=True)),
    (r"gpt-5\.[45]-pro", ModelTraits(("medium", "high", "xhigh"), labels_phases=True)),
    (r"gpt-5\.4", ModelTraits(("none", *_LOW_TO_XHIGH), rests_by_default=True, labels_phases=True)),
    (r"gpt-5\.5", ModelTraits(("none", *_LOW_TO_XHIGH), labels_phases=True)),
    (r"gpt-5\.6", ModelTraits(("none", *_LOW_TO_MAX), labels_phases=True)),
    (r"gpt-6(\.1-terra|-sol|-luna)", ModelTraits(("none", *_LOW_TO_MAX), labels_phases=True)),
    (r"gpt-6(\.[12]-|-)(astra|sol)", ModelTraits(_LOW_TO_MAX, labels_phases=True)),
)


# Each request asks several times, and a new model's name passes every rule.
@lru_cache(maxsize=64)
def traits_of(model: str) -> ModelTraits:
    """Return what a model takes. A fine-tuned model (`ft:<base>:…`) takes what its base does."""
    name = model.removeprefix("ft:")
    return next((traits for pattern, traits in _RULES if re.match(pattern, name)), _UNKNOWN)
