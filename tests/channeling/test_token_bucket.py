"""A bucket lets a burst through, then its rate, and never more after a clock set back."""

from channeling.token_bucket import TokenBucket
from tests.stand_ins.clock import SetClock


def taken(limit: TokenBucket, tries: int = 20) -> int:
    return sum(limit.take() for _ in range(tries))


def test_a_burst_then_the_rate() -> None:
    clock = SetClock()
    limit = TokenBucket(clock, burst=5, per_second=2)
    assert taken(limit) == 5
    clock.now_s += 0.5
    assert taken(limit) == 1
    clock.now_s += 0.25
    assert taken(limit) == 0
    clock.now_s += 0.25
    assert taken(limit) == 1
    clock.now_s += 3600
    assert taken(limit) == 5


def test_a_found_project_gives_its_look_up_back_but_no_more_than_the_burst() -> None:
    limit = TokenBucket(SetClock(), burst=2, per_second=1)
    limit.give_back()
    assert limit.take()
    limit.give_back()
    assert taken(limit) == 2


def test_several_are_taken_at_once_or_none() -> None:
    limit = TokenBucket(SetClock(), burst=5, per_second=1)
    assert limit.take(3)
    assert not limit.take(3)
    assert limit.take(2)
    assert not limit.take()


def test_a_clock_set_back_adds_nothing() -> None:
    clock = SetClock()
    limit = TokenBucket(clock, burst=2, per_second=1)
    assert taken(limit) == 2
    clock.now_s -= 60
    assert taken(limit) == 0
    clock.now_s += 1
    assert taken(limit) == 1
