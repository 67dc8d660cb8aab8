"""What a process learns of its models' answers is what the next ones are held for."""

import random
from contextlib import ExitStack

from channeling.usage.output_history import TOP_TOKENS_PER_S, UNKNOWN_OUTPUT_TOKENS, OutputHistory


def seen(history: OutputHistory, count: int, **changes: object) -> None:
    for number in range(1, count + 1):
        values = {
            "output_tokens": number * 10,
            "written_bytes": 1_000,
            "writing_ms": 2_000,
            "was_silent": False,
        }
        history.observe("shop", "claude", **{**values, **changes})  # type: ignore[arg-type]


def p95(history: OutputHistory, *, project_id: str = "shop", now_ms: int = 0) -> int:
    return history.sizes(project_id, "claude", now_ms).percentile(95)


def test_nothing_is_concluded_from_a_few() -> None:
    """Until 20 answers were seen the figures are those of an unknown model."""
    history = OutputHistory()
    seen(history, 19)
    assert p95(history) == UNKNOWN_OUTPUT_TOKENS
    assert history.tokens_per_1000_bytes("claude", 99) is None
    assert history.top_tokens_per_s("claude") == TOP_TOKENS_PER_S
    assert history.usual_tokens_per_s("claude") is None


def test_percentiles_of_what_was_seen() -> None:
    """The 95th percentile of outputs is a project's; the 99th of rates and speeds is the model's."""
    history = OutputHistory()
    seen(history, 20)
    assert p95(history) == 190
    assert p95(history, project_id="other") == UNKNOWN_OUTPUT_TOKENS
    assert history.tokens_per_1000_bytes("claude", 99) == 200
    assert history.tokens_per_1000_bytes("claude", 50) == 100
    assert history.top_tokens_per_s("claude") == 100
    assert history.usual_tokens_per_s("claude") == 50


def test_the_latest_answers_count() -> None:
    """Two hundred are remembered; older ones are forgotten."""
    history = OutputHistory()
    seen(history, 20, output_tokens=9_000)
    seen(history, 200, output_tokens=50)
    assert p95(history) == 50


def test_what_says_nothing_of_a_rate_or_a_speed_is_left_out() -> None:
    """A few bytes, hidden thinking and a burst count as outputs, not as rates; no speed is above the top."""
    history = OutputHistory()
    seen(history, 20, written_bytes=199, writing_ms=999)
    seen(history, 20, was_silent=True, output_tokens=0)
    assert history.tokens_per_1000_bytes("claude", 99) is None
    assert history.top_tokens_per_s("claude") == TOP_TOKENS_PER_S
    seen(history, 20, output_tokens=100_000)
    assert history.top_tokens_per_s("claude") == TOP_TOKENS_PER_S


def test_memory_is_bounded_whatever_models_are_named() -> None:
    """The models that were used last are kept; a thousand others push one out."""
    history = OutputHistory()
    seen(history, 20)
    for number in range(1_000):
        history.observe(
            "shop", f"m{number}", output_tokens=1, written_bytes=1, writing_ms=1, was_silent=False
        )
    assert p95(history) == UNKNOWN_OUTPUT_TOKENS


def test_an_answer_that_runs_counts_as_at_least_as_long_as_it_is() -> None:
    """Short ones end first: twenty of ten tokens beside twenty that are past 500 are not the whole truth."""
    history = OutputHistory()
    seen(history, 20, output_tokens=10)
    assert p95(history) == 10
    with ExitStack() as running:
        for _ in range(20):
            running.enter_context(history.running("shop", "claude", lambda: 500))
        assert history.sizes("shop", "claude", 1_000).percentile(50) == 10
        assert p95(history, now_ms=2_000) > 500
    assert p95(history, now_ms=3_000) == 10


def test_an_answer_that_its_max_tokens_ended_would_have_been_longer() -> None:
    """Forty answers, half of them ended at 100 by what was asked: the longest are longer than that."""
    history = OutputHistory()
    seen(history, 20, output_tokens=50)
    seen(history, 20, output_tokens=100, was_whole=False)
    assert p95(history) > 100


def test_sizes_are_worked_out_ten_times_a_second_at_most() -> None:
    """Between two looks a tenth of a second apart nothing changes, also when the clock is put back."""
    history = OutputHistory()
    seen(history, 20, output_tokens=50)
    first = history.sizes("shop", "claude", 1_000)
    seen(history, 200, output_tokens=70)
    assert history.sizes("shop", "claude", 1_099) is first
    assert history.sizes("shop", "claude", 1_100).percentile(95) == 70
    seen(history, 200, output_tokens=90)
    assert history.sizes("shop", "claude", 10).percentile(95) == 90


def test_percentiles_are_those_of_the_last_two_hundred() -> None:
    source, outputs, rates = random.Random(5), OutputHistory(), []
    for _ in range(700):
        output_tokens = source.randrange(1, 900)
        rates.append(output_tokens)  # of 1,000 bytes
        outputs.observe(
            "demo", "m", output_tokens=output_tokens, written_bytes=1_000, writing_ms=0, was_silent=False
        )
        last = sorted(rates[-200:])
        for percent in (1, 50, 99, 100):
            expected = last[-(-len(last) * percent // 100) - 1] if len(rates) >= 20 else None
            assert outputs.tokens_per_1000_bytes("m", percent) == expected
