"""The most input tokens that an image can become at OpenAI, whatever its size."""

# developers.openai.com/api/docs/guides/images-vision, "Calculating costs". Models that count tiles: at most 8 tiles
# of 170 and a base of 85, but 8 of 5,667 and a base of 2,833 for gpt-4o-mini. Models that count patches: at most
# 1,536 times 2.46 at first, 2,500 times 1.2 since gpt-5.4. We ask for `detail: high`; at `original` it would be
# 10,000 patches, which the bound covers too.
IMAGE_TOKENS = 12_500
_GPT_4O_MINI_IMAGE_TOKENS = 50_000


def greatest_image_tokens(model: str) -> int:
    """Return the most tokens that one image in a request to this model is billed as."""
    return _GPT_4O_MINI_IMAGE_TOKENS if model.startswith("gpt-4o-mini") else IMAGE_TOKENS
