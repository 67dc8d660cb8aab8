"""Reasoning of a chat completion inside the signature of a thinking block, so that it can go back unchanged.

OpenRouter wants `reasoning_details` back "exactly as they came, in their order"
(openrouter.ai/docs/guides/best-practices/reasoning-tokens, "Preserving reasoning"); other servers, DeepSeek among
them, want the text back under the name that they gave it. The form is `channeling:openrouter:1:<base64url of
JSON>`; the version is part of the mark, and a signature of another version is not ours to read.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Literal, get_args

import orjson
from msgspec import Struct

from channeling.providers.thinking_signature import SIGNATURE_PREFIX

_MARK = f"{SIGNATURE_PREFIX}openrouter:1:"

TextKey = Literal["reasoning", "reasoning_content"]
"""What servers call the text of reasoning: OpenRouter and vLLM `reasoning`, DeepSeek and most others the other."""


class SealedReasoning(Struct, frozen=True):
    """What of an answer's reasoning has to go back as it came, and the upstream name of the model that it is for.

    `details` are objects of `reasoning_details`, whole (the pieces of a stream put together). Where a server has
    none of them, `text` is its reasoning, which came under `text_key`.
    """

    model: str
    details: tuple[Mapping[str, Any], ...] = ()
    text: str = ""
    text_key: TextKey = "reasoning"


def seal(reasoning: SealedReasoning) -> str:
    """Return the signature that carries reasoning."""
    document: dict[str, Any] = {"model": reasoning.model}
    if reasoning.details:
        document["details"] = reasoning.details
    if reasoning.text:
        document[reasoning.text_key] = reasoning.text
    return _MARK + base64.urlsafe_b64encode(orjson.dumps(document)).decode()


def unseal(signature: Any) -> SealedReasoning | None:
    """Return the reasoning that a signature carries; None for anything that `seal` did not make, or of nothing."""
    if not isinstance(signature, str) or not signature.startswith(_MARK):
        return None
    try:
        document = orjson.loads(base64.b64decode(signature[len(_MARK) :], altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        return None
    match document:
        case {"model": str() as model, "details": [_, *_] as details}:
            if all(isinstance(detail, dict) for detail in details):
                return SealedReasoning(model, tuple(details), *_text_of(document))
        case {"model": str() as model}:
            text, key = _text_of(document)
            return SealedReasoning(model, (), text, key) if text else None
    return None


def _text_of(document: Mapping[str, Any]) -> tuple[str, TextKey]:
    for key in get_args(TextKey):
        if isinstance(document.get(key), str):
            return document[key], key
    return "", "reasoning"
