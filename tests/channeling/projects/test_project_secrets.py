"""No change of a project's secrets is lost to another, none passes the limits, and a lost answer does no harm."""

import asyncio

import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.dynamodb import ConditionFailed, Item, Update
from channeling.projects.cipher import CipherUnavailable
from channeling.projects.errors import (
    ProjectError,
    ProjectInvalid,
    ProjectMissing,
    SecretsBusy,
    SecretsTooLarge,
    TooManySecrets,
)
from channeling.projects.key_file_cipher import KeyFileCipher
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_items import MAX_SECRETS_BYTES, encode_secrets
from channeling.projects.project_secrets import (
    change_secrets,
    create_project,
    open_secrets,
    with_hmac_secret,
    with_provider_key,
    without_hmac_secret,
    without_provider_key,
)
from channeling.projects.store import ProjectStore, SealedSecrets
from channeling.tables import TableNames

CIPHER = KeyFileCipher(bytes(32))
FIRST = ProjectSecrets(("hk_live_" + "0" * 32,), {"anthropic": "sk-ant-1"})


@pytest.fixture
async def store(dynamodb: BotocoreDynamoDB, tables: TableNames) -> ProjectStore:
    store = ProjectStore(dynamodb, tables.projects)
    await create_project(store, CIPHER, "shop", ProjectRules("Shop"), FIRST, now_ms=5)
    return store


async def stored_secrets(store: ProjectStore) -> ProjectSecrets:
    project = await store.read("shop")
    assert project is not None
    return await open_secrets(CIPHER, "shop", project.sealed)


async def test_keys_and_secrets_are_set_and_removed(store: ProjectStore) -> None:
    for change in (
        with_provider_key("openai", "sk-2"),
        with_provider_key("anthropic", "sk-ant-2"),
        with_hmac_secret("hk_live_new"),
        without_hmac_secret(FIRST.hmac_secrets[0]),
        without_provider_key("anthropic"),
        without_provider_key("openrouter"),
    ):
        await change_secrets(store, CIPHER, "shop", change)
    assert await stored_secrets(store) == ProjectSecrets(("hk_live_new",), {"openai": "sk-2"})


async def test_of_writers_at_once_none_is_lost(store: ProjectStore) -> None:
    await asyncio.gather(
        change_secrets(store, CIPHER, "shop", with_provider_key("openai", "sk-2")),
        change_secrets(store, CIPHER, "shop", with_provider_key("openrouter", "sk-or-3")),
        change_secrets(store, CIPHER, "shop", with_hmac_secret("hk_live_new")),
        change_secrets(store, CIPHER, "shop", without_provider_key("anthropic")),
    )
    assert await stored_secrets(store) == ProjectSecrets(
        (*FIRST.hmac_secrets, "hk_live_new"), {"openai": "sk-2", "openrouter": "sk-or-3"}
    )


async def test_a_write_whose_answer_was_lost_is_seen_as_done(store: ProjectStore) -> None:
    class AnswerLost(ProjectStore):
        writes = 0

        async def replace_secrets(self, project_id: str, ciphertext: bytes, *, seen_version: int) -> None:
            self.writes += 1
            await super().replace_secrets(project_id, ciphertext, seen_version=seen_version)
            # What botocore's own retry of a write that had landed is answered.
            raise ConditionFailed(None)

    losing = AnswerLost(store._dynamodb, store._table)
    after = await change_secrets(losing, CIPHER, "shop", with_hmac_secret("hk_live_new"))
    assert losing.writes == 1
    assert after == await stored_secrets(store)
    assert after.hmac_secrets == (*FIRST.hmac_secrets, "hk_live_new")


async def test_endless_conflicts_end_with_an_error(store: ProjectStore) -> None:
    class Contested(ProjectStore):
        async def replace_secrets(self, project_id: str, ciphertext: bytes, *, seen_version: int) -> None:
            raise ConditionFailed(None)

    contested = Contested(store._dynamodb, store._table)
    with pytest.raises(SecretsBusy):
        await change_secrets(contested, CIPHER, "shop", with_hmac_secret("hk_live_new"))
    assert await stored_secrets(store) == FIRST


async def test_a_third_secret_waits_until_one_is_removed(store: ProjectStore) -> None:
    await change_secrets(store, CIPHER, "shop", with_hmac_secret("hk_live_b"))
    with pytest.raises(TooManySecrets, match="remove the old one"):
        await change_secrets(store, CIPHER, "shop", with_hmac_secret("hk_live_c"))
    await change_secrets(store, CIPHER, "shop", without_hmac_secret(FIRST.hmac_secrets[0]))
    after = await change_secrets(store, CIPHER, "shop", with_hmac_secret("hk_live_c"))
    assert after.hmac_secrets == ("hk_live_b", "hk_live_c")


async def test_a_missing_project_gets_no_secrets(store: ProjectStore) -> None:
    for project_id in ("missing", "a#b"):
        with pytest.raises(ProjectMissing):
            await change_secrets(store, CIPHER, project_id, with_hmac_secret("hk_live_b"))


def test_the_limit_is_four_thousand_bytes_of_plaintext() -> None:
    empty = len(encode_secrets(ProjectSecrets((), {"openai": ""})))
    fits = ProjectSecrets((), {"openai": "k" * (MAX_SECRETS_BYTES - empty)})
    assert len(encode_secrets(fits)) == 4_000
    with pytest.raises(SecretsTooLarge, match="these have 4001"):
        encode_secrets(ProjectSecrets((), {"openai": fits.provider_keys["openai"] + "k"}))


@pytest.mark.parametrize("key", ["", "two words", "line\n", "k" * 1001, "clé"])
def test_what_cannot_be_a_key_is_refused_before_anything_is_read(key: str) -> None:
    with pytest.raises(ProjectInvalid) as refused:
        with_provider_key("openai", key)
    assert not key or key not in str(refused.value)


@pytest.mark.parametrize("plaintext", [b"", b"[]", b'{"hmac": 1}', b'{"keys": {}}', b"\xff"])
async def test_malformed_plaintext_fails_closed_without_being_quoted(plaintext: bytes) -> None:
    sealed = SealedSecrets(1, await CIPHER.encrypt("shop", plaintext))
    with pytest.raises(CipherUnavailable) as refused:
        await open_secrets(CIPHER, "shop", sealed)
    assert refused.value.__cause__ is None


async def test_keys_of_a_later_version_survive_a_change(store: ProjectStore, tables: TableNames) -> None:
    plaintext = b'{"hmac":["hk_live_a"],"keys":{"anthropic":"sk-ant-1","later":"sk-9"}}'
    item: Item = {"pk": "shop", "sk": "secrets"}
    sealed = await CIPHER.encrypt("shop", plaintext)
    await store._dynamodb.update(
        Update(tables.projects, item, "SET ciphertext = :sealed", values={":sealed": sealed})
    )
    after = await change_secrets(store, CIPHER, "shop", without_provider_key("anthropic"))
    assert dict(after.provider_keys) == {"later": "sk-9"}


def test_secrets_are_not_shown_when_printed() -> None:
    assert "sk-ant" not in repr(FIRST)
    assert "hk_live" not in repr(FIRST)
    assert issubclass(TooManySecrets, ProjectError)
