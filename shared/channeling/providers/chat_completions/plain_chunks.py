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
from channeling.providers.output_items import OutputItem, Part
from channeling.providers.provider_json import read_json
from channeling.providers.string_bodies import STRING_BODY
from channeling.sse import parse_record

Field = Literal["content", "arguments"]

_BODY = re.compile(STRING_BODY)
_HOLES: dict[Field, re.Pattern[bytes]] = {
    "content": re.compile(rb'"content": ?"(' + STRING_BODY + rb')"'),
    "arguments": re.compile(rb'"arguments": ?"(' + STRING_BODY + rb')"'),
}
_PROOF = "a piece to prove the frame of pieces by"


class PieceFrame:
    """What stood before and after the piece in a chunk that was taken, and may stand so around others."""

    def __init__(self, record: bytes, field: Field, item: OutputItem, part: Part) -> None:
        self.field: Field = field
        self.item = item
        self.part = part
        self._record = record
        self._ends: tuple[bytes, bytes] | None = None
        self._holds_pieces: bool | None = None

    def bodies(self, records: Sequence[bytes], start: int) -> list[bytes]:
        """Return the bodies of the pieces in the chunks from `start` on that are framed alike."""
        bodies: list[bytes] = []
        before, after = self._ends = self._ends or self._find_ends()
        if not before:
            return bodies
        begin, end, is_body = len(before), -len(after), _BODY.fullmatch
        for position in range(start, len(records)):
            record = records[position]
            if not (record.startswith(before) and record.endswith(after)):
                break
            body = record[begin:end]
            if not is_body(body):
                break
            if self._holds_pieces is None:
                self._holds_pieces = self._prove(before, after)
            if not self._holds_pieces:
                break
            bodies.append(body)
        return bodies

    def _find_ends(self) -> tuple[bytes, bytes]:
        hole = _HOLES[self.field].search(self._record)
        return (b"", b"") if hole is None else (self._record[: hole.start(1)], self._record[hole.end(1) :])

    def _prove(self, before: bytes, after: bytes) -> bool:
        _, data = parse_record(before + _PROOF.encode() + after)
        delta = read_delta(read_json(data or b"")["choices"][0])
        return delta == Delta(_PROOF) if self.field == "content" else piece_of_arguments(delta) == _PROOF


def piece_of_arguments(delta: Delta) -> str | None:
    """Return the piece of a call's arguments, where a delta holds that and nothing else that is new."""
    if len(delta.tool_calls) != 1 or delta._replace(tool_calls=()) != Delta():
        return None
    function = delta.tool_calls[0].get("function")
    if not isinstance(function, dict) or function.get("name"):
        return None
    arguments = function.get("arguments")
    return arguments if isinstance(arguments, str) else None
