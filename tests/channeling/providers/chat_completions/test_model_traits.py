"""What models insist on is known by their names, with a vendor before them or not."""

import pytest

from channeling.providers.chat_completions.model_traits import chat_model_traits, family_of


@pytest.mark.parametrize(
    ("model", "reasons", "user_after_tool", "short_call_ids", "signs_calls"),
    [
        ("deepseek/deepseek-chat", True, False, False, False),
        ("deepseek-reasoner", True, False, False, False),
        ("mistralai/devstral-2512:free", False, False, True, False),
        ("mistral-large-latest", False, False, True, False),
        ("mistralai/magistral-medium-2506", True, False, True, False),
        ("mistralai/mistral-medium-3.1", True, False, True, False),
        ("moonshotai/kimi-k2-thinking", True, False, False, False),
        ("MiniMaxAI/MiniMax-M2", True, False, False, False),
        ("z-ai/glm-4.6", True, False, False, False),
        ("google/gemini-3-pro-preview", True, True, False, True),
        ("google/gemini-3.1-flash:nitro", True, True, False, True),
        ("google/gemini-2.5-pro", True, True, False, False),
        ("google/gemma-3-27b-it", False, True, False, False),
        ("openai/gpt-4.1", False, True, False, False),
        ("openai/gpt-5.2", True, True, False, False),
        ("meta-llama/llama-3.3-70b-instruct", False, True, False, False),
        ("nousresearch/deephermes-3-mistral-24b-preview", True, True, False, False),
        ("qwen3:8b", True, True, False, False),
        ("a-model-of-tomorrow", True, True, False, False),
        ("", True, True, False, False),
    ],
)
def test_names(
    model: str, reasons: bool, user_after_tool: bool, short_call_ids: bool, signs_calls: bool
) -> None:
    """Names that no rule knows insist on nothing."""
    traits = chat_model_traits(model)
    assert (traits.reasons, traits.user_after_tool) == (reasons, user_after_tool)
    assert (traits.short_call_ids, traits.signs_calls) == (short_call_ids, signs_calls)


def test_a_variant_is_of_its_family() -> None:
    """What stands behind the colon says how a model is served."""
    assert (
        family_of("deepseek/deepseek-r1:free") == family_of("deepseek/deepseek-r1") == "deepseek/deepseek-r1"
    )


@pytest.mark.parametrize(
    ("model", "hides_reasoning"),
    [
        ("qwen3:8b", False),
        ("deepseek-reasoner", False),
        ("openai/gpt-oss-120b", False),
        ("meta-llama/Llama-3.3-70B-Instruct", False),
        ("gpt-5.2", True),
        ("claude-opus-4-5", True),
        ("gemini-3-pro-preview", True),
        ("a-model-of-tomorrow", True),
    ],
)
def test_who_may_hide_reasoning(model: str, hides_reasoning: bool) -> None:
    """Whoever serves open weights himself sends all of it along; of any other model it is not known."""
    assert chat_model_traits(model).hides_reasoning == hides_reasoning
