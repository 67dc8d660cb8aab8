"""The golden requests for a provider: what a client asked, what goes up, and what the answer's reader is told.

A case is a folder with `request.json` and either `upstream_request.json` and `request_terms.json`, or
`refusal.txt`. Cases named `trap_<number>_…` are about situations in which gateways were seen to fail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from channeling.message_request import MessageRequest, parse_message_request
from channeling.providers.answer_terms import AnswerTerms

GOLDEN = Path(__file__).parents[2] / "golden"


@dataclass(frozen=True, slots=True)
class Case:
    """One request. `body` and `terms` are None for one that is refused, with `refusal` as the message."""

    name: str
    request: MessageRequest
    body: Any
    terms: Any
    refusal: str | None


def cases(provider: str, *, least: int) -> list[Case]:
    """Return every case of a provider, of which there are at least so many."""
    found = [_case(path.parent) for path in sorted((GOLDEN / provider).glob("*/request.json"))]
    assert len(found) >= least
    return found


def readable(terms: AnswerTerms) -> dict[str, Any]:
    """Return what the answer's reader is told as in `request_terms.json`: without defaults and the estimate."""
    default = AnswerTerms(terms.model)
    values = {name: getattr(terms, name) for name in terms.__struct_fields__}
    return {
        name: _plain(value)
        for name, value in values.items()
        if name != "input_tokens_estimate" and value != getattr(default, name)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


def _case(folder: Path) -> Case:
    request = parse_message_request((folder / "request.json").read_bytes())
    refusal = folder / "refusal.txt"
    if refusal.exists():
        return Case(folder.name, request, None, None, refusal.read_text(encoding="utf-8").rstrip("\n"))
    body = orjson.loads((folder / "upstream_request.json").read_bytes())
    terms = orjson.loads((folder / "request_terms.json").read_bytes())
    return Case(folder.name, request, body, terms, None)
