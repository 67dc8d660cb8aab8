"""Chunks that differ from the one before in their piece alone: found without parsing them.

Servers write what frames the pieces, ids and names and nulls, in many ways, but one server writes it the same way
with every piece of an answer. So the frame is taken from a chunk that was parsed, and proven by parsing it around a
piece that no model writes. What stands between the same bytes again, and is the body of a string, is then the next
piece, and all else that the chunk says was said by the one before.
"""

import re
from collections.abc import Sequence
from typing import Literal

from channeling.providers.chat_completions.delta import Delta, read_delta
from channeling.providers.chat_completions.reasoning_details import growing_text
from channeling.providers.output_items import OutputItem, Part
from channeling.providers.provider_json import read_json
from channeling.providers.string_bodies import STRING_BODY
from channeling.sse import parse_record

Field = Literal["content", "arguments", "reasoning"]

_match_body = re.compile(STRING_BODY).match
_HOLES: dict[Field, re.Pattern[bytes]] = {
    "content": re.compile(rb'"content": ?"(' + STRING_BODY + rb')"'),
    "arguments": re.compile(rb'"arguments": ?"(' + STRING_BODY + rb')"'),
    # Said twice by most servers: as a text, and as a detail.
    "reasoning": re.compile(rb'"(?:reasoning|reasoning_content|text|summary)": ?"(' + STRING_BODY + rb')"'),
}
_PROOF = "a piece to prove the frame of pieces by"


class PieceFrame:
    """What stood around the piece in a chunk that was taken, and may stand so around others."""

    def __init__(self, record: bytes, field: Field, item: OutputItem, part: Part) -> None:
        self.field: Field = field
        self.item = item
        self.part = part
        self._record = record
        self._around: list[bytes] | None = None
        self._holds_pieces: bool | None = None

    def bodies(self, records: Sequence[bytes], start: int) -> list[bytes]:
        """Return the bodies of the pieces in the chunks from `start` on that are framed alike."""
        bodies: list[bytes] = []
        around = self._around = self._find_around() if self._around is None else self._around
        begin = len(around[0])
        for position in range(start, len(records)):
            record = records[position]
            found = _match_body(record, begin)
            if found is None or (body := found[0]).join(around) != record:
                break
            if self._holds_pieces is None:
                self._holds_pieces = self._prove(around)
            if not self._holds_pieces:
                break
            bodies.append(body)
        return bodies

    def _find_around(self) -> list[bytes]:
        around, begin, body = [], 0, None
        for hole in _HOLES[self.field].finditer(self._record):
            if body in (None, hole[1]):
                body = hole[1]
                around.append(self._record[begin : hole.start(1)])
                begin = hole.end(1)
        return [*around, self._record[begin:]]

    def _prove(self, around: list[bytes]) -> bool:
        _, data = parse_record(_PROOF.encode().join(around))
        delta = read_delta(read_json(data or b"")["choices"][0])
        if self.field == "content":
            return delta == Delta(_PROOF)
        if self.field == "arguments":
            return piece_of_arguments(delta) == _PROOF
        # A detail goes back whole: nothing else of it may change with the piece.
        is_once = str(delta.details).count(_PROOF) == len(delta.details)
        return piece_of_reasoning(delta) == _PROOF and is_once


def piece_of_reasoning(delta: Delta) -> str | None:
    """Return the piece of reasoning, where a delta holds that and nothing else that is new."""
    text, details = delta.reasoning, delta.details
    if delta != Delta(reasoning=text, reasoning_key=delta.reasoning_key, details=details) or len(details) > 1:
        return None
    piece = growing_text(details[0]) if details else text
    return piece if text in ("", piece) else None


def piece_of_arguments(delta: Delta) -> str | None:
    """Return the piece of a call's arguments, where a delta holds that and nothing else that is new."""
    if len(delta.tool_calls) != 1 or delta._replace(tool_calls=()) != Delta():
        return None
    function = delta.tool_calls[0].get("function")
    if not isinstance(function, dict) or function.get("name"):
        return None
    arguments = function.get("arguments")
    return arguments if isinstance(arguments, str) else None
