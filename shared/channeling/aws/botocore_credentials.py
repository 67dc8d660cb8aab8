"""Credentials out of a botocore session: profiles, single sign-on, roles; for where botocore is installed."""

import asyncio
from typing import Any

from channeling.aws.credentials import Credentials
from channeling.aws.errors import CredentialsUnavailable
from channeling.clock import Clock

_FRESH_MS = 60_000


class BotocoreCredentials:
    """`CredentialsSource` that asks a session once a minute, in a thread; the session refreshes them in time."""

    def __init__(self, session: Any, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._kept: Credentials | None = None
        self._read_ms = 0
        self._reading = asyncio.Lock()

    async def current(self) -> Credentials:
        kept = self._fresh()
        if kept is not None:
            return kept
        async with self._reading:
            kept = self._fresh()
            if kept is not None:
                return kept
            read_ms = self._clock.now_ms()
            read = await asyncio.to_thread(_read, self._session)
            self._read_ms = read_ms
            if read != self._kept:
                self._kept = read  # else those there keep their signing key
            return self._kept

    def refused(self, credentials: Credentials) -> None:
        self._read_ms = 0

    def reset(self) -> None:
        self._read_ms = 0

    async def aclose(self) -> None:
        pass

    def _fresh(self) -> Credentials | None:
        return self._kept if self._clock.now_ms() - self._read_ms < _FRESH_MS else None


def _read(session: Any) -> Credentials:
    from botocore.exceptions import BotoCoreError

    try:
        found = session.get_credentials()
        frozen = None if found is None else found.get_frozen_credentials()
    except BotoCoreError as error:
        raise CredentialsUnavailable(f"AWS credentials cannot be had: {error}") from error
    if frozen is None or not frozen.access_key or not frozen.secret_key:
        raise CredentialsUnavailable("there are no AWS credentials in the environment or its configuration")
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token or None)
