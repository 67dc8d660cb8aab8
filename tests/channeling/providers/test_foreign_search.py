"""Searches that another provider made, and citations of them, are told apart from Anthropic's."""

from typing import Any

import pytest

from channeling.providers.foreign_search import SEARCH_SEAL, has_foreign_citations, is_foreign_search


@pytest.mark.parametrize(
    ("block", "is_foreign"),
    [
        ({"type": "server_tool_use", "id": "srvtoolu_channeling_1"}, True),
        ({"type": "server_tool_use", "id": "srvtoolu_01"}, False),
        ({"type": "server_tool_use", "id": None}, False),
        ({"type": "server_tool_use"}, False),
        ({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_channeling_1"}, True),
        ({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01"}, False),
        ({"type": "tool_result", "tool_use_id": "srvtoolu_channeling_1"}, False),
        ({"type": "text"}, False),
        ({}, False),
    ],
)
def test_searches(block: Any, is_foreign: bool) -> None:
    assert is_foreign_search(block) is is_foreign


@pytest.mark.parametrize(
    ("citations", "are_foreign"),
    [
        ([{"encrypted_index": SEARCH_SEAL}], True),
        ([{"encrypted_index": "EqQB"}, {"encrypted_index": SEARCH_SEAL}], True),
        ([{"encrypted_index": "EqQB"}, {}, None, 7], False),
        ([], False),
        (None, False),
        ("x", False),
    ],
)
def test_citations(citations: Any, are_foreign: bool) -> None:
    assert has_foreign_citations({"type": "text", "text": "x", "citations": citations}) is are_foreign
