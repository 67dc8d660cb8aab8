"""Each user has a bucket of their own, refilled with time, and buckets are bounded in number."""

from channeling.request_rate import RequestRate
from tests.stand_ins.clock import SetClock


def test_a_burst_then_the_rate() -> None:
    """Three at once, then one a second; another user is not concerned."""
    clock = SetClock()
    rate = RequestRate(clock, burst=3, per_second=1)
    assert [rate.take("a") for _ in range(4)] == [True, True, True, False]
    assert rate.take("b")
    clock.now_s += 1
    assert [rate.take("a"), rate.take("a")] == [True, False]


def test_several_at_once_are_taken_of_one_user() -> None:
    rate = RequestRate(SetClock(), burst=3, per_second=1)
    assert [rate.take("a", 2), rate.take("a", 2), rate.take("a"), rate.take("b", 3)] == [
        True,
        False,
        True,
        True,
    ]


def test_the_least_recent_is_forgotten() -> None:
    """Ten thousand users are remembered; one who was forgotten starts afresh, and is not refused."""
    rate = RequestRate(SetClock(), burst=1, per_second=1)
    assert rate.take("first")
    assert not rate.take("first")
    for number in range(10_000):
        rate.take(str(number))
    assert rate.take("first")
