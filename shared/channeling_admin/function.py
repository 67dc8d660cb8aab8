"""The admin API as a Lambda function behind a function URL, on the runtime layer, so that exports are streamed.

    CHANNELING_ADMIN_SECRET_ID       the secret in Secrets Manager that admin tokens are signed with
    CHANNELING_MESSAGES_URL          the base URL that users' clients take

and the settings of the messages function (`channeling.settings`).
"""

import os
from collections.abc import Mapping

from fastapi import FastAPI

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.clock import SystemClock
from channeling.operations.stores import open_stores
from channeling.projects.kms_cipher import KmsCipher
from channeling.settings import Settings, SettingsError
from channeling.upstream import HttpUpstream
from channeling_admin.admin import Admin
from channeling_admin.admin_secret import SecretsManagerSecret
from channeling_admin.app import create_admin_app
from channeling_admin.sign_in_rate import SignInRate

_THREADS = 32


def admin_app(environ: Mapping[str, str]) -> FastAPI:
    """Return the app of a deployment; raise SettingsError."""
    import botocore.session
    from botocore.config import Config

    settings = Settings.from_environ(environ)
    secret_id = environ.get("CHANNELING_ADMIN_SECRET_ID", "").strip()
    if not secret_id or settings.kms_key_id is None:
        raise SettingsError(
            "set CHANNELING_ADMIN_SECRET_ID (a secret in Secrets Manager) and CHANNELING_KMS_KEY_ID"
        )
    session = botocore.session.get_session()
    config = Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=_THREADS,
    )
    clock = SystemClock()
    stores = open_stores(
        BotocoreDynamoDB(session.create_client("dynamodb", config=config), threads=_THREADS),
        settings.tables,
        KmsCipher(session.create_client("kms", config=config), settings.kms_key_id),
        clock,
        os.urandom,
    )
    admin = Admin(
        stores=stores,
        upstream=HttpUpstream(),
        base_urls=settings.base_urls,
        secret=SecretsManagerSecret(session.create_client("secretsmanager", config=config), secret_id, clock),
        sign_in_rate=SignInRate(clock),
        clock=clock,
        randomness=os.urandom,
        messages_url=environ.get("CHANNELING_MESSAGES_URL", "").strip().rstrip("/"),
    )
    return create_admin_app(admin)
