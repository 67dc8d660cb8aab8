"""Content blocks that the model reads, as parts: text, images, files.

Parts have the form of the Responses API, from which that of chat completions is made. They are valid in user
messages and in tool outputs alike (`openai` 3.54.0,
`types/responses/response_input_message_content_list_param.py`, `response_function_call_output_item_list_param.py`).
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import Struct

from channeling.providers.names import short_name
from channeling.providers.refusal import (
    Place,
    invalid,
    list_of,
    object_of,
    optional_text,
    text_of,
    unsupported,
)

Part = dict[str, Any]


class ContentTerms(Struct, frozen=True):
    """What a model takes as content: images, files, and marks of where its prompt is to be cached."""

    takes_images: bool = True
    takes_files: bool = True
    keeps_cache_control: bool = False


_NOT_IN_FILE_NAMES = re.compile(r"[^\w.() -]+")
_LONGEST_FILE_NAME = 100


def text_part(text: str) -> Part:
    """Return a part of text."""
    return {"type": "input_text", "text": text}


def parts_of(content: Any, place: Place, terms: ContentTerms) -> list[Part]:
    """Return the parts of a content (a string or blocks); empty texts are left out."""
    if isinstance(content, str):
        return [text_part(content)] if content else []
    return [
        part
        for position, block in enumerate(list_of(content, place))
        for part in block_parts(block, (*place, position), terms)
    ]


def block_parts(block: Any, place: Place, terms: ContentTerms) -> list[Part]:
    """Return the parts of one block; raise InvalidRequest for one that cannot be shown to the model."""
    block = object_of(block, place)
    return with_cache_control(_parts_of_block(block, place, terms), block, place, terms)


def with_cache_control(
    parts: list[Part], block: Mapping[str, Any], place: Place, terms: ContentTerms
) -> list[Part]:
    """Return the parts of a block with its `cache_control` on the last of them, where that is text."""
    if not terms.keeps_cache_control or not parts or parts[-1]["type"] != "input_text":
        return parts
    mark = cache_control_of(block, place)
    return [*parts[:-1], {**parts[-1], "cache_control": mark}] if mark else parts


def cache_control_of(holder: Mapping[str, Any], place: Place) -> dict[str, str]:
    """Return the `cache_control` of a block, a tool or the request, empty where there is none."""
    mark = holder.get("cache_control")
    if mark is None:
        return {}
    mark = object_of(mark, (*place, "cache_control"))
    kept = {key: mark[key] for key in ("type", "ttl") if isinstance(mark.get(key), str)}
    return kept if "type" in kept else {}


def _parts_of_block(block: Mapping[str, Any], place: Place, terms: ContentTerms) -> list[Part]:
    match block.get("type"):
        case "text":
            text = text_of(block, "text", place)
            return [text_part(text)] if text else []
        case "image":
            return [_image_part(block, place, terms)]
        case "document":
            return _document_parts(block, place, terms)
        case "search_result":
            return _search_result_parts(block, place, terms)
        case "tool_reference":
            return [text_part(f"Tool found: {short_name(text_of(block, 'tool_name', place))}")]
        case "browser_state":
            return [text_part(_as_json({key: block.get(key) for key in ("tabs", "state_changes")}, place))]
        case "compaction":
            summary = block.get("content")
            if summary is None and block.get("encrypted_content"):
                raise unsupported((*place, "encrypted_content"), "an encrypted summary")
            return [text_part(text_of(block, "content", place))] if summary is not None else []
        case str(kind):
            raise unsupported(place, f"a {kind!r} block")
    raise invalid((*place, "type"), "Field required")


def _image_part(block: Mapping[str, Any], place: Place, terms: ContentTerms) -> Part:
    if not terms.takes_images:
        raise invalid(place, "this model takes no images")
    source, place = _source(block, place)
    match source.get("type"):
        case "base64":
            media_type = text_of(source, "media_type", place)
            url = f"data:{media_type};base64,{text_of(source, 'data', place)}"
        case "url":
            url = text_of(source, "url", place)
        case kind:
            raise unsupported(place, f"an image source of type {kind!r}")
    # "high" keeps what an image costs within a bound; "auto" may be served as "original", at four times the tokens.
    return {"type": "input_image", "detail": "high", "image_url": url}


def _document_parts(block: Mapping[str, Any], place: Place, terms: ContentTerms) -> list[Part]:
    source, source_place = _source(block, place)
    title, context = optional_text(block, "title", place), optional_text(block, "context", place)
    headings = [f"Document: {title}"] if title else []
    headings += [f"About this document: {context}"] if context else []
    parts = [text_part("\n".join(headings))] if headings else []
    match source.get("type"):
        case "base64":
            if (media_type := source.get("media_type")) != "application/pdf":
                raise invalid((*source_place, "media_type"), f"{media_type!r} should be 'application/pdf'")
            data = f"data:application/pdf;base64,{text_of(source, 'data', source_place)}"
            _refuse_file(source_place, terms)
            parts.append({"type": "input_file", "filename": _file_name(title), "file_data": data})
        case "url":
            _refuse_file(source_place, terms)
            parts.append({"type": "input_file", "file_url": text_of(source, "url", source_place)})
        case "text":
            text = text_of(source, "data", source_place)
            parts += [text_part(text)] if text else []
        case "content":
            parts += parts_of(source.get("content"), (*source_place, "content"), terms)
        case kind:
            raise unsupported(source_place, f"a document source of type {kind!r}")
    return parts


def _refuse_file(place: Place, terms: ContentTerms) -> None:
    if not terms.takes_files:
        raise invalid(place, "this server takes no files")


def _search_result_parts(block: Mapping[str, Any], place: Place, terms: ContentTerms) -> list[Part]:
    title, source = text_of(block, "title", place), text_of(block, "source", place)
    heading = text_part(f"Search result: {title}\nSource: {source}")
    return [heading, *parts_of(block.get("content"), (*place, "content"), terms)]


def _source(block: Mapping[str, Any], place: Place) -> tuple[Mapping[str, Any], Place]:
    place = (*place, "source")
    return object_of(block.get("source"), place), place


def _file_name(title: str | None) -> str:
    name = _NOT_IN_FILE_NAMES.sub("_", title).strip(" .")[:_LONGEST_FILE_NAME] if title else ""
    return name if name.lower().endswith(".pdf") else f"{name or 'document'}.pdf"


def _as_json(value: Any, place: Place) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise invalid(place, f"{error}: it is nested too deeply") from error
