"""HMAC secrets and providers' keys over HTTP: in once, shown once or never."""

from typing import Any

from fastapi import APIRouter

from channeling.operations import provider_keys, secrets
from channeling.provider import Provider
from channeling_admin.access import ProjectId, ProjectOperator, ProjectViewer, TheAdmin
from channeling_admin.bodies import ProviderKey

router = APIRouter(prefix="/api/projects/{project}", tags=["secrets and keys"])


@router.get("/secrets")
async def list_secrets(admin: TheAdmin, who: ProjectViewer, project: ProjectId) -> dict[str, Any]:
    """List the fingerprints of the project's HMAC secrets, the newest last."""
    return {"fingerprints": list(await secrets.list_secrets(admin.stores, project))}


@router.post("/secrets", status_code=201)
async def add_secret(admin: TheAdmin, who: ProjectOperator, project: ProjectId) -> dict[str, Any]:
    """Make a second HMAC secret; it is shown this once."""
    added = await secrets.add_secret(admin.stores, who, project)
    return {"hmac_secret": added.hmac_secret, "fingerprint": added.fingerprint}


@router.delete("/secrets/{fingerprint}")
async def remove_secret(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, fingerprint: str
) -> dict[str, Any]:
    """Remove a secret: tokens signed with it are refused within a minute."""
    return {"fingerprints": list(await secrets.remove_secret(admin.stores, who, project, fingerprint))}


@router.put("/keys/{provider}")
async def set_key(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, provider: Provider, body: ProviderKey
) -> dict[str, Any]:
    """Set a provider's key; it is never readable again."""
    key = body.key.get_secret_value()
    return {"provider_keys": list(await provider_keys.set_key(admin.stores, who, project, provider, key))}


@router.delete("/keys/{provider}")
async def remove_key(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, provider: Provider
) -> dict[str, Any]:
    """Remove a provider's key: its models then answer 400."""
    return {"provider_keys": list(await provider_keys.remove_key(admin.stores, who, project, provider))}


@router.post("/keys/{provider}/test")
async def check_key(
    admin: TheAdmin, who: ProjectOperator, project: ProjectId, provider: Provider
) -> dict[str, Any]:
    """Ask the provider whether it takes the key, in a call that costs nothing."""
    checked = await provider_keys.check_key(admin.stores, admin.upstream, admin.base_urls, project, provider)
    return {"outcome": checked.outcome, "status": checked.status, "message": checked.message}
