"""The meter of a running stream is on the safe side of what the provider may have generated."""

import pytest

from channeling.output_meter import ByteRates, OutputMeter
from channeling.providers.answer_stream import Emitted


def emitted(text: str) -> Emitted:
    written = Emitted()
    written.add(text)
    return written


@pytest.mark.parametrize(
    ("text", "learned", "tokens"),
    [
        pytest.param("a" * 1_000, None, 400, id="ascii"),
        pytest.param("你" * 100, None, 200, id="two a character beyond ASCII"),
        pytest.param("a" * 1_000, 250, 250, id="as the model was seen to reach"),
        pytest.param("你" * 100, 400, 120, id="three bytes a character beyond ASCII"),
    ],
)
def test_bytes_are_counted_at_a_rate_above_usual(text: str, learned: int | None, tokens: int) -> None:
    """What is visible counts by its bytes, at the learned rate once there is one."""
    meter = OutputMeter(100_000, None if learned is None else ByteRates(usual=1, top=learned))
    meter.begin(0.0)
    meter.read(emitted(text), 0.9)
    assert meter.tokens(0.9) - tokens in (0, 1)


def test_silence_counts_at_top_speed() -> None:
    """Hidden thinking is billed: while nothing comes, time is what is counted."""
    meter = OutputMeter(100, None)
    assert meter.tokens(5.0) == 0
    meter.begin(5.0)
    assert meter.tokens(8.0) == 301


def test_silence_that_words_explain_is_counted_once() -> None:
    """A burst after a pause was written in it: only what it leaves unexplained stays counted."""
    meter = OutputMeter(100, None)
    meter.begin(0.0)
    meter.read(emitted("a" * 500), 4.0)  # 200 of the 401 tokens that four seconds allow
    assert meter.was_silent
    assert 400 <= meter.tokens(4.0) <= 402
    meter.read(emitted("a" * 1_000), 4.5)
    assert 450 <= meter.tokens(4.5) <= 453  # never above top speed since the beginning


def test_the_short_pauses_of_an_ordinary_stream_are_not_silence() -> None:
    """Answers come in bursts; a second without one is no sign of thinking."""
    meter = OutputMeter(1_000, None)
    meter.begin(0.0)
    for tenth in range(1, 11):
        meter.read(emitted("a" * 100 * tenth), tenth * 0.9)
    assert not meter.was_silent
    assert meter.tokens(9.0) - 400 in (0, 1)


@pytest.mark.parametrize(
    ("rates", "tokens"),
    [
        pytest.param(ByteRates(usual=250, top=800), 501, id="text of few tokens a byte"),
        pytest.param(ByteRates(usual=700, top=800), 700, id="more than that even at the usual rate"),
        pytest.param(None, 501, id="nothing learned: 0.4 a byte would be less"),
    ],
)
def test_nothing_is_written_faster_than_at_top_speed(rates: ByteRates | None, tokens: int) -> None:
    """A thousand bytes in five seconds at 100 a second: the rate of emoji would make twice of them."""
    meter = OutputMeter(100, rates)
    meter.begin(0.0)
    for tenth in range(1, 11):
        meter.read(emitted("a" * (100 if rates else 200) * tenth), tenth * 0.5)
    assert meter.tokens(5.0) == tokens


def test_what_is_written_counts_by_time_where_bytes_say_less() -> None:
    """A page of emoji, which a model writes as fast as anything else, has more tokens a byte than was ever seen."""
    meter = OutputMeter(100, ByteRates(usual=250, top=250), usual_tokens_per_s=80)
    meter.begin(0.0)
    for second in range(1, 11):
        meter.read(emitted("a" * 10 * second), second * 0.9)
    assert meter.tokens(9.0) == 720


def test_at_least_so_much_was_written_as_no_tokenizer_makes_less_of() -> None:
    """What is known for certain of an answer that is not over: 0.2 a byte, half of one a character."""
    meter = OutputMeter(100, None)
    meter.begin(0.0)
    assert meter.least_tokens == 0
    meter.read(emitted("a" * 1_000 + "你" * 100), 0.5)
    assert meter.least_tokens == 250


def test_time_that_goes_backwards_counts_nothing() -> None:
    """A reading earlier than the last progress takes nothing away and adds nothing."""
    meter = OutputMeter(100, None)
    meter.begin(10.0)
    meter.read(emitted("a" * 100), 10.5)
    assert meter.tokens(10.5) == 41
    assert meter.tokens(10.0) == 20  # what 100 bytes have at least


SLOW = 24  # bytes a second: six tokens, as a model on one's own machine writes


def written_slowly(seconds: int, *, shows_all: bool) -> OutputMeter:
    """Return the meter of a slow stream that begins after a minute, a word each second."""
    meter = OutputMeter(250, ByteRates(usual=250, top=250), shows_all=shows_all)
    meter.begin(0.0)
    for second in range(1, seconds + 1):
        meter.read(emitted("a" * SLOW * second), 60.0 + second)
    return meter


def test_a_slow_stream_that_shows_all_pauses_at_twice_its_pace() -> None:
    """With nothing hidden, a pause of a hundred seconds is no more than twice what was written in such a time."""
    meter = written_slowly(60, shows_all=True)
    assert meter.tokens(120.0) - 360 in (0, 1)
    assert meter.tokens(220.0) - (360 + 2 * 6 * 100) in (0, 1)
    assert not meter.was_silent
    meter.read(emitted("a" * SLOW * 61), 221.0)  # it was no more than a pause
    assert meter.tokens(221.0) - 366 in (0, 1)


def test_a_stream_that_may_hide_its_thinking_pauses_at_top_speed() -> None:
    """However slow what it shows: a summary of thinking says nothing of how much there was."""
    meter = written_slowly(60, shows_all=False)
    spoken, silent = meter.tokens(120.0), meter.tokens(220.0)
    assert silent - spoken == 250 * 100
    assert meter.was_silent


@pytest.mark.parametrize(
    ("seconds", "pace_is_known"), [(0, False), (1, False), (4, False), (5, True), (30, True)]
)
def test_a_pace_is_known_only_when_it_was_seen_for_a_while(seconds: int, pace_is_known: bool) -> None:
    """Before, silence counts at top speed: a model may be writing a call that comes in one piece."""
    meter = written_slowly(seconds, shows_all=True)
    now_s = 60.0 + seconds
    counted = meter.tokens(now_s + 10) - meter.tokens(now_s)
    assert counted in ((120, 121) if pace_is_known else (2_499, 2_500))


def test_a_pace_is_never_above_top_speed() -> None:
    """A fast stream in silence counts as it always did."""
    meter = OutputMeter(100, ByteRates(usual=250, top=250), shows_all=True)
    meter.begin(0.0)
    for second in range(1, 11):
        meter.read(emitted("a" * 240 * second), float(second))
    assert meter.tokens(20.0) - meter.tokens(10.0) == 1_000
