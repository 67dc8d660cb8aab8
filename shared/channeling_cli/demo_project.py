"""The project that a server on one machine makes for itself, with the provider keys of the environment."""

import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType

from channeling.auth.mint import new_hmac_secret
from channeling.projects.cipher import Cipher
from channeling.projects.errors import ProjectExists, ProjectInvalid
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_secrets import change_secrets, create_project, with_provider_key
from channeling.projects.store import ProjectStore
from channeling.provider import Provider

DEMO_PROJECT_ID = "demo"
# Stored in the place of an Anthropic key while the demo answers, and no key that Anthropic could ever give out.
DEMO_KEY = "built-in-demo-upstream"
KEY_VARIABLES: Mapping[Provider, str] = MappingProxyType(
    {
        "anthropic": "ANTHROPIC_API_KEY",
        "openai": "OPENAI_API_KEY",
        "openrouter": "OPENROUTER_API_KEY",
    }
)


def environment_keys(environ: Mapping[str, str]) -> dict[Provider, str]:
    """Return the provider keys that the environment holds; raise ProjectInvalid for one that cannot be a key."""
    keys: dict[Provider, str] = {}
    for provider, variable in KEY_VARIABLES.items():
        key = environ.get(variable, "").strip()
        if key:
            try:
                with_provider_key(provider, key)
            except ProjectInvalid as error:
                raise ProjectInvalid(f"{variable} cannot be used: {error}") from error
            keys[provider] = key
    return keys


async def ensure_demo_project(
    store: ProjectStore,
    cipher: Cipher,
    keys: Mapping[Provider, str],
    *,
    demo_allowed: bool,
    now_ms: int,
    randomness: Callable[[int], bytes] = secrets.token_bytes,
) -> ProjectSecrets:
    """Make the demo project, or bring that of a lasting store up to date, and return its secrets.

    `keys` replace the stored ones of the same providers; others stay. Without any key the demo's takes
    Anthropic's place if `demo_allowed`.
    """
    change = _with_keys(keys, demo_allowed=demo_allowed, new_secret=new_hmac_secret(randomness))
    created = change(ProjectSecrets())
    try:
        await create_project(store, cipher, DEMO_PROJECT_ID, ProjectRules("Demo"), created, now_ms=now_ms)
    except ProjectExists:
        return await change_secrets(store, cipher, DEMO_PROJECT_ID, change)
    return created


def _with_keys(
    keys: Mapping[Provider, str], *, demo_allowed: bool, new_secret: str
) -> Callable[[ProjectSecrets], ProjectSecrets]:
    def change(before: ProjectSecrets) -> ProjectSecrets:
        after = {provider: key for provider, key in before.provider_keys.items() if key != DEMO_KEY}
        after |= keys
        if not after and demo_allowed:
            after["anthropic"] = DEMO_KEY
        return ProjectSecrets(before.hmac_secrets or (new_secret,), MappingProxyType(after))

    return change
