"""The turns of a repaired history as the Responses API takes them: reasoning before what it led to, and phases."""

from collections.abc import Sequence

from channeling.providers.history import Item


def with_order_in_turns(items: Sequence[Item], *, labels_phases: bool) -> list[Item]:
    """Drop reasoning that nothing of the same turn follows, and label assistant messages by what follows them.

    Such reasoning is left by interrupted turns and edits, and refused (400 "provided without its required following
    item"). `labels_phases`: a message is commentary where a tool call follows, else a final answer.
    """
    kept: list[Item] = []
    next_in_turn: str | None = None
    calls_follow = False
    for item in reversed(items):
        if item["type"] == "reasoning":
            if next_in_turn is None:
                continue
        elif item["type"] == "function_call":
            next_in_turn, calls_follow = "function_call", True
        elif item.get("role") == "assistant":
            next_in_turn = "message"
            if labels_phases:
                item = {**item, "phase": "commentary" if calls_follow else "final_answer"}
        else:
            next_in_turn, calls_follow = None, False
        kept.append(item)
    kept.reverse()
    return kept
