"""Which app OpenRouter is told that a request is for (openrouter.ai/docs/app-attribution)."""

from collections.abc import Iterable

_TITLE = "x-openrouter-title"
# `X-Title` is what it was called before.
_PASSED_ON = frozenset({"http-referer", "x-title", _TITLE, "x-openrouter-categories"})
_OWN_TITLE = "Channeling"
_LONGEST = 200


def attribution_headers(client_headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what the client says of its own app, and who we are where it says nothing."""
    said = [
        (name.lower(), value)
        for name, value in client_headers
        if name.lower() in _PASSED_ON
        and 0 < len(value) <= _LONGEST
        and value.isprintable()
        and value.isascii()
    ]
    return said or [(_TITLE, _OWN_TITLE)]
