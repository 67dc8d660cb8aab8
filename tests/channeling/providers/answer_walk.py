"""A walk over the types of the official SDK's answers: what docs/wire-formats.md says of each part is held true.

One walk is one provider's part of the page, and its golden answers.
"""

import types
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import orjson
from anthropic import types as sdk
from anthropic.types import beta
from anthropic.types.beta.beta_raw_message_delta_event import Delta as BetaMessageDelta
from anthropic.types.raw_message_delta_event import Delta as MessageDelta

from tests.channeling.providers.golden_requests import GOLDEN
from tests.channeling.providers.wire_formats import DOCUMENT, AnswerTable, Written

# What can stand where, by the SDK's types.
UNIONS: Mapping[str, tuple[Any, ...]] = {
    "event": (sdk.RawMessageStreamEvent, beta.BetaRawMessageStreamEvent),
    "content_block": (sdk.ContentBlock, beta.BetaContentBlock),
    "delta": (sdk.RawContentBlockDelta, beta.BetaRawContentBlockDelta),
    "citation": tuple(
        delta.model_fields["citation"].annotation for delta in (sdk.CitationsDelta, beta.BetaCitationsDelta)
    ),
    "message": (sdk.Message, beta.BetaMessage),
    "message_delta": (MessageDelta, BetaMessageDelta),
    "usage": (sdk.Usage, beta.BetaUsage, sdk.MessageDeltaUsage, beta.BetaMessageDeltaUsage),
}


def members(union: Any) -> Iterator[Any]:
    """Yield the classes of a union."""
    if get_origin(union) is Annotated:
        yield from members(get_args(union)[0])
    elif get_origin(union) in (Union, types.UnionType):
        for member in get_args(union):
            yield from members(member)
    else:
        yield union


def sdk_parts() -> dict[str, set[str]]:
    """Return every part of an answer, with the fields that the SDK knows of it."""
    parts: dict[str, set[str]] = defaultdict(set)
    for key, unions in UNIONS.items():
        for member in (member for union in unions for member in members(union)):
            kind = member.model_fields.get("type")
            tags = get_args(kind.annotation) if kind is not None and key != "message" else ()
            for name in [f"{key}: {tag}" for tag in tags] or [key]:
                parts[name] |= set(member.model_fields) - {"type"}
    for reasons in (sdk.StopReason, beta.BetaStopReason):
        assert get_origin(reasons) is Literal
        parts |= {f"stop_reason: {reason}": set() for reason in get_args(reasons)}
    return dict(parts)


def golden_parts(folder: str) -> dict[str, set[str]]:
    """Return every part that is in a golden answer, with the fields that it has there."""
    parts: dict[str, set[str]] = defaultdict(set)
    for path in sorted((GOLDEN / folder).glob("*/expected.sse")):
        for line in path.read_bytes().split(b"\n"):
            if line.startswith(b"data: "):
                _note(parts, orjson.loads(line.removeprefix(b"data: ")))
    return dict(parts)


def _note(parts: dict[str, set[str]], event: dict[str, Any]) -> None:
    for key, value in [("event", event), *event.items()]:
        if isinstance(value, dict):
            is_end = key == "delta" and event["type"] == "message_delta"
            name = "message_delta" if is_end else key if key == "message" else f"{key}: {value.get('type')}"
            parts[name if "type" in value or is_end else key] |= set(value) - {"type"}
            parts |= {f"stop_reason: {value['stop_reason']}": set()} if is_end else {}
            for inner in ("usage", "citation"):
                if isinstance(value.get(inner), dict) and key != "event":
                    _note(parts, {"type": "", inner: value[inner]})


PARTS = sdk_parts()


class AnswerWalk:
    """The walk over one provider's table; `module` is where the translation of its answers is."""

    def __init__(self, table: AnswerTable, *, folder: str, module: str) -> None:
        self.table = table
        self._seen = golden_parts(folder)
        self._how = (
            f"See whether the provider's answers have a counterpart, write it in {module}, and list it as written "
            f"or never in docs/{DOCUMENT.name}."
        )

    def assert_in_the_table(self, name: str) -> None:
        """A part that is new in the SDK has to be looked at, and so has a new field of one that is written."""
        row = self.table.part(name)
        assert row is not None, f"{name!r} is not in the table of answers. {self._how}"
        if row.fate == "written":
            new = PARTS[name] - row.written - row.not_written
            assert not new, f"{name!r} has fields that no column has: {sorted(new)}. {self._how}"

    def assert_golden_answers_agree(self, row: Written) -> None:
        """What is written is in a golden answer, with these fields and no others; what never is, in none."""
        named = [name for name in PARTS if self.table.part(name) is row]
        assert named, f"the SDK has no {row.name}"
        seen = [name for name in named if name in self._seen]
        if row.fate == "never":
            assert not seen
            return
        assert seen == named
        assert row.written | row.not_written <= PARTS[row.name], "the SDK has no such field"
        assert self._seen[row.name] == row.written
