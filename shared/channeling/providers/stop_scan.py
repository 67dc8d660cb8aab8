"""Looking for stop sequences in text that comes in pieces, since the Responses API takes none."""

from collections.abc import Sequence

from msgspec import Struct

from channeling.hidden_fields import repr_without


class StopScan(Struct):
    """The scan of one text. What may be the beginning of a stop sequence is held back until that is known.

    The result does not depend on where the text is cut into pieces: of several sequences the one that is complete
    first counts, and of those the longest.
    """

    stop_sequences: Sequence[str]
    matched: str | None = None
    _held: str = ""
    __repr__ = repr_without("_held")

    def take(self, piece: str) -> str:
        """Return what can be passed on; after `matched` is set nothing more can."""
        if not self.stop_sequences:
            return piece
        if self.matched is not None:
            return ""
        text = self._held + piece
        found = [(at + len(stop), at, stop) for stop in self.stop_sequences if (at := text.find(stop)) >= 0]
        if found:
            _, start, self.matched = min(found)
            self._held = ""
            return text[:start]
        held_from = min(_possible_start(text, stop) for stop in self.stop_sequences)
        self._held = text[held_from:]
        return text[:held_from]

    def flush(self) -> str:
        """Return what was held back: the text is over, and no stop sequence came of it."""
        held, self._held = self._held, ""
        return held


def _possible_start(text: str, stop: str) -> int:
    """Return where in the text an unfinished stop sequence may begin; its length where none may."""
    start = text.find(stop[0], max(0, len(text) - len(stop) + 1))
    while start >= 0 and not stop.startswith(text[start:]):
        start = text.find(stop[0], start + 1)
    return start if start >= 0 else len(text)
