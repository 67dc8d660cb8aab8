"""An image is never held at fewer tokens than OpenAI's published sums make of it."""

import pytest

from channeling.providers.image_tokens import greatest_image_tokens

_TILES, _PATCHES, _LATER_PATCHES = 8, 1_536, 2_500


@pytest.mark.parametrize(
    ("model", "documented"),
    [
        ("gpt-4o", 85 + _TILES * 170),
        ("gpt-4o-mini", 2_833 + _TILES * 5_667),
        ("gpt-4o-mini-2024-07-18", 2_833 + _TILES * 5_667),
        ("o1", 75 + _TILES * 150),
        ("gpt-5", 70 + _TILES * 140),
        ("gpt-4.1-nano", _PATCHES * 2.46),
        ("gpt-5-nano", _PATCHES * 2.46),
        ("gpt-5.4", _LATER_PATCHES * 1.2),
        ("gpt-5.4-nano", _LATER_PATCHES * 2.46),
        ("gpt-9-nova", 10_000 * 1.2),
    ],
)
def test_at_least_what_is_documented(model: str, documented: float) -> None:
    """The greatest image at the detail that we ask for, of each way of counting."""
    assert documented <= greatest_image_tokens(model)
