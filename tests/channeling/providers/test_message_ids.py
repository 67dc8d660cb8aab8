"""Ids are the provider's own where any provider would take them back, else minted, the same for the same answer."""

import re

import pytest

from channeling.providers.message_ids import message_id, server_tool_use_id, tool_use_id

FINE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@pytest.mark.parametrize("call_id", ["call_1", "toolu_01AbC", "a-b", "x" * 64])
def test_a_fine_id_is_kept(call_id: str) -> None:
    assert tool_use_id(call_id, (), "req_1", 0) == call_id


@pytest.mark.parametrize("call_id", ["", "x" * 65, "functions.read:0", "caf\u00e9", "a b", "a\n", "\ud800"])
def test_an_odd_one_is_minted(call_id: str) -> None:
    minted = tool_use_id(call_id, (), "req_1", 0)
    assert FINE.fullmatch(minted)
    assert minted.startswith("toolu_")
    assert minted == tool_use_id(call_id, (), "req_1", 0)


def test_a_used_one_is_minted_anew_each_time() -> None:
    minted = {tool_use_id("call_1", {"call_1"}, request, block) for request in ("a", "b") for block in (0, 1)}
    assert len(minted) == 4
    assert "call_1" not in minted


@pytest.mark.parametrize(
    ("response_id", "expected"),
    [
        ("resp_68af", "msg_68af"),
        ("chatcmpl_1", "msg_chatcmpl_1"),
        (None, None),
        ("", None),
        ("resp_a b", None),
    ],
)
def test_a_message_is_named_after_its_response(response_id: str | None, expected: str | None) -> None:
    named = message_id(response_id, "req_1")
    if expected is not None:
        assert named == expected
    else:
        assert re.fullmatch(r"msg_[0-9a-f]{24}", named)


@pytest.mark.parametrize(
    ("item_id", "expected"), [("ws_68af", "srvtoolu_channeling_68af"), ("", None), ("a-b", None)]
)
def test_a_search_is_named_after_its_item(item_id: str, expected: str | None) -> None:
    """Anthropic takes `srvtoolu_` and letters, digits and underscores alone."""
    named = server_tool_use_id(item_id, "req_1", 3)
    assert named == expected if expected else re.fullmatch(r"srvtoolu_channeling_[0-9a-f]{24}", named)
