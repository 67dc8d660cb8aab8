"""Secrets sealed with a key file open only with that file, for that project, and only from a private file."""

import asyncio
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from channeling.projects.cipher import CipherUnavailable
from channeling.projects.key_file_cipher import KeyFileCipher, KeyFileError, open_key_file

SECRET = b"sk-ant-something"


async def test_what_was_sealed_opens_again_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    sealed = await open_key_file(path, create=True).encrypt("shop", SECRET)
    assert SECRET not in sealed
    assert await open_key_file(path, create=True).decrypt("shop", sealed) == SECRET
    assert await open_key_file(path).decrypt("shop", sealed) == SECRET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


async def test_equal_secrets_are_sealed_differently(tmp_path: Path) -> None:
    cipher = open_key_file(tmp_path / "key", create=True)
    assert await cipher.encrypt("shop", SECRET) != await cipher.encrypt("shop", SECRET)


@pytest.mark.parametrize(
    ("project_id", "change"),
    [
        ("other", lambda sealed: sealed),
        ("shop", lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1])),
        ("shop", lambda sealed: b"\x02" + sealed[1:]),
        ("shop", lambda sealed: sealed[:20]),
        ("shop", lambda sealed: b""),
    ],
)
async def test_another_project_or_changed_bytes_do_not_open(project_id: str, change: object) -> None:
    cipher = KeyFileCipher(bytes(32))
    sealed = await cipher.encrypt("shop", SECRET)
    assert callable(change)
    with pytest.raises(CipherUnavailable) as refused:
        await cipher.decrypt(project_id, change(sealed))
    assert refused.value.message == "the project's secrets could not be read"


async def test_another_key_does_not_open() -> None:
    sealed = await KeyFileCipher(bytes(32)).encrypt("shop", SECRET)
    with pytest.raises(CipherUnavailable):
        await KeyFileCipher(b"k" * 32).decrypt("shop", sealed)


def test_a_missing_file_is_not_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="there is no key file"):
        open_key_file(tmp_path / "key")
    assert not (tmp_path / "key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    open_key_file(path, create=True)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        open_key_file(path, create=True)


@pytest.mark.parametrize("content", [b"", b"c2hvcnQ=", b"\xff" * 44, b"A" * 5000])
def test_a_damaged_file_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="damaged"):
        open_key_file(path, create=True)
    assert path.read_bytes() == content


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be used"):
        open_key_file(tmp_path)


def test_all_who_create_at_once_get_one_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with ThreadPoolExecutor(8) as threads:
        ciphers = list(threads.map(lambda _: open_key_file(path, create=True), range(8)))
    sealed = asyncio.run(ciphers[0].encrypt("shop", SECRET))
    assert [asyncio.run(cipher.decrypt("shop", sealed)) for cipher in ciphers] == [SECRET] * 8
    assert list(tmp_path.iterdir()) == [path]
