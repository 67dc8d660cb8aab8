"""Details of reasoning come back whole: pieces of a stream together, blocks apart, everything else as it was."""

from typing import Any, get_args

import pytest
from openrouter.components import ReasoningDetailUnion

from channeling.providers.chat_completions.reasoning_details import ReasoningDetails


def text(piece: str | None, index: int | None = 0, **more: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": piece, "index": index, **more}


def whole(*pieces: dict[str, Any], ids: dict[str, str] | None = None) -> list[Any]:
    details = ReasoningDetails()
    for piece in pieces:
        details.add(piece, is_whole=False)
    return list(details.whole(ids or {}))


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([text("a"), text("b")], [text("ab")]),
        ([text("a", None), text("b", None)], [text("ab", None)]),
        ([text("a"), text(None, signature="S")], [text("a", signature="S")]),
        ([text("a", id="1"), text("b", id=None)], [text("ab", id="1")]),
        ([text("a", id=None), text("b", id="1")], [text("ab", id="1")]),
        ([text(""), text("")], [text("")]),
        # Another index, id or kind, or a signature before it, is another block.
        ([text("a"), text("b", 1)], [text("a"), text("b", 1)]),
        ([text("a", id="1"), text("b", id="2")], [text("a", id="1"), text("b", id="2")]),
        ([text("a", signature="S"), text("b")], [text("a", signature="S"), text("b")]),
        (
            [text("a"), {"type": "reasoning.encrypted", "data": "D", "index": 0}, text("b")],
            [text("a"), {"type": "reasoning.encrypted", "data": "D", "index": 0}, text("b")],
        ),
        (
            [{"type": "reasoning.summary", "summary": "a"}, {"type": "reasoning.summary", "summary": "b"}],
            [{"type": "reasoning.summary", "summary": "ab"}],
        ),
        # Ciphertext is never put together: each is of a call of its own.
        (
            [{"type": "reasoning.encrypted", "data": "D"}, {"type": "reasoning.encrypted", "data": "E"}],
            [{"type": "reasoning.encrypted", "data": "D"}, {"type": "reasoning.encrypted", "data": "E"}],
        ),
        ([{"type": "reasoning.hologram", "x": 1}], [{"type": "reasoning.hologram", "x": 1}]),
        ([{}], [{}]),
    ],
)
def test_pieces_become_whole(pieces: list[dict[str, Any]], expected: list[Any]) -> None:
    assert whole(*pieces) == expected


def test_whole_ones_stay_as_they_are() -> None:
    details = ReasoningDetails()
    assert [details.add(text(piece), is_whole=True) for piece in ("a", "b")] == ["a", "b"]
    assert list(details.whole({})) == [text("a"), text("b")]


def test_an_id_follows_that_of_its_call() -> None:
    thought = {"type": "reasoning.encrypted", "data": "D", "id": "call_0"}
    assert whole(thought, ids={"call_0": "toolu_1"}) == [{**thought, "id": "toolu_1"}]
    assert whole({**thought, "id": ["call_0"]}, ids={"call_0": "toolu_1"}) == [{**thought, "id": ["call_0"]}]


@pytest.mark.parametrize(
    ("detail", "must"),
    [
        (text("a"), False),
        (text("a", signature="S"), True),
        ({"type": "reasoning.encrypted", "data": "D"}, True),
        ({"type": "reasoning.summary", "summary": "a"}, False),
    ],
)
def test_what_a_model_may_refuse_to_go_on_without(detail: dict[str, Any], must: bool) -> None:
    details = ReasoningDetails()
    details.add(detail, is_whole=True)
    assert details.must_return is must


def test_every_kind_is_kept() -> None:
    """A kind that is new in the package is carried as it is, but perhaps in pieces."""
    union = get_args(ReasoningDetailUnion)[0]
    kinds = {kind for member in get_args(union) for kind in get_args(member.model_fields["type"].annotation)}
    assert kinds == {
        "reasoning.text",
        "reasoning.summary",
        "reasoning.encrypted",
        "reasoning.server_tool_call",
        "UNKNOWN",
    }
