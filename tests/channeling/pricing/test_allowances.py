"""What Anthropic adds to the input is held beforehand, and never at less than its documentation says."""

import pytest

from channeling.pricing.allowances import allowance_tokens


@pytest.mark.parametrize(
    ("tool_types", "images", "documented"),
    [
        (["custom"], 0, 804),
        (["custom"] * 100, 0, 804),
        (["bash_20250124"], 0, 804 + 245),
        (["text_editor_20250728"], 0, 804 + 700),
        (["computer_20251124"], 0, 804 + 735 + 499),
        (["bash_20250124", "text_editor_20250429", "computer_20250124"], 0, 804 + 245 + 700 + 735 + 499),
        ([], 1, 4_784),
        ([], 600, 600 * 4_784),
        (["custom"], 2, 804 + 2 * 4_784),
    ],
)
def test_at_least_what_is_documented_and_at_most_two_and_a_half_times_that(
    tool_types: list[str], images: int, documented: int
) -> None:
    assert documented <= allowance_tokens(tool_types, images) <= documented * 2.5


def test_images_are_counted_as_their_provider_counts_them() -> None:
    assert allowance_tokens([], 3, image_tokens=50_000) == 150_000


def test_nothing_is_added_to_plain_text() -> None:
    assert allowance_tokens([], 0) == 0


def test_each_tool_adds_its_own() -> None:
    one = allowance_tokens(["bash_20250124"], 0) - allowance_tokens(["custom"], 0)
    three = allowance_tokens(["bash_20250124"] * 3, 0) - allowance_tokens(["custom"], 0)
    assert three == 3 * one > 0


@pytest.mark.parametrize(
    "tool", ["from_the_future_20300101", "", "bash_1", "BASH_20250124", "computer_toolset_20260801"]
)
def test_a_tool_that_we_do_not_know_counts_as_the_largest(tool: str) -> None:
    known = ("custom", "bash_20250124", "computer_20251124", "web_search_20260318", "code_execution_20260521")
    assert allowance_tokens([tool], 0) >= max(allowance_tokens([other], 0) for other in known)


def test_a_negative_number_of_images_is_refused() -> None:
    with pytest.raises(ValueError, match="images must be at least 0"):
        allowance_tokens([], -1)
