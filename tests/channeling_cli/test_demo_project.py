"""The demo project takes the environment's keys, keeps those set by hand, and never loses its secret."""

import pytest

from channeling.botocore_dynamodb import BotocoreDynamoDB
from channeling.projects.errors import ProjectInvalid
from channeling.projects.key_file_cipher import KeyFileCipher
from channeling.projects.project import ProjectSecrets
from channeling.projects.store import ProjectStore
from channeling.provider import Provider
from channeling.tables import TableNames
from channeling_cli.demo_project import DEMO_KEY, ensure_demo_project, environment_keys

DEMO: dict[Provider, str] = {"anthropic": DEMO_KEY}
REAL: dict[Provider, str] = {"anthropic": "sk-ant-1"}
OPENAI: dict[Provider, str] = {"openai": "sk-2"}


class Started:
    """A server that is started again and again on one store."""

    def __init__(self, dynamodb: BotocoreDynamoDB, tables: TableNames) -> None:
        self._store = ProjectStore(dynamodb, tables.projects)
        self._starts = 0

    async def __call__(self, keys: dict[Provider, str], *, demo_allowed: bool = True) -> ProjectSecrets:
        self._starts += 1
        return await ensure_demo_project(
            self._store,
            KeyFileCipher(bytes(32)),
            keys,
            demo_allowed=demo_allowed,
            now_ms=1,
            randomness=lambda length: bytes([self._starts]) * length,
        )


@pytest.fixture
def start(dynamodb: BotocoreDynamoDB, tables: TableNames) -> Started:
    return Started(dynamodb, tables)


async def test_without_any_key_the_demo_answers_until_there_is_one(start: Started) -> None:
    assert (await start({})).provider_keys == DEMO
    assert (await start({})).provider_keys == DEMO
    assert (await start(OPENAI)).provider_keys == OPENAI
    assert (await start({})).provider_keys == OPENAI, "a key of a lasting store is no reason for the demo"


async def test_the_demo_goes_when_an_address_is_set(start: Started) -> None:
    await start({})
    assert (await start({}, demo_allowed=False)).provider_keys == {}


async def test_the_environments_keys_replace_the_stored_ones_of_the_same_provider(start: Started) -> None:
    await start(REAL | OPENAI)
    assert (await start({"anthropic": "sk-ant-new"})).provider_keys == {"anthropic": "sk-ant-new"} | OPENAI


async def test_the_secret_is_made_once(start: Started) -> None:
    first = await start({})
    assert first.hmac_secrets == ("hk_live_" + "01" * 16,)
    assert (await start(REAL)).hmac_secrets == first.hmac_secrets


def test_keys_come_from_the_providers_own_variables() -> None:
    environ = {"ANTHROPIC_API_KEY": " sk-ant-1\n", "OPENAI_API_KEY": "", "OPENROUTER_API_KEY": "sk-or-3"}
    assert environment_keys(environ) == {"anthropic": "sk-ant-1", "openrouter": "sk-or-3"}


def test_a_variable_that_holds_no_key_is_named_without_its_value() -> None:
    with pytest.raises(ProjectInvalid, match="OPENAI_API_KEY cannot be used") as refused:
        environment_keys({"OPENAI_API_KEY": "two words"})
    assert "two words" not in str(refused.value)
