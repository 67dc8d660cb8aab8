"""The doors of a deployment, opened from its settings: AWS with the environment's own credentials, and httpx."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channeling.alert_door import AlertDoor, EventBridgeAlerts, LoggedAlerts
from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.clock import SystemClock
from channeling.doors import Doors
from channeling.projects.cipher import Cipher
from channeling.projects.key_file_cipher import open_key_file
from channeling.projects.kms_cipher import KmsCipher
from channeling.settings import Settings
from channeling.upstream import HttpUpstream

_DYNAMODB_THREADS = 64


@asynccontextmanager
async def open_doors(settings: Settings) -> AsyncIterator[Doors]:
    """Open what the request path needs, and close it at the end."""
    import botocore.session  # here, so that importing this module costs no cold start of its own

    session = botocore.session.get_session()
    dynamodb = BotocoreDynamoDB(_client(session, "dynamodb"), threads=_DYNAMODB_THREADS)
    # A project may name a server of its own: on Lambda not one that is the function's own machine.
    upstream = HttpUpstream(trusted_hosts=settings.hosts if settings.on_lambda else None)
    try:
        yield Doors(
            dynamodb,
            _cipher(session, settings),
            upstream,
            SystemClock(),
            os.urandom,
            _alerts(session, settings.alert_event_bus),
        )
    finally:
        await upstream.aclose()
        dynamodb.close()


def _cipher(session: Any, settings: Settings) -> Cipher:
    if settings.kms_key_id is not None:
        return KmsCipher(_client(session, "kms"), settings.kms_key_id)
    if settings.key_file is None:
        raise ValueError("settings name neither a KMS key nor a key file")
    return open_key_file(settings.key_file)


def _alerts(session: Any, event_bus: str | None) -> AlertDoor:
    if event_bus is None:
        return LoggedAlerts()
    return EventBridgeAlerts(lambda: _events_client(session), event_bus)


def _events_client(session: Any) -> Any:
    from botocore.config import Config

    # All of it within the time that the door gives it.
    config = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})
    return session.create_client("events", config=config)


def _client(session: Any, service: str) -> Any:
    from botocore.config import Config

    # A healthy call takes milliseconds: waiting longer than this only keeps a caller from hearing "try again".
    return session.create_client(
        service,
        config=Config(
            connect_timeout=2,
            read_timeout=3,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=_DYNAMODB_THREADS,
            tcp_keepalive=True,
        ),
    )
