"""Content blocks that the model reads, as input parts: text, images, files.

Parts are valid in user messages and in tool outputs alike (`openai` 3.54.0,
`types/responses/response_input_message_content_list_param.py`, `response_function_call_output_item_list_param.py`).
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from channeling.providers.names import short_name
from channeling.providers.openai.model_traits import ModelTraits
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

_NOT_IN_FILE_NAMES = re.compile(r"[^\w.() -]+")
_LONGEST_FILE_NAME = 100


def text_part(text: str) -> Part:
    """Return a part of text."""
    return {"type": "input_text", "text": text}


def parts_of(content: Any, place: Place, traits: ModelTraits) -> list[Part]:
    """Return the parts of a content (a string or blocks); empty texts are left out."""
    if isinstance(content, str):
        return [text_part(content)] if content else []
    return [
        part
        for position, block in enumerate(list_of(content, place))
        for part in block_parts(block, (*place, position), traits)
    ]


def block_parts(block: Any, place: Place, traits: ModelTraits) -> list[Part]:
    """Return the parts of one block; raise InvalidRequest for one that cannot be shown to the model."""
    block = object_of(block, place)
    match block.get("type"):
        case "text":
            text = text_of(block, "text", place)
            return [text_part(text)] if text else []
        case "image":
            return [_image_part(block, place, traits)]
        case "document":
            return _document_parts(block, place, traits)
        case "search_result":
            return _search_result_parts(block, place, traits)
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


def _image_part(block: Mapping[str, Any], place: Place, traits: ModelTraits) -> Part:
    if not traits.takes_images:
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


def _document_parts(block: Mapping[str, Any], place: Place, traits: ModelTraits) -> list[Part]:
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
            parts.append({"type": "input_file", "filename": _file_name(title), "file_data": data})
        case "url":
            parts.append({"type": "input_file", "file_url": text_of(source, "url", source_place)})
        case "text":
            text = text_of(source, "data", source_place)
            parts += [text_part(text)] if text else []
        case "content":
            parts += parts_of(source.get("content"), (*source_place, "content"), traits)
        case kind:
            raise unsupported(source_place, f"a document source of type {kind!r}")
    return parts


def _search_result_parts(block: Mapping[str, Any], place: Place, traits: ModelTraits) -> list[Part]:
    title, source = text_of(block, "title", place), text_of(block, "source", place)
    heading = text_part(f"Search result: {title}\nSource: {source}")
    return [heading, *parts_of(block.get("content"), (*place, "content"), traits)]


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
