"""Saying what of a request cannot go to a model of another provider than Anthropic, and where it stands."""

from collections.abc import Mapping
from typing import Any

from channeling.errors import InvalidRequest

# Where something stands in the request: ("messages", 3, "content", 0).
Place = tuple[str | int, ...]


def invalid(place: Place, what: str) -> InvalidRequest:
    """Return the error for what stands there, in the words of Anthropic's own: `messages.3.content.0: …`."""
    return InvalidRequest(f"{'.'.join(map(str, place))}: {what}")


def unsupported(place: Place, what: str) -> InvalidRequest:
    """Return the error for something that is valid for Claude, but that nothing else can be sent."""
    return invalid(place, f"{what} can be sent to Anthropic's models alone")


def text_of(block: Mapping[str, Any], key: str, place: Place) -> str:
    """Return a required text of a block; raise InvalidRequest where there is none."""
    text = block.get(key)
    if isinstance(text, str):
        return text
    what = "Field required" if text is None else "Input should be a valid string"
    raise invalid((*place, key), what)


def optional_text(block: Mapping[str, Any], key: str, place: Place) -> str | None:
    """Return a text that may be missing or null; raise InvalidRequest for anything else."""
    return None if block.get(key) is None else text_of(block, key, place)


def object_of(value: Any, place: Place) -> Mapping[str, Any]:
    """Return a value that must be an object; raise InvalidRequest where it is not."""
    if isinstance(value, dict):
        return value
    raise invalid(place, "Input should be an object")


def list_of(value: Any, place: Place) -> list[Any]:
    """Return a value that must be an array; raise InvalidRequest where it is not."""
    if isinstance(value, list):
        return value
    raise invalid(place, "Input should be a valid array")
