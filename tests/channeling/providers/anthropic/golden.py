"""The golden transcripts of the Anthropic API: what came over the wire, and what is to be read from it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from msgspec.structs import asdict

from channeling.providers.answer_stream import AnswerFacts, Emitted, StreamError

GOLDEN = Path(__file__).parents[3] / "golden" / "anthropic"


@dataclass(frozen=True, slots=True)
class Transcript:
    """One case: `expected` holds facts with zero counts and default terms left out."""

    name: str
    stream: bytes
    expected: dict[str, Any]

    @property
    def records(self) -> list[bytes]:
        """The stream's records, each with its blank line."""
        return [record + b"\n\n" for record in self.stream.split(b"\n\n") if record]


def transcripts() -> list[Transcript]:
    """Return every case there is."""
    cases = [
        Transcript(
            folder.name,
            (folder / "upstream.sse").read_bytes(),
            orjson.loads((folder / "expected.json").read_bytes()),
        )
        for folder in sorted(GOLDEN.iterdir())
    ]
    assert len(cases) >= 8
    return cases


def readable(facts: AnswerFacts, emitted: Emitted, error: StreamError | None) -> dict[str, Any]:
    """Return what was read from a stream in the form of `Transcript.expected`."""
    terms = {"service_tier": "standard", "speed": "standard", "inference_geo": None}
    return {
        "usage": _counts(asdict(facts.usage)) | {"output_tokens": facts.usage.output_tokens}
        if facts.usage
        else None,
        "terms": {name: value for name, value in asdict(facts.terms).items() if value != terms[name]},
        "output_is_final": facts.output_is_final,
        "stop_reason": facts.stop_reason,
        "model": facts.model,
        "emitted": asdict(emitted),
        "side_usages": [
            {"kind": side.kind, "model": side.model, "usage": _counts(asdict(side.usage))}
            for side in facts.side_usages
        ],
        "error": asdict(error) if error else None,
    } | ({} if facts.reported_cost is None else {"reported_cost": facts.reported_cost})


def _counts(counts: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in counts.items() if value}
