"""`Cipher` on a key file of this machine: AES-256-GCM, the project id as associated data.

The file holds 32 random bytes in base64 and may be read by its owner alone. A ciphertext is one version byte,
a nonce of 12 bytes, and AES-GCM's output. `cryptography` is imported at the first use: the messages function on
Lambda never needs it.
"""

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from channeling.projects.cipher import CipherUnavailable

_VERSION = b"\x01"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16


class KeyFileError(Exception):
    """The key file is missing, malformed, or readable by others; the message says what to do."""


class KeyFileCipher:
    """Encrypts with one AES-256 key in memory."""

    def __init__(self, key: bytes, randomness: Callable[[int], bytes] = os.urandom) -> None:
        if len(key) != _KEY_BYTES:
            raise KeyFileError(f"an AES-256 key has {_KEY_BYTES} bytes, not {len(key)}")
        self._key = key
        self._randomness = randomness

    async def encrypt(self, project_id: str, plaintext: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = self._randomness(_NONCE_BYTES)
        return _VERSION + nonce + AESGCM(self._key).encrypt(nonce, plaintext, project_id.encode())

    async def decrypt(self, project_id: str, ciphertext: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if ciphertext[:1] != _VERSION or len(ciphertext) < 1 + _NONCE_BYTES + _TAG_BYTES:
            raise CipherUnavailable("these secrets were not encrypted with a key file")
        nonce, sealed = ciphertext[1 : 1 + _NONCE_BYTES], ciphertext[1 + _NONCE_BYTES :]
        try:
            return AESGCM(self._key).decrypt(nonce, sealed, project_id.encode())
        except InvalidTag as error:
            raise CipherUnavailable("these secrets were encrypted with another key file") from error


def open_key_file(path: Path, *, create: bool = False) -> KeyFileCipher:
    """Return the cipher of a key file; with `create`, make the file first when there is none.

    Of several processes that create it at once, all get the same key. Raises KeyFileError.
    """
    try:
        if create and not path.exists():
            _create(path)
        return KeyFileCipher(_read(path))
    except FileNotFoundError as error:
        raise KeyFileError(
            f"there is no key file {path}: bring back the one that the project's secrets were encrypted with"
        ) from error
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be used: {error.strerror}") from error


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it fails when another process was first, whose key then stays.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        # Windows has no such bits; there the folder's own access list protects the file.
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise KeyFileError(f"the key file {path} can be read by others: chmod 600 {path}")
        content = file.read(1024)
    try:
        key = base64.b64decode(content.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise KeyFileError(f"the key file {path} is damaged: it should hold 32 bytes in base64")
    return key
