"""Since when a project can have records: from where its rollups begin."""

import logging

from msgspec import Struct

from channeling.clock import Clock
from channeling.dynamodb import DynamoDB
from channeling.projects.project_items import PROJECT_SORT_KEY

# A project that was deleted before the reconciler came: what is older is read from the records.
UNKNOWN_AGE_HOURS = 48

_log = logging.getLogger(__name__)


class ProjectAge(Struct, frozen=True):
    """Looks it up in the projects table."""

    dynamodb: DynamoDB
    table: str
    clock: Clock

    async def first_hour(self, project_id: str) -> int:
        """Return the hour (since the epoch) that a project was created in, or one two days back for one that is
        not there. Raises StoreUnavailable."""
        now_hour = self.clock.now_ms() // 3_600_000
        item = await self.dynamodb.get(self.table, {"pk": project_id, "sk": PROJECT_SORT_KEY})
        created_at_ms = item.get("created_at_ms") if item is not None else None
        if isinstance(created_at_ms, int):
            return min(created_at_ms // 3_600_000, now_hour)
        _log.warning(
            "a project with records is not known to have been created; its rollups begin two days ago",
            extra={"fields": {"project": project_id}},
        )
        return now_hour - UNKNOWN_AGE_HOURS
