"""Input that Anthropic bills beyond the bytes of the body."""

from collections.abc import Sequence


def allowance_tokens(tool_types: Sequence[str], images: int) -> int:
    """Return the tokens of input to hold beyond those that the body's bytes bound."""
    return 1_000 * len(tool_types) + 5_000 * images
