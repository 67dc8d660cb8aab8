"""Runs of deltas in Anthropic's event stream, as Anthropic itself writes them, read all at once.

A burst brings two hundred events in one chunk, and nearly all are deltas of text. One regular expression finds
where a run of them ends, another takes their texts out: an event costs a tenth of what parsing it would.
Whatever looks otherwise in any way is no run, and is read event by event.
"""

import re

import orjson

# The keys in Anthropic's order; it pads some events with spaces before the last brace. A text with \u in it is left
# to whoever reads single events: half of a surrogate pair is an error there, and would not be one in a joined text.
_TEXT = rb'[^"\\\r\n]*+(?:\\[^u\r\n][^"\\\r\n]*+)*+'
_START = b"event: content_block_delta\ndata: {"
_DELTA = (
    rb'event: content_block_delta\ndata: \{"type": ?"content_block_delta", ?"index": ?(?:0|[1-9][0-9]{0,5}), ?'
    rb'"delta": ?\{"type": ?"(?:text_delta", ?"text|thinking_delta", ?"thinking|input_json_delta", ?"partial_json)'
    rb'": ?"%b"\} *\}\n\n'
)
PLAIN_DELTAS = re.compile(rb"(?:" + _DELTA % _TEXT + rb")++")
_TEXT_OF_DELTA = re.compile(_DELTA % (rb"(" + _TEXT + rb")"))


def text_of_deltas(records: bytes) -> str | None:
    """Return all that a match of PLAIN_DELTAS says, decoded; None for any other record, and where one of its texts
    is no JSON string."""
    texts = _TEXT_OF_DELTA.findall(records) if records.startswith(_START) else []
    if not texts:
        return None
    text = b"".join(texts)
    try:
        decoded: str = orjson.loads(b'"%b"' % text)
    except orjson.JSONDecodeError:
        return None
    return decoded
