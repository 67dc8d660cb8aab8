"""The lean KMS door seals and opens as that over botocore does, and whatever goes wrong fails closed."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import pytest

from channeling.aws.clients import AwsClients
from channeling.aws.credentials import Credentials, FixedCredentials
from channeling.aws.endpoints import KMS, endpoint_at
from channeling.aws.json_client import JsonClient
from channeling.clock import SystemClock
from channeling.projects.cipher import CipherUnavailable
from channeling.projects.kms_cipher import KmsCipher
from channeling.projects.lean_kms_cipher import LeanKmsCipher
from channeling_cli.embedded_dynamodb import ENVIRONMENT, EmbeddedDynamoDB, local_client
from tests.stand_ins.aws_transport import Answer, Broken, ScriptedTransport, answer, error
from tests.stand_ins.clock import SetClock


@pytest.fixture
def botocore_kms(embedded_dynamodb: EmbeddedDynamoDB) -> Iterator[Any]:
    client = local_client(embedded_dynamodb.endpoint_url, service="kms")
    yield client
    client.close()


@pytest.fixture
async def kms(embedded_dynamodb: EmbeddedDynamoDB) -> AsyncIterator[JsonClient]:
    environ = {
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL_KMS": embedded_dynamodb.endpoint_url,
    }
    aws = AwsClients(environ, SystemClock())
    yield aws.client(KMS, read_timeout_s=60)
    await aws.aclose()


async def test_what_one_door_sealed_opens_at_either_for_its_project_alone(
    kms: JsonClient, botocore_kms: Any
) -> None:
    key_id = botocore_kms.create_key()["KeyMetadata"]["KeyId"]
    ciphers = (LeanKmsCipher(kms, key_id), KmsCipher(botocore_kms, key_id))
    secret = bytes(range(256))
    for sealing in ciphers:
        sealed = await sealing.encrypt("shop", secret)
        for opening in ciphers:
            assert await opening.decrypt("shop", sealed) == secret
            with pytest.raises(CipherUnavailable) as refused:
                await opening.decrypt("other", sealed)
            assert refused.value.reason == "KMS refused the call: InvalidCiphertextException"


async def test_a_key_that_is_gone_fails_closed(kms: JsonClient) -> None:
    with pytest.raises(CipherUnavailable, match="could not be read") as refused:
        await LeanKmsCipher(kms, "missing").encrypt("shop", b"secret")
    assert refused.value.status == 529
    assert refused.value.reason == "KMS refused the call: NotFoundException"


def scripted(*script: Answer | Exception) -> tuple[LeanKmsCipher, ScriptedTransport]:
    transport = ScriptedTransport(script)
    client = JsonClient(
        endpoint_at(KMS, "http://127.0.0.1:1", "eu-west-1"),
        FixedCredentials(Credentials("a", "b")),
        transport,
        SetClock(),
        attempts=1,
    )
    return LeanKmsCipher(client, "the-key"), transport


async def test_the_key_is_named_when_opening_too() -> None:
    """Else bytes made with anybody's key would open that this role may use."""
    cipher, transport = scripted(answer({"Plaintext": "c2VjcmV0"}))
    assert await cipher.decrypt("shop", b"\x00sealed") == b"secret"
    assert orjson.loads(transport.sent[0].body) == {
        "KeyId": "the-key",
        "CiphertextBlob": "AHNlYWxlZA==",
        "EncryptionContext": {"project": "shop"},
    }


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Broken(), "KMS did not answer: Broken"),
        (error("AccessDeniedException"), "KMS refused the call: AccessDeniedException"),
        (Answer(503, b""), "KMS refused the call: HTTP 503"),
        (answer({}), "KMS answered with something else"),
        (answer([]), "KMS answered with something else"),
        (answer({"Plaintext": "?"}), "KMS answered with something else"),
        (answer({"Plaintext": None}), "KMS answered with something else"),
    ],
)
async def test_whatever_goes_wrong_fails_closed(failure: Answer | Exception, reason: str) -> None:
    cipher, _ = scripted(failure)
    with pytest.raises(CipherUnavailable) as refused:
        await cipher.decrypt("shop", b"sealed")
    assert refused.value.reason == reason
