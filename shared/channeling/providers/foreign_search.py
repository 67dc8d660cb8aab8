"""How web searches that another provider made are marked, so that Anthropic is never given them.

Anthropic puts ciphertext into search results and citations and takes back only its own. The ids of our blocks and
what stands in for ciphertext say that they are ours.
"""

from collections.abc import Mapping
from typing import Any

from channeling.providers.thinking_signature import SIGNATURE_PREFIX

SEARCH_ID_PREFIX = "srvtoolu_channeling_"
SEARCH_SEAL = f"{SIGNATURE_PREFIX}web_search"


def is_foreign_search(block: Mapping[str, Any]) -> bool:
    """Say whether a block of a history is a search, or the result of one, that Anthropic did not make."""
    match block.get("type"):
        case "server_tool_use":
            search_id = block.get("id")
        case "web_search_tool_result":
            search_id = block.get("tool_use_id")
        case _:
            return False
    return isinstance(search_id, str) and search_id.startswith(SEARCH_ID_PREFIX)


def has_foreign_citations(block: Mapping[str, Any]) -> bool:
    """Say whether a text block of a history cites such a search."""
    citations = block.get("citations")
    return isinstance(citations, list) and any(
        isinstance(citation, dict) and citation.get("encrypted_index") == SEARCH_SEAL
        for citation in citations
    )
