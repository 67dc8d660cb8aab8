"""Providers' API keys of a project: set, tested against the provider, removed; never readable again."""

import asyncio
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from channeling.errors import UpstreamFailed
from channeling.operations.operator import Operator
from channeling.operations.projects import read_project
from channeling.operations.stores import Stores
from channeling.projects.errors import KeyMissing
from channeling.projects.project_secrets import (
    change_secrets,
    open_secrets,
    with_provider_key,
    without_provider_key,
)
from channeling.provider import Provider
from channeling.upstream import UpstreamClient, UpstreamRequest

CHECK_TIMEOUT_S = 15.0

CheckOutcome = Literal["accepted", "refused", "unclear"]


class KeyCheck(Struct, frozen=True):
    """What a provider says of a key, in a call that costs nothing; `status` None: it was not reached."""

    provider: Provider
    outcome: CheckOutcome
    status: int | None
    message: str


async def set_key(
    stores: Stores, operator: Operator, project_id: str, provider: Provider, key: str
) -> tuple[Provider, ...]:
    """Set a provider's key and return the providers that have one.

    Raises ProjectMissing, ProjectInvalid, SecretsTooLarge, CipherUnavailable and StoreUnavailable.
    """
    change = with_provider_key(provider, key)
    async with stores.audit.entry(operator, "key.set", project_id, provider):
        after = await change_secrets(stores.projects, stores.cipher, project_id, change)
    return tuple(sorted(after.provider_keys))


async def remove_key(
    stores: Stores, operator: Operator, project_id: str, provider: Provider
) -> tuple[Provider, ...]:
    """Remove a provider's key and return the providers that have one: its models answer 400 then.

    Raises ProjectMissing, KeyMissing, CipherUnavailable and StoreUnavailable.
    """
    async with stores.audit.entry(operator, "key.remove", project_id, provider):
        await _key(stores, project_id, provider)
        after = await change_secrets(
            stores.projects, stores.cipher, project_id, without_provider_key(provider)
        )
    return tuple(sorted(after.provider_keys))


async def check_key(
    stores: Stores,
    upstream: UpstreamClient,
    base_urls: Mapping[Provider, str],
    project_id: str,
    provider: Provider,
) -> KeyCheck:
    """Ask a provider whether it takes the project's key; `base_urls` are the deployment's.

    Raises ProjectMissing, KeyMissing, CipherUnavailable and StoreUnavailable.
    """
    key = await _key(stores, project_id, provider)
    own_urls = (await read_project(stores, project_id)).rules.base_urls
    request = _question(provider, own_urls.get(provider, base_urls[provider]), key, provider in own_urls)
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            response = await upstream.send(request)
            status = response.status
            await response.aclose()
    except TimeoutError:
        return KeyCheck(
            provider, "unclear", None, f"{provider} did not answer in {CHECK_TIMEOUT_S:.0f} seconds"
        )
    except UpstreamFailed:
        # Its message may name addresses; which server was asked is in the project's rules.
        return KeyCheck(provider, "unclear", None, f"{provider} was not reached")
    # What a provider says in its own words may quote a part of the key.
    if status == 200:
        return KeyCheck(provider, "accepted", status, f"{provider} takes the key")
    if status in (401, 403):
        return KeyCheck(provider, "refused", status, f"{provider} refuses the key: set another one")
    return KeyCheck(provider, "unclear", status, f"{provider} answered with status {status}")


def _question(provider: Provider, base_url: str, key: str, has_own_url: bool) -> UpstreamRequest:
    """What every account may ask for free, and nobody without a key.

    Sources: platform.claude.com/docs/en/api/models-list, developers.openai.com/api/reference (List models),
    openrouter.ai/docs/api-reference/api-keys/get-current-api-key (there the list of models is public).
    """
    if provider == "anthropic":
        headers = [("x-api-key", key), ("anthropic-version", "2023-06-01")]
        return UpstreamRequest("GET", f"{base_url}/v1/models?limit=1", headers, b"")
    path = "/key" if provider == "openrouter" and not has_own_url else "/models"
    return UpstreamRequest("GET", f"{base_url}{path}", [("authorization", f"Bearer {key}")], b"")


async def _key(stores: Stores, project_id: str, provider: Provider) -> str:
    stored = await read_project(stores, project_id)
    key = (await open_secrets(stores.cipher, project_id, stored.sealed)).provider_keys.get(provider)
    if key is None:
        raise KeyMissing(f"project {project_id} has no {provider} key")
    return key
