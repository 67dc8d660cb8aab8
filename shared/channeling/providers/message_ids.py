"""The ids of a message and of its calls: the provider's own where they will do, else minted from the request's.

Clients pair calls and results by id alone, over a whole conversation, and send them back to whichever provider is
next: an id must be unique in it and of letters that every provider takes.
"""

import hashlib
import re
from collections.abc import Container

from channeling.providers.foreign_search import SEARCH_ID_PREFIX

# The pattern and the length that OpenAI takes back as `call_id`, and Anthropic as `tool_use.id`.
_FINE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FINE_SUFFIX = re.compile(r"[A-Za-z0-9_]{1,128}")


def message_id(response_id: str | None, request_id: str) -> str:
    """Return the id of the message that a response becomes."""
    suffix = (response_id or "").removeprefix("resp_")
    return f"msg_{suffix if _FINE_SUFFIX.fullmatch(suffix) else _minted(request_id, 'message')}"


def tool_use_id(call_id: str, used: Container[str], request_id: str, block: int) -> str:
    """Return the id of a call: its own unless it is odd, too long or already used in the conversation."""
    if _FINE_ID.fullmatch(call_id) and call_id not in used:
        return call_id
    return f"toolu_{_minted(request_id, f'{block} {call_id}')}"


def server_tool_use_id(item_id: str, request_id: str, block: int) -> str:
    """Return the id of a call that the provider makes and answers itself."""
    suffix = item_id.removeprefix("ws_")
    if not _FINE_SUFFIX.fullmatch(suffix):
        suffix = _minted(request_id, f"{block} {item_id}")
    return SEARCH_ID_PREFIX + suffix


def _minted(request_id: str, what: str) -> str:
    return hashlib.sha256(f"{request_id}\0{what}".encode("utf-8", "replace")).hexdigest()[:24]
