"""Who changed what, and when: one entry for every change, in the usage table, kept for good.

pk "audit#<project, or *>#<year>-<month>"    sk "<milliseconds, 13 digits>#<random>"

No record's key: those have whole numbers in their second and third place. An entry is put before the change and
once more after it, so that one whose outcome is "begun" is of a change that nobody saw end. It holds no secret.
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from channeling.budgets.operations import OperationRefused
from channeling.clock import Clock
from channeling.dynamodb import DynamoDB, Item, Value
from channeling.errors import GatewayError, StoreUnavailable
from channeling.operations.operator import Operator
from channeling.projects.errors import ProjectError, ProjectMissing
from channeling.projects.project import is_project_id

Outcome = Literal["begun", "done", "refused", "failed"]

ALL_PROJECTS = "*"
MAX_ENTRIES = 500
_MAX_DETAIL_CHARACTERS = 500

_log = logging.getLogger(__name__)


class AuditEntry(Struct, frozen=True):
    """One change. `project_id` is "*" where it concerns all; `target` is a user, a provider, a price's id."""

    entry_id: str
    at_ms: int
    actor: str
    via: str
    action: str
    project_id: str
    target: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    outcome: Outcome = "begun"
    reason: str = ""


class AuditLog:
    """The entries; raises StoreUnavailable, and then the change has not begun."""

    def __init__(
        self, dynamodb: DynamoDB, table: str, clock: Clock, randomness: Callable[[int], bytes]
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock
        self._randomness = randomness

    @asynccontextmanager
    async def entry(
        self,
        operator: Operator,
        action: str,
        project_id: str | None,
        target: str = "",
        details: Mapping[str, object] | None = None,
    ) -> AsyncIterator[None]:
        """Write down a change that is made inside; an exception is its outcome and goes on.

        Raises ProjectMissing for what cannot be a project's id.
        """
        if project_id is not None and not is_project_id(project_id):
            raise ProjectMissing(f"there is no project {_shortened(project_id)[:64]!r}")
        at_ms = self._clock.now_ms()
        begun = AuditEntry(
            entry_id=f"{at_ms:013d}#{self._randomness(6).hex()}",
            at_ms=at_ms,
            actor=operator.name,
            via=operator.via,
            action=action,
            project_id=project_id or ALL_PROJECTS,
            target=_shortened(target),
            details={name: _shortened(value) for name, value in (details or {}).items() if value is not None},
        )
        await self._put(begun)
        try:
            yield
        except Exception as error:
            # The messages of our own refusals are made to be shown; what else there is may hold anything.
            failed = isinstance(error, StoreUnavailable) or not _is_refusal(error)
            reason = type(error).__name__ if failed else _shortened(error)
            await self._end(replace(begun, outcome="failed" if failed else "refused", reason=reason))
            raise
        await self._end(replace(begun, outcome="done"))

    async def read(
        self, project_id: str | None, *, before: str | None = None, limit: int
    ) -> list[AuditEntry]:
        """Return up to `limit` entries, newest first: of a project, or (None) of what concerns all projects.

        `before` is the `entry_id` to go on after. Looks 13 months back.
        """
        found: list[AuditEntry] = []
        start_ms = self._clock.now_ms() if before is None else int(before.partition("#")[0])
        month = datetime.fromtimestamp(start_ms / 1000, UTC).replace(day=1)
        for _ in range(14):
            items = await self._dynamodb.query(
                self._table,
                ("pk", _pk(project_id or ALL_PROJECTS, f"{month:%Y-%m}")),
                sort_between=None if before is None else ("sk", "0", before),
                limit=limit - len(found) + 1,
                descending=True,
            )
            found += [_entry(item) for item in items if item["sk"] != before]
            if len(found) >= limit:
                return found[:limit]
            month = (
                month.replace(year=month.year - 1, month=12)
                if month.month == 1
                else month.replace(month=month.month - 1)
            )
        return found

    async def _end(self, entry: AuditEntry) -> None:
        try:
            await self._put(entry)
        except StoreUnavailable:
            _log.warning("the outcome of a change could not be written down: %s", entry.entry_id)

    async def _put(self, entry: AuditEntry) -> None:
        month = f"{datetime.fromtimestamp(entry.at_ms / 1000, UTC):%Y-%m}"
        item: Item = {"pk": _pk(entry.project_id, month), "sk": entry.entry_id}
        for name, value in asdict(entry).items():
            if name != "entry_id":
                item[name] = value
        await self._dynamodb.put(self._table, item)


def _pk(project_id: str, month: str) -> str:
    return f"audit#{project_id}#{month}"


def _entry(item: Item) -> AuditEntry:
    values: dict[str, Value] = {name: value for name, value in item.items() if name not in ("pk", "sk")}
    # Stored values have the field types: `_put` wrote them.
    return AuditEntry(entry_id=str(item["sk"]), **values)  # type: ignore[arg-type]


def _shortened(value: object) -> str:
    # A lone surrogate is no UTF-8, which DynamoDB takes alone.
    return str(value)[:_MAX_DETAIL_CHARACTERS].encode("utf-8", "backslashreplace").decode()


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, GatewayError | OperationRefused | ProjectError | ValueError)
