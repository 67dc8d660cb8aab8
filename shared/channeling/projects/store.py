"""Projects in DynamoDB: one Query reads a project whole; secrets change under a version, so no change is lost."""

from typing import cast

from msgspec import Struct

from channeling.dynamodb import ConditionFailed, DynamoDB, Item, TransactionRefused, Update, Value
from channeling.projects.cap_alert import CapAlert
from channeling.projects.errors import ProjectExists, ProjectInvalid, ProjectMissing
from channeling.projects.month_spend import (
    SPEND_SORT_KEY,
    MonthSpend,
    month_spend_attributes,
    month_spend_from_item,
)
from channeling.projects.project import ProjectRules, is_project_id
from channeling.projects.project_items import (
    GLOBAL_PRICES_PARTITION,
    OPTIONAL_RULES,
    PRICE_SORT_KEY_PREFIX,
    PROJECT_SORT_KEY,
    SECRETS_SORT_KEY,
    rules_attributes,
    rules_from_item,
)

_PAGE_ITEMS = 200


class SealedSecrets(Struct, frozen=True):
    """A project's secrets, encrypted, with the version that the next write must name. Version 0: none yet."""

    version: int = 0
    ciphertext: bytes | None = None


class StoredProject(Struct, frozen=True):
    """A project as the table holds it."""

    project_id: str
    rules: ProjectRules
    sealed: SealedSecrets
    price_items: tuple[Item, ...]
    rules_version: int = 0
    created_at_ms: int | None = None
    month_spend: MonthSpend | None = None


class ProjectStore:
    """Reads and writes the projects table. Every method raises StoreUnavailable when DynamoDB is unreachable."""

    def __init__(self, dynamodb: DynamoDB, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    async def read(self, project_id: str) -> StoredProject | None:
        """Return the project, or None; an id that is malformed is no project's."""
        if not is_project_id(project_id):
            return None
        items = await self._dynamodb.query(self._table, ("pk", project_id))
        by_sort_key = {str(item["sk"]): item for item in items}
        if PROJECT_SORT_KEY not in by_sort_key:
            return None
        settings = by_sort_key[PROJECT_SORT_KEY]
        return StoredProject(
            project_id,
            rules_from_item(settings),
            _sealed(by_sort_key.get(SECRETS_SORT_KEY)),
            _prices(items),
            rules_version=cast(int, settings.get("rules_version", 0)),
            created_at_ms=cast(int | None, settings.get("created_at_ms")),
            month_spend=month_spend_from_item(by_sort_key.get(SPEND_SORT_KEY)),
        )

    async def list_rules(self) -> dict[str, ProjectRules]:
        """Return the rules of every project by its id; a scan, never for a request."""
        found: dict[str, ProjectRules] = {}
        after: Item | None = None
        while True:
            page = await self._dynamodb.scan_page(self._table, after=after, limit=_PAGE_ITEMS)
            for item in page.items:
                if item["sk"] == PROJECT_SORT_KEY and is_project_id(str(item["pk"])):
                    found[str(item["pk"])] = rules_from_item(item)
            after = page.last_key
            if after is None:
                return dict(sorted(found.items()))

    async def read_global_prices(self) -> tuple[Item, ...]:
        """Return the custom prices that hold for every project."""
        return _prices(await self._dynamodb.query(self._table, ("pk", GLOBAL_PRICES_PARTITION)))

    async def create(self, project_id: str, rules: ProjectRules, ciphertext: bytes, *, now_ms: int) -> None:
        """Write a new project and its secrets, both or neither; raise ProjectExists or ProjectInvalid."""
        if not is_project_id(project_id):
            raise ProjectInvalid("a project id has 1 to 64 letters, digits, '_' and '-'")
        settings = rules_attributes(rules) | {"created_at_ms": now_ms}
        sealed: Item = {"version": 1, "ciphertext": ciphertext}
        try:
            await self._dynamodb.transact(
                [
                    self._set(project_id, PROJECT_SORT_KEY, settings, "attribute_not_exists(pk)"),
                    self._set(project_id, SECRETS_SORT_KEY, sealed, "attribute_not_exists(pk)"),
                ]
            )
        except TransactionRefused as refused:
            if "ConditionalCheckFailed" in refused.reasons:
                raise ProjectExists(f"there is a project {project_id!r} already") from refused
            raise

    async def change_rules(
        self, project_id: str, rules: ProjectRules, *, seen_version: int | None = None
    ) -> None:
        """Replace a project's rules; raise ProjectMissing or ProjectInvalid.

        With `seen_version`, the `rules_version` that was read, raise ConditionFailed where they were changed since.
        """
        attributes = rules_attributes(rules)
        unset = sorted(set(OPTIONAL_RULES) - attributes.keys())
        condition, values = "attribute_exists(pk)", dict[str, Value]()
        if seen_version is not None:
            attributes["rules_version"] = seen_version + 1
            condition += (
                " AND rules_version = :seen" if seen_version else " AND attribute_not_exists(rules_version)"
            )
            values = {":seen": seen_version} if seen_version else {}
        try:
            await self._dynamodb.update(
                self._set(project_id, PROJECT_SORT_KEY, attributes, condition, values=values, unset=unset)
            )
        except ConditionFailed as refused:
            if refused.item is not None:
                raise
            raise ProjectMissing(f"there is no project {project_id!r}") from refused

    async def write_month_spend(self, project_id: str, spend: MonthSpend) -> None:
        """Write what a project has spent, over what was written before."""
        attributes = month_spend_attributes(spend)
        await self._dynamodb.update(self._set(project_id, SPEND_SORT_KEY, attributes, None))

    async def mark_told(self, alert: CapAlert) -> bool:
        """Write down that an alert is told; return False where it was written down before."""
        condition = "attribute_not_exists(#a0) OR #a0 <> :a0"
        try:
            await self._dynamodb.update(
                self._set(alert.project_id, SPEND_SORT_KEY, {"told": alert.mark}, condition)
            )
        except ConditionFailed:
            return False
        return True

    async def delete(self, project_id: str) -> None:
        """Remove a project: its secrets first, so that no token of it is accepted from then on, its rules last."""
        items = await self._dynamodb.query(self._table, ("pk", project_id))
        order = {SECRETS_SORT_KEY: 0, PROJECT_SORT_KEY: 2}
        for item in sorted(items, key=lambda item: order.get(str(item["sk"]), 1)):
            await self._dynamodb.delete(self._table, {"pk": project_id, "sk": item["sk"]})

    async def replace_secrets(self, project_id: str, ciphertext: bytes, *, seen_version: int) -> None:
        """Write secrets over the version that was read; raise ConditionFailed when another writer was first."""
        condition = "version = :seen" if seen_version else "attribute_not_exists(pk)"
        values: dict[str, Value] = {":seen": seen_version} if seen_version else {}
        attributes: Item = {"version": seen_version + 1, "ciphertext": ciphertext}
        await self._dynamodb.update(
            self._set(project_id, SECRETS_SORT_KEY, attributes, condition, values=values)
        )

    def _set(
        self,
        project_id: str,
        sort_key: str,
        attributes: Item,
        condition: str | None,
        *,
        values: dict[str, Value] | None = None,
        unset: list[str] | None = None,
    ) -> Update:
        # Placeholders throughout: `name` and `status` are reserved words of DynamoDB's expressions.
        names = {f"#a{number}": name for number, name in enumerate([*attributes, *(unset or [])])}
        placeholders = {name: placeholder for placeholder, name in names.items()}
        sets = ", ".join(f"{placeholders[name]} = :{placeholders[name][1:]}" for name in attributes)
        removes = ", ".join(placeholders[name] for name in unset or [])
        return Update(
            self._table,
            {"pk": project_id, "sk": sort_key},
            f"SET {sets}" + (f" REMOVE {removes}" if removes else ""),
            condition,
            names,
            {f":{placeholders[name][1:]}": value for name, value in attributes.items()} | (values or {}),
        )


def _sealed(item: Item | None) -> SealedSecrets:
    if item is None:
        return SealedSecrets()
    return SealedSecrets(cast(int, item["version"]), cast(bytes, item["ciphertext"]))


def _prices(items: list[Item]) -> tuple[Item, ...]:
    return tuple(item for item in items if str(item["sk"]).startswith(PRICE_SORT_KEY_PREFIX))
