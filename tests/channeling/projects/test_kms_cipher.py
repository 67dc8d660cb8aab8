"""Secrets sealed with KMS carry the project id as encryption context, and KMS's failures fail closed."""

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from channeling.projects.cipher import CipherUnavailable
from channeling.projects.kms_cipher import KmsCipher


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "embedded")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "embedded")
    with mock_aws():
        client = botocore.session.Session().create_client("kms", region_name="eu-west-1")
        yield client
        client.close()


async def test_what_was_sealed_opens_for_its_project_alone(kms: Any) -> None:
    cipher = KmsCipher(kms, kms.create_key()["KeyMetadata"]["KeyId"])
    sealed = await cipher.encrypt("shop", b"secret")
    assert await cipher.decrypt("shop", sealed) == b"secret"
    with pytest.raises(CipherUnavailable) as refused:
        await cipher.decrypt("other", sealed)
    assert refused.value.reason == "KMS refused the call: InvalidCiphertextException"


async def test_a_key_that_is_gone_fails_closed(kms: Any) -> None:
    with pytest.raises(CipherUnavailable, match="could not be read") as refused:
        await KmsCipher(kms, "missing").encrypt("shop", b"secret")
    assert refused.value.status == 529
    assert refused.value.reason == "KMS refused the call: NotFoundException"


async def test_an_unreachable_kms_fails_closed() -> None:
    class Unreachable:
        def decrypt(self, **_: Any) -> dict[str, Any]:
            raise EndpointConnectionError(endpoint_url="https://kms.example")

    with pytest.raises(CipherUnavailable) as refused:
        await KmsCipher(Unreachable(), "key").decrypt("shop", b"sealed")
    assert refused.value.reason == "KMS did not answer: EndpointConnectionError"
