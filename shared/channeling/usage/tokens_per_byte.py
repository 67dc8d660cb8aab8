"""How many output tokens a byte of a model's text is, learned from answers whose usage was reported.

Used to bill what was generated where the provider's own figure never came. Nothing of any user is kept.
"""

from collections import OrderedDict

# English prose and code are near 0.25 to 0.3 tokens a byte in every current tokenizer.
UNKNOWN_TOKENS_PER_1000_BYTES = 300
_MAX_MODELS = 1_000
_MAX_BYTES = 100_000_000


class TokensPerByte:
    """Running means by model, bounded in number; the past fades once a model has written `_MAX_BYTES`."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def observe(self, model: str, *, written_bytes: int, output_tokens: int) -> None:
        """Learn from an answer that was reported: bytes it wrote and the output tokens it was billed."""
        if written_bytes <= 0 or output_tokens <= 0:
            return
        bytes_seen, tokens_seen = self._seen.pop(model, (0, 0))
        if bytes_seen > _MAX_BYTES:
            bytes_seen, tokens_seen = bytes_seen // 2, tokens_seen // 2
        self._seen[model] = (bytes_seen + written_bytes, tokens_seen + output_tokens)
        if len(self._seen) > _MAX_MODELS:
            self._seen.popitem(last=False)

    def estimate(self, model: str, written_bytes: int) -> int:
        """Return the output tokens of this many bytes, rounded up."""
        bytes_seen, tokens_seen = self._seen.get(model, (1_000, UNKNOWN_TOKENS_PER_1000_BYTES))
        return -(-written_bytes * tokens_seen // bytes_seen)
