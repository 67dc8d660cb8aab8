"""Who calls, and in which session, as OpenAI is told: by hashes alone.

OpenAI takes at most 64 characters of `safety_identifier` and `prompt_cache_key`, and asks for hashes instead of
anything that identifies a person. Claude Code puts JSON with `account_uuid`, `device_id` and `session_id` into
`metadata.user_id`; older versions `user_<hash>_account_<uuid>_session_<uuid>`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from channeling.providers.openai.refusal import object_of, optional_text

_SESSION_MARK = "_session_"


def translate_identity(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return `safety_identifier` and `prompt_cache_key` for `metadata.user_id`; none where it is not given."""
    metadata = document.get("metadata")
    if metadata is None:
        return {}
    user_id = optional_text(object_of(metadata, ("metadata",)), "user_id", ("metadata",))
    if not user_id:
        return {}
    person, session = _person_and_session(user_id)
    return {"safety_identifier": _hash(person), "prompt_cache_key": prompt_cache_key(session)}


def prompt_cache_key(session: str) -> str:
    """Return the key that keeps the requests of one session at one cache."""
    return _hash(f"session {session}")


def _person_and_session(user_id: str) -> tuple[str, str]:
    """Return what stays the same over sessions, and what names the session (all of it where nothing does)."""
    try:
        document = orjson.loads(user_id)
    except orjson.JSONDecodeError:
        person, mark, session = user_id.rpartition(_SESSION_MARK)
        return (person, session) if mark and person and session else (user_id, user_id)
    if not isinstance(document, dict):
        return user_id, user_id
    person = "".join(str(document.get(key) or "") for key in ("account_uuid", "device_id"))
    return person or user_id, str(document.get("session_id") or user_id)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
