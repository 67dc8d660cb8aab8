"""Whole `reasoning_details` from the pieces of a stream.

Source: `openrouter` 1.3.84, `components/reasoningdetailunion.py`; openrouter.ai/docs/guides/best-practices/
reasoning-tokens. Texts and summaries come in pieces, and Claude's signature in a piece of its own after them. They
have to go back whole, one entry per block: sent back in pieces, a signature fits none of them. `index` does not
tell blocks apart in every stream (OpenRouterTeam/ai-sdk-provider#519), so a change of kind, id or
index each ends one.
"""

from collections.abc import Mapping
from typing import Any

# The field that grows, of the kinds that come in pieces.
_GROWING = {"reasoning.text": "text", "reasoning.summary": "summary"}


def growing_text(detail: Mapping[str, Any]) -> str | None:
    """Return the piece of a detail that is a piece and nothing else: after one like it, all else is known."""
    piece = detail.get(_GROWING.get(str(detail.get("type")), ""))
    is_alone = not detail.get("signature") and not isinstance(detail.get("data"), str)
    return piece if is_alone and isinstance(piece, str) else None


class ReasoningDetails:
    """The details of one run of reasoning, in their order."""

    def __init__(self) -> None:
        self._details: list[dict[str, Any]] = []
        self._pieces: list[str] = []

    def add(self, detail: Mapping[str, Any], *, is_whole: bool) -> str:
        """Take a detail, or with `is_whole` False perhaps a piece of one; return what of it can be read."""
        name = _GROWING.get(str(detail.get("type")))
        if name is None:
            self._settle()
            self._details.append(dict(detail))
            return ""
        piece = detail.get(name)
        if not is_whole and self._continues(detail):
            self._details[-1] |= {key: value for key, value in detail.items() if value is not None}
        else:
            self._settle()
            self._details.append(dict(detail))
        if not isinstance(piece, str):
            return ""
        self._pieces.append(piece)
        return piece

    def add_more(self, piece: str) -> None:
        """Take more of the last detail's text, which came in a detail like that."""
        self._pieces.append(piece)

    def whole(self, ids: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
        """Return the details so far. An id that is in `ids` is replaced by what it leads to.

        Gemini's thought belongs to a call by carrying its id: where the call got another, so does the thought.
        """
        self._settle()
        return tuple(_renamed(detail, ids) for detail in self._details)

    @property
    def must_return(self) -> bool:
        """Whether a model may refuse to go on without them: ciphertext, or text that is signed."""
        return any(detail.get("data") or detail.get("signature") for detail in self._details)

    def _continues(self, detail: Mapping[str, Any]) -> bool:
        if not self._details:
            return False
        last = self._details[-1]
        if any(last.get(name) != detail.get(name) for name in ("type", "index")) or last.get("signature"):
            return False
        return detail.get("id") in (None, last.get("id")) or last.get("id") is None

    def _settle(self) -> None:
        """Give the last detail its whole text."""
        if self._pieces:
            last = self._details[-1]
            last[_GROWING[last["type"]]] = "".join(self._pieces)
            self._pieces = []


def _renamed(detail: Mapping[str, Any], ids: Mapping[str, str]) -> Mapping[str, Any]:
    own = detail.get("id")
    return {**detail, "id": ids[own]} if isinstance(own, str) and own in ids else detail
