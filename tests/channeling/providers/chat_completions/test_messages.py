"""Turns, calls and their results become messages in the order that servers and templates insist on."""

from typing import Any

import pytest

from channeling.providers.chat_completions.messages import BRIDGE, chat_messages
from channeling.providers.chat_completions.model_traits import ChatModelTraits

ANY = ChatModelTraits()
STRICT = ChatModelTraits(user_after_tool=False)
GEMINI = ChatModelTraits(signs_calls=True)
IMAGE = {"type": "input_image", "image_url": "https://example.com/a.png"}


def user(*texts: str, role: str = "user") -> dict[str, Any]:
    """Return the item of a user's message."""
    return {
        "type": "message",
        "role": role,
        "content": [{"type": "input_text", "text": text} for text in texts],
    }


def said(text: str) -> dict[str, Any]:
    """Return the item of an assistant's text."""
    return {"type": "message", "role": "assistant", "content": text}


def call(call_id: str) -> dict[str, Any]:
    """Return the item of a call."""
    return {"type": "function_call", "call_id": call_id, "name": "Read", "arguments": "{}"}


def output(call_id: str, content: Any = "text") -> dict[str, Any]:
    """Return the item of a result."""
    return {"type": "function_call_output", "call_id": call_id, "output": content}


def signature(call_id: str | None, data: str = "CuMB") -> dict[str, Any]:
    """Return a detail of reasoning that signs a call."""
    return {"type": "reasoning.encrypted", "data": data, "id": call_id, "index": 0}


def reasoning(*details: dict[str, Any]) -> dict[str, Any]:
    """Return the item of reasoning."""
    return {"type": "reasoning", "details": details, "text": {}}


@pytest.mark.parametrize(
    ("items", "roles"),
    [
        ([user("a"), said("b"), call("1"), said("c"), output("1"), user("d")], "user assistant tool user"),
        ([user("a"), call("1"), call("2"), output("2"), output("1")], "user assistant tool tool"),
        ([user("a"), call("1"), user("b"), output("1"), said("c")], "user assistant tool user assistant"),
        ([user("a"), call("1"), output("1"), call("2"), output("2")], "user assistant tool assistant tool"),
        ([user("a"), user("b", role="developer"), user("c")], "user"),
        ([user("a"), reasoning(signature("1"))], "user"),
        ([user("a"), call("1"), output("1", [IMAGE]), user("b")], "user assistant tool user"),
    ],
)
def test_order(items: list[Any], roles: str) -> None:
    """One message for a turn, all its results behind it, and no two of one side in a row."""
    assert [message["role"] for message in chat_messages(items, ANY)] == roles.split()


def test_results_stand_in_the_order_of_their_calls() -> None:
    """Whatever order they came in."""
    messages = chat_messages([call("1"), call("2"), output("2", "B"), output("1", "A")], ANY)
    assert [(message["tool_call_id"], message["content"]) for message in messages[1:]] == [
        ("1", "A"),
        ("2", "B"),
    ]


@pytest.mark.parametrize(
    ("result", "beside", "last"),
    [
        ("text", user("Be quick."), {"role": "tool", "tool_call_id": "1", "content": "text\n\nBe quick."}),
        (
            [{"type": "input_text", "text": "a", "cache_control": {"type": "ephemeral"}}],
            user("b"),
            {
                "role": "tool",
                "tool_call_id": "1",
                "content": [
                    {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                    {"type": "text", "text": "b"},
                ],
            },
        ),
    ],
)
def test_text_beside_results_where_no_user_may_follow(result: Any, beside: Any, last: Any) -> None:
    """It goes with the last result."""
    assert chat_messages([call("1"), output("1", result), beside], STRICT)[-1] == last


def test_images_of_results_where_no_user_may_follow() -> None:
    """An assistant's word stands between."""
    messages = chat_messages([call("1"), output("1", [IMAGE]), user("b")], STRICT)
    assert [message["role"] for message in messages] == ["assistant", "tool", "assistant", "user"]
    assert messages[2]["content"] == BRIDGE
    assert [part["type"] for part in messages[3]["content"]] == ["text", "image_url", "text"]


@pytest.mark.parametrize(
    ("details", "signed"),
    [
        ([signature("1"), signature("2")], ["1", "2"]),
        ([signature("1")], ["1"]),
        ([signature("old")], ["1"]),
        ([signature("2"), signature("old")], ["2", "1"]),
        ([signature("old"), signature("older"), signature("oldest")], ["1", "2", "oldest"]),
        ([signature(None)], [None]),
    ],
)
def test_signatures_name_the_calls_that_they_belong_to(details: Any, signed: Any) -> None:
    """A call that was given another id since is named by it."""
    items = [call("1"), reasoning(*details), call("2"), output("1"), output("2")]
    message = chat_messages(items, GEMINI)[0]
    assert [detail["id"] for detail in message["reasoning_details"]] == signed
    assert chat_messages(items, ANY)[0]["reasoning_details"] == details, "others are left as they came"


def test_calls_without_a_signature_get_googles_stand_in() -> None:
    """So they do where nothing but a text of reasoning is left."""
    text = {"type": "reasoning.text", "text": "x", "index": 0}
    for items in ([call("1"), output("1")], [reasoning(text), call("1"), output("1")]):
        last = chat_messages(items, GEMINI)[0]["reasoning_details"][-1]
        assert (last["data"], last["id"]) == ("skip_thought_signature_validator", "1")
    assert "reasoning_details" not in chat_messages([said("Hello")], GEMINI)[0]
