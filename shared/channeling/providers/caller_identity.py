"""Who calls, and in which session, as providers are told: by hashes alone.

OpenAI takes at most 64 characters of either and OpenRouter 128, and both ask for hashes instead of anything that
identifies a person. Claude Code puts JSON with `account_uuid`, `device_id` and `session_id` into
`metadata.user_id`; older versions `user_<hash>_account_<uuid>_session_<uuid>`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import Struct

from channeling.providers.refusal import object_of, optional_text

_SESSION_MARK = "_session_"


class CallerIdentity(Struct, frozen=True):
    """Hashes of 64 characters, None for what the request does not say."""

    person: str | None = None
    session: str | None = None


def identity_of(document: Mapping[str, Any], session: str | None = None) -> CallerIdentity:
    """Return who calls by `metadata.user_id`, and in which session; raise InvalidRequest for one that is no text.

    `session`: what the client calls its session outside of the body; else it is looked for in the user id.
    """
    metadata = document.get("metadata")
    user_id = (
        None
        if metadata is None
        else optional_text(object_of(metadata, ("metadata",)), "user_id", ("metadata",))
    )
    person = None
    if user_id:
        named, session_of_user = _person_and_session(user_id)
        person, session = _hash(named), session or session_of_user
    return CallerIdentity(person, _hash(f"session {session}") if session else None)


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
