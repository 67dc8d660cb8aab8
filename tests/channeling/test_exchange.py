"""The bill of an exchange: as reported, else estimated and then never more than held, nothing for nothing."""

import pytest
from msgspec.structs import replace

from channeling.exchange import Exchange, bill_of
from channeling.pricing.model_price import ModelPrice
from channeling.pricing.price_table import PriceTable
from channeling.providers.answer_stream import AnswerFacts, Emitted, SideUsage
from channeling.usage.token_counts import TokenCounts
from channeling.usage.tokens_per_byte import TokensPerByte

TABLE = PriceTable.load()
HELD = 10**12


def price_of(model: str) -> ModelPrice:
    price = TABLE.price_of("anthropic", model, 1_796_083_200)
    assert price is not None
    return price


SONNET = price_of("claude-sonnet-4-6")  # $3 and $15 per million tokens


def exchange(**changes: object) -> Exchange:
    plain = Exchange(streamed=True, body_bytes=1_000, sent_ms=0, max_tokens=500, may_be_billed=True)
    return replace(plain, **changes)  # type: ignore[arg-type]


def cost(
    of: Exchange,
    held: int = HELD,
    learned: TokensPerByte | None = None,
    tokens_per_s: int | None = None,
) -> tuple[int, bool]:
    bill = bill_of(
        of,
        price=SONNET,
        price_of=price_of,
        tokens_per_byte=learned or TokensPerByte(),
        tokens_per_s=tokens_per_s,
        held=held,
    )
    return bill.cost, bill.estimated


REPORTED = AnswerFacts(usage=TokenCounts(input_tokens=100, output_tokens=10), output_is_final=True)
STARTED = AnswerFacts(usage=TokenCounts(input_tokens=100, output_tokens=1))
WROTE = Emitted(ascii_bytes=100)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        # Reported: 100 × $3 + 10 × $15 per million.
        (exchange(facts=REPORTED), (450_000, False)),
        # The placeholder of message_start is no bill: 100 bytes at 0.3 are 30 tokens.
        (exchange(facts=STARTED, emitted=WROTE), (300_000 + 30 * 15_000, True)),
        # Chinese is about a token a character: 100 characters are 300 bytes, 90 tokens.
        (exchange(facts=STARTED, emitted=Emitted(0, 100)), (300_000 + 90 * 15_000, True)),
        # Never more than max_tokens.
        (exchange(facts=STARTED, emitted=Emitted(1_000_000)), (300_000 + 500 * 15_000, True)),
        # The client left before a word of usage: the body at 0.3 tokens a byte.
        (exchange(abandoned=True), (300 * 3_000, True)),
        # ... and from an answer that comes whole, what a model writes in that time: 2 s at 60 tokens/s.
        (exchange(streamed=False, abandoned=True, ended_ms=2_000), (300 * 3_000 + 120 * 15_000, True)),
        # An upstream that never answered, was not reached, or refused bills nothing.
        (exchange(), (0, False)),
        (exchange(may_be_billed=False, abandoned=True), (0, False)),
        (exchange(refused_by_provider=True, facts=REPORTED), (0, False)),
        # A usage of 0 is a usage, and not taken for a missing one.
        (exchange(facts=AnswerFacts(usage=TokenCounts(), output_is_final=True), emitted=WROTE), (0, False)),
        # An answer that came whole without usage is estimated from what it says.
        (exchange(streamed=False, began=True, emitted=WROTE), (300 * 3_000 + 30 * 15_000, True)),
        # We cut it before a word: what it read is billed.
        (exchange(cut=True), (300 * 3_000, True)),
        # A stream that began and broke off before a word of text or usage: its input was read.
        (exchange(began=True), (300 * 3_000, True)),
        # Searches that were seen have their fee, $10 per 1,000, also where the bill is estimated.
        (
            exchange(facts=replace(STARTED, web_searches=2), emitted=WROTE),
            (300_000 + 30 * 15_000 + 20_000_000, True),
        ),
        (exchange(facts=replace(REPORTED, web_searches=2)), (450_000, False)),
        # The provider's own sum is the bill, whatever our prices make of its counts, 0 and above the hold included.
        (exchange(facts=replace(REPORTED, reported_cost=123_456_789)), (123_456_789, False)),
        (exchange(facts=replace(REPORTED, reported_cost=0)), (0, False)),
        (exchange(facts=replace(REPORTED, reported_cost=2 * HELD)), (2 * HELD, False)),
        (exchange(facts=AnswerFacts(reported_cost=7), emitted=WROTE), (7, False)),
        # What is known of the input counts for more than how many bytes it has.
        (exchange(began=True, input_tokens_estimate=20, emitted=WROTE), (20 * 3_000 + 30 * 15_000, True)),
    ],
)
def test_bills(of: Exchange, expected: tuple[int, bool]) -> None:
    """Each ending has its price, worked out in the case's comment."""
    assert cost(of) == expected


# It wrote for 2 s, is told by the meter to have at most 100 tokens, and was left.
LEFT = replace(exchange(facts=STARTED, first_token_ms=1_000, ended_ms=3_000, metered_tokens=100), cut=True)


@pytest.mark.parametrize(
    ("of", "tokens_per_s", "tokens"),
    [
        # 2 s and the 0.2 s until the provider notices, at its usual 40 tokens/s: 88, whatever is to be seen of it.
        pytest.param(LEFT, 40, 88, id="hidden thinking, or emoji"),
        # Text that came faster than usual counts by its bytes: 300 of them are 90 tokens.
        pytest.param(replace(LEFT, emitted=Emitted(300)), 40, 90, id="a fast answer"),
        # The meter is on the safe side: no estimate is above it.
        pytest.param(LEFT, 80, 100, id="the meter bounds it"),
        pytest.param(replace(LEFT, emitted=Emitted(3_000)), 40, 100, id="the meter bounds bytes too"),
        # Nothing is known of its speed: only silence is counted, at 60 tokens/s.
        pytest.param(replace(LEFT, metered_tokens=500, was_silent=True), None, 132, id="silence"),
        pytest.param(replace(LEFT, emitted=WROTE), None, 30, id="no silence"),
        # Nothing metered it: a client that leaves hidden reasoning pays for the time from the call on.
        pytest.param(
            replace(LEFT, metered_tokens=None, cut=False, abandoned=True, began=True, first_token_ms=None),
            None,
            192,
            id="left in silence, not metered",
        ),
    ],
)
def test_what_was_written_unseen_is_estimated_by_time(
    of: Exchange, tokens_per_s: int | None, tokens: int
) -> None:
    """Hidden thinking is generated and billed though no byte of it came: leaving it, or being cut, is not free."""
    assert cost(of, tokens_per_s=tokens_per_s) == (300_000 + tokens * 15_000, True)


def test_an_estimate_is_never_above_the_hold_and_a_report_may_be() -> None:
    """What is only guessed must not cost more than was agreed; what was reported is the bill."""
    assert cost(exchange(facts=STARTED, emitted=WROTE), held=1_000) == (1_000, True)
    assert cost(exchange(facts=REPORTED), held=1_000) == (450_000, False)


def test_tokens_beside_the_answer_are_billed_at_their_own_model_s_price() -> None:
    """An advisor's tokens are not in the top-level counts, and cost what its model costs."""
    advisor = SideUsage("advisor_message", "claude-opus-4-5", TokenCounts(input_tokens=10, output_tokens=2))
    facts = replace(REPORTED, side_usages=(advisor,))
    assert cost(exchange(facts=facts)) == (450_000 + 10 * 5_000 + 2 * 25_000, False)


def test_what_was_learned_of_a_model_makes_the_estimate() -> None:
    """Answers that were reported teach how many tokens a byte is."""
    learned = TokensPerByte()
    learned.observe(SONNET.model_id, written_bytes=1_000, output_tokens=500)
    assert cost(exchange(facts=STARTED, emitted=WROTE), learned=learned) == (300_000 + 50 * 15_000, True)
    learned.observe(SONNET.model_id, written_bytes=0, output_tokens=99)  # nothing to learn from
    assert learned.estimate(SONNET.model_id, 100) == 50


def test_the_past_fades_and_models_are_bounded() -> None:
    """A mean follows its model's newer answers, and only so many models are kept."""
    learned = TokensPerByte()
    for _ in range(30):
        learned.observe("m", written_bytes=10_000_000, output_tokens=1_000_000)
    for _ in range(60):
        learned.observe("m", written_bytes=10_000_000, output_tokens=5_000_000)
    assert learned.estimate("m", 1_000) > 480
    for number in range(1_001):
        learned.observe(f"model-{number}", written_bytes=10, output_tokens=10)
    assert learned.estimate("m", 1_000) == 300
