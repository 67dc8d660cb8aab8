"""What requests to AWS are signed with, and where it comes from."""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from channeling.hidden_fields import repr_without


class Credentials(Struct, frozen=True):
    """An access key, its secret, and the session token that temporary ones come with.

    `expires_s` is in seconds since the Unix epoch; None: they come without a date.
    """

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expires_s: float | None = None
    __repr__ = repr_without("secret_access_key", "session_token")


class CredentialsSource(Protocol):
    """Where a client asks for credentials before each request that it signs."""

    async def current(self) -> Credentials:
        """Return credentials that are valid now; raise CredentialsUnavailable."""

    def refused(self, credentials: Credentials) -> None:
        """Hear that a service no longer takes these, whatever their date says."""

    def reset(self) -> None:
        """Forget what was fetched; the next `current` fetches anew."""

    async def aclose(self) -> None:
        """Stop what runs in the background and close connections."""


class FixedCredentials:
    """`CredentialsSource` that never changes, as a process's environment does not."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def current(self) -> Credentials:
        return self._credentials

    def refused(self, credentials: Credentials) -> None:
        pass  # there are no others

    def reset(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def environment_credentials(environ: Mapping[str, str]) -> Credentials | None:
    """Return the credentials that the environment holds itself, or None.

    Source: AWS SDKs and Tools Reference Guide, "AWS access keys"; AWS Lambda Developer Guide, "Defined runtime
    environment variables".
    """
    access_key_id = environ.get("AWS_ACCESS_KEY_ID", "").strip()
    secret_access_key = environ.get("AWS_SECRET_ACCESS_KEY", "").strip()
    if not access_key_id or not secret_access_key:
        return None
    token = environ.get("AWS_SESSION_TOKEN", "").strip()
    return Credentials(access_key_id, secret_access_key, token or None)
