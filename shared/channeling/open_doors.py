"""The doors of a deployment, opened from its settings: AWS as the environment says, and providers."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from channeling.alert_door import AlertDoor, EventBridgeAlerts, LoggedAlerts
from channeling.aws.clients import AwsClients
from channeling.aws.endpoints import DYNAMODB, EVENTBRIDGE, KMS
from channeling.clock import SystemClock
from channeling.doors import Doors
from channeling.lean_dynamodb import LeanDynamoDB
from channeling.metrics import metrics_of
from channeling.projects.cipher import Cipher
from channeling.projects.key_file_cipher import open_key_file
from channeling.projects.lean_kms_cipher import LeanKmsCipher
from channeling.settings import Settings
from channeling.upstream import HttpUpstream


@asynccontextmanager
async def open_doors(settings: Settings, environ: Mapping[str, str] = os.environ) -> AsyncIterator[Doors]:
    """Open what the request path needs, and close it at the end; raise AwsConfigurationError.

    Nothing is connected before it is used, so that a snapshot of the process holds no connection.
    """
    clock = SystemClock()
    aws = AwsClients(environ, clock)
    # A project may name a server of its own: on Lambda not one that is the function's own machine.
    upstream = HttpUpstream(trusted_hosts=settings.hosts if settings.on_lambda else None)

    def reset() -> None:
        aws.reset()
        upstream.drop_connections()

    try:
        yield Doors(
            LeanDynamoDB(aws.client(DYNAMODB)),
            _cipher(aws, settings),
            upstream,
            clock,
            os.urandom,
            _alerts(aws, settings.alert_event_bus),
            metrics_of(settings.metrics_deployment, clock),
            reset=reset,
        )
    finally:
        await upstream.aclose()
        await aws.aclose()


def _cipher(aws: AwsClients, settings: Settings) -> Cipher:
    if settings.kms_key_id is not None:
        return LeanKmsCipher(aws.client(KMS), settings.kms_key_id)
    if settings.key_file is None:
        raise ValueError("settings name neither a KMS key nor a key file")
    return open_key_file(settings.key_file)


def _alerts(aws: AwsClients, event_bus: str | None) -> AlertDoor:
    if event_bus is None:
        return LoggedAlerts()
    # All of it within the time that the door gives it.
    return EventBridgeAlerts(aws.client(EVENTBRIDGE, attempts=2, read_timeout_s=1.0), event_bus)
