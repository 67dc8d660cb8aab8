"""The bounds of the benchmark: each is passed at its edge, missed beyond it, and not judged without its figures."""

from dataclasses import replace

import pytest

from bench.speed import names
from bench.speed.acceptance import Line, Surroundings, lines, summary, verdict
from bench.speed.measure import Figures, Plan
from bench.speed.picture import bar_picture, curve_picture
from bench.speed.report import Report, bars, markdown

AROUND = Surroundings(store_call_ms=0.2, cold_import_ratio=0.8)
PLAN = Plan(seconds=1.0, warm_up_s=0.0, rounds=1)
# Every bound is met, and nearly by nothing.
AT_THE_EDGE = {
    names.DIRECT: Figures(json_c1_p50_ms=0.0, big_c1_p50_ms=0.0, first_event_c1_p50_ms=0.0),
    names.FLOOR: Figures(
        json_c1_p50_ms=0.5, first_event_c1_p50_ms=0.5, requests_per_s=2_000.0, events_per_s=1_000.0
    ),
    names.CHANNELING: Figures(
        json_c1_p50_ms=1.25,
        big_c1_p50_ms=1.54,
        first_event_c1_p50_ms=1.0,
        requests_per_s=1_000.0,
        events_per_s=1_000.0,
        rss_idle_mb=65.0,
        rss_after_mb=90.0,
        start_up_s=0.6,
        crowd_p99_ms=50.0,
    ),
    names.OPENAI: Figures(events_per_s=300.0),
    names.OPENROUTER: Figures(events_per_s=300.0),
    names.CLAUDE_CAPS: Figures(requests_per_s=400.0, events_per_s=500.0),
    names.LITELLM: Figures(requests_per_s=40.0),
    names.LITELLM_OPENAI: Figures(events_per_s=6.0),
    names.ROUTER: Figures(events_per_s=200.0),
}


def test_what_reaches_every_bound_passes() -> None:
    assert summary(lines(AT_THE_EDGE, AROUND)) == "19 passed, 0 missed, 0 not measured"


@pytest.mark.parametrize(
    ("name", "attribute", "missed"),
    [
        (names.CHANNELING, "json_c1_p50_ms", ["JSON added, 1 at once"]),
        (names.CHANNELING, "big_c1_p50_ms", ["93 kB body, added beyond 1 kB's"]),
        (names.CHANNELING, "first_event_c1_p50_ms", ["first event added, the store's call left out"]),
        (names.CHANNELING, "rss_idle_mb", ["memory idle, MB"]),
        (names.CHANNELING, "rss_after_mb", ["memory after, MB"]),
        (names.CHANNELING, "start_up_s", ["start-up, s"]),
        (names.CHANNELING, "crowd_p99_ms", ["event delay p99 of 1,000 paced streams, ms"]),
        (names.FLOOR, "requests_per_s", ["JSON req/s, 16 at once"]),
        (names.CLAUDE_CAPS, "requests_per_s", ["JSON req/s, 16 at once"]),
        (names.LITELLM, "requests_per_s", ["JSON req/s, 16 at once"]),
        (names.CLAUDE_CAPS, "events_per_s", ["SSE events/s, 16 at once"]),
        (names.LITELLM_OPENAI, "events_per_s", ["events/s from OpenAI", "events/s from OpenRouter"]),
        (names.ROUTER, "events_per_s", ["events/s from OpenAI", "events/s from OpenRouter"]),
    ],
    ids=str,
)
def test_a_little_more_misses_the_bounds_it_is_in(name: str, attribute: str, missed: list[str]) -> None:
    """More of Channeling's cost, or of another's rate, and nothing else."""
    more = replace(AT_THE_EDGE[name], **{attribute: getattr(AT_THE_EDGE[name], attribute) * 1.01})
    listed = lines({**AT_THE_EDGE, name: more}, AROUND)
    assert [line.what for line in listed if verdict(line) == "missed"] == missed


def test_the_cold_import_has_a_bound() -> None:
    [missed] = [line for line in lines(AT_THE_EDGE, Surroundings(0.2, 0.81)) if line.passed is False]
    assert missed.reached == "0.81"


def test_what_was_not_measured_is_not_judged() -> None:
    """A peer that is not installed passes nobody, and fails nobody."""
    listed = lines({names.CHANNELING: Figures()}, Surroundings())
    assert {verdict(line) for line in listed} == {"not measured"}


def test_the_page_shows_what_is_added_and_the_ratios() -> None:
    text = markdown(Report(AT_THE_EDGE, ["Portkey: skipped"], PLAN, AROUND, "2 cores"))
    assert (
        "| JSON added, 1 at once | ≤ 2.5 × Starlette + aiohttp | 2.50 × (1.250 ms where it adds 0.500) | passed |"
        in text
    )
    assert "| Starlette + aiohttp | 0.50 | 1.00 | 2.50 | 2.00 | – | – | – | – |" in text
    assert "- Portkey: skipped" in text


def test_a_line_without_a_verdict_says_so() -> None:
    assert verdict(Line("x", "≤ 1", None, None)) == "not measured"


def test_pictures_hold_every_name_and_value_escaped() -> None:
    drawn = bar_picture(
        [("Events", "{:,.0f}", [*bars(AT_THE_EDGE, "events_per_s"), ("<peer> & co", 5.0)])],
        names.CHANNELING,
        "foot",
    )
    assert "&lt;peer&gt; &amp; co" in drawn
    assert f">{names.FLOOR}<" in drawn
    assert ">1,000<" in drawn
    curve = curve_picture("Body", "bytes", "ms", [("added", [(1_000, 1.0), (5_000_000, 3.0)])])
    assert curve.count("<circle") == 2
    assert ">5M<" in curve
