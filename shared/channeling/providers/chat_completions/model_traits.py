"""What models that are served by chat completions insist on, by their names, which begin with `<vendor>/` or not.

A name that no rule knows is taken for one of a model that reasons and insists on nothing.
"""

import re
from functools import lru_cache

from msgspec import Struct


class ChatModelTraits(Struct, frozen=True):
    """One model.

    `reasons`: it may take parameters for reasoning. `user_after_tool`: a user message may follow the results of
    tools. `short_call_ids`: ids of calls are nine letters and digits. `signs_calls`: calls of the history are
    refused without the signature that they came with. `hides_reasoning`: not all of its reasoning is in the stream;
    servers of models with open weights send it along, or as text.
    """

    reasons: bool = True
    user_after_tool: bool = True
    short_call_ids: bool = False
    signs_calls: bool = False
    hides_reasoning: bool = True


# Mistral: 400 "Unexpected role 'user' after role 'tool'", and "Tool call id was … but must be a-z, A-Z, 0-9, with a
# length of 9". DeepSeek and its like forget what they reasoned before a user message in the middle of a tool loop
# (api-docs.deepseek.com/guides/thinking_mode, "Tool Calls").
_MISTRAL = r"(mistral|ministral|devstral|codestral|magistral|pixtral|mixtral|voxtral)"
_LOOP_REASONERS = r"(deepseek|glm-|kimi-|minimax|mimo-)"
# Gemini: "Function call is missing a thought_signature" (ai.google.dev/gemini-api/docs/thought-signatures).
_SIGNS_CALLS = r"gemini-([3-9]|\d\d)"
# Of these none reasons, so that asking for reasoning would at best be ignored.
_DOES_NOT_REASON = (
    r"(devstral|codestral|ministral|pixtral|mixtral|mistral-(large|nemo|saba|7b|tiny)|llama-[23]|gemma-[123]"
    r"|gpt-3\.5|gpt-4|chatgpt-4o|command-r|claude-3-|claude-3\.5-|phi-4(\Z|:|-mini-instruct|-multimodal))"
)

# Families whose weights are open, by whose names a server of one's own knows them.
_OPEN_WEIGHTS = (
    r"(llama|qwen|qwq|deepseek|gemma|phi-?\d|mistral|ministral|mixtral|devstral|codestral|magistral|gpt-oss|glm-|kimi-"
    r"|granite|olmo|smollm|nemotron|command-r|minimax)"
)


# Each request asks several times.
@lru_cache(maxsize=64)
def chat_model_traits(model: str) -> ChatModelTraits:
    """Return what a model insists on."""
    name = model.lower().rpartition("/")[2]
    is_mistral = re.match(_MISTRAL, name) is not None
    return ChatModelTraits(
        reasons=re.match(_DOES_NOT_REASON, name) is None,
        user_after_tool=not is_mistral and re.match(_LOOP_REASONERS, name) is None,
        short_call_ids=is_mistral,
        signs_calls=re.match(_SIGNS_CALLS, name) is not None,
        hides_reasoning=re.match(_OPEN_WEIGHTS, name) is None,
    )


def family_of(model: str) -> str:
    """Return a model's name without its variant: `deepseek/deepseek-r1` for `deepseek/deepseek-r1:free`."""
    return model.partition(":")[0]
