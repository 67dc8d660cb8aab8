"""What is done to projects on a schedule: their months added up, and those removed whose grace period is over."""

from collections.abc import Callable

from channeling.alert_door import AlertDoor, LoggedAlerts
from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.operations.audit_log import AuditLog
from channeling.operations.operator import Operator
from channeling.operations.projects import remove_deleted_projects
from channeling.projects.store import ProjectStore
from channeling.reconcile.month_spend import month_spends
from channeling.tables import TableNames

_SCHEDULE = Operator("schedule", "schedule")
_LOGGED = LoggedAlerts()


async def tend_projects(
    dynamodb: DynamoDB,
    tables: TableNames,
    clock: Clock,
    randomness: Callable[[int], bytes],
    deadline_ms: int,
    alerts: AlertDoor = _LOGGED,
) -> dict[str, int]:
    """Do what is due and return what was done; doing it again is harmless. A cap that is reached is told of.

    Raises StoreUnavailable.
    """
    added_up = await month_spends(dynamodb, tables, clock, alerts).run(deadline_ms)
    removed = await remove_deleted_projects(
        ProjectStore(dynamodb, tables.projects),
        AuditLog(dynamodb, tables.usage, clock, randomness),
        _SCHEDULE,
        clock.now_ms(),
    )
    return {"months_added_up": added_up, "projects_removed": removed}
