"""JSON as providers and models write it: strictly read, but for halves of surrogate pairs, which models write."""

import json
from typing import Any, NoReturn

import orjson


def read_json(text: bytes | str) -> Any:
    """Return what a JSON text says; raise ValueError for anything that is none.

    Half a surrogate pair (`"\\ud83d"`) is legal JSON and no character: it becomes U+FFFD, as decoders of text do.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if (b"\\u" if isinstance(text, bytes) else "\\u") not in text:  # type: ignore[operator]
            raise
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
        characters = json.dumps(document, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
    except RecursionError as error:
        raise ValueError("JSON that is nested too deeply") from error
    return orjson.loads(characters.decode("utf-16-le", "replace"))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
