"""One round of all measures on one running target."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bench.answers import DELTAS
from bench.speed.cores import used_by
from bench.speed.native import Load, press, set_stream
from bench.speed.requests import ENDINGS, Kind, write_requests
from bench.speed.target import Place, Running, Target

_MS_PER_S = 1000
# Where nothing was whole in its time, a measure gets more, up to this.
_LONGEST_S = 15.0
PACE_MS = 5
CROWD, CROWD_PACE_MS, CROWD_RAMP_S = 1_000, 50, 5.0


class MeasureFailed(Exception):
    """Answers were wrong, cut off or missing; the message says which."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a measure takes. `deltas` in a stream; a `crowd` is 1,000 paced streams at once."""

    seconds: float
    warm_up_s: float
    rounds: int
    paced_streams: int = 2
    deltas: int = DELTAS
    crowd: bool = True


@dataclass(slots=True)
class Figures:
    """What was measured of a target; None where it was not. Milliseconds are from a request's first byte."""

    json_c1_p50_ms: float | None = None
    json_c1_p99_ms: float | None = None
    json_c16_p50_ms: float | None = None
    json_c16_p99_ms: float | None = None
    big_c1_p50_ms: float | None = None
    first_event_c1_p50_ms: float | None = None
    first_event_c1_p99_ms: float | None = None
    first_event_c16_p50_ms: float | None = None
    paced_c1_p50_ms: float | None = None
    paced_c1_p99_ms: float | None = None
    paced_c16_p50_ms: float | None = None
    paced_c16_p99_ms: float | None = None
    crowd_p50_ms: float | None = None
    crowd_p99_ms: float | None = None
    requests_per_s: float | None = None
    events_per_s: float | None = None
    cpu_ms_per_request: float | None = None
    cpu_us_per_event: float | None = None
    rss_idle_mb: float | None = None
    rss_after_mb: float | None = None
    start_up_s: float | None = None


# Of these more is better, of all else less.
_MORE_IS_BETTER = {"requests_per_s", "events_per_s"}


def better(one: Figures, other: Figures) -> Figures:
    """Return each figure from the round that has the better one: the one that other work disturbed less."""
    best = Figures()
    for field in fields(Figures):
        values = [
            value for value in (getattr(one, field.name), getattr(other, field.name)) if value is not None
        ]
        if values:
            choose = max if field.name in _MORE_IS_BETTER else min
            # Memory is no matter of luck: the most that was seen counts.
            setattr(best, field.name, max(values) if field.name.startswith("rss") else choose(values))
    return best


def measure(target: Target, running: Running, place: Place, plan: Plan) -> Figures:
    """Run every measure once; raise MeasureFailed."""
    requests = Requests(target, running, place, plan)
    figures = Figures(start_up_s=running.start_up_s)
    if running.process_id is not None:
        figures.rss_idle_mb = used_by(running.process_id).rss_mb
    set_stream(place.upstream_port, events=plan.deltas, interval_us=0)
    seen = requests.timed("json", 1)
    figures.json_c1_p50_ms, figures.json_c1_p99_ms = _percentiles(seen["latency_ms"])
    seen = requests.timed("json", 16)
    figures.json_c16_p50_ms, figures.json_c16_p99_ms = _percentiles(seen["latency_ms"])
    figures.requests_per_s, figures.cpu_ms_per_request = seen["rps"], seen.get("cpu_ms_per_request")
    figures.big_c1_p50_ms = requests.timed("big", 1)["latency_ms"]["p50"]
    if target.streams:
        _measure_streams(figures, requests, place, plan)
    if running.process_id is not None:
        figures.rss_after_mb = used_by(running.process_id).rss_mb
    return figures


def _measure_streams(figures: Figures, requests: "Requests", place: Place, plan: Plan) -> None:
    seen = requests.timed("sse", 1)
    figures.first_event_c1_p50_ms, figures.first_event_c1_p99_ms = _percentiles(seen["first_event_ms"])
    seen = requests.timed("sse", 16)
    figures.first_event_c16_p50_ms = seen["first_event_ms"]["p50"]
    figures.events_per_s, figures.cpu_us_per_event = seen["events_per_s"], seen.get("cpu_us_per_event")
    set_stream(place.upstream_port, events=plan.deltas, interval_us=PACE_MS * _MS_PER_S)
    each = plan.paced_streams
    seen = requests.press("sse", Load(1, ENDINGS["sse"], each=each))
    figures.paced_c1_p50_ms, figures.paced_c1_p99_ms = _percentiles(seen["delay_ms"])
    seen = requests.press("sse", Load(16, ENDINGS["sse"], each=each, ramp_ms=PACE_MS))
    figures.paced_c16_p50_ms, figures.paced_c16_p99_ms = _percentiles(seen["delay_ms"])
    if plan.crowd and requests.takes_crowd:
        set_stream(place.upstream_port, events=plan.deltas, interval_us=CROWD_PACE_MS * _MS_PER_S)
        ramp_ms = CROWD_RAMP_S * _MS_PER_S
        seen = requests.press("sse", Load(CROWD, ENDINGS["sse"], each=1, ramp_ms=ramp_ms))
        figures.crowd_p50_ms, figures.crowd_p99_ms = _percentiles(seen["delay_ms"])


class Requests:
    """A target's requests, and how they are sent."""

    def __init__(self, target: Target, running: Running, place: Place, plan: Plan) -> None:
        self._target = target
        self._running = running
        self._plan = plan
        kinds: list[Kind] = ["json", "big", "sse"] if target.streams else ["json", "big"]
        self._files: Mapping[Kind, Sequence[Path]] = {
            kind: write_requests(place.folder, kind, target.model, running.callers) for kind in kinds
        }

    @property
    def takes_crowd(self) -> bool:
        """Whether 1,000 streams at once are measured."""
        return self._target.crowd

    def timed(self, kind: Kind, connections: int) -> dict[str, Any]:
        """Press for the plan's time; add what CPU the target spent on a request and on an event."""
        load = Load(connections, ENDINGS[kind], seconds=self._plan.seconds, warm_up_s=self._plan.warm_up_s)
        process_id = self._running.process_id
        before_s = used_by(process_id).cpu_s if process_id is not None else 0.0
        seen = self.press(kind, load)
        if process_id is not None:
            cpu_s = used_by(process_id).cpu_s - before_s
            seen["cpu_ms_per_request"] = cpu_s * _MS_PER_S / seen["answers"]
            if seen["events_each"] > 0:
                seen["cpu_us_per_event"] = cpu_s * 1e6 / (seen["answers"] * seen["events_each"])
        return seen

    def press(self, kind: Kind, load: Load) -> dict[str, Any]:
        """Press; raise MeasureFailed unless every answer was right and every stream had as many events."""
        seen = press(self._running.port, load, self._files[kind])
        what = f"{self._target.name}, {kind}, {load.connections} at once"
        if seen["errors"]:
            raise MeasureFailed(f"{what}: {seen['errors']} wrong answers, the first: {seen['first_error']}")
        if not seen["requests"] and load.seconds and load.seconds < _LONGEST_S:
            return self.press(kind, replace(load, seconds=load.seconds * 4))
        if not seen["requests"]:
            raise MeasureFailed(f"{what}: no answer in {load.seconds} s")
        if kind == "sse" and (seen["odd_streams"] or seen["stamps_each"] != self._plan.deltas):
            raise MeasureFailed(
                f"{what}: {seen['odd_streams']} of {seen['streams']} streams differ from the first, which has"
                f" {seen['stamps_each']} of {self._plan.deltas} deltas"
            )
        return seen


def _percentiles(seen: Mapping[str, float]) -> tuple[float, float]:
    return seen["p50"], seen["p99"]


def settle_down() -> None:
    """Let connections close and settles end before the next target."""
    time.sleep(0.2)
