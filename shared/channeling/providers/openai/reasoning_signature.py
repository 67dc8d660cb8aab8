"""A reasoning item of OpenAI's inside the signature of a thinking block, so that it can go back unchanged.

The signature is the one field of a thinking block that every client keeps byte for byte. The form is
`channeling:openai:1:<base64url of JSON: id and summary>:<encrypted content, as it came>`; the version is part of
the mark, and a signature of another version is not ours to read.
"""

import base64
import binascii
from typing import Any

import orjson
from msgspec import Struct

from channeling.providers.thinking_signature import SIGNATURE_PREFIX

_MARK = f"{SIGNATURE_PREFIX}openai:1:"


class SealedReasoning(Struct, frozen=True):
    """What of a reasoning item has to go back as it came: id, ciphertext and the texts of its summary.

    Source: `openai` 3.54.0, `types/responses/response_reasoning_item_param.py`: id and summary are required.
    """

    id: str
    encrypted_content: str
    summary: tuple[str, ...] = ()


def seal(reasoning: SealedReasoning) -> str:
    """Return the signature that carries a reasoning item."""
    head = orjson.dumps({"id": reasoning.id, "summary": reasoning.summary})
    return f"{_MARK}{base64.urlsafe_b64encode(head).decode()}:{reasoning.encrypted_content}"


def unseal(signature: Any) -> SealedReasoning | None:
    """Return the reasoning item that a signature carries; None for anything that `seal` did not make.

    An item without ciphertext is none: where nothing is stored, OpenAI finds no item by its id alone.
    """
    if not isinstance(signature, str) or not signature.startswith(_MARK):
        return None
    head, _, encrypted_content = signature[len(_MARK) :].partition(":")
    try:
        document = orjson.loads(base64.b64decode(head.encode("ascii"), altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError):
        return None
    match document:
        case {"id": str() as item_id, "summary": [*summary]} if item_id and encrypted_content:
            if all(isinstance(text, str) for text in summary):
                return SealedReasoning(item_id, encrypted_content, tuple(summary))
    return None
