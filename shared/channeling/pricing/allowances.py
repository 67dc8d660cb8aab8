"""Input that providers bill beyond the bytes of the body: prompts they add for tools, and what images become.

Documented figures, each for the models that need most of it, then rounded up generously, since newer tokenizers
count the same text up to a third higher:

- any tool: a system prompt of up to 804 tokens (Claude Opus 4.7 with `tool_choice` any or tool;
  platform.claude.com/docs/en/agents-and-tools/tool-use/overview, "Pricing")
- `bash` 245, `text_editor` 700, `computer` 735 and a further system prompt of up to 499
  (platform.claude.com/docs/en/about-claude/pricing, "Specific tool pricing")
- an image: one token for each 28 × 28 pixels, at most 4,784 after the resizing that Claude Opus 4.7 and later do
  (platform.claude.com/docs/en/build-with-claude/vision, "Image costs")

The definitions of server tools and toolsets have no published size: theirs are our own safe guesses. The figures
are Anthropic's; of other providers, the tools that it defines go up as functions that are smaller than these, and
what an image becomes is theirs to say.
"""

import re
from collections.abc import Sequence

TOOL_PROMPT_TOKENS = 1_100
IMAGE_TOKENS = 5_000
UNKNOWN_TOOL_TOKENS = 10_000
# What a provider finds on the web and adds to a request by itself: OpenRouter's five results, "typically 2,000 to
# 4,000 characters" each (`openrouter` 1.3.84, `components/websearchconfig.py`), held at several times that.
UNASKED_SEARCH_TOKENS = 20_000

# By type without its date. Tools that the caller defines are wholly in the body.
_TOOL_TOKENS: dict[str, int] = {
    "custom": 0,
    "bash": 500,
    "text_editor": 1_500,
    "computer": 2_500,
    "memory": 2_500,
    "web_search": 6_000,
    "web_fetch": 6_000,
    "code_execution": 6_000,
    "tool_search_tool_bm25": 3_000,
    "tool_search_tool_regex": 3_000,
    "advisor": 3_000,
}
_DATE = re.compile(r"_[0-9]{8}\Z")


def allowance_tokens(tool_types: Sequence[str], images: int, *, image_tokens: int = IMAGE_TOKENS) -> int:
    """Return the tokens of input to hold beyond what the bytes of the body bound.

    `tool_types` has the `type` of each tool in the body, "custom" for those without one; a type that we do not know
    is counted as the largest. `images`: how many the messages hold, whatever their size; `image_tokens`: the most
    that one can become.

    Raises ValueError when `images` is below 0.
    """
    if images < 0:
        raise ValueError(f"images must be at least 0, not {images!r}")
    definitions = sum(
        _TOOL_TOKENS[tool] if tool in _TOOL_TOKENS else _of_dated_tool(tool) for tool in tool_types
    )
    return definitions + (TOOL_PROMPT_TOKENS if tool_types else 0) + images * image_tokens


def _of_dated_tool(tool_type: str) -> int:
    return _TOOL_TOKENS.get(_DATE.sub("", tool_type), UNKNOWN_TOOL_TOKENS)
