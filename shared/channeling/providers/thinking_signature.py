"""How thinking that another provider made is marked, so that it can be told apart from Anthropic's own.

The signature of a thinking block is the one field that survives a client's history byte for byte.
"""

from collections.abc import Mapping
from typing import Any

SIGNATURE_PREFIX = "channeling:"


def is_foreign_thinking(block: Mapping[str, Any]) -> bool:
    """Say whether Anthropic would refuse this block of a history: thinking that is unsigned or signed by us.

    An empty `thinking` text with a signature is Anthropic's own (`display: omitted`) and stays.
    """
    match block.get("type"):
        case "thinking":
            seal = block.get("signature")
        case "redacted_thinking":
            seal = block.get("data")
        case _:
            return False
    return not isinstance(seal, str) or not seal or seal.startswith(SIGNATURE_PREFIX)
