"""How Channeling's cost grows with what it is given: `python -m bench.speed.growth [--pictures FOLDER]`.

Five curves, each with all else small: the size of a request's body, the events of a stream, paced streams at once
in one process, users in the store, holds of one user. Cores are shared out as in bench.speed. A point is the better
of its rounds.
"""

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.answers import ANTHROPIC_MODEL, DELTAS
from bench.speed.__main__ import end_at_sigterm, machine, say
from bench.speed.channeling import clone_item, running_channeling, running_dynamodb
from bench.speed.cores import UPSTREAM_CORE, keep_to, used_by
from bench.speed.measure import CROWD_PACE_MS, MeasureFailed
from bench.speed.native import Load, compile_programs, press, running_upstream, set_stream
from bench.speed.picture import curve_picture
from bench.speed.plain_targets import running_nothing, running_relay
from bench.speed.report import table
from bench.speed.requests import ENDINGS, Caller, small_body, write_bodies
from bench.speed.target import Place, Running, Start
from bench.wire.processes import DidNotStart, NotAvailable
from channeling.tables import TableNames

BODY_BYTES = (1_000, 10_000, 100_000, 1_000_000, 5_000_000)
EVENTS = (10, 100, 1_000, 10_000)
STREAMS = (1, 10, 100, 1_000)
USERS = (1, 100, 10_000, 1_000_000)
HOLDS = (1, 10, 50, 100)
_LONG_ANSWER_TOKENS = 64_000
# Streams that only hold: they say next to nothing while the others are measured.
_HOLDING_DELTAS, _HOLDING_PACE_US = 40, 500_000
_TABLES = TableNames.with_prefix("channeling")


@dataclass(frozen=True, slots=True)
class Growth:
    """One picture: what grows, and one value for each curve at each of its sizes."""

    name: str
    title: str
    across: str
    up: str
    curves: tuple[str, ...]
    points: Sequence[tuple[int, Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    seconds: float = 1.5
    rounds: int = 2
    most: int = 10_000_000


def channeling(place: Place) -> Any:
    """Start Channeling with its usual users."""
    return running_channeling(place, ANTHROPIC_MODEL)


def aiohttp_relay(place: Place) -> Any:
    """Start the floor."""
    return running_relay(place, "aiohttp")


@contextmanager
def _started(start: Start) -> Iterator[tuple[Place, Running]]:
    with tempfile.TemporaryDirectory(prefix="growth-") as home:
        folder = Path(home)
        with running_upstream(folder) as upstream_port:
            place = Place(folder, upstream_port)
            with start(place) as running:
                yield place, running


def body_sizes(effort: Effort) -> Growth:
    """The median of a request at one connection, by the size of its body, beyond a direct one's."""
    sizes = [size for size in BODY_BYTES if size <= effort.most]
    columns = [_by_size(start, sizes, effort) for start in (running_nothing, channeling, aiohttp_relay)]
    points = [
        (size, (ours - direct, floor - direct))
        for size, direct, ours, floor in zip(sizes, *columns, strict=True)
    ]
    curves = ("Channeling", "Starlette + aiohttp")
    return Growth("body", "A request's body", "bytes of the body", "added ms, p50", curves, points)


def _by_size(start: Start, sizes: Sequence[int], effort: Effort) -> list[float]:
    medians = []
    with _started(start) as (place, running):
        for size in sizes:
            body = small_body(ANTHROPIC_MODEL, stream=False, text_bytes=size)
            files = write_bodies(place.folder, f"body-{size}", body, running.callers)
            medians.append(_best(effort, lambda: _median(running, files, effort)))  # noqa: B023 - called at once
    return medians


def stream_lengths(effort: Effort) -> Growth:
    """The CPU of an event, by how many deltas a stream has; four bursts at once."""
    lengths = [length for length in EVENTS if length <= effort.most]
    columns = [_by_length(start, lengths, effort) for start in (channeling, aiohttp_relay)]
    points = list(zip(lengths, zip(*columns, strict=True), strict=True))
    curves = ("Channeling", "Starlette + aiohttp")
    return Growth("events", "A stream's events", "deltas of the stream", "CPU µs an event", curves, points)


def _by_length(start: Start, lengths: Sequence[int], effort: Effort) -> list[float]:
    costs = []
    with _started(start) as (place, running):
        body = small_body(ANTHROPIC_MODEL, stream=True, text_bytes=900, max_tokens=_LONG_ANSWER_TOKENS)
        files = write_bodies(place.folder, "stream", body, running.callers)
        for length in lengths:
            set_stream(place.upstream_port, events=length, interval_us=0)
            costs.append(_best(effort, lambda: _event_cost_us(running, files, length, effort)))  # noqa: B023 - as above
    return costs


def _event_cost_us(running: Running, files: Sequence[Path], length: int, effort: Effort) -> float:
    assert running.process_id is not None  # noqa: S101 - both targets are processes
    load = Load(4, ENDINGS["sse"], seconds=effort.seconds)
    before_s = used_by(running.process_id).cpu_s
    seen = _checked(press(running.port, load, files))
    if seen["stamps_each"] != length or seen["odd_streams"]:
        raise MeasureFailed(f"a stream has {seen['stamps_each']} of {length} deltas")
    used_s = used_by(running.process_id).cpu_s - before_s
    return used_s * 1e6 / float(seen["answers"] * seen["events_each"])


def streams_at_once(effort: Effort) -> Growth:
    """The delay of an event, by how many paced streams one process has at once."""
    counts = [count for count in STREAMS if count <= effort.most]
    points = []
    with _started(channeling) as (place, running):
        body = small_body(ANTHROPIC_MODEL, stream=True, text_bytes=900)
        files = write_bodies(place.folder, "stream", body, running.callers)
        set_stream(place.upstream_port, events=DELTAS, interval_us=CROWD_PACE_MS * 1000)
        for count in counts:
            ramp_ms = min(5.0 * count, 5_000.0)
            seen = _checked(press(running.port, Load(count, ENDINGS["sse"], each=1, ramp_ms=ramp_ms), files))
            points.append((count, (seen["delay_ms"]["p50"], seen["delay_ms"]["p99"])))
    return Growth(
        "streams", "Streams at once", "streams, an event each 50 ms", "delay, ms", ("p50", "p99"), points
    )


def users_in_the_store(effort: Effort) -> Growth:
    """The median of a request at one connection, by how many users' budgets the store has."""
    counts = [count for count in USERS if count <= effort.most]
    points = []
    with tempfile.TemporaryDirectory(prefix="growth-") as home, running_upstream(Path(home)) as upstream_port:
        place = Place(Path(home), upstream_port)
        with (
            running_dynamodb(place.folder) as dynamodb_port,
            running_channeling(place, ANTHROPIC_MODEL, dynamodb_port=dynamodb_port) as running,
        ):
            files = _json_files(place, running.callers)
            for count in counts:
                if count > 1:
                    url = f"http://127.0.0.1:{dynamodb_port}"
                    clone_item(url, _TABLES.budgets, ("demo#user-0", "day"), count)
                points.append((count, (_best(effort, lambda: _median(running, files, effort)),)))
    return Growth("users", "Users in the store", "users", "ms, p50", ("JSON",), points)


def holds_of_a_user(effort: Effort) -> Growth:
    """The median of one user's request, by how many other streams of that user hold."""
    counts = [count for count in HOLDS if count <= effort.most]
    points = []
    with _started(lambda place: running_channeling(place, ANTHROPIC_MODEL, users=1)) as (place, running):
        files = _json_files(place, running.callers)
        body = small_body(ANTHROPIC_MODEL, stream=True, text_bytes=900)
        streams = write_bodies(place.folder, "stream", body, running.callers)
        set_stream(place.upstream_port, events=_HOLDING_DELTAS, interval_us=_HOLDING_PACE_US)
        for count in counts:
            holding = threading.Thread(
                target=press, args=(running.port, Load(count, ENDINGS["sse"], each=1), streams)
            )
            holding.start()
            # Within what the streams last, 20 seconds.
            points.append((count, (_best(effort, lambda: _median(running, files, effort)),)))
            holding.join()
    return Growth("holds", "Holds of one user", "streams that hold meanwhile", "ms, p50", ("JSON",), points)


def _json_files(place: Place, callers: Sequence[Caller]) -> list[Path]:
    body = small_body(ANTHROPIC_MODEL, stream=False, text_bytes=900)
    return write_bodies(place.folder, "json", body, callers)


def _median(running: Running, files: Sequence[Path], effort: Effort) -> float:
    load = Load(1, ENDINGS["json"], seconds=effort.seconds, warm_up_s=0.2)
    return float(_checked(press(running.port, load, files))["latency_ms"]["p50"])


def _best(effort: Effort, measured: Callable[[], float]) -> float:
    return min(measured() for _ in range(effort.rounds))


def _checked(seen: dict[str, Any]) -> dict[str, Any]:
    if seen["errors"] or not seen["requests"]:
        raise MeasureFailed(f"{seen['errors']} wrong answers, the first: {seen['first_error']}")
    return seen


ALL: tuple[Callable[[Effort], Growth], ...] = (
    body_sizes,
    stream_lengths,
    streams_at_once,
    users_in_the_store,
    holds_of_a_user,
)


def markdown(growth: Growth) -> str:
    """Return a growth as a table."""
    rows = [(f"{size:,}", *(f"{value:.3f}" for value in values)) for size, values in growth.points]
    return f"## {growth.title}: {growth.up}\n\n{table((growth.across, *growth.curves), rows)}\n"


def picture(growth: Growth) -> str:
    """Return a growth as SVG."""
    curves = [
        (name, [(float(size), values[number]) for size, values in growth.points])
        for number, name in enumerate(growth.curves)
    ]
    return curve_picture(growth.title, growth.across, growth.up, curves)


def main() -> None:
    """Measure every growth, print the tables, draw the pictures."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.growth", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=[one.__name__ for one in ALL])
    parser.add_argument("--seconds", type=float, default=Effort().seconds)
    parser.add_argument("--rounds", type=int, default=Effort().rounds)
    parser.add_argument("--most", type=int, default=Effort().most, help="leave larger sizes out")
    parser.add_argument("--pictures", type=Path, help="the folder for growth-NAME.svg")
    parser.add_argument("--out", type=Path, help="write the tables to this file too")
    options = parser.parse_args()
    effort = Effort(options.seconds, options.rounds, options.most)
    end_at_sigterm()
    keep_to(UPSTREAM_CORE)
    parts = [f"{machine()}\n"]
    try:
        compile_programs()
        for measured in ALL:
            if options.only and measured.__name__ not in options.only:
                continue
            say(measured.__name__)
            growth = measured(effort)
            parts.append(markdown(growth))
            if options.pictures is not None:
                (options.pictures / f"growth-{growth.name}.svg").write_text(picture(growth))
    except (NotAvailable, DidNotStart, MeasureFailed) as reason:
        sys.exit(str(reason))
    text = "\n".join(parts)
    sys.stdout.write(text)
    if options.out is not None:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
