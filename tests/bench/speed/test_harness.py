"""The benchmark's own parts: every measure of a target has a figure, and a wrong answer is no figure."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.answers import ANTHROPIC_MODEL, OPENAI_MODEL, OPENROUTER_MODEL
from bench.speed.__main__ import chosen, run
from bench.speed.acceptance import Surroundings
from bench.speed.channeling import running_channeling
from bench.speed.measure import Figures, MeasureFailed, Plan, Requests, better, measure
from bench.speed.native import Load, compile_programs, press, running_upstream, set_stream
from bench.speed.plain_targets import running_nothing, running_relay
from bench.speed.report import Report, markdown
from bench.speed.requests import Caller, body_of, write_requests
from bench.speed.target import Place, Target

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler: apt-get install gcc")

SHORT = Plan(seconds=0.2, warm_up_s=0.0, rounds=1, paced_streams=1, deltas=10, crowd=False)
DIRECT = Target("direct", ANTHROPIC_MODEL, running_nothing)
RELAY = Target(
    "relay", ANTHROPIC_MODEL, lambda place: running_relay(place, "httpx", python=Path(sys.executable))
)
CROWD = {"crowd_p50_ms", "crowd_p99_ms"}
NO_PROCESS = {"cpu_ms_per_request", "cpu_us_per_event", "rss_idle_mb", "rss_after_mb", "start_up_s"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The providers' stand-in, running."""
    compile_programs()
    folder = tmp_path_factory.mktemp("bench")
    with running_upstream(folder) as port:
        yield Place(folder, port)


def without(figures: Figures) -> set[str]:
    """The names of the figures that are missing."""
    return {name for name, value in asdict(figures).items() if value is None}


def test_a_run_has_every_figure_of_a_target_and_says_why_it_has_none() -> None:
    nobody = Target(
        "nobody", "no-such-model", lambda place: running_relay(place, "none", python=Path("/none"))
    )
    measured, left_out = run([DIRECT, RELAY, nobody], SHORT)
    assert without(measured["direct"]) == CROWD | NO_PROCESS
    assert without(measured["relay"]) == CROWD
    [line] = left_out
    assert line.startswith("nobody: ")
    text = markdown(Report(measured, left_out, SHORT, Surroundings(), "a machine"))
    assert all(name in text for name in ("| direct |", "| relay |", "- nobody: "))


@pytest.mark.parametrize("model", [ANTHROPIC_MODEL, OPENAI_MODEL, OPENROUTER_MODEL])
def test_channeling_answers_every_stream_whole_through_each_provider(
    place: Place, tmp_path: Path, model: str
) -> None:
    """With each delta's time of writing, so that its delay can be told."""
    own = Place(tmp_path, place.upstream_port)
    set_stream(place.upstream_port, events=10, interval_us=0)
    with running_channeling(own, model) as serving:
        files = write_requests(tmp_path, "sse", model, serving.callers)
        seen = press(serving.port, Load(4, "message_stop", each=2), files)
    assert (seen["errors"], seen["requests"], seen["odd_streams"], seen["stamps_each"]) == (0, 8, 0, 10)
    assert seen["delay_ms"]["p50"] > 0


def test_a_stream_that_lost_deltas_is_no_figure(place: Place) -> None:
    set_stream(place.upstream_port, events=10, interval_us=0)
    with running_nothing(place) as running:
        requests = Requests(DIRECT, running, place, replace(SHORT, deltas=11))
        with pytest.raises(MeasureFailed, match="has 10 of 11 deltas"):
            requests.press("sse", Load(1, "message_stop", each=1))


@pytest.mark.parametrize(
    ("path", "ending", "error"),
    [
        ("/v1/none", "", "an answer that is not 200 (status 404)"),
        ("/v1/messages", "no such end", "a body without"),
    ],
)
def test_a_wrong_answer_is_counted_as_one(
    place: Place, tmp_path: Path, path: str, ending: str, error: str
) -> None:
    files = write_requests(tmp_path, "json", ANTHROPIC_MODEL, [Caller({})], path=path)
    seen = press(place.upstream_port, Load(1, ending, each=1), files)
    assert (seen["requests"], seen["errors"]) == (0, 1)
    assert seen["first_error"].startswith(error)


def test_paced_deltas_come_one_at_a_time(place: Place, tmp_path: Path) -> None:
    """Twenty of them take nineteen intervals at least, and each tells its own time."""
    set_stream(place.upstream_port, events=20, interval_us=2_000)
    files = write_requests(tmp_path, "sse", ANTHROPIC_MODEL, [Caller({})])
    seen = press(place.upstream_port, Load(3, "message_stop", each=1), files)
    assert seen["stamps"] == 60
    assert seen["latency_ms"]["p50"] >= 19 * 2


def test_the_large_request_is_as_large_as_its_name() -> None:
    assert 92_000 < len(body_of("big", ANTHROPIC_MODEL)) < 94_000
    assert 900 < len(body_of("json", ANTHROPIC_MODEL)) < 1_100


def test_of_two_rounds_the_better_figures_count_and_the_greater_memory() -> None:
    one = Figures(json_c1_p50_ms=2.0, requests_per_s=10.0, rss_after_mb=50.0)
    other = Figures(json_c1_p50_ms=1.0, requests_per_s=5.0, rss_after_mb=60.0, start_up_s=0.5)
    assert better(one, other) == Figures(
        json_c1_p50_ms=1.0, requests_per_s=10.0, rss_after_mb=60.0, start_up_s=0.5
    )


def test_a_target_without_streams_is_measured_for_the_rest(place: Place) -> None:
    with running_nothing(place) as running:
        figures = measure(replace(DIRECT, streams=False), running, place, SHORT)
    assert figures.requests_per_s
    assert figures.events_per_s is None


@pytest.mark.parametrize(
    ("beginnings", "with_peers", "expected"),
    [
        (["nginx", "LITELLM"], True, ["nginx", "LiteLLM", "LiteLLM, OpenAI"]),
        (["nginx", "litellm"], False, ["nginx"]),
        (["none"], True, []),
    ],
    ids=str,
)
def test_targets_are_chosen_by_how_their_names_begin(
    beginnings: list[str], with_peers: bool, expected: list[str]
) -> None:
    assert [target.name for target in chosen(beginnings, with_peers=with_peers)] == expected


def test_all_targets_have_names_of_their_own() -> None:
    everything = [target.name for target in chosen(None, with_peers=True)]
    assert len(set(everything)) == len(everything) == 15
