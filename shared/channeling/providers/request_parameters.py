"""Parameters of a request that every translated provider reads alike: system prompt, format, sampling, stops."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from channeling.providers.refusal import Place, invalid, list_of, object_of, text_of, unsupported
from channeling.providers.schemas import fits_strict, object_schema

# Each changes where the answer comes from, what it may cost or who pays: leaving them out would break a promise.
_REFUSED = ("billing_policy", "compaction", "container", "mcp_servers", "thread")
# Claude Code's attribution, which differs between conversations and so would keep prompts from being cached.
_BILLING_HEADER = "x-anthropic-billing-header:"


class OutputFormat(Struct, frozen=True):
    """A JSON schema for the answer's text, as one object at its root; `strict`: it fits OpenAI's strict mode."""

    schema: dict[str, Any]
    strict: bool


def refuse_unsupported(document: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for a parameter that no other provider than Anthropic can keep the promise of."""
    for key in _REFUSED:
        if document.get(key):
            raise unsupported((key,), f"{key!r}")
    if document.get("inference_geo") not in (None, "global"):
        raise unsupported(("inference_geo",), "a region for inference")


def system_blocks(system: Any) -> list[Mapping[str, Any]]:
    """Return the system prompt as text blocks, without empty ones and Claude Code's attribution."""
    if system is None or isinstance(system, str):
        blocks: list[Mapping[str, Any]] = [{"type": "text", "text": system or ""}]
    else:
        blocks = [
            object_of(block, ("system", position))
            for position, block in enumerate(list_of(system, ("system",)))
        ]
    kept: list[Mapping[str, Any]] = []
    for position, block in enumerate(blocks):
        place: Place = ("system", position)
        if block.get("type") != "text":
            raise invalid((*place, "type"), f"{block.get('type')!r} should be 'text'")
        if text := _without_billing_header(text_of(block, "text", place)):
            kept.append({**block, "text": text})
    return kept


def system_text(system: Any) -> str:
    """Return the system prompt as one text: blocks joined by a blank line."""
    return "\n\n".join(block["text"] for block in system_blocks(system))


def output_format_of(document: Mapping[str, Any]) -> OutputFormat | None:
    """Return the format of the answer's text: `output_config.format`, which was called `output_format` before."""
    config = document.get("output_config")
    output_format = config.get("format") if isinstance(config, dict) else None
    place: tuple[str, ...] = ("output_config", "format")
    if output_format is None:
        output_format, place = document.get("output_format"), ("output_format",)
    if output_format is None:
        return None
    output_format = object_of(output_format, place)
    if output_format.get("type") != "json_schema":
        raise invalid((*place, "type"), f"{output_format.get('type')!r} should be 'json_schema'")
    place = (*place, "schema")
    schema = object_schema(object_of(output_format.get("schema"), place), place)
    return OutputFormat(schema, fits_strict(schema))


def number_of(document: Mapping[str, Any], key: str) -> int | float | None:
    """Return a number that may be missing; raise InvalidRequest for anything else."""
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid((key,), "Input should be a valid number")
    return value


def stop_sequences_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the stop sequences, each once; raise InvalidRequest for one that is no text, or empty."""
    given = document.get("stop_sequences")
    if given is None:
        return ()
    sequences = list_of(given, ("stop_sequences",))
    for position, sequence in enumerate(sequences):
        if not isinstance(sequence, str) or not sequence:
            raise invalid(("stop_sequences", position), "Input should be a string that is not empty")
    return tuple(dict.fromkeys(sequences))


def _without_billing_header(text: str) -> str:
    return text.partition("\n")[2].lstrip("\n") if text.startswith(_BILLING_HEADER) else text
