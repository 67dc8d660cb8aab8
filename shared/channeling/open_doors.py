"""The doors of a deployment, opened from its settings: AWS as the environment says, and providers."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from channeling.alert_door import event_bus_alerts
from channeling.aws.clients import AwsClients
from channeling.aws.endpoints import DYNAMODB, KMS
from channeling.aws.json_client import JsonClient
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

    Where a request is sure to wait already, AWS is connected to in the background; else nothing is before it is
    used, so that a snapshot of the process holds no connection.
    """
    clock = SystemClock()
    aws = AwsClients(environ, clock)
    dynamodb = aws.client(DYNAMODB)
    kms = aws.client(KMS) if settings.kms_key_id is not None else None
    # A project may name a server of its own: on Lambda not one that is the function's own machine.
    upstream = HttpUpstream(trusted_hosts=settings.hosts if settings.on_lambda else None)

    def reset() -> None:
        aws.reset()
        upstream.drop_connections()

    connecting: asyncio.Future[Any] | None = None
    # Lambda starts an environment of this kind for a request, and gives its start a whole processor (AWS Lambda
    # Developer Guide, "Defined runtime environment variables").
    if environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "on-demand":
        connecting = asyncio.gather(*(client.connect() for client in (dynamodb, kms) if client is not None))
    try:
        yield Doors(
            LeanDynamoDB(dynamodb),
            _cipher(kms, settings),
            upstream,
            clock,
            os.urandom,
            event_bus_alerts(aws, settings.alert_event_bus),
            metrics_of(settings.metrics_deployment, clock),
            reset=reset,
            connect_ahead=upstream.connect_ahead,
        )
    finally:
        if connecting is not None:
            connecting.cancel()
        await upstream.aclose()
        await aws.aclose()


def _cipher(kms: JsonClient | None, settings: Settings) -> Cipher:
    if kms is not None and settings.kms_key_id is not None:
        return LeanKmsCipher(kms, settings.kms_key_id)
    if settings.key_file is None:
        raise ValueError("settings name neither a KMS key nor a key file")
    return open_key_file(settings.key_file)
