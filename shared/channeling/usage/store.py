"""Usage records on DynamoDB: put once, never edited."""

from channeling.dynamodb import ConditionFailed, DynamoDB
from channeling.tables import USAGE_BY_USER
from channeling.usage.record import UsageRecord, record_item, usage_record


class UsageStore:
    """The usage table."""

    def __init__(self, dynamodb: DynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    async def put(self, record: UsageRecord) -> UsageRecord:
        """Put a record unless one stands under its key; return the one that stands there now."""
        try:
            await self._dynamodb.put(self._table, record_item(record), unless_exists="pk")
        except ConditionFailed as standing:
            if standing.item is None:
                raise TypeError("DynamoDB refused a put and returned no standing item") from standing
            return usage_record(standing.item)
        return record

    async def of_user(self, project_id: str, user_id: str, *, limit: int | None = None) -> list[UsageRecord]:
        """Return a user's records, oldest first (from the index: a moment behind)."""
        items = await self._dynamodb.query(
            self._table, ("user_key", f"{project_id}#{user_id}"), index=USAGE_BY_USER, limit=limit
        )
        return [usage_record(item) for item in items]
