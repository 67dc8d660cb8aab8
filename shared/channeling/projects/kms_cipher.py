"""`Cipher` on AWS KMS: one key of the deployment, the project id as encryption context."""

import asyncio
from collections.abc import Callable
from typing import Any

from channeling.projects.cipher import CipherUnavailable


class KmsCipher:
    """Encrypts with botocore's low-level KMS client (thread-safe), each call on a worker thread.

    Source: AWS KMS API Reference, Encrypt (4,096 bytes at most) and Decrypt.
    """

    def __init__(self, client: Any, key_id: str) -> None:
        self._client = client
        self._key_id = key_id

    async def encrypt(self, project_id: str, plaintext: bytes) -> bytes:
        answer = await asyncio.to_thread(
            _answer_of,
            self._client.encrypt,
            KeyId=self._key_id,
            Plaintext=plaintext,
            EncryptionContext={"project": project_id},
        )
        return bytes(answer["CiphertextBlob"])

    async def decrypt(self, project_id: str, ciphertext: bytes) -> bytes:
        answer = await asyncio.to_thread(
            _answer_of,
            self._client.decrypt,
            # Named although the ciphertext names its key too: bytes made with somebody else's key are refused.
            KeyId=self._key_id,
            CiphertextBlob=ciphertext,
            EncryptionContext={"project": project_id},
        )
        return bytes(answer["Plaintext"])


def _answer_of(operation: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return operation(**arguments)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise CipherUnavailable(f"KMS refused the call: {code}") from error
    except BotoCoreError as error:
        raise CipherUnavailable(f"KMS did not answer: {type(error).__name__}") from error
