"""One call gives a gateway in any process all it needs: a store, sealed secrets, a project, a token."""

import time
from pathlib import Path
from typing import Any

import pytest

from channeling.auth.token import verify_token
from channeling.projects.project_secrets import open_secrets
from channeling.projects.store import ProjectStore
from channeling.settings import Settings
from channeling_cli.demo_project import DEMO_KEY
from channeling_cli.lean_store import open_lean_store
from channeling_cli.local import start_local_backend


async def provider_keys_through(cipher: Any, backend: Any) -> dict[str, str]:
    store = open_lean_store(backend.dynamodb_endpoint_url)
    try:
        stored = await ProjectStore(store.dynamodb, backend.tables.projects).read("demo")
    finally:
        await store.aclose()
    assert stored is not None
    return dict((await open_secrets(cipher, "demo", stored.sealed)).provider_keys)


def test_with_a_folder_secrets_are_sealed_with_its_key_file(tmp_path: Path) -> None:
    environ = {"ANTHROPIC_API_KEY": "sk-ant-1"}
    with start_local_backend(environ, folder=tmp_path) as backend:
        settings = Settings.from_environ(backend.gateway_environ())
        assert settings.key_file == tmp_path / "secrets.key"
        assert not backend.is_demo
        claims = verify_token(backend.mint("ana", 1_000_000), [backend.hmac_secret], now_s=time.time())
        assert (claims.user_id, claims.budget.limit_nanousd) == ("ana", 10**9)


def test_without_a_folder_the_stores_own_kms_seals_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    import botocore.session

    from channeling.projects.kms_cipher import KmsCipher

    # A lasting store that is named is not for this: its KMS would be another's.
    with start_local_backend({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}) as backend:
        environ = backend.gateway_environ()
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        settings = Settings.from_environ(environ)
        assert settings.kms_key_id is not None
        # As the built function does it: botocore finds region, endpoint and credentials in the environment.
        kms = botocore.session.Session().create_client("kms")
        keys = asyncio.run(provider_keys_through(KmsCipher(kms, settings.kms_key_id), backend))
        kms.close()
        assert keys == {"anthropic": DEMO_KEY}
        assert backend.is_demo
