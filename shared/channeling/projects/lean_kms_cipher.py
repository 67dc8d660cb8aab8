"""`Cipher` on AWS KMS over the lean AWS client: one key of the deployment, the project id as encryption context."""

from base64 import b64decode, b64encode
from typing import Any

import orjson

from channeling.aws.errors import AwsError, AwsRefused
from channeling.aws.json_client import JsonClient
from channeling.projects.cipher import CipherUnavailable


class LeanKmsCipher:
    """`Cipher` that belongs to the event loop of its client.

    Source: AWS KMS API Reference, Encrypt (4,096 bytes at most) and Decrypt.
    """

    def __init__(self, client: JsonClient, key_id: str) -> None:
        self._client = client
        self._key_id = key_id

    async def encrypt(self, project_id: str, plaintext: bytes) -> bytes:
        return await self._call("Encrypt", project_id, "Plaintext", plaintext, answered="CiphertextBlob")

    async def decrypt(self, project_id: str, ciphertext: bytes) -> bytes:
        # Its key is named although the ciphertext names it too: bytes made with somebody else's key are refused.
        return await self._call("Decrypt", project_id, "CiphertextBlob", ciphertext, answered="Plaintext")

    async def _call(
        self, operation: str, project_id: str, member: str, content: bytes, *, answered: str
    ) -> bytes:
        arguments = {
            "KeyId": self._key_id,
            member: b64encode(content).decode("ascii"),
            "EncryptionContext": {"project": project_id},
        }
        try:
            answer: Any = await self._client.call(operation, orjson.dumps(arguments))
            return b64decode(answer[answered], validate=True)
        except AwsRefused as error:
            raise CipherUnavailable(f"KMS refused the call: {error.code}") from error
        except AwsError as error:
            raise CipherUnavailable(
                f"KMS did not answer: {type(error.__cause__ or error).__name__}"
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise CipherUnavailable("KMS answered with something else") from error
