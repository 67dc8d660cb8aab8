"""Documents with one place spoilt, for tests that nothing in an answer breaks its reader."""

import random
from typing import Any

JUNK: list[Any] = [None, True, 0, -1, 10**30, 1.5, "", "x", "\0", [], {}, [[]], {"type": "message"}, ["x"]]


def broken(document: Any, source: random.Random) -> Any:
    """Return a document with one place of it made into junk, or left out."""
    if isinstance(document, dict) and document and source.random() < 0.85:
        key = source.choice(sorted(document))
        if source.random() < 0.2:
            return {name: value for name, value in document.items() if name != key}
        return {**document, key: broken(document[key], source)}
    if isinstance(document, list) and document and source.random() < 0.85:
        at = source.randrange(len(document))
        return [*document[:at], broken(document[at], source), *document[at + 1 :]]
    return source.choice(JUNK)
