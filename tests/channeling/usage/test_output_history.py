"""What a process learns of its models' answers is what the next ones are held for."""

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


def test_nothing_is_concluded_from_a_few() -> None:
    """Until 20 answers were seen the figures are those of an unknown model."""
    history = OutputHistory()
    seen(history, 19)
    assert history.expected_tokens("shop", "claude") == UNKNOWN_OUTPUT_TOKENS
    assert history.tokens_per_1000_bytes("claude") is None
    assert history.top_tokens_per_s("claude") == TOP_TOKENS_PER_S


def test_percentiles_of_what_was_seen() -> None:
    """The 95th percentile of outputs is a project's; the 99th of rates and speeds is the model's."""
    history = OutputHistory()
    seen(history, 20)
    assert history.expected_tokens("shop", "claude") == 190
    assert history.expected_tokens("other", "claude") == UNKNOWN_OUTPUT_TOKENS
    assert history.tokens_per_1000_bytes("claude") == 200
    assert history.top_tokens_per_s("claude") == 100


def test_the_latest_answers_count() -> None:
    """Two hundred are remembered; older ones are forgotten."""
    history = OutputHistory()
    seen(history, 20, output_tokens=9_000)
    seen(history, 200, output_tokens=50)
    assert history.expected_tokens("shop", "claude") == 50


def test_what_says_nothing_of_a_rate_or_a_speed_is_left_out() -> None:
    """A few bytes, hidden thinking and a burst count as outputs, not as rates; no speed is above the top."""
    history = OutputHistory()
    seen(history, 20, written_bytes=199, writing_ms=999)
    seen(history, 20, was_silent=True, output_tokens=0)
    assert history.tokens_per_1000_bytes("claude") is None
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
    assert history.expected_tokens("shop", "claude") == UNKNOWN_OUTPUT_TOKENS
