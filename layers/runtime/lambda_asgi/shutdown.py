"""When this environment ends, and what each invocation's last moments are: pure but for the one event."""

import asyncio
from dataclasses import dataclass


class Shutdown:
    """Whether invocations are still taken, and since when the environment has been asked to end."""

    def __init__(self) -> None:
        self.takes_no_more = asyncio.Event()
        self.asked_ms: int | None = None

    def ask(self, now_ms: int) -> None:
        """Have the environment end: nothing is taken any more, and what runs has the grace time."""
        if self.asked_ms is None:
            self.asked_ms = now_ms
        self.takes_no_more.set()

    def take_no_more(self) -> None:
        """Have the environment end when what runs has ended by itself."""
        self.takes_no_more.set()


@dataclass(frozen=True, slots=True)
class LastMoments:
    """Times in milliseconds since 1970: the app is told to end, is cancelled, is given up, and all is over."""

    tell_ms: int
    cancel_ms: int
    give_up_ms: int
    over_ms: int


def before_deadline(deadline_ms: int, margin_ms: int, now_ms: int) -> LastMoments:
    """Return the last moments before Lambda's deadline; a short timeout leaves three quarters of it to the app."""
    margin_ms = min(margin_ms, max(0, deadline_ms - now_ms) // 4)
    return LastMoments(
        tell_ms=deadline_ms - 2 * margin_ms,
        cancel_ms=deadline_ms - margin_ms,
        # Half of the margin is the app's to end its stream and its books; the rest is for telling Lambda.
        give_up_ms=deadline_ms - margin_ms // 2,
        over_ms=deadline_ms,
    )


def after_shutdown(moments: LastMoments, asked_ms: int, grace_ms: int) -> LastMoments:
    """Return the last moments of an invocation whose environment was asked to end; no later than without that.

    A sixth of the grace time is left for the app's lifespan.
    """
    return LastMoments(
        tell_ms=min(moments.tell_ms, asked_ms),
        cancel_ms=min(moments.cancel_ms, asked_ms + grace_ms // 3),
        give_up_ms=min(moments.give_up_ms, asked_ms + grace_ms * 2 // 3),
        over_ms=min(moments.over_ms, asked_ms + grace_ms * 5 // 6),
    )
