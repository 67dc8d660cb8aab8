"""Signatures of Gemini's on calls, without which it refuses a history: 400 "Function call is missing a
thought_signature in functionCall parts".

OpenRouter has them as details of reasoning (`openrouter` 1.3.84, `components/reasoningdetailencrypted.py`), each
with the `id` of the call that it belongs to.
"""

from collections.abc import Mapping
from typing import Any

_SIGNATURE, _FORMAT = "reasoning.encrypted", "google-gemini-v1"
# What Google itself takes where there is none, as for calls of another model
# (ai.google.dev/gemini-api/docs/thought-signatures, "FAQs").
_STAND_IN = "skip_thought_signature_validator"


def with_signed_calls(message: dict[str, Any]) -> dict[str, Any]:
    """Return an assistant message whose calls have a signature, if only the stand-in for one.

    A call may have another id by now than the one that its signature names: clients are given new ones for those
    that were used before.
    """
    if not message.get("tool_calls"):
        return message
    details = message.get("reasoning_details", [])
    call_ids = [call["id"] for call in message["tool_calls"]]
    named = {detail["id"] for detail in details if _names_a_call(detail)}
    unsigned = iter([call_id for call_id in call_ids if call_id not in named])
    signed = [
        {**detail, "id": next(unsigned, detail["id"])}
        if _names_a_call(detail) and detail["id"] not in call_ids
        else detail
        for detail in details
    ]
    if not any(detail.get("type") == _SIGNATURE for detail in details):
        stand_in = {"type": _SIGNATURE, "data": _STAND_IN, "format": _FORMAT, "id": call_ids[0]}
        signed.append({**stand_in, "index": len(signed)})
    return {**message, "reasoning_details": signed}


def _names_a_call(detail: Mapping[str, Any]) -> bool:
    return detail.get("type") == _SIGNATURE and isinstance(detail.get("id"), str)
