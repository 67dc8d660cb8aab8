"""How long answers are, told from ended and running ones, agrees with what is drawn and with cases done by hand."""

import random

import pytest

from channeling.usage.output_sizes import OutputSizes, output_sizes


@pytest.mark.parametrize(
    ("ended", "at_least", "shares"),
    [
        pytest.param([], [], [(1_024, 1.0)], id="nothing is known"),
        pytest.param([], [5, 7], [(1_024, 1.0)], id="nothing has ended"),
        pytest.param([10, 30, 20, 40], [], [(10, 0.25), (20, 0.25), (30, 0.25), (40, 0.25)], id="all ended"),
        # At 20 one of three that are still there ends: a third of the three quarters that are left.
        pytest.param([20, 40], [10], [(20, 0.5), (40, 0.5)], id="one is known up to 10 alone"),
        pytest.param(
            [10, 20, 40], [20], [(10, 0.25), (20, 0.25), (40, 0.5)], id="at equal lengths the ended are first"
        ),
    ],
)
def test_shares(ended: list[int], at_least: list[int], shares: list[tuple[int, float]]) -> None:
    """Kaplan and Meier's estimate, worked out by hand."""
    sizes = output_sizes(ended, at_least, unknown=1_024)
    assert [tokens for tokens, _ in sizes.shares] == [tokens for tokens, _ in shares]
    assert [share for _, share in sizes.shares] == pytest.approx([share for _, share in shares])


def test_what_is_longer_than_anything_that_ended_is_told_from_how_rarely_they_end() -> None:
    """Two of 100 written tokens ended: what runs at 40 has 50 tokens to go on average."""
    sizes = output_sizes([10, 10], [40, 40], unknown=1_024)
    assert sizes.shares[0][1] + sizes.shares[1][1] == pytest.approx(0.5)
    tail = sizes.shares[2:]
    assert [tokens for tokens, _ in tail] == [46, 63, 89, 143]
    assert sum(share for _, share in tail) == pytest.approx(0.5)


def test_running_answers_are_the_longer_ones() -> None:
    """One of 100 tokens runs ten times as long as one of 10: of those found running its share is ten elevenths."""
    sizes = OutputSizes(((10, 0.5), (100, 0.5)))
    assert sizes.mean(1_000) == 55
    assert sizes.mean_of_running(1_000) == pytest.approx((10 * 10 + 100 * 100) / 110)
    assert sizes.spread_of_running(1_000) == pytest.approx(25.87, abs=0.01)
    assert (sizes.mean(10), sizes.mean_of_running(10), sizes.spread_of_running(10)) == (10, 10, 0)
    assert (sizes.percentile(50), sizes.percentile(51), sizes.percentile(100)) == (10, 100, 100)


def test_a_crowd_that_has_just_begun_is_seen_for_what_it_is() -> None:
    """Of 150 answers of 207 tokens on average only the short ones have ended after 2 s: from those alone the mean
    would be a third of what it is, with those that run it is found within a third."""
    chance = random.Random(1)
    drawn = [min(1_024, int(chance.lognormvariate(0, 0.8) * 150) + 1) for _ in range(150)]
    truth = sum(drawn) / len(drawn)
    ended = [tokens for tokens in drawn if tokens <= 100]
    with_running = output_sizes(ended, [100] * (len(drawn) - len(ended)), unknown=1_024).mean(1_024)
    assert output_sizes(ended, [], unknown=1_024).mean(1_024) < truth / 2.5
    assert 0.66 * truth < with_running < 1.5 * truth
