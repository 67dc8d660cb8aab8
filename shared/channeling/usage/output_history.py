"""What models were lately seen to write: how much, how fast, how many tokens a byte; to hold for and meter by.

Figures of answers whose usage the provider reported, and of those that run, by project and model or by model;
nothing of any user is kept.
"""

from bisect import bisect_left, insort
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct, field

from channeling.usage.output_sizes import OutputSizes, output_sizes

# Until this many answers were seen their percentiles say little.
LEAST_SEEN = 20
UNKNOWN_OUTPUT_TOKENS = 1_024
# Faster than what any current model writes in a second; a figure that was learned is never above it.
TOP_TOKENS_PER_S = 250
# Some will be longer, so that others leave them room to grow.
_UNKNOWN = OutputSizes(((UNKNOWN_OUTPUT_TOKENS, 0.95), (4 * UNKNOWN_OUTPUT_TOKENS, 0.05)))
# Sizes are worked out anew when they are this old: that takes longer than the rest of an admission.
_FRESH_MS = 100
_KEPT = 200
_MAX_KEYS = 1_000
# A few bytes say little of a rate: "ok" is one token of two bytes.
_LEAST_BYTES_FOR_A_RATE = 200
_LEAST_MS_FOR_A_SPEED = 1_000

_Key = tuple[str, str]


class _Outputs(Struct):
    """A model's answers in one project: the last that ended, whether by themselves, and those that run."""

    ended: deque[tuple[int, bool]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    running: dict[object, Callable[[], int]] = field(default_factory=dict)
    sizes: OutputSizes = _UNKNOWN
    sizes_of_ms: int | None = None


class OutputHistory:
    """The last answers of each model, in this process; bounded in number."""

    def __init__(self) -> None:
        self._outputs: OrderedDict[_Key, _Outputs] = OrderedDict()
        self._rates = _Recent()
        self._speeds = _Recent()

    @contextmanager
    def running(self, project_id: str, model: str, written_tokens: Callable[[], int]) -> Iterator[None]:
        """Let an answer that is being written count as one of at least `written_tokens()`."""
        running, answer = self._of((project_id, model)).running, object()
        running[answer] = written_tokens
        try:
            yield
        finally:
            del running[answer]

    def observe(
        self,
        project_id: str,
        model: str,
        *,
        output_tokens: int,
        written_bytes: int,
        writing_ms: int,
        was_silent: bool,
        was_whole: bool = True,
    ) -> None:
        """Learn from an answer that was reported. `writing_ms` is from its first byte to its last; with
        `was_silent` (hidden thinking) its bytes do not say how many tokens it had; without `was_whole` it was
        ended before its end, by its `max_tokens`."""
        if output_tokens <= 0:
            return
        self._of((project_id, model)).ended.append((output_tokens, was_whole))
        if written_bytes >= _LEAST_BYTES_FOR_A_RATE and not was_silent:
            self._rates.add(("", model), -(-output_tokens * 1000 // written_bytes))
        if writing_ms >= _LEAST_MS_FOR_A_SPEED:
            self._speeds.add(("", model), -(-output_tokens * 1000 // writing_ms))

    def sizes(self, project_id: str, model: str, now_ms: int) -> OutputSizes:
        """Return how long this project's answers of the model are; nearly all are `UNKNOWN_OUTPUT_TOKENS` long
        until enough of them have ended."""
        outputs = self._outputs.get((project_id, model))
        if outputs is None or len(outputs.ended) < LEAST_SEEN:
            return _UNKNOWN
        if outputs.sizes_of_ms is None or abs(now_ms - outputs.sizes_of_ms) >= _FRESH_MS:
            outputs.sizes = output_sizes(
                (tokens for tokens, was_whole in outputs.ended if was_whole),
                [
                    *(tokens for tokens, was_whole in outputs.ended if not was_whole),
                    *(written() for written in outputs.running.values()),
                ],
                unknown=UNKNOWN_OUTPUT_TOKENS,
            )
            outputs.sizes_of_ms = now_ms
        return outputs.sizes

    def tokens_per_1000_bytes(self, model: str, percent: int) -> int | None:
        """Return a percentile of a model's tokens per 1,000 bytes of UTF-8; None until it is known."""
        return self._rates.percentile(("", model), percent)

    def top_tokens_per_s(self, model: str) -> int:
        """Return the 99th percentile of a model's speed, `TOP_TOKENS_PER_S` until it is known."""
        return min(TOP_TOKENS_PER_S, self._speeds.percentile(("", model), 99) or TOP_TOKENS_PER_S)

    def usual_tokens_per_s(self, model: str) -> int | None:
        """Return the median of a model's speed; None until it is known."""
        return self._speeds.percentile(("", model), 50)

    def _of(self, key: _Key) -> _Outputs:
        outputs = self._outputs.pop(key, None) or _Outputs()
        self._outputs[key] = outputs
        if len(self._outputs) > _MAX_KEYS:
            self._outputs.popitem(last=False)
        return outputs


class _Values(Struct):
    """The last values as they came, and in order: a stream asks for six percentiles, 7 µs each to sort."""

    as_they_came: deque[int] = field(default_factory=deque)
    ordered: list[int] = field(default_factory=list)

    def add(self, value: int) -> None:
        self.as_they_came.append(value)
        insort(self.ordered, value)
        if len(self.ordered) > _KEPT:
            del self.ordered[bisect_left(self.ordered, self.as_they_came.popleft())]

    def percentile(self, percent: int) -> int:
        """The nearest-rank percentile."""
        return self.ordered[-(-len(self.ordered) * percent // 100) - 1]


class _Recent:
    """The last values under each of the `_MAX_KEYS` keys that were used last."""

    def __init__(self) -> None:
        self._values: OrderedDict[_Key, _Values] = OrderedDict()

    def add(self, key: _Key, value: int) -> None:
        values = self._values.pop(key, None) or _Values()
        values.add(value)
        self._values[key] = values
        if len(self._values) > _MAX_KEYS:
            self._values.popitem(last=False)

    def percentile(self, key: _Key, percent: int) -> int | None:
        values = self._values.get(key)
        if values is None or len(values.ordered) < LEAST_SEEN:
            return None
        return values.percentile(percent)
