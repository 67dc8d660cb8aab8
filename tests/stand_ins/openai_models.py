"""What the Responses API takes of each family of models: reasoning efforts, sampling parameters, output tokens.

Sources: the docstrings of `openai` 2.x and 3.x (`shared_params/reasoning.py`: gpt-5.1 and later know `none`, models
before default to `medium` and do not; gpt-5-pro takes only `high`; `xhigh` is for models after gpt-5.1-codex-max)
and the model pages that they point to.
"""

import re
from dataclasses import dataclass

_O_SERIES = ("low", "medium", "high")
_GPT_5 = ("minimal", "low", "medium", "high")
_GPT_5_1 = ("none", "low", "medium", "high")
_GPT_5_2 = (*_GPT_5_1, "xhigh")
_LATEST = (*_GPT_5_2, "max")


@dataclass(frozen=True, slots=True)
class ModelRules:
    """`efforts` is empty for a model that does not reason: it takes `temperature` and no `reasoning`."""

    efforts: tuple[str, ...]
    max_output_tokens: int = 128_000

    @property
    def reasons(self) -> bool:
        """Whether it is a reasoning model."""
        return bool(self.efforts)


# The first that matches the beginning of the name wins.
_RULES: tuple[tuple[str, ModelRules], ...] = (
    (r"gpt-5(\.\d)?-chat", ModelRules((), 16_384)),
    (r"chatgpt-", ModelRules((), 16_384)),
    (r"gpt-4o-2024-05-13", ModelRules((), 4_096)),
    (r"gpt-4o", ModelRules((), 16_384)),
    (r"gpt-4\.1", ModelRules((), 32_768)),
    (r"gpt-4(-32k|-0[36]|$)", ModelRules((), 8_192)),
    (r"gpt-4-|gpt-3", ModelRules((), 4_096)),
    (r"gpt-5-pro", ModelRules(("high",), 272_000)),
    (r"gpt-5\.\d-pro", ModelRules(("medium", "high", "xhigh"))),
    (r"gpt-5-codex", ModelRules(_O_SERIES)),
    (r"gpt-5\.1-codex-max", ModelRules((*_GPT_5_1, "xhigh"))),
    (r"gpt-5\.1", ModelRules(_GPT_5_1)),
    (r"gpt-5(-|$)", ModelRules(_GPT_5)),
    (r"gpt-5\.[2-5]", ModelRules(_GPT_5_2)),
    (r"o\d", ModelRules(_O_SERIES, 100_000)),
    (r"", ModelRules(_LATEST)),
)


def rules_of(model: str) -> ModelRules:
    """Return the rules of a model by its name; one that is not known is taken for one of the latest."""
    return next(rules for pattern, rules in _RULES if re.match(pattern, model))
