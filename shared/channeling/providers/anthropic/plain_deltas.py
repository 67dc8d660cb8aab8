"""Runs of deltas in Anthropic's event stream, as Anthropic itself writes them, read all at once.

A burst brings two hundred events in one chunk, and nearly all are deltas of text to one block: the same bytes but
for their texts. So cutting the texts out, and making the same bytes of them again, proves what they are, in a
small part of what regular expressions take, which take a tenth of what parsing each event would. The regular
expressions are for runs of several kinds. What looks otherwise in any way is no run, and is read event by event.
"""

import re
from typing import NamedTuple

import orjson

# The keys in Anthropic's order; it pads some events with spaces before the last brace. A text with \u in it is left
# to whoever reads single events: half of a surrogate pair is an error there, and would not be one in a joined text.
_TEXT = rb'[^"\\\r\n]*+(?:\\[^u\r\n][^"\\\r\n]*+)*+'
_EVENT_LINE = b"event: content_block_delta\n"
_START = _EVENT_LINE + b"data: {"
RUN_MARK = _START
_BEFORE_TEXT = (
    rb'event: content_block_delta\ndata: \{"type": ?"content_block_delta", ?"index": ?(?:0|[1-9][0-9]{0,5}), ?'
    rb'"delta": ?\{"type": ?"(?:text_delta", ?"text|thinking_delta", ?"thinking|input_json_delta", ?"partial_json)'
    rb'": ?"'
)
_DELTA = _BEFORE_TEXT + rb'%b"\} *\}\n\n'
_BEFORE = re.compile(_BEFORE_TEXT)
_AFTER = b'"}}\n\n'
_AFTER_IN_LINE = 3
_LINE_ENDS = 3
_PADDED_AFTER = re.compile(rb'"\} *\}\n\n')
_NEXT_KIND = b"\n\nevent: content_block_stop\n"
PLAIN_DELTAS = re.compile(rb"(?:" + _DELTA % _TEXT + rb")++")
_TEXT_OF_DELTA = re.compile(_DELTA % (rb"(" + _TEXT + rb")"))


def is_delta(record: bytes) -> bool:
    """Return whether a record may be a run of deltas."""
    return record.startswith(_START)


def text_of_deltas(records: bytes) -> str | None:
    """Return all that a match of PLAIN_DELTAS says, decoded; None for any other record, and where one of its texts
    is no JSON string."""
    texts = _TEXT_OF_DELTA.findall(records) if records.startswith(_START) else []
    if not texts:
        return None
    return _decoded(b"".join(texts), records)


class Run(NamedTuple):
    """Where a run of deltas lies in a chunk, all that they say, and what stands before each one's text."""

    start: int
    end: int
    text: str
    before: bytes


def text_of_one(chunk: bytes, before: bytes) -> str | None:
    """Return the decoded text of a chunk that is one event, `before`, a text and an end; None for anything else.

    Most chunks are, where a model writes and nothing holds its events together. What is between is one JSON string,
    so it holds no quote and no line end.
    """
    if chunk.count(b"\n") != _LINE_ENDS:  # several events: to find that out by an error takes longest
        return None
    if len(chunk) < len(before) + len(_AFTER) or not chunk.startswith(before) or not chunk.endswith(_AFTER):
        return None
    try:
        text: str = orjson.loads(b'"%b"' % chunk[len(before) : -len(_AFTER)])
    except orjson.JSONDecodeError:
        return None
    return text


def run_in(chunk: bytes) -> Run | None:
    """Return the first run of deltas to one block in a chunk, to the block's end or to the last whole event; None
    where what stands there is anything else as well.

    It takes for granted that the chunk, up to the run, is whole events.
    """
    start = chunk.find(_START)
    before = None if start < 0 else _BEFORE.match(chunk, start)
    if before is None:
        return None
    last = chunk.rfind(_START)
    end_of_last = chunk.find(b"\n\n", last)
    end = last if end_of_last < 0 else end_of_last + 2
    text = _text_of_alike(chunk[start:end], before.group())
    if text is None:
        end = chunk.find(_NEXT_KIND, start, end) + 2  # they may be deltas to several blocks
        text = _text_of_alike(chunk[start:end], before.group()) if end > start else None
    return None if text is None else Run(start, end, text, before.group())


def _text_of_alike(run: bytes, before: bytes) -> str | None:
    """Return the decoded texts of events that are all `before`, a text, and an end; None for anything else."""
    texts = _texts_between(run, before)
    if texts is None:
        # A text that holds what is replaced here holds a line end, and is none before and after.
        run = _PADDED_AFTER.sub(_AFTER, run)
        texts = _texts_between(run, before)
    if texts is None:
        return None
    joined = b"".join(texts)
    # Halves of a pair, as above; and half an escape, which would take the next text's first letter.
    if b"\\" in joined and (b"\\u" in joined or any(text.endswith(b"\\") for text in texts)):
        return None
    return _decoded(joined, run)


def _texts_between(run: bytes, before: bytes) -> list[bytes] | None:
    """Return what stands where the texts of such events do; None where that does not make the same run again."""
    begin, end = len(before) - len(_EVENT_LINE), -_AFTER_IN_LINE
    texts = [line[begin:end] for line in run.split(b"\n")[1::3]]
    return texts if b"%b%b%b" % (before, (_AFTER + before).join(texts), _AFTER) == run else None


def _decoded(texts: bytes, run: bytes) -> str | None:
    """Return what a run's joined texts say; None where one of them is no JSON string."""
    try:
        decoded: str = orjson.loads(b'"%b"' % texts)
        if not decoded.isascii():
            run.decode()  # halves of a character, in two events, would make a whole one of two errors
    except ValueError:
        return None
    return decoded
