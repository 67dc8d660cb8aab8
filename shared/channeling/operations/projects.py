"""Projects: create, list, show, change, delete with a grace period, restore."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from channeling.auth.mint import new_hmac_secret
from channeling.dynamodb import ConditionFailed
from channeling.operations.audit_log import AuditLog
from channeling.operations.operator import Operator
from channeling.operations.stores import Stores
from channeling.projects import project_secrets
from channeling.projects.errors import ProjectInvalid, ProjectMissing, SecretsBusy
from channeling.projects.fingerprint import fingerprint
from channeling.projects.month_spend import MonthSpend
from channeling.projects.project import ProjectRules, ProjectSecrets, is_project_id
from channeling.projects.project_secrets import open_secrets
from channeling.projects.store import ProjectStore, StoredProject
from channeling.provider import Provider

DEFAULT_GRACE_S = 7 * 86_400
MAX_GRACE_S = 90 * 86_400
_TRIES = 16
_ID_BYTES = 8
# What is set in a way of its own: a status by deleting, an end by deleting and restoring.
_CHANGEABLE = frozenset(ProjectRules.__struct_fields__) - {"delete_at_ms"}


class ProjectView(Struct, frozen=True):
    """A project as operators see it: which secrets and keys it has, never their values."""

    project_id: str
    rules: ProjectRules
    created_at_ms: int | None
    secret_fingerprints: tuple[str, ...]
    providers_with_key: tuple[Provider, ...]
    custom_prices: int
    month_spend: MonthSpend | None
    is_cap_reached: bool


class CreatedProject(Struct, frozen=True):
    """A new project, and its first HMAC secret, which is shown this once."""

    project_id: str
    hmac_secret: str


async def list_projects(stores: Stores) -> dict[str, ProjectRules]:
    """Return the rules of all projects by id. Raises StoreUnavailable."""
    return await stores.projects.list_rules()


async def show_project(stores: Stores, project_id: str) -> ProjectView:
    """Return a project; raise ProjectMissing, CipherUnavailable or StoreUnavailable."""
    stored = await read_project(stores, project_id)
    opened = await open_secrets(stores.cipher, project_id, stored.sealed)
    spend = stored.month_spend
    return ProjectView(
        project_id=project_id,
        rules=stored.rules,
        created_at_ms=stored.created_at_ms,
        secret_fingerprints=tuple(fingerprint(secret) for secret in opened.hmac_secrets),
        providers_with_key=tuple(sorted(opened.provider_keys)),
        custom_prices=len(stored.price_items),
        month_spend=spend,
        is_cap_reached=spend is not None and spend.reaches(stored.rules.monthly_cap_microusd, stores.now_s),
    )


async def create_project(
    stores: Stores, operator: Operator, rules: ProjectRules, *, project_id: str | None = None
) -> CreatedProject:
    """Make a project with one HMAC secret; without an id it gets a random one.

    Raises ProjectExists, ProjectInvalid, CipherUnavailable and StoreUnavailable.
    """
    project_id = project_id or f"proj_{stores.randomness(_ID_BYTES).hex()}"
    if not is_project_id(project_id):
        raise ProjectInvalid("a project id has 1 to 64 letters, digits, '_' and '-'")
    secret = new_hmac_secret(stores.randomness)
    async with stores.audit.entry(operator, "project.create", project_id, details={"name": rules.name}):
        await project_secrets.create_project(
            stores.projects,
            stores.cipher,
            project_id,
            rules,
            ProjectSecrets((secret,)),
            now_ms=stores.clock.now_ms(),
        )
    return CreatedProject(project_id, secret)


async def change_project(
    stores: Stores, operator: Operator, project_id: str, changes: Mapping[str, Any]
) -> ProjectView:
    """Change the rules that are named (fields of ProjectRules); others stay, whoever changes them meanwhile.

    A provider's base URL changes only while the project has no key of it: a key is sent to no other server than the
    one it was set for. Raises ProjectMissing, ProjectInvalid, CipherUnavailable and StoreUnavailable.
    """
    unknown = sorted(set(changes) - _CHANGEABLE)
    if unknown:
        raise ProjectInvalid(f"a project has no rule {unknown[0][:64]!r}")
    async with stores.audit.entry(operator, "project.change", project_id, details=_shown(changes)):
        await _change_rules(stores, project_id, changes)
    return await show_project(stores, project_id)


async def delete_project(
    stores: Stores, operator: Operator, project_id: str, *, grace_s: int = DEFAULT_GRACE_S
) -> ProjectView:
    """Disable a project now and have it removed after the grace period; until then it can be restored.

    Its usage records stay for as long as records do. Raises ProjectMissing, ProjectInvalid and StoreUnavailable.
    """
    if not 0 <= grace_s <= MAX_GRACE_S:
        raise ProjectInvalid(f"the grace period is 0 to {MAX_GRACE_S // 86_400} days")
    delete_at_ms = stores.clock.now_ms() + grace_s * 1_000
    async with stores.audit.entry(operator, "project.delete", project_id, details={"grace_s": grace_s}):
        await _change_rules(stores, project_id, {"status": "disabled", "delete_at_ms": delete_at_ms})
    return await show_project(stores, project_id)


async def restore_project(stores: Stores, operator: Operator, project_id: str) -> ProjectView:
    """Take a deletion back before its time, and enable the project again.

    Raises ProjectMissing, ProjectInvalid (it is not being deleted, or its time is over) and StoreUnavailable.
    """
    async with stores.audit.entry(operator, "project.restore", project_id):
        rules = (await read_project(stores, project_id)).rules
        if rules.delete_at_ms is None:
            raise ProjectInvalid(f"project {project_id!r} is not being deleted")
        if rules.delete_at_ms <= stores.clock.now_ms():
            raise ProjectInvalid(f"the grace period of project {project_id!r} is over")
        await _change_rules(stores, project_id, {"status": "active", "delete_at_ms": None})
    return await show_project(stores, project_id)


async def remove_deleted_projects(
    projects: ProjectStore, audit: AuditLog, operator: Operator, now_ms: int
) -> int:
    """Remove the projects whose grace period is over; return how many. Raises StoreUnavailable."""
    removed = 0
    for project_id, rules in (await projects.list_rules()).items():
        if rules.delete_at_ms is None:
            continue
        # The list may be a moment behind a restoring.
        stored = await projects.read(project_id)
        if stored is None or stored.rules.delete_at_ms is None or stored.rules.delete_at_ms > now_ms:
            continue
        async with audit.entry(operator, "project.remove", project_id):
            await projects.delete(project_id)
        removed += 1
    return removed


async def read_project(stores: Stores, project_id: str) -> StoredProject:
    """Return a project as stored; raise ProjectMissing."""
    stored = await stores.projects.read(project_id)
    if stored is None:
        raise ProjectMissing(f"there is no project {project_id[:64]!r}")
    return stored


async def _change_rules(stores: Stores, project_id: str, changes: Mapping[str, Any]) -> None:
    for _ in range(_TRIES):
        stored = await read_project(stores, project_id)
        after = replace(stored.rules, **changes)
        if after == stored.rules:
            return
        await _check_keys_stay_where_they_are(stores, stored, after)
        try:
            await stores.projects.change_rules(project_id, after, seen_version=stored.rules_version)
        except ConditionFailed:
            continue
        return
    raise SecretsBusy(f"others keep changing project {project_id!r}; try again")


async def _check_keys_stay_where_they_are(stores: Stores, stored: StoredProject, after: ProjectRules) -> None:
    before = stored.rules.base_urls
    if after.base_urls == before:
        return
    opened = await open_secrets(stores.cipher, stored.project_id, stored.sealed)
    for provider in opened.provider_keys:
        if after.base_urls.get(provider) != before.get(provider):
            raise ProjectInvalid(
                f"the project has a key of {provider}, which would be sent to another server: remove the key,"
                " change the base URL, and set the key of that server"
            )


def _shown(changes: Mapping[str, Any]) -> dict[str, object]:
    return {name: "none" if value is None else value for name, value in changes.items()}
