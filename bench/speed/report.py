"""The tables of `make bench`: figures as they are, what is added to a direct request, ratios, and the bounds."""

from collections.abc import Mapping, Sequence

from bench.speed.measure import Figures, Plan

_TIMES = (
    ("JSON c1 p50", "json_c1_p50_ms"),
    ("p99", "json_c1_p99_ms"),
    ("JSON c16 p50", "json_c16_p50_ms"),
    ("p99", "json_c16_p99_ms"),
    ("93 kB c1 p50", "big_c1_p50_ms"),
    ("first event c1 p50", "first_event_c1_p50_ms"),
    ("p99", "first_event_c1_p99_ms"),
    ("first event c16 p50", "first_event_c16_p50_ms"),
    ("event delay c1 p50", "paced_c1_p50_ms"),
    ("p99", "paced_c1_p99_ms"),
    ("c16 p50", "paced_c16_p50_ms"),
    ("p99", "paced_c16_p99_ms"),
    ("1,000 streams p50", "crowd_p50_ms"),
    ("p99", "crowd_p99_ms"),
)
_RATES = (
    ("JSON req/s c16", "requests_per_s", "{:,.0f}"),
    ("SSE events/s c16", "events_per_s", "{:,.0f}"),
    ("CPU ms/request", "cpu_ms_per_request", "{:.3f}"),
    ("CPU µs/event", "cpu_us_per_event", "{:.2f}"),
    ("RSS idle MB", "rss_idle_mb", "{:.0f}"),
    ("RSS after MB", "rss_after_mb", "{:.0f}"),
    ("start-up s", "start_up_s", "{:.2f}"),
)


def markdown(measured: Mapping[str, Figures], left_out: Sequence[str], plan: Plan) -> str:
    """Return the tables as Markdown."""
    parts = [_times(measured), _rates(measured)]
    if left_out:
        parts.append("\n".join(f"- {line}" for line in left_out))
    return "\n\n".join(parts) + "\n"


def _times(measured: Mapping[str, Figures]) -> str:
    direct = measured.get("direct")
    rows = []
    for name, figures in measured.items():
        cells = []
        for _, attribute in _TIMES:
            value = getattr(figures, attribute)
            base = getattr(direct, attribute) if direct is not None and figures is not direct else 0.0
            # An event's delay is told as it is: direct's own is next to nothing.
            if attribute.startswith(("paced", "crowd")):
                base = 0.0
            cells.append("–" if value is None else f"{value - (base or 0.0):.3f}")
        rows.append((name, *cells))
    head = ("ms, added to direct's", *(title for title, _ in _TIMES))
    return _table(head, rows)


def _rates(measured: Mapping[str, Figures]) -> str:
    rows = []
    for name, figures in measured.items():
        cells = []
        for _, attribute, form in _RATES:
            value = getattr(figures, attribute)
            cells.append("–" if value is None else form.format(value))
        rows.append((name, *cells))
    return _table(("", *(title for title, _, _ in _RATES)), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
