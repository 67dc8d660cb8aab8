"""An asyncio event loop on virtual time: it never waits, and the same program always runs in the same order.

Where nothing is ready to run, time jumps to the next timer; where there is no timer either, nothing can ever
happen again, and that is an error that says what everybody was waiting for.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class Deadlock(Exception):
    """Nothing is ready, no timer is set, and the work is not done; the message says where its tasks wait."""


class _NeverWaiting:
    """The part of a selector that asyncio's base loop uses (CPython 3.11 to 3.14, `asyncio/base_events.py`)."""

    def __init__(self, advance: Callable[[float], None], stuck: Callable[[], NoReturn]) -> None:
        self._advance = advance
        self._stuck = stuck

    def select(self, timeout: float | None = None) -> list[Any]:
        """Let the time pass that a real selector would wait."""
        if timeout is None:
            self._stuck()
        if timeout > 0:
            self._advance(timeout)
        return []


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """An event loop whose `time()` is virtual seconds since its start. Neither threads nor sockets run on it."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._clock_resolution = 1e-6  # timers are due in spite of the rounding of what was added to the time
        self._selector = _NeverWaiting(self._advance, self._stuck)

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now_s

    def run_in_executor(self, *_: Any) -> NoReturn:  # type: ignore[override]  # it takes anything, to refuse it
        """Refuse: what a thread does is not deterministic."""
        raise RuntimeError("threads do not run on virtual time")

    def _advance(self, seconds: float) -> None:
        self._now_s += seconds

    def _stuck(self) -> NoReturn:
        tasks = sorted(asyncio.all_tasks(self), key=asyncio.Task.get_name)
        places = [f"{task.get_name()}: {_where(task)}" for task in tasks]
        raise Deadlock(f"at {self._now_s:.6f} s nothing can happen any more. Waiting:\n" + "\n".join(places))

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no sockets, so no events."""

    def _write_to_self(self) -> None:
        """Nobody sleeps in `select` who would have to be woken."""


class VirtualClock:
    """`channeling.clock.Clock` on a loop's virtual time: the epoch at its start, and how wrong this clock is."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch_ms: int, *, skew_ms: int = 0) -> None:
        self._loop = loop
        self._origin_ms = epoch_ms + skew_ms

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch, as this clock shows them."""
        return self._origin_ms + int(self._loop.time() * 1000)


def run_in_virtual_time(
    main: Callable[[VirtualTimeLoop], Coroutine[Any, Any, T]],
    new_loop: Callable[[], VirtualTimeLoop] = VirtualTimeLoop,
) -> T:
    """Run `main(loop)` to its end on a loop of its own and return its result.

    Raises Deadlock, and whatever `main` raises. Tasks that are left when it ends are cancelled, in the order of
    their names.
    """
    loop = new_loop()
    try:
        try:
            return loop.run_until_complete(main(loop))
        finally:
            _end_tasks(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _end_tasks(loop: VirtualTimeLoop) -> None:
    # Twice and more: work that is shielded begins to end only when what waits for it was cancelled.
    for _ in range(10):
        tasks = sorted(asyncio.all_tasks(loop), key=asyncio.Task.get_name)
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
        for task in tasks:
            if task.done() and not task.cancelled():
                task.exception()  # looked at, so that asyncio does not report it


def _where(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    if not frames:
        return "not begun"
    code = frames[-1].f_code
    return f"{code.co_name} line {frames[-1].f_lineno}"
