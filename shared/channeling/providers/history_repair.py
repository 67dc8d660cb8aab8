"""Making a list of items a history that providers take, whatever became of it at the client.

Interrupted turns, compaction and edits leave calls without outputs, outputs without calls, one id for two calls:
each is a 400 that comes back on every later turn of that conversation.
"""

from collections.abc import Iterable
from typing import Any

from channeling.providers.content_blocks import text_part
from channeling.providers.names import short_name

Item = dict[str, Any]

INTERRUPTED = "[no result: the call was interrupted]"
STRAY_RESULT = "[result of a tool call that is no longer in this conversation]"
CONTINUE = "Continue your last message from exactly where it ends, without repeating any of it."


def repaired(items: Iterable[Item]) -> list[Item]:
    """Return the items paired by fine ids, every call with one output, and ending with a turn of another's."""
    complete = _with_outputs(_paired(items))
    last = next((item for item in reversed(complete) if item["type"] != "reasoning"), None)
    if last is not None and last.get("role") == "assistant":
        complete.append({"type": "message", "role": "user", "content": [text_part(CONTINUE)]})
    return complete


def _paired(items: Iterable[Item]) -> list[Item]:
    """Give calls and outputs ids that are taken, a new one to a call whose id another one had before.

    An output belongs to the latest call of its id that has none yet. One without a call becomes a user message.
    """
    paired: list[Item] = []
    times: dict[str, int] = {}
    unanswered: dict[str, str] = {}
    for item in items:
        match item["type"]:
            case "function_call":
                client_id = item["call_id"]
                times[client_id] = times.get(client_id, 0) + 1
                earlier = times[client_id] - 1
                call_id = short_name(f"{client_id}#{earlier}" if earlier else client_id)
                unanswered[client_id] = call_id
                paired.append({**item, "call_id": call_id})
            case "function_call_output":
                call_id_or_none = unanswered.pop(item["call_id"], None)
                paired.append(
                    _stray(item["output"])
                    if call_id_or_none is None
                    else {**item, "call_id": call_id_or_none}
                )
            case _:
                paired.append(item)
    return paired


def _stray(output: Any) -> Item:
    parts = [text_part(output)] if isinstance(output, str) else output
    return {"type": "message", "role": "user", "content": [text_part(STRAY_RESULT), *parts]}


def _with_outputs(items: list[Item]) -> list[Item]:
    """Answer calls that have no output, right after the run of calls that they are in."""
    answered = {item["call_id"] for item in items if item["type"] == "function_call_output"}
    complete: list[Item] = []
    missing: list[Item] = []
    for item in items:
        if missing and item["type"] != "function_call":
            complete += missing
            missing = []
        complete.append(item)
        if item["type"] == "function_call" and item["call_id"] not in answered:
            missing.append(
                {"type": "function_call_output", "call_id": item["call_id"], "output": INTERRUPTED}
            )
    return complete + missing
