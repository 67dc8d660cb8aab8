"""What models were lately seen to write: how much, how fast, how many tokens a byte; to hold for and meter by.

Figures of answers whose usage the provider reported, by project and model or by model; nothing of any user is kept.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable

# Until this many answers were seen their percentiles say little.
LEAST_SEEN = 20
UNKNOWN_OUTPUT_TOKENS = 1_024
# Faster than what any current model writes in a second; a figure that was learned is never above it.
TOP_TOKENS_PER_S = 250
_KEPT = 200
_MAX_KEYS = 1_000
# A few bytes say little of a rate: "ok" is one token of two bytes.
_LEAST_BYTES_FOR_A_RATE = 200
_LEAST_MS_FOR_A_SPEED = 1_000


class OutputHistory:
    """The last answers of each model, in this process; bounded in number."""

    def __init__(self) -> None:
        self._outputs = _Recent()
        self._rates = _Recent()
        self._speeds = _Recent()

    def observe(
        self,
        project_id: str,
        model: str,
        *,
        output_tokens: int,
        written_bytes: int,
        writing_ms: int,
        was_silent: bool,
    ) -> None:
        """Learn from an answer that was reported. `writing_ms` is from its first byte to its last; with
        `was_silent` (hidden thinking) its bytes do not say how many tokens it had."""
        if output_tokens <= 0:
            return
        self._outputs.add((project_id, model), output_tokens)
        if written_bytes >= _LEAST_BYTES_FOR_A_RATE and not was_silent:
            self._rates.add(("", model), -(-output_tokens * 1000 // written_bytes))
        if writing_ms >= _LEAST_MS_FOR_A_SPEED:
            self._speeds.add(("", model), -(-output_tokens * 1000 // writing_ms))

    def expected_tokens(self, project_id: str, model: str) -> int:
        """Return the 95th percentile of what this project's answers of the model were."""
        return self._outputs.percentile((project_id, model), 95) or UNKNOWN_OUTPUT_TOKENS

    def tokens_per_1000_bytes(self, model: str) -> int | None:
        """Return the 99th percentile of a model's tokens per 1,000 bytes of UTF-8; None until it is known."""
        return self._rates.percentile(("", model), 99)

    def top_tokens_per_s(self, model: str) -> int:
        """Return the 99th percentile of a model's speed, `TOP_TOKENS_PER_S` until it is known."""
        return min(TOP_TOKENS_PER_S, self._speeds.percentile(("", model), 99) or TOP_TOKENS_PER_S)


class _Recent:
    """The last values under each of the `_MAX_KEYS` keys that were used last."""

    def __init__(self) -> None:
        self._values: OrderedDict[tuple[str, str], deque[int]] = OrderedDict()

    def add(self, key: tuple[str, str], value: int) -> None:
        values = self._values.pop(key, None) or deque(maxlen=_KEPT)
        values.append(value)
        self._values[key] = values
        if len(self._values) > _MAX_KEYS:
            self._values.popitem(last=False)

    def percentile(self, key: tuple[str, str], percent: int) -> int | None:
        values = self._values.get(key)
        return None if values is None or len(values) < LEAST_SEEN else _percentile(values, percent)


def _percentile(values: Iterable[int], percent: int) -> int:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * percent // 100) - 1]
