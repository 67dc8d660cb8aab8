"""SnapStart: what must happen before a snapshot is taken and after it is restored, once in each copy.

Hooks are those given to `on_snapshot` and `on_restore`, those registered with AWS's `snapshot_restore_py` (AWS
Lambda Developer Guide, "Lambda SnapStart runtime hooks for Python"), and the `after_restore` of the handler's
module.
"""

import inspect
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

Hook = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class SnapshotHooks:
    """Hooks in the order of their registration; those that return an awaitable are awaited."""

    before_snapshot: list[Hook] = field(default_factory=list)
    after_restore: list[Hook] = field(default_factory=list)

    async def run_before_snapshot(self) -> None:
        """Run the hooks, the last one first, as AWS does; raise what a hook raises."""
        await _run(list(reversed([*_of_aws("get_before_snapshot"), *self.before_snapshot])))

    async def run_after_restore(self) -> None:
        """Seed randomness anew, which all copies of a snapshot would share, and run the hooks."""
        random.seed()
        await _run([*_of_aws("get_after_restore"), *self.after_restore])


_REGISTERED = SnapshotHooks()


def on_snapshot(hook: Hook) -> Hook:
    """Have a function called before a snapshot of this environment is taken; usable as a decorator."""
    _REGISTERED.before_snapshot.append(hook)
    return hook


def on_restore(hook: Hook) -> Hook:
    """Have a function called in each environment that is restored from the snapshot; usable as a decorator."""
    _REGISTERED.after_restore.append(hook)
    return hook


def registered_hooks() -> SnapshotHooks:
    """Return the hooks that were registered in this process."""
    return _REGISTERED


def _of_aws(getter: str) -> list[Hook]:
    """Return hooks of `snapshot_restore_py`, which the managed runtime brings along, if anything imported it."""
    library = sys.modules.get("snapshot_restore_py")
    if library is None:
        return []
    return [partial(hook, *args, **kwargs) for hook, args, kwargs in getattr(library, getter)()]


async def _run(hooks: list[Hook]) -> None:
    for hook in hooks:
        result = hook()
        if inspect.isawaitable(result):
            await result
