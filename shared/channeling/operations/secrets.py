"""A project's HMAC secrets: added and shown once, told apart by fingerprints, removed."""

from msgspec import Struct

from channeling.auth.mint import new_hmac_secret
from channeling.operations.operator import Operator
from channeling.operations.projects import read_project
from channeling.operations.stores import Stores
from channeling.projects.errors import SecretMissing
from channeling.projects.fingerprint import fingerprint
from channeling.projects.project_secrets import (
    change_secrets,
    open_secrets,
    with_hmac_secret,
    without_hmac_secret,
)


class AddedSecret(Struct, frozen=True):
    """A new HMAC secret, which is shown this once."""

    hmac_secret: str
    fingerprint: str


async def list_secrets(stores: Stores, project_id: str) -> tuple[str, ...]:
    """Return the fingerprints of a project's secrets, the newest last.

    Raises ProjectMissing, CipherUnavailable and StoreUnavailable.
    """
    stored = await read_project(stores, project_id)
    opened = await open_secrets(stores.cipher, project_id, stored.sealed)
    return tuple(fingerprint(secret) for secret in opened.hmac_secrets)


async def add_secret(stores: Stores, operator: Operator, project_id: str) -> AddedSecret:
    """Make a second secret beside the one there is; tokens of both are accepted.

    Raises ProjectMissing, TooManySecrets, CipherUnavailable and StoreUnavailable.
    """
    secret = new_hmac_secret(stores.randomness)
    added = AddedSecret(secret, fingerprint(secret))
    async with stores.audit.entry(operator, "secret.add", project_id, added.fingerprint):
        await change_secrets(stores.projects, stores.cipher, project_id, with_hmac_secret(secret))
    return added


async def remove_secret(
    stores: Stores, operator: Operator, project_id: str, print_of_secret: str
) -> tuple[str, ...]:
    """Remove a secret and return the fingerprints that are left; its tokens are refused within a minute.

    Raises ProjectMissing, SecretMissing, CipherUnavailable and StoreUnavailable.
    """
    async with stores.audit.entry(operator, "secret.remove", project_id, print_of_secret):
        stored = await read_project(stores, project_id)
        opened = await open_secrets(stores.cipher, project_id, stored.sealed)
        meant = [secret for secret in opened.hmac_secrets if fingerprint(secret) == print_of_secret]
        if not meant:
            raise SecretMissing(
                f"project {project_id} has no HMAC secret with the fingerprint {print_of_secret[:64]!r}; its"
                f" fingerprints are {', '.join(map(fingerprint, opened.hmac_secrets)) or 'none'}"
            )
        after = await change_secrets(
            stores.projects, stores.cipher, project_id, without_hmac_secret(meant[0])
        )
    return tuple(fingerprint(secret) for secret in after.hmac_secrets)
