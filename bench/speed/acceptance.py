"""What must be reached, each as a bound on figures of one run, and whether it was."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.speed.measure import Figures
from bench.speed.names import CHANNELING, CLAUDE_CAPS, DIRECT, FLOOR, LITELLM, LITELLM_OPENAI, ROUTER

# Bounds of ratios are on rates (more is better) and on times (less is).
ADDED_AT_MOST = 2.5
FIRST_EVENT_AT_MOST = 1.6
LARGE_BODY_MS = 0.3
IDLE_MB, AFTER_MB = 65.0, 90.0
START_UP_S = 0.6
CROWD_DELAY_MS = 50.0
COLD_IMPORT_AT_MOST = 0.8


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is measured once for a run: milliseconds that a store's call takes, and the cold import's ratio."""

    store_call_ms: float | None = None
    cold_import_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One bound and what was reached; `reached` is None where a figure that it needs was not measured."""

    what: str
    bound: str
    reached: str | None
    passed: bool | None


def lines(measured: Mapping[str, Figures], around: Surroundings, name: str = CHANNELING) -> list[Line]:
    """Return every bound on the target `name`, and on its translated routes."""
    one = measured.get(name, Figures())
    return [
        *(
            _rate(measured, name, "requests_per_s", "JSON req/s, 16 at once", least, beside)
            for least, beside in ((0.5, FLOOR), (2.5, CLAUDE_CAPS), (25.0, LITELLM))
        ),
        _added(measured, name, "JSON added, 1 at once", "json_c1_p50_ms", ADDED_AT_MOST, 0.0),
        *(
            _rate(measured, name, "events_per_s", "SSE events/s, 16 at once", least, beside)
            for least, beside in ((1.0, FLOOR), (2.0, CLAUDE_CAPS))
        ),
        *(
            _rate(
                measured,
                f"{CHANNELING}, {provider}",
                "events_per_s",
                f"events/s from {provider}",
                least,
                beside,
            )
            for provider in ("OpenAI", "OpenRouter")
            for least, beside in ((0.3, FLOOR), (50.0, LITELLM_OPENAI), (1.5, ROUTER))
        ),
        _added(
            measured,
            name,
            "first event added, the store's call left out",
            "first_event_c1_p50_ms",
            FIRST_EVENT_AT_MOST,
            around.store_call_ms,
        ),
        _large_body(measured, name),
        _at_most("memory idle, MB", one.rss_idle_mb, IDLE_MB, "{:.0f}"),
        _at_most("memory after, MB", one.rss_after_mb, AFTER_MB, "{:.0f}"),
        _at_most("start-up, s", one.start_up_s, START_UP_S, "{:.2f}"),
        _at_most("event delay p99 of 1,000 paced streams, ms", one.crowd_p99_ms, CROWD_DELAY_MS, "{:.1f}"),
        _at_most(
            "cold import of the messages function, of httpx's and botocore.session's",
            around.cold_import_ratio,
            COLD_IMPORT_AT_MOST,
            "{:.2f}",
        ),
    ]


def added(measured: Mapping[str, Figures], name: str, attribute: str) -> float | None:
    """Return what a target adds to the same figure of a direct request, in ms."""
    values = [getattr(measured.get(one, Figures()), attribute) for one in (name, DIRECT)]
    return None if None in values else values[0] - values[1]


def ratio(measured: Mapping[str, Figures], name: str, beside: str, attribute: str) -> float | None:
    """Return a figure of one target by that of another."""
    one = getattr(measured.get(name, Figures()), attribute)
    other = getattr(measured.get(beside, Figures()), attribute)
    return None if one is None or not other else one / other


def _rate(
    measured: Mapping[str, Figures], name: str, attribute: str, what: str, least: float, beside: str
) -> Line:
    reached = ratio(measured, name, beside, attribute)
    bound = f"≥ {least} × {beside}"
    return Line(what, bound, *_verdict(reached, lambda value: value >= least, "{:.2f} ×"))


def _added(
    measured: Mapping[str, Figures],
    name: str,
    what: str,
    attribute: str,
    most: float,
    left_out_ms: float | None,
) -> Line:
    one, floor = added(measured, name, attribute), added(measured, FLOOR, attribute)
    reached = None
    if one is not None and floor and left_out_ms is not None:
        reached = (one - left_out_ms) / floor
    form = (
        "{:.2f} ×" if one is None or floor is None else f"{{:.2f}} × ({one:.3f} ms where it adds {floor:.3f})"
    )
    return Line(what, f"≤ {most} × {FLOOR}", *_verdict(reached, lambda value: value <= most, form))


def _large_body(measured: Mapping[str, Figures], name: str) -> Line:
    large, small = added(measured, name, "big_c1_p50_ms"), added(measured, name, "json_c1_p50_ms")
    reached = None if large is None or small is None else large - small
    bound = f"≤ {LARGE_BODY_MS} ms"
    return Line(
        "93 kB body, added beyond 1 kB's",
        bound,
        *_verdict(reached, lambda ms: ms <= LARGE_BODY_MS, "{:.3f} ms"),
    )


def _at_most(what: str, reached: float | None, most: float, form: str) -> Line:
    return Line(what, f"≤ {most}", *_verdict(reached, lambda value: value <= most, form))


def _verdict(
    reached: float | None, passes: Callable[[float], bool], form: str
) -> tuple[str | None, bool | None]:
    if reached is None:
        return None, None
    return form.format(reached), passes(reached)


Verdict = Literal["passed", "missed", "not measured"]


def verdict(line: Line) -> Verdict:
    """Return how a line came out."""
    if line.passed is None:
        return "not measured"
    return "passed" if line.passed else "missed"


def summary(listed: Sequence[Line]) -> str:
    """Return how many lines came out how."""
    verdicts = [verdict(line) for line in listed]
    kinds: tuple[Verdict, ...] = ("passed", "missed", "not measured")
    return ", ".join(f"{verdicts.count(kind)} {kind}" for kind in kinds)
