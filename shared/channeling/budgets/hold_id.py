"""Ids of holds: short, and carrying the second they began, so that one number per hold says all."""

from collections.abc import Callable

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SECONDS_DIGITS, _RANDOM_DIGITS = 6, 8  # 36^6 seconds reach to the year 2038; 36^8 ids in one second
_RANDOM_BYTES = 8
# Two digits at a time: both lengths are even, and every request has an id.
_PAIRS = [high + low for high in _DIGITS for low in _DIGITS]
_PAIRS_BASE = 36 * 36


def new_hold_id(now_s: int, randomness: Callable[[int], bytes]) -> str:
    """Return an id: 6 base-36 digits of the second it starts, then 8 random ones."""
    random = int.from_bytes(randomness(_RANDOM_BYTES)) % 36**_RANDOM_DIGITS
    return _base36(now_s, _SECONDS_DIGITS) + _base36(random, _RANDOM_DIGITS)


def hold_started_s(hold_id: str) -> int:
    """Return the second (since the epoch) that a hold began."""
    return int(hold_id[:_SECONDS_DIGITS], 36)


def _base36(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits // 2):
        number, pair = divmod(number, _PAIRS_BASE)
        text = _PAIRS[pair] + text
    if number:
        raise ValueError("the number needs more digits than a hold id has")
    return text
