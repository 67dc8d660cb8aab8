"""The request path's view of projects: cached, bounded, one look-up at a time per project, and stale in need."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from msgspec import Struct

from channeling.clock import Clock
from channeling.dynamodb import Item
from channeling.errors import RateLimited, StoreUnavailable
from channeling.pricing.price_rows import PriceRows, read_price_rows
from channeling.projects.cipher import Cipher
from channeling.projects.project import Project, ProjectSecrets, is_project_id
from channeling.projects.project_secrets import open_secrets
from channeling.projects.store import ProjectStore, SealedSecrets, StoredProject
from channeling.token_bucket import TokenBucket

_log = logging.getLogger(__name__)

FRESH_MS = 60_000
UNKNOWN_FRESH_MS = 10_000
# How long a value is used that cannot be refreshed, and how long to leave a store alone that just failed.
STALE_MS = 600_000
RETRY_MS = 1_000

T = TypeVar("T")


class _Known(Struct, frozen=True):
    project: Project
    sealed: SealedSecrets
    read_ms: int
    next_read_ms: int


class ProjectDirectory:
    """Finds projects by id. One per process; `clock` is the wall clock.

    What was read counts as fresh for `fresh_ms`; that there is no such project, for at most ten seconds.
    """

    def __init__(
        self,
        store: ProjectStore,
        cipher: Cipher,
        clock: Clock,
        *,
        fresh_ms: int = FRESH_MS,
        max_projects: int = 1_000,
        max_unknown: int = 10_000,
        look_up_limit: TokenBucket | None = None,
    ) -> None:
        self._store = store
        self._cipher = cipher
        self._clock = clock
        self._fresh_ms = fresh_ms
        self._unknown_fresh_ms = min(fresh_ms, UNKNOWN_FRESH_MS)
        self._max_projects = max_projects
        self._max_unknown = max_unknown
        self._limit = look_up_limit or TokenBucket(clock, burst=100, per_second=20)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._unknown_until_ms: OrderedDict[str, int] = OrderedDict()
        self._flights: SingleFlight[Project | None] = SingleFlight()
        self._prices: PriceRows | None = None
        self._prices_read_ms = 0
        self._prices_next_read_ms = 0
        self._price_flights: SingleFlight[PriceRows] = SingleFlight()

    async def get(self, project_id: str) -> Project | None:
        """Return the project, or None when there is none.

        Raises StoreUnavailable when it can neither be read nor was read in the last ten minutes, and RateLimited
        when too many ids were asked for of late that no project has. That refusal comes before the look-up, so it
        says nothing about the id, and it can be retried: a project that is only new to this process loses nothing.
        """
        now_ms = self._clock.now_ms()
        known = self._known.get(project_id)
        if known is not None:
            self._known.move_to_end(project_id)
            if now_ms < known.next_read_ms:
                return known.project
        elif not is_project_id(project_id) or now_ms < self._unknown_until_ms.get(project_id, 0):
            return None
        return await self._flights.run(project_id, lambda: self._look_up(project_id))

    async def global_prices(self) -> PriceRows:
        """Return the custom prices that hold for all projects; raise StoreUnavailable as `get` does."""
        if self._prices is not None and self._clock.now_ms() < self._prices_next_read_ms:
            return self._prices
        return await self._price_flights.run("", self._read_prices)

    async def _look_up(self, project_id: str) -> Project | None:
        known = self._known.get(project_id)
        if known is None and not self._limit.take():
            raise RateLimited("Too many requests for projects that were not seen yet", retry_after_s=1)
        try:
            stored = await self._store.read(project_id)
            project = await self._opened(stored, known)
        except StoreUnavailable as failure:
            return self._kept(project_id, known, failure)
        now_ms = self._clock.now_ms()
        if stored is None or project is None:
            self._known.pop(project_id, None)
            self._unknown_until_ms[project_id] = now_ms + self._unknown_fresh_ms
            self._unknown_until_ms.move_to_end(project_id)
            _shrink(self._unknown_until_ms, self._max_unknown)
            return None
        if known is None:
            self._limit.give_back()
        self._unknown_until_ms.pop(project_id, None)
        self._known[project_id] = _Known(project, stored.sealed, now_ms, now_ms + self._fresh_ms)
        self._known.move_to_end(project_id)
        _shrink(self._known, self._max_projects)
        return project

    async def _opened(self, stored: StoredProject | None, known: _Known | None) -> Project | None:
        if stored is None:
            return None
        if known is not None and known.sealed.ciphertext == stored.sealed.ciphertext:
            # The same bytes hold the same secrets: a refresh without a change costs no KMS call.
            secrets = ProjectSecrets(known.project.hmac_secrets, known.project.provider_keys)
        else:
            secrets = await open_secrets(self._cipher, stored.project_id, stored.sealed)
        prices = _read_prices(f"of project {stored.project_id}", stored.price_items)
        return Project.of(stored.project_id, stored.rules, secrets, prices, stored.month_spend)

    def _kept(self, project_id: str, known: _Known | None, failure: StoreUnavailable) -> Project:
        now_ms = self._clock.now_ms()
        reason = getattr(failure, "reason", failure.message)
        if known is None or now_ms >= known.read_ms + STALE_MS:
            _log.error("project %s cannot be read: %s", project_id, reason)
            raise failure
        _log.warning("project %s is served from memory, its refresh failed: %s", project_id, reason)
        self._known[project_id] = _Known(known.project, known.sealed, known.read_ms, now_ms + RETRY_MS)
        return known.project

    async def _read_prices(self) -> PriceRows:
        try:
            prices = _read_prices("for all projects", await self._store.read_global_prices())
        except StoreUnavailable as failure:
            now_ms = self._clock.now_ms()
            if self._prices is None or now_ms >= self._prices_read_ms + STALE_MS:
                raise
            _log.warning("global prices are served from memory, their refresh failed: %s", failure.message)
            self._prices_next_read_ms = now_ms + RETRY_MS
            return self._prices
        self._prices = prices
        self._prices_read_ms = self._clock.now_ms()
        self._prices_next_read_ms = self._prices_read_ms + self._fresh_ms
        return prices


class SingleFlight(Generic[T]):
    """Runs one call per key at a time; whoever asks meanwhile waits for the same answer or error."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[T]] = {}

    async def run(self, key: str, call: Callable[[], Awaitable[T]]) -> T:
        """Return the answer of the call under way for this key, or of a new one."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.ensure_future(_awaited(call))
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._ended(key))
        # Shielded: a caller that goes away takes nothing from the others.
        return await asyncio.shield(task)

    def _ended(self, key: str) -> None:
        task = self._tasks.pop(key)
        if not task.cancelled():
            # Looked at, so that asyncio does not report an error whose every caller has gone.
            task.exception()


def _read_prices(whose: str, items: tuple[Item, ...]) -> PriceRows:
    prices = read_price_rows(items)
    for row in prices.unreadable:
        _log.error(
            "custom price %r %s cannot be read, and requests for model %r are refused: %s",
            row.name,
            whose,
            row.model,
            row.reason,
        )
    return prices


async def _awaited(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


def _shrink(cache: OrderedDict[str, T], size: int) -> None:
    while len(cache) > size:
        cache.popitem(last=False)
