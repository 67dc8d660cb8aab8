"""The usage record: what one request was billed, and the only place that says so. No prompt or answer text."""

import hashlib
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import asdict

from channeling.dynamodb import Item, Value
from channeling.usage.token_counts import TokenCounts
from channeling.window_kind import WindowKind

SHARDS = 8
RETENTION_S = 400 * 86_400

Status = Literal["ok", "refused", "failed", "cancelled", "reclaimed"]
RecordKind = Literal["request", "adjustment", "raise", "revocation", "correction"]


class RecordPartition(Struct, frozen=True, order=True):
    """The records of one hour (since the epoch) and one of 8 shards of a project."""

    project_id: str
    hour: int
    shard: int

    @property
    def pk(self) -> str:
        """The partition key. Project ids hold no "#"."""
        return f"{self.project_id}#{self.hour}#{self.shard}"


class RecordKey(Struct, frozen=True):
    """Where the record of a hold lives: made from the hold alone, so that whoever ends it finds the same place."""

    pk: str
    sk: str

    @property
    def hour(self) -> int:
        """The hour, since the epoch, of its partition."""
        return int(self.pk.split("#")[1])

    @property
    def partition(self) -> RecordPartition:
        """The partition that it lies in."""
        project_id, hour, shard = self.pk.split("#")
        return RecordPartition(project_id, int(hour), int(shard))


class UsageRecord(Struct, frozen=True):
    """One request's bill. Money in nanodollars, times in milliseconds since the epoch.

    `cost` is what was taken from the budget; `uncollected` is what the provider billed beyond it. `estimated`
    says that the provider's own figures never came. `status`: ok; refused (no upstream answered: 0); failed (the
    upstream broke off or answered an error); cancelled (the client left); reclaimed (our process died).
    What an operator did to the budget is a record too, of another `kind`, with `actor` and `reason`; the cost of an
    adjustment has a sign.
    """

    key: RecordKey
    project_id: str
    user_id: str
    window_kind: WindowKind
    window_start_s: int
    started_ms: int
    request_id: str
    status: Status
    cost: int
    uncollected: int = 0
    provider: str = ""
    model_asked: str = ""
    model_used: str = ""
    price_source: str = ""
    counts: TokenCounts = field(default_factory=TokenCounts)
    stop_reason: str = ""
    duration_ms: int = 0
    first_token_ms: int | None = None
    streamed: bool = False
    estimated: bool = False
    clamped: bool = False
    cut: bool = False
    kind: RecordKind = "request"
    actor: str = ""
    reason: str = ""


_PLAIN_FIELDS = tuple(name for name in UsageRecord.__struct_fields__ if name not in ("key", "counts"))
_COUNTS = TokenCounts.__struct_fields__


def shard_of(project_id: str, user_id: str) -> int:
    """Return the shard of all of a user's records, so that one partition has all that a user did in an hour."""
    return hashlib.sha256(f"{project_id}#{user_id}".encode()).digest()[0] % SHARDS


def record_key(project_id: str, user_id: str, kind: WindowKind, hold_id: str, started_s: int) -> RecordKey:
    """Return the key of a hold's record: partition by project, hour of its start and the user's shard.

    The digest of user and window kind is in the sort key because hold ids are random per user: two users' holds
    of the same id must not share a bill.
    """
    owner = hashlib.sha256(f"{project_id}#{user_id}#{kind}".encode()).hexdigest()[:24]
    partition = RecordPartition(project_id, started_s // 3600, shard_of(project_id, user_id))
    return RecordKey(partition.pk, f"{hold_id}#{owner}")


def record_fields(record: UsageRecord) -> dict[str, object]:
    """Return a record by field, its key and counts by theirs."""
    return asdict(record) | {"key": asdict(record.key), "counts": asdict(record.counts)}


def record_item(record: UsageRecord) -> Item:
    """Return the DynamoDB item of a record."""
    item: Item = asdict(record)
    del item["key"]
    item["pk"] = record.key.pk
    item["sk"] = record.key.sk
    item["user_key"] = f"{record.project_id}#{record.user_id}"
    item["expires_at"] = record.started_ms // 1000 + RETENTION_S
    item["counts"] = asdict(record.counts)
    return item


def usage_record(item: Item) -> UsageRecord:
    """Return the record of a DynamoDB item."""
    counts = item["counts"]
    if not isinstance(counts, dict):
        raise TypeError("a usage record's counts are not a map")
    values: dict[str, Value] = {name: item[name] for name in _PLAIN_FIELDS if name in item}
    key = RecordKey(str(item["pk"]), str(item["sk"]))
    known = {name: counts[name] for name in _COUNTS if name in counts}
    # Stored values have the field types: record_item wrote them.
    return UsageRecord(key=key, counts=TokenCounts(**known), **values)  # type: ignore[arg-type]


def is_record_item(item: Item) -> bool:
    """Return whether an item of the usage table is a record, and not what is kept beside them."""
    parts = str(item["pk"]).split("#")
    return len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit()
