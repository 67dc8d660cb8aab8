"""The golden answers of a provider: what came over the wire, the terms it is read under, what the client gets.

A case is a folder with `upstream.sse`, `answer_terms.json` (with the reason for the case), `expected.sse` and
`expected.json`, which holds what is billed. Cases named `trap_<number>_…` are about situations in which gateways
were seen to fail.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from channeling.providers.answer_stream import AnswerStream
from channeling.providers.answer_terms import AnswerTerms

GOLDEN = Path(__file__).parents[2] / "golden"
_COLLECTIONS = {"stop_sequences": tuple, "used_tool_ids": frozenset}
# From the terms, and the kind of server where a provider has several, to a reader.
NewStream = Callable[[AnswerTerms, str], AnswerStream]


@dataclass(frozen=True, slots=True)
class Transcript:
    """One case."""

    name: str
    server: str
    terms: AnswerTerms
    upstream: bytes
    client: bytes
    facts: dict[str, Any]
    reader: NewStream

    @property
    def ends_well(self) -> bool:
        """Whether the client gets a whole message."""
        return b"event: message_stop" in self.client

    def new_stream(self) -> AnswerStream:
        """Return a fresh reader."""
        return self.reader(self.terms, self.server)


def transcripts_of(provider: str, reader: NewStream, *, least: int) -> list[Transcript]:
    """Return every case of a provider, of which there are at least so many."""
    paths = sorted((GOLDEN / provider).glob("*/upstream.sse"))
    assert len(paths) >= least
    return [_transcript(path.parent, reader) for path in paths]


def records_of(stream: bytes) -> list[bytes]:
    """Return the records of a stream with line ends of one kind, each with its blank line."""
    end = b"\r\n\r\n" if b"\r\n\r\n" in stream else b"\n\n"
    return [record + end for record in stream.split(end) if record]


def events_of(stream: bytes) -> list[Any]:
    """Return the events of a plain stream, data on one line each, without the mark that ends it."""
    lines = (line for line in stream.splitlines() if line.startswith(b"data: "))
    return [orjson.loads(line[6:]) for line in lines if line != b"data: [DONE]"]


def fed(stream: AnswerStream, chunks: Sequence[bytes]) -> bytes:
    """Return all that a reader makes of these chunks, without an end."""
    return b"".join([stream.feed(chunk) for chunk in chunks])


def _transcript(folder: Path, reader: NewStream) -> Transcript:
    terms = orjson.loads((folder / "answer_terms.json").read_bytes())
    assert terms.pop("why")
    server = terms.pop("server", "")
    terms |= {name: make(terms[name]) for name, make in _COLLECTIONS.items() if name in terms}
    return Transcript(
        folder.name,
        server,
        AnswerTerms(**terms),
        (folder / "upstream.sse").read_bytes(),
        (folder / "expected.sse").read_bytes(),
        orjson.loads((folder / "expected.json").read_bytes()),
        reader,
    )
