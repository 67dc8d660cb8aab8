"""Names and ids that every provider takes: at most 64 letters, digits, `_` and `-`.

One function serves tool names, tool_use ids and the ids in tool results, so that both sides of a pair always match.
Limits: OpenAI's 400 `string_above_max_length` at 65 characters for `call_id` and for function names; OpenRouter's
"a-z, A-Z, 0-9, underscores, dashes, max 64 chars" (`openrouter` 1.3.84, `components/chatfunctiontool.py`).
"""

import hashlib
import re

LONGEST_NAME = 64
_TAKEN_AS_IS = re.compile(rf"[a-zA-Z0-9_-]{{1,{LONGEST_NAME}}}")
_REFUSED_CHARACTER = re.compile(r"[^a-zA-Z0-9_-]")
_HASH_LENGTH = 16


def short_name(name: str) -> str:
    """Return the name itself where it will do, else its beginning with a hash of all of it.

    The same name always gives the same answer, and different names different ones: cutting alone would not.
    """
    if _TAKEN_AS_IS.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    return f"{_REFUSED_CHARACTER.sub('_', name)[: LONGEST_NAME - _HASH_LENGTH - 1]}_{digest}"
