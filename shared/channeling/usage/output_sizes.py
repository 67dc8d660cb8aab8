"""How long a model's answers are, told from those that ended and from those that are still being written.

Short answers end first. Told from ended ones alone, the answers of a model that 128 people have just begun to ask
look a tenth as long as they will be. So those that run, and those that we stopped, count as being at least as long
as they got: the estimate of Kaplan and Meier (J. Amer. Statist. Assoc. 53, 1958, "Nonparametric Estimation from
Incomplete Observations").
"""

from collections.abc import Iterable
from math import sqrt

from msgspec import Struct

_NOTHING = 1e-9
# An exponential distribution in four equal parts, each at its median: -ln(1 - p) of p = 1/8, 3/8, 5/8, 7/8.
_TAIL = (0.134, 0.470, 0.981, 2.079)


class OutputSizes(Struct, frozen=True):
    """A distribution of output tokens: ascending (tokens, share) pairs, whose shares come to 1."""

    shares: tuple[tuple[int, float], ...]

    def percentile(self, percent: int) -> int:
        """Return the tokens that so many of a hundred answers do not pass."""
        sum_of_shares = 0.0
        for tokens, share in self.shares:
            sum_of_shares += share
            if sum_of_shares * 100 >= percent - 1e-6:
                return tokens
        return self.shares[-1][0]

    def mean(self, most: int) -> float:
        """Return the mean of answers that end at `most` tokens at the latest."""
        return self._moment(1, most)

    def mean_of_running(self, most: int) -> float:
        """Return the mean length, once ended, of the answers that are found running: long ones run longer."""
        return self._moment(2, most) / self._moment(1, most)

    def spread_of_running(self, most: int) -> float:
        """Return the standard deviation that belongs to `mean_of_running`."""
        mean = self.mean_of_running(most)
        return sqrt(max(0.0, self._moment(3, most) / self._moment(1, most) - mean * mean))

    def _moment(self, power: int, most: int) -> float:
        return sum(share * float(max(1, min(tokens, most))) ** power for tokens, share in self.shares)


def output_sizes(ended: Iterable[int], at_least: Iterable[int], *, unknown: int) -> OutputSizes:
    """Return the distribution of answers of which some `ended` at, others are `at_least` of, so many tokens.

    Of answers that are longer than anything that ended only one thing is known, how rarely they end: what they
    have left is taken to be exponential, with that mean. Where nothing ended all are of `unknown` length.
    """
    # At equal lengths the ended come first: whatever is still running had not ended there.
    seen = sorted([(tokens, 0) for tokens in ended] + [(tokens, 1) for tokens in at_least])
    shares: list[tuple[int, float]] = []
    surviving = 1.0
    for place, (tokens, runs) in enumerate(seen):
        if not runs:
            share = surviving / (len(seen) - place)
            surviving -= share
            shares.append((tokens, share))
    if not shares:
        return OutputSizes(((unknown, 1.0),))
    if surviving > _NOTHING:
        longest, written = seen[-1][0], sum(tokens for tokens, _ in seen)
        mean_left = written / len(shares)
        shares += [(longest + int(left * mean_left), surviving / len(_TAIL)) for left in _TAIL]
    return OutputSizes(tuple(shares))
