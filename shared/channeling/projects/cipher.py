"""The door to encryption: secrets of one project in, bytes that only this deployment can read out."""

from typing import Protocol

from channeling.errors import StoreUnavailable


class CipherUnavailable(StoreUnavailable):
    """A secret could not be encrypted or decrypted: KMS unreachable or refusing, wrong key, damaged bytes.

    `reason` is for operators (an AWS error code, never a secret); callers of the gateway see only the message.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("the project's secrets could not be read")
        self.reason = reason


class Cipher(Protocol):
    """Both raise CipherUnavailable. The project id is authenticated: another project's bytes do not decrypt."""

    async def encrypt(self, project_id: str, plaintext: bytes) -> bytes:
        """Return the ciphertext of at most 4,000 bytes."""

    async def decrypt(self, project_id: str, ciphertext: bytes) -> bytes:
        """Return the plaintext of bytes that `encrypt` made for the same project."""
