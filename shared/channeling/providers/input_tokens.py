"""About how many tokens the input of a request has, by its length: for `message_start`, and for a count."""

import math
from collections.abc import Mapping
from typing import Any

import orjson

# In OpenAI's o200k vocabulary English, code and JSON are near 4 characters a token; alphabets of two bytes a
# character in UTF-8 (Cyrillic, Greek, Arabic) near 3.5, those of three (Chinese, Japanese) near 1.
_ASCII_PER_TOKEN, _TWO_BYTES_PER_TOKEN = 4, 3.5
# developers.openai.com/api/docs/guides/images-vision: a screenshot is 1,000 to 1,600 at detail "high".
_IMAGE_TOKENS = 1_300
# A page of a PDF is its text and an image of it, some 2,000 tokens, and near 50 kB; in base64 a third more.
_PDF_BASE64_PER_TOKEN, _LEAST_FILE_TOKENS = 33, 2_000
# base64 of reasoning, which is text of a token per four characters.
_CIPHERTEXT_PER_TOKEN = 6
_ITEM_TOKENS = 4


def estimate_input_tokens(body: Mapping[str, Any]) -> int:
    """Return about how many input tokens a request has, of the keys and items of the Responses API."""
    tokens = _text_tokens(body.get("instructions") or "")
    for tool in body.get("tools", ()):
        tokens += _text_tokens(orjson.dumps(tool).decode())
    if "text" in body:
        tokens += _text_tokens(orjson.dumps(body["text"]).decode())
    return tokens + sum(map(_item_tokens, body["input"]))


def _item_tokens(item: Mapping[str, Any]) -> int:
    match item["type"]:
        case "function_call":
            tokens = _text_tokens(item["name"]) + _text_tokens(item["arguments"])
        case "function_call_output":
            tokens = _content_tokens(item["output"])
        case "reasoning":
            tokens = len(item["encrypted_content"]) // _CIPHERTEXT_PER_TOKEN
        case _:
            tokens = _content_tokens(item["content"])
    return tokens + _ITEM_TOKENS


def _content_tokens(content: str | list[dict[str, Any]]) -> int:
    return _text_tokens(content) if isinstance(content, str) else sum(map(_part_tokens, content))


def _part_tokens(part: Mapping[str, Any]) -> int:
    match part["type"]:
        case "input_text":
            return _text_tokens(part["text"])
        case "input_image":
            return _IMAGE_TOKENS
    return max(_LEAST_FILE_TOKENS, len(part.get("file_data", "")) // _PDF_BASE64_PER_TOKEN)


def _text_tokens(text: str) -> int:
    if text.isascii():
        return math.ceil(len(text) / _ASCII_PER_TOKEN)
    ascii_chars = len(text.encode("ascii", "ignore"))
    chars, utf8_bytes = len(text) - ascii_chars, len(text.encode("utf-8", "surrogatepass")) - ascii_chars
    # So many characters of two and of three bytes would have this length (one of four counts as two of three).
    of_three = utf8_bytes - 2 * chars
    of_two = chars - of_three
    return math.ceil(ascii_chars / _ASCII_PER_TOKEN + max(0, of_two) / _TWO_BYTES_PER_TOKEN + of_three)
