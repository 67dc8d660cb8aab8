"""The deployment's secret, which admin tokens are signed with: in Secrets Manager on AWS, else in a file."""

import asyncio
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from channeling.auth.admin_token import MIN_SECRET_CHARACTERS
from channeling.clock import Clock
from channeling.errors import StoreUnavailable

FRESH_MS = 300_000
STALE_MS = 3_600_000
_SECRET_BYTES = 32


class AdminSecretError(Exception):
    """The secret is missing, malformed or readable by others; the message says what to do."""


class AdminSecret(Protocol):
    """Where the secret comes from."""

    async def read(self) -> str:
        """Return it; raise StoreUnavailable."""


class FixedSecret:
    """`AdminSecret` that was read once, such as from a file."""

    def __init__(self, secret: str) -> None:
        if len(secret) < MIN_SECRET_CHARACTERS:
            raise AdminSecretError(f"an admin secret has at least {MIN_SECRET_CHARACTERS} characters")
        self._secret = secret

    async def read(self) -> str:
        return self._secret


class SecretsManagerSecret:
    """`AdminSecret` in AWS Secrets Manager, read again after five minutes: rotating it ends all admin tokens.

    Source: AWS Secrets Manager API Reference, GetSecretValue. `client` is botocore's low-level client.
    """

    def __init__(self, client: Any, secret_id: str, clock: Clock) -> None:
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._secret = ""
        self._read_ms = 0

    async def read(self) -> str:
        now_ms = self._clock.now_ms()
        if self._secret and now_ms - self._read_ms < FRESH_MS:
            return self._secret
        try:
            self._secret = await asyncio.to_thread(
                _secret_string, self._client.get_secret_value, self._secret_id
            )
        except StoreUnavailable:
            if self._secret and now_ms - self._read_ms < STALE_MS:
                return self._secret
            raise
        self._read_ms = now_ms
        return self._secret


def open_admin_secret_file(path: Path, *, create: bool = False) -> str:
    """Return the secret in a file that only its owner may read; with `create` make it first when there is none.

    Of several processes that create it at once, all get the same secret. Raises AdminSecretError.
    """
    try:
        if create and not path.exists():
            _create(path)
        return _read(path)
    except FileNotFoundError as error:
        raise AdminSecretError(
            f"there is no admin secret {path}: start the server, which makes one"
        ) from error
    except OSError as error:
        raise AdminSecretError(f"the admin secret {path} cannot be used: {error.strerror}") from error


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_SECRET_BYTES) + "\n")
        # A link, not a rename: it fails when another process was first, whose secret then stays.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _read(path: Path) -> str:
    with path.open() as file:
        mode = os.fstat(file.fileno()).st_mode
        # Windows has no such bits; there the folder's own access list protects the file.
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise AdminSecretError(f"the admin secret {path} can be read by others: chmod 600 {path}")
        secret = file.read(1024).strip()
    if len(secret) < MIN_SECRET_CHARACTERS:
        raise AdminSecretError(f"the admin secret {path} is damaged: remove it and start the server again")
    return secret


def _secret_string(operation: Callable[..., dict[str, Any]], secret_id: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return str(operation(SecretId=secret_id)["SecretString"])
    except (ClientError, BotoCoreError, KeyError) as error:
        raise StoreUnavailable("the admin secret could not be read") from error
