"""Projects in DynamoDB: one Query reads a project whole; secrets change under a version, so no change is lost."""

from dataclasses import dataclass
from typing import cast

from channeling.dynamodb import ConditionFailed, DynamoDB, Item, TransactionRefused, Update, Value
from channeling.projects.errors import ProjectExists, ProjectInvalid, ProjectMissing
from channeling.projects.project import ProjectRules, is_project_id
from channeling.projects.project_items import (
    GLOBAL_PRICES_PARTITION,
    PRICE_SORT_KEY_PREFIX,
    PROJECT_SORT_KEY,
    SECRETS_SORT_KEY,
    rules_attributes,
    rules_from_item,
)


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """A project's secrets, encrypted, with the version that the next write must name. Version 0: none yet."""

    version: int = 0
    ciphertext: bytes | None = None


@dataclass(frozen=True, slots=True)
class StoredProject:
    """A project as the table holds it."""

    project_id: str
    rules: ProjectRules
    sealed: SealedSecrets
    price_items: tuple[Item, ...]


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
        return StoredProject(
            project_id,
            rules_from_item(by_sort_key[PROJECT_SORT_KEY]),
            _sealed(by_sort_key.get(SECRETS_SORT_KEY)),
            _prices(items),
        )

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

    async def change_rules(self, project_id: str, rules: ProjectRules) -> None:
        """Replace a project's rules; raise ProjectMissing or ProjectInvalid."""
        attributes = rules_attributes(rules)
        unset = sorted({"enforcement", "max_concurrent", "max_ai_microusd"} - attributes.keys())
        try:
            await self._dynamodb.update(
                self._set(project_id, PROJECT_SORT_KEY, attributes, "attribute_exists(pk)", unset=unset)
            )
        except ConditionFailed as refused:
            raise ProjectMissing(f"there is no project {project_id!r}") from refused

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
        condition: str,
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
