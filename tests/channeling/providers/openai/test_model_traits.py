"""Models are told apart by their names, dated and fine-tuned ones too, and asked for no more than they take."""

import pytest

from channeling.providers.openai.model_traits import EFFORTS, Effort, traits_of


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("gpt-5", "minimal low medium high"),
        ("gpt-5-2025-08-07", "minimal low medium high"),
        ("gpt-5-nano", "minimal low medium high"),
        ("gpt-5-codex", "low medium high"),
        ("gpt-5-pro-2025-10-06", "high"),
        ("gpt-5-chat-latest", ""),
        ("gpt-5.1", "none low medium high"),
        ("gpt-5.1-codex-mini", "low medium high"),
        ("gpt-5.1-codex-max", "low medium high xhigh"),
        ("gpt-5.2", "none low medium high xhigh"),
        ("gpt-5.2-chat-latest", ""),
        ("gpt-5.2-pro", "medium high xhigh"),
        ("gpt-5.4-mini-2026-03-17", "none low medium high xhigh"),
        ("gpt-5.6-sol", "none low medium high xhigh max"),
        ("gpt-6-luna", "none low medium high xhigh max"),
        ("gpt-6-astra", "low medium high xhigh max"),
        ("gpt-6.1-sol", "low medium high xhigh max"),
        ("gpt-6.1-terra", "none low medium high xhigh max"),
        ("gpt-6.2-astra-law", "low medium high xhigh max"),
        ("gpt-9-nova", "low medium high xhigh"),
        ("o3-2025-04-16", "low medium high"),
        ("o4-mini-deep-research", "medium"),
        ("gpt-4.1-mini", ""),
        ("gpt-4o-2024-11-20", ""),
        ("ft:gpt-4.1-2025-04-14:acme::abc", ""),
        ("chatgpt-4o-latest", ""),
    ],
)
def test_efforts(model: str, efforts: str) -> None:
    """The efforts of each family, as OpenAI's model pages list them; a new name takes what all new ones do."""
    assert list(traits_of(model).efforts) == efforts.split()


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-3.5-turbo", 4_096),
        ("gpt-4", 8_192),
        ("gpt-4-turbo", 4_096),
        ("gpt-4o", 16_384),
        ("gpt-4o-2024-05-13", 4_096),
        ("gpt-4.1-nano", 32_768),
        ("gpt-5.1-chat-latest", 16_384),
        ("o1", 100_000),
        ("o4-mini", 100_000),
        ("gpt-5-mini", 128_000),
        ("gpt-5-pro", 272_000),
        ("gpt-5.3-codex-spark", 32_000),
        ("gpt-9-nova", 128_000),
    ],
)
def test_output_tokens(model: str, tokens: int) -> None:
    """What each writes at most, as OpenAI's model pages say."""
    assert traits_of(model).max_output_tokens == tokens


@pytest.mark.parametrize("model", ["gpt-3.5-turbo", "gpt-4", "gpt-4-0613", "o3-mini", "gpt-4-0125-preview"])
def test_models_that_see_nothing(model: str) -> None:
    """They take text alone."""
    assert not traits_of(model).takes_images


@pytest.mark.parametrize(
    "model", ["gpt-4o", "gpt-4-turbo", "gpt-4-1106-vision-preview", "o1", "gpt-5", "gpt-9-nova"]
)
def test_models_that_see(model: str) -> None:
    """They take images."""
    assert traits_of(model).takes_images


@pytest.mark.parametrize(
    ("model", "asked", "given"),
    [
        ("gpt-5.2", "max", "xhigh"),
        ("gpt-5.1", "xhigh", "high"),
        ("gpt-5", "none", "minimal"),
        ("gpt-5-codex", "none", "low"),
        ("gpt-5-pro", "low", "high"),
        ("gpt-6-luna", "max", "max"),
    ],
)
def test_nearest_effort(model: str, asked: Effort, given: Effort) -> None:
    """An effort that a model does not take becomes the next lower one, or the least there is."""
    assert traits_of(model).nearest_effort(asked) == given


def test_a_model_that_reasons_takes_no_sampling() -> None:
    """`temperature` and `top_p` are refused by every model that takes `reasoning`."""
    models = ["gpt-5", "gpt-5.2", "o3", "gpt-9-nova", "gpt-4.1", "gpt-4o", "gpt-5.2-chat-latest"]
    assert [model for model in models if traits_of(model).takes_sampling] == ["gpt-4.1", "gpt-4o"]
    assert all(set(traits_of(model).efforts) <= set(EFFORTS) for model in models)
