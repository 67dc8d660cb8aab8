"""What a stream costs one process as a model writes it: `python -m bench.stream_cost` (a minute).

Bursts, which `make bench` takes for its rates, share one awakening among many events; paced events do not. The
figures stand as inputs in bench/costs.py. Cores are shared out as in bench.speed; of CPU the least of the rounds
is shown.
"""

import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.answers import ANTHROPIC_MODEL
from bench.speed.channeling import running_channeling
from bench.speed.cores import UPSTREAM_CORE, keep_to, used_by
from bench.speed.measure import MeasureFailed
from bench.speed.native import Load, compile_programs, press, running_upstream, set_stream
from bench.speed.requests import ENDINGS, Kind, body_of, write_bodies
from bench.speed.target import Place, Running

# Between the beginnings of streams: all of them run at once for a while.
_RAMP_MS = 3.0
_WHOLE: tuple[Kind, Kind] = ("json", "big")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: streams at once and their deltas, fewer and more of each.

    `whole` is how many answers in one piece.
    """

    pace_us: int = 50_000
    few_deltas: int = 40
    many_deltas: int = 160
    streams: int = 100
    many_streams: int = 300
    whole: int = 500
    rounds: int = 2


@dataclass(frozen=True, slots=True)
class StreamCost:
    """CPU in milliseconds, memory in megabytes (10^6 bytes)."""

    whole_ms: float
    stream_ms: float
    delta_ms: float
    large_body_ms: float
    process_mb: float
    small_mb: float
    large_mb: float


class Measurer:
    """A running process of the messages function, and the requests that are sent to it."""

    def __init__(self, place: Place, running: Running, effort: Effort) -> None:
        assert running.process_id is not None  # noqa: S101 - the target is a process
        self._place, self._running, self._process_id = place, running, running.process_id
        self._effort = effort
        large = {**orjson.loads(body_of("big", ANTHROPIC_MODEL)), "stream": True}
        self.small = write_bodies(place.folder, "small", body_of("sse", ANTHROPIC_MODEL), running.callers)
        self.large = write_bodies(place.folder, "large", orjson.dumps(large), running.callers)
        self.whole, self.large_whole = (
            write_bodies(place.folder, kind, body_of(kind, ANTHROPIC_MODEL), running.callers)
            for kind in _WHOLE
        )

    def streams_ms(self, requests: Sequence[Path], deltas: int, count: int) -> float:
        """Return the CPU milliseconds of one of `count` paced streams at once."""
        set_stream(self._place.upstream_port, events=deltas, interval_us=self._effort.pace_us)
        return self._cpu_ms("sse", Load(count, ENDINGS["sse"], each=1, ramp_ms=_RAMP_MS * count), requests)

    def whole_ms(self, requests: Sequence[Path]) -> float:
        """Return the CPU milliseconds of one answer in one piece, one at a time."""
        return self._cpu_ms("json", Load(1, ENDINGS["json"], each=self._effort.whole), requests)

    def peak_mb(self) -> float:
        """Return the most megabytes that were ever resident."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self._process_id}/status").read_text())
        assert found is not None  # noqa: S101 - man 5 proc
        return int(found[1]) * 1_024 / 1e6

    def further_mb(self, requests: Sequence[Path]) -> float:
        """Return the memory of each stream beyond those that there were before."""
        effort, before_mb = self._effort, self.peak_mb()
        self.streams_ms(requests, effort.few_deltas, effort.many_streams)
        return (self.peak_mb() - before_mb) / (effort.many_streams - effort.streams)

    def _cpu_ms(self, kind: Kind, load: Load, requests: Sequence[Path]) -> float:
        before_s = used_by(self._process_id).cpu_s
        seen = press(self._running.port, load, requests)
        if seen["errors"] or not seen["answers"]:
            raise MeasureFailed(f"{kind}: {seen['errors']} wrong answers, the first: {seen['first_error']}")
        return (used_by(self._process_id).cpu_s - before_s) * 1_000 / float(seen["answers"])


def stream_cost(measurer: Measurer, effort: Effort) -> StreamCost:
    """Measure all, the least of the rounds; memory from small to large, since only its peak is seen."""
    rounds, streams = range(effort.rounds), effort.streams
    whole_ms, large_whole_ms = (
        min(measurer.whole_ms(requests) for _ in rounds)
        for requests in (measurer.whole, measurer.large_whole)
    )
    few_ms, many_ms = (
        min(measurer.streams_ms(measurer.small, deltas, streams) for _ in rounds)
        for deltas in (effort.few_deltas, effort.many_deltas)
    )
    process_mb = measurer.peak_mb()
    small_mb = measurer.further_mb(measurer.small)
    measurer.streams_ms(measurer.large, effort.few_deltas, streams)
    delta_ms = (many_ms - few_ms) / (effort.many_deltas - effort.few_deltas)
    return StreamCost(
        whole_ms=whole_ms,
        stream_ms=few_ms - delta_ms * effort.few_deltas,
        delta_ms=delta_ms,
        large_body_ms=large_whole_ms - whole_ms,
        process_mb=process_mb,
        small_mb=small_mb,
        large_mb=measurer.further_mb(measurer.large),
    )


def measured(effort: Effort) -> StreamCost:
    """Start the function's application with all that it needs, and measure it."""
    compile_programs()
    with tempfile.TemporaryDirectory(prefix="stream-cost-") as home, running_upstream(Path(home)) as port:
        place = Place(Path(home), port)
        with running_channeling(place, ANTHROPIC_MODEL, as_function=True) as running:
            return stream_cost(Measurer(place, running, effort), effort)


def main(effort: Effort = Effort()) -> int:
    """Measure and print."""
    cost = measured(effort)
    print(f"an answer in one piece       {cost.whole_ms:7.2f} ms of CPU")
    print(f"a stream, without its deltas {cost.stream_ms:7.2f} ms of CPU")
    print(f"a delta                      {cost.delta_ms:7.3f} ms of CPU")
    print(f"a body of 93 kB, not 1 kB    {cost.large_body_ms:7.2f} ms of CPU more")
    print(f"a process with {effort.streams} streams   {cost.process_mb:7.1f} MB")
    print(f"a further stream             {cost.small_mb:7.3f} MB")
    print(f"a further one of 93 kB       {cost.large_mb:7.3f} MB")
    return 0


if __name__ == "__main__":
    keep_to(UPSTREAM_CORE)
    sys.exit(main())
