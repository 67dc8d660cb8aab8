"""The page of `make bench`: bounds, figures as they are, what is added to a direct request, ratios."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.speed.acceptance import Line, Surroundings, added, lines, ratio, summary, verdict
from bench.speed.measure import CROWD_PACE_MS, Figures, Plan
from bench.speed.names import BESIDE, CHANNELING, DIRECT, FUNCTION, OPENAI, OPENROUTER

_ADDED = (
    ("JSON c1 p50", "json_c1_p50_ms"),
    ("p99", "json_c1_p99_ms"),
    ("JSON c16 p50", "json_c16_p50_ms"),
    ("p99", "json_c16_p99_ms"),
    ("93 kB body c1 p50", "big_c1_p50_ms"),
    ("first event c1 p50", "first_event_c1_p50_ms"),
    ("p99", "first_event_c1_p99_ms"),
    ("first event c16 burst p50", "first_event_c16_p50_ms"),
)
_DELAYS = (
    ("c1 p50", "paced_c1_p50_ms"),
    ("p99", "paced_c1_p99_ms"),
    ("c16 p50", "paced_c16_p50_ms"),
    ("p99", "paced_c16_p99_ms"),
    ("1,000 streams p50", "crowd_p50_ms"),
    ("p99", "crowd_p99_ms"),
)
_RATES = (
    ("JSON req/s c16", "requests_per_s", "{:,.0f}"),
    ("SSE events/s c16", "events_per_s", "{:,.0f}"),
    ("CPU ms/JSON request", "cpu_ms_per_request", "{:.3f}"),
    ("CPU µs/event", "cpu_us_per_event", "{:.1f}"),
    ("RSS idle MB", "rss_idle_mb", "{:.0f}"),
    ("RSS after MB", "rss_after_mb", "{:.0f}"),
    ("start-up s", "start_up_s", "{:.2f}"),
)
_RATIOS: tuple[tuple[str, str, bool], ...] = (
    ("JSON req/s", "requests_per_s", False),
    ("events/s", "events_per_s", False),
    ("JSON added c1", "json_c1_p50_ms", True),
    ("first event added c1", "first_event_c1_p50_ms", True),
    ("93 kB added c1", "big_c1_p50_ms", True),
    ("CPU/request", "cpu_ms_per_request", False),
    ("RSS after", "rss_after_mb", False),
    ("start-up", "start_up_s", False),
)


@dataclass(frozen=True, slots=True)
class Report:
    """All that a run gave. `left_out` has a line for each target without figures."""

    measured: Mapping[str, Figures]
    left_out: Sequence[str]
    plan: Plan
    around: Surroundings
    machine: str


def markdown(report: Report) -> str:
    """Return the page's part about one run."""
    measured = report.measured
    parts = [f"{report.machine}\n\n{_how(report.plan)}"]
    if CHANNELING in measured:
        for name in (CHANNELING, FUNCTION):
            if name in measured:
                listed = lines(measured, report.around, name)
                parts.append(f"## Bounds, {name}: {summary(listed)}\n\n{_bounds(listed)}")
    parts += [
        f"## Added to a direct request, ms (direct's own row is absolute)\n\n{_added_table(measured)}",
        f"## Delay of each event of paced streams, ms\n\n{_absolute_table(measured, _DELAYS)}",
        f"## Rates, CPU, memory, start-up\n\n{_rates_table(measured)}",
        *_ratio_tables(measured),
    ]
    if report.left_out:
        parts.append("## Left out\n\n" + "\n".join(f"- {line}" for line in report.left_out))
    return "\n\n".join(parts) + "\n"


def _how(plan: Plan) -> str:
    crowd = f"; the 1,000 streams have an event each {CROWD_PACE_MS} ms" if plan.crowd else ""
    return (
        f"{plan.rounds} round(s) of {plan.seconds:g} s a measure, the better one shown; streams of"
        f" {plan.deltas} deltas{crowd}. c1 and c16: connections at once."
    )


def _bounds(listed: Sequence[Line]) -> str:
    rows = [(line.what, line.bound, line.reached or "–", verdict(line)) for line in listed]
    return table(("what", "bound", "reached", ""), rows)


def _added_table(measured: Mapping[str, Figures]) -> str:
    rows = []
    for name, figures in measured.items():
        values = [
            getattr(figures, attribute) if name == DIRECT else added(measured, name, attribute)
            for _, attribute in _ADDED
        ]
        rows.append((name, *(_cell(value, "{:.3f}") for value in values)))
    return table(("", *(title for title, _ in _ADDED)), rows)


def _absolute_table(measured: Mapping[str, Figures], columns: Sequence[tuple[str, str]]) -> str:
    rows = [
        (name, *(_cell(getattr(figures, attribute), "{:.3f}") for _, attribute in columns))
        for name, figures in measured.items()
    ]
    return table(("", *(title for title, _ in columns)), rows)


def _rates_table(measured: Mapping[str, Figures]) -> str:
    rows = [
        (name, *(_cell(getattr(figures, attribute), form) for _, attribute, form in _RATES))
        for name, figures in measured.items()
    ]
    return table(("", *(title for title, _, _ in _RATES)), rows)


def _ratio_tables(measured: Mapping[str, Figures]) -> list[str]:
    """Return a table for each way through Channeling: its figure by that of each of the others."""
    tables = []
    for name in (CHANNELING, FUNCTION, OPENAI, OPENROUTER):
        rows = [
            (beside, *(_cell(_ratio_of(measured, name, beside), "{:.2f}") for _ratio_of in _ratio_columns()))
            for beside in BESIDE
            if beside in measured
        ]
        if name in measured and rows:
            head = ("by", *(title for title, _, _ in _RATIOS))
            tables.append(f"## {name}, as a ratio to each\n\n{table(head, rows)}")
    return tables


def _ratio_columns() -> list[Callable[[Mapping[str, Figures], str, str], float | None]]:
    return [
        _added_ratio(attribute) if is_added else _plain_ratio(attribute) for _, attribute, is_added in _RATIOS
    ]


def _plain_ratio(attribute: str) -> Callable[[Mapping[str, Figures], str, str], float | None]:
    return lambda measured, name, beside: ratio(measured, name, beside, attribute)


def _added_ratio(attribute: str) -> Callable[[Mapping[str, Figures], str, str], float | None]:
    def of(measured: Mapping[str, Figures], name: str, beside: str) -> float | None:
        one, other = added(measured, name, attribute), added(measured, beside, attribute)
        return None if one is None or not other else one / other

    return of


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    rule = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*rule, *(f"| {' | '.join(row)} |" for row in rows)])


def bars(measured: Mapping[str, Figures], attribute: str) -> list[tuple[str, float]]:
    """Return what a picture shows of a figure: names and values, without `direct`, nginx and the store far away."""
    return [
        (name, value)
        for name, figures in measured.items()
        if name in (CHANNELING, OPENAI, *BESIDE) and (value := getattr(figures, attribute)) is not None
    ]
