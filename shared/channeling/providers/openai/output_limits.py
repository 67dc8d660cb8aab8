"""How many tokens of output OpenAI is asked for, and how few are still of use."""

from channeling.message_request import MessageRequest
from channeling.providers.openai.model_traits import ModelTraits, traits_of
from channeling.providers.openai.reasoning import effort_of

# 400 `integer_below_min_value`: "Expected a value >= 16". Claude Code probes with 1.
LEAST_OUTPUT_TOKENS = 16
LEAST_ANSWER_TOKENS = 64
# Reasoning counts as output: this much of it comes before the first word even at low effort.
LEAST_REASONING_TOKENS = 1_024


def output_tokens_asked(max_tokens: int, traits: ModelTraits) -> int:
    """Return the `max_output_tokens` to send: what OpenAI takes at least, and what the model writes at most.

    It is what a request can be billed for, and so what is to be held; never below LEAST_OUTPUT_TOKENS.
    """
    return min(max(max_tokens, LEAST_OUTPUT_TOKENS), traits.max_output_tokens)


def least_max_tokens(request: MessageRequest, *, model: str | None = None) -> int:
    """Return the lowest `max_tokens` that still gives a useful answer: 64, where the model reasons 1,024 more.

    `model`: the upstream name, where it is not the one that was asked for. Raises InvalidRequest for a thinking
    mode or an effort that does not exist.
    """
    least = LEAST_ANSWER_TOKENS
    if effort_of(request.document, traits_of(model or request.model)) not in ("none", "minimal"):
        least += LEAST_REASONING_TOKENS
    if request.max_tokens is None:
        return least
    return max(LEAST_OUTPUT_TOKENS, min(request.max_tokens, least))
