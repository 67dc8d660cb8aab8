"""The golden answers of OpenAI: what came over the wire, the terms it is read under, what the client gets of it.

A case is a folder with `upstream.sse`, `answer_terms.json` (with the reason for the case), `expected.sse` and
`expected.json`, which holds what is billed. Cases named `trap_<number>_…` are about situations in which gateways
were seen to fail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from channeling.providers.answer_terms import AnswerTerms
from channeling.providers.openai.stream import OpenAIStream

GOLDEN = Path(__file__).parents[3] / "golden" / "openai"
_COLLECTIONS = {"stop_sequences": tuple, "used_tool_ids": frozenset}


@dataclass(frozen=True, slots=True)
class Transcript:
    """One case."""

    name: str
    terms: AnswerTerms
    upstream: bytes
    client: bytes
    facts: dict[str, Any]

    @property
    def ends_well(self) -> bool:
        """Whether the client gets a whole message."""
        return b"event: message_stop" in self.client

    def new_stream(self) -> OpenAIStream:
        """Return a fresh reader."""
        return OpenAIStream("req_test", self.terms)


def transcripts() -> list[Transcript]:
    """Return every case there is."""
    cases = [_transcript(path.parent) for path in sorted(GOLDEN.glob("*/upstream.sse"))]
    assert len(cases) >= 40
    return cases


def records_of(stream: bytes) -> list[bytes]:
    """Return the records of a stream with line ends of one kind, each with its blank line."""
    end = b"\r\n\r\n" if b"\r\n\r\n" in stream else b"\n\n"
    return [record + end for record in stream.split(end) if record]


def events_of(stream: bytes) -> list[Any]:
    """Return the events of a plain stream: data on one line each."""
    lines = (line for line in stream.splitlines() if line.startswith(b"data: "))
    return [orjson.loads(line[6:]) for line in lines]


def fed(stream: OpenAIStream, chunks: Sequence[bytes]) -> bytes:
    """Return all that a reader makes of these chunks, without an end."""
    return b"".join([stream.feed(chunk) for chunk in chunks])


def _transcript(folder: Path) -> Transcript:
    terms = orjson.loads((folder / "answer_terms.json").read_bytes())
    del terms["why"]
    terms |= {name: make(terms[name]) for name, make in _COLLECTIONS.items() if name in terms}
    return Transcript(
        folder.name,
        AnswerTerms(**terms),
        (folder / "upstream.sse").read_bytes(),
        (folder / "expected.sse").read_bytes(),
        orjson.loads((folder / "expected.json").read_bytes()),
    )
