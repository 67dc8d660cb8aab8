"""Changing a project's secrets: read, change, encrypt, write over the version read; again if another was first."""

from collections.abc import Callable
from types import MappingProxyType

from channeling.dynamodb import ConditionFailed
from channeling.projects.cipher import Cipher, CipherUnavailable
from channeling.projects.errors import (
    ProjectInvalid,
    ProjectMissing,
    SecretsBusy,
    TooManySecrets,
)
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_items import MAX_HMAC_SECRETS, decode_secrets, encode_secrets
from channeling.projects.store import ProjectStore, SealedSecrets
from channeling.provider import Provider

_TRIES = 16
_MAX_SECRET_CHARACTERS = 1_000


async def open_secrets(cipher: Cipher, project_id: str, sealed: SealedSecrets) -> ProjectSecrets:
    """Return the secrets in the clear; raise CipherUnavailable."""
    if sealed.ciphertext is None:
        return ProjectSecrets()
    plaintext = await cipher.decrypt(project_id, sealed.ciphertext)
    try:
        return decode_secrets(plaintext)
    except (ValueError, KeyError, TypeError) as error:
        # Without the original in the chain: its message may quote the plaintext.
        raise CipherUnavailable(f"the decrypted secrets are malformed ({type(error).__name__})") from None


async def create_project(
    store: ProjectStore,
    cipher: Cipher,
    project_id: str,
    rules: ProjectRules,
    secrets: ProjectSecrets,
    *,
    now_ms: int,
) -> None:
    """Write a new project; raise ProjectExists, ProjectInvalid, SecretsTooLarge or CipherUnavailable."""
    ciphertext = await cipher.encrypt(project_id, encode_secrets(secrets))
    await store.create(project_id, rules, ciphertext, now_ms=now_ms)


async def change_secrets(
    store: ProjectStore,
    cipher: Cipher,
    project_id: str,
    change: Callable[[ProjectSecrets], ProjectSecrets],
) -> ProjectSecrets:
    """Apply a change and return the secrets after it.

    `change` may run several times, each time on what stands there then, so it must bear being applied to its own
    result: a write whose answer was lost is seen as done. Raises ProjectMissing, SecretsTooLarge, SecretsBusy
    after 16 tries, CipherUnavailable, and what `change` raises.
    """
    for _ in range(_TRIES):
        stored = await store.read(project_id)
        if stored is None:
            raise ProjectMissing(f"there is no project {project_id!r}")
        before = await open_secrets(cipher, project_id, stored.sealed)
        after = change(before)
        if after == before:
            return before
        ciphertext = await cipher.encrypt(project_id, encode_secrets(after))
        try:
            await store.replace_secrets(project_id, ciphertext, seen_version=stored.sealed.version)
        except ConditionFailed:
            continue
        return after
    raise SecretsBusy(f"others keep changing the secrets of project {project_id!r}; try again")


def with_provider_key(provider: Provider, key: str) -> Callable[[ProjectSecrets], ProjectSecrets]:
    """Return the change that sets a provider's key; raise ProjectInvalid when it cannot be one."""
    _check_secret(key)

    def change(secrets: ProjectSecrets) -> ProjectSecrets:
        keys = {**secrets.provider_keys, provider: key}
        return ProjectSecrets(secrets.hmac_secrets, MappingProxyType(keys))

    return change


def without_provider_key(provider: Provider) -> Callable[[ProjectSecrets], ProjectSecrets]:
    """Return the change that removes a provider's key, if there is one."""

    def change(secrets: ProjectSecrets) -> ProjectSecrets:
        keys = {name: key for name, key in secrets.provider_keys.items() if name != provider}
        return ProjectSecrets(secrets.hmac_secrets, MappingProxyType(keys))

    return change


def with_hmac_secret(secret: str) -> Callable[[ProjectSecrets], ProjectSecrets]:
    """Return the change that adds an HMAC secret as the newest; it raises TooManySecrets when two are active."""
    _check_secret(secret)

    def change(secrets: ProjectSecrets) -> ProjectSecrets:
        if secret in secrets.hmac_secrets:
            return secrets
        if len(secrets.hmac_secrets) >= MAX_HMAC_SECRETS:
            raise TooManySecrets(
                f"{MAX_HMAC_SECRETS} HMAC secrets are active already: remove the old one first"
            )
        return ProjectSecrets((*secrets.hmac_secrets, secret), secrets.provider_keys)

    return change


def without_hmac_secret(secret: str) -> Callable[[ProjectSecrets], ProjectSecrets]:
    """Return the change that removes an HMAC secret: tokens signed with it end within the cache's 60 seconds."""

    def change(secrets: ProjectSecrets) -> ProjectSecrets:
        return ProjectSecrets(
            tuple(active for active in secrets.hmac_secrets if active != secret), secrets.provider_keys
        )

    return change


def _check_secret(secret: str) -> None:
    # A secret goes into an HTTP header or a signature; white space in it is a slip of pasting.
    if not secret or len(secret) > _MAX_SECRET_CHARACTERS or not secret.isascii() or not secret.isprintable():
        raise ProjectInvalid("a secret has 1 to 1,000 printable ASCII characters")
    if " " in secret:
        raise ProjectInvalid("a secret holds no spaces: was more than the key pasted?")
