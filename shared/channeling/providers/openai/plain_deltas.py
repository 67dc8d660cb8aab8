"""Deltas of a response that hold a piece and nothing that needs more than a look: found without parsing them.

Source of the fields: `openai` 3.54.0, `types/responses/response_text_delta_event.py`,
`response_function_call_arguments_delta_event.py`, `response_reasoning_summary_text_delta_event.py`; `obfuscation`
is padding (platform.openai.com/docs/api-reference/responses/create, "stream_options"). They may come in any order;
of a field that comes twice the last counts, as it does where JSON is parsed. An event that looks otherwise in any
way is none.
"""

import re
from collections.abc import Mapping, Sequence

from channeling.providers.message_writer import BlockKind
from channeling.providers.output_items import Part
from channeling.providers.string_bodies import STRING_BODY

_NUMBER = rb"(?:0|[1-9][0-9]{0,8}+)"
_NAME = rb"[ !#-\[\]-~]*+"
# The groups of a match are the delta's kind, its body, output_index, content_index and summary_index.
_FIELDS = (
    rb'delta": ?"(' + STRING_BODY + rb')"',
    rb'output_index": ?(' + _NUMBER + rb")",
    rb'content_index": ?(' + _NUMBER + rb")",
    rb'summary_index": ?(' + _NUMBER + rb")",
    rb'sequence_number": ?' + _NUMBER,
    rb'item_id": ?"' + _NAME + rb'"',
    rb'obfuscation": ?"' + _NAME + rb'"',
    rb'logprobs": ?\[\]',
)
_MOST_FIELDS = 16
# The loop is not possessive: in Python 3.11 such a one gets groups within alternatives wrong.
_PLAIN_DELTA = re.compile(
    rb"(?:event: [a-z._]++\n)?"
    rb'data: \{"type": ?"response\.(output_text|function_call_arguments|reasoning_summary_text)\.delta"'
    rb'(?:, ?"(?:' + b"|".join(_FIELDS) + rb")){0,%d}\}\n\n" % _MOST_FIELDS
)

# What a delta says of where it belongs: its kind, output_index, content_index and summary_index.
Place = tuple[bytes, bytes, bytes | None, bytes | None]
# The parts that have such deltas, and the block that they are written into.
BLOCK_KINDS: Mapping[str, BlockKind] = {"text": "text", "summary": "thinking", "arguments": "tool"}


def place_of(output_index: int, part: Part) -> Place:
    """Return where the deltas of a part say that they belong; the part is one of BLOCK_KINDS."""
    name, index = part
    output, inner = b"%d" % output_index, b"%d" % index
    if name == "text":
        return b"output_text", output, inner, None
    if name == "summary":
        return b"reasoning_summary_text", output, None, inner
    return b"function_call_arguments", output, None, None


def plain_deltas(records: Sequence[bytes], start: int, place: Place) -> list[bytes]:
    """Return the bodies of the pieces from `start` on that are of this place, up to any other record."""
    kind, output, content, summary = place
    fullmatch = _PLAIN_DELTA.fullmatch
    bodies: list[bytes] = []
    for position in range(start, len(records)):
        delta = fullmatch(records[position])
        if delta is None:
            break
        its_kind, body, its_output, its_content, its_summary = delta.groups()
        if its_kind != kind or its_output != output or its_content != content or its_summary != summary:
            break
        if body is None:
            break
        bodies.append(body)
    return bodies
