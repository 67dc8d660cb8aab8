"""The environment says where credentials come from; over real sockets they rotate, and a restore starts anew."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.credentials import Credentials as BotocoreKeys
from botocore.exceptions import TokenRetrievalError

from channeling.aws.botocore_credentials import BotocoreCredentials
from channeling.aws.clients import AwsClients, credentials_of
from channeling.aws.container_credentials import ContainerCredentials
from channeling.aws.credentials import Credentials, FixedCredentials
from channeling.aws.endpoints import DYNAMODB, KMS
from channeling.aws.errors import AwsConfigurationError, CredentialsUnavailable
from channeling.clock import SystemClock
from tests.stand_ins.clock import SetClock

KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "secret"}
START_S = 1_795_521_036.0
Answering = Callable[[dict[str, str], bytes], tuple[int, object]]


class Server:
    """Answers each request with what a function says, and counts connections."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.connections = 0
        self.url = ""
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def aclose(self) -> None:
        for writer in self._open.values():
            writer.close()
        await asyncio.gather(*self._open)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        status, members = self._answering(headers, body)
        content = orjson.dumps(members)
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)


@asynccontextmanager
async def serving(answering: Answering) -> AsyncIterator[Server]:
    server = Server(answering)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await server.aclose()


def key_of(headers: dict[str, str]) -> int:
    return int(headers["authorization"].partition("Credential=KEY")[2].partition("/")[0])


async def test_credentials_of_a_container_rotate_and_no_request_fails(tmp_path: Path) -> None:
    """Each is accepted in its own hour alone, and so is the token in the file that opens the endpoint."""
    clock = SetClock(START_S)
    token_file = tmp_path / "token"
    # Whether the next credentials are out is the endpoint's to say: some minutes before the old ones end.
    out_before_s = 300

    def hour(ahead_s: float = 0) -> int:
        return int((clock.now_s - START_S + ahead_s) // 3600)

    def endpoint(headers: dict[str, str], _: bytes) -> tuple[int, object]:
        if headers.get("authorization") != f"token{hour()}":
            return 401, {}
        number = hour(out_before_s)
        expires = datetime.fromtimestamp(START_S + (number + 1) * 3600, UTC).isoformat()
        return 200, {
            "AccessKeyId": f"KEY{number}",
            "SecretAccessKey": "s",
            "Token": f"t{number}",
            "Expiration": expires,
        }

    def dynamodb(headers: dict[str, str], _: bytes) -> tuple[int, object]:
        is_good = hour() <= key_of(headers) <= hour(out_before_s)
        used.append(key_of(headers))
        return (200, {}) if is_good else (400, {"__type": "x#ExpiredTokenException"})

    used: list[int] = []
    async with serving(endpoint) as credentials, serving(dynamodb) as store:
        environ = {
            "AWS_REGION": "eu-west-1",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{credentials.url}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
            "AWS_ENDPOINT_URL_DYNAMODB": store.url,
        }
        aws = AwsClients(environ, clock)
        client = aws.client(DYNAMODB, attempts=1)
        calls = 0
        for step in range(180):
            clock.now_s = START_S + step * 100
            token_file.write_text(f"token{hour()}")
            await asyncio.gather(*(client.call("GetItem", b"{}") for _ in range(3)))
            calls += 3
        await aws.aclose()
    assert len(used) == calls, "a call was refused and made again"
    assert sorted(set(used)) == list(range(6))
    assert store.connections <= 3


async def test_after_a_restore_connections_and_credentials_are_new() -> None:
    numbers = itertools.count()
    used: list[int] = []

    def endpoint(_: dict[str, str], __: bytes) -> tuple[int, object]:
        return 200, {
            "AccessKeyId": f"KEY{next(numbers)}",
            "SecretAccessKey": "s",
            "Expiration": "2099-01-01T00:00:00Z",
        }

    def service(headers: dict[str, str], _: bytes) -> tuple[int, object]:
        used.append(key_of(headers))
        return 200, {}

    async with serving(endpoint) as credentials, serving(service) as store:
        environ = {
            "AWS_REGION": "eu-west-1",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials.url,
            "AWS_ENDPOINT_URL": store.url,
        }
        aws = AwsClients(environ, SystemClock())
        clients = [aws.client(DYNAMODB), aws.client(KMS)]
        await clients[0].connect()
        assert (credentials.connections, store.connections, used) == (1, 1, [])
        for client in clients:
            await client.call("Anything", b"{}")
        assert store.connections == 1, "services at one address share connections"
        aws.reset()
        for client in clients:
            await client.call("Anything", b"{}")
        await aws.aclose()
    assert used == [0, 0, 1, 1]
    assert store.connections == 2


async def test_nothing_is_connected_or_fetched_before_the_first_call() -> None:
    """A snapshot is taken after start-up: what it held, many processes would hold."""

    def nobody(_: dict[str, str], __: bytes) -> tuple[int, object]:
        raise AssertionError

    async with serving(nobody) as server:
        environ = {
            "AWS_REGION": "eu-west-1",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url,
            "AWS_ENDPOINT_URL": server.url,
        }
        aws = AwsClients(environ, SystemClock())
        aws.client(DYNAMODB)
        await aws.aclose()
        assert server.connections == 0


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        (KEYS, FixedCredentials),
        ({**KEYS, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}, FixedCredentials),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"}, ContainerCredentials),
        ({}, BotocoreCredentials),
    ],
)
async def test_where_credentials_come_from(environ: dict[str, str], kind: type) -> None:
    source = credentials_of(environ, SystemClock())
    assert isinstance(source, kind)
    await source.aclose()


def test_without_botocore_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions on Lambda have none: they start with an error that names the variables."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(AwsConfigurationError, match="AWS_ACCESS_KEY_ID"):
        credentials_of({}, SystemClock())


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bundle_of_certificates_that_is_none_is_refused(tmp_path: Path, content: str | None) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    with pytest.raises(AwsConfigurationError, match="AWS_CA_BUNDLE"):
        AwsClients({**KEYS, "AWS_CA_BUNDLE": str(bundle)}, SystemClock())


class Session:
    """A botocore session whose credentials are set."""

    def __init__(self) -> None:
        self.reads = 0
        self.found: Any = BotocoreKeys("AK1", "secret", "token")

    def get_credentials(self) -> Any:
        self.reads += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


async def test_a_session_is_asked_once_a_minute_by_however_many() -> None:
    session, clock = Session(), SetClock(START_S)
    source = BotocoreCredentials(session, clock)
    asked = await asyncio.gather(*(source.current() for _ in range(50)))
    assert asked == [Credentials("AK1", "secret", "token")] * 50
    assert session.reads == 1
    clock.now_s += 61
    assert await source.current() is asked[0], "the same ones keep their signing key"
    session.found = BotocoreKeys("AK2", "secret")
    assert (await source.current()).access_key_id == "AK1"
    clock.now_s += 61
    assert await source.current() == Credentials("AK2", "secret")
    session.found = BotocoreKeys("AK3", "secret")
    source.refused(await source.current())
    assert await source.current() == Credentials("AK3", "secret")
    session.found = BotocoreKeys("AK4", "secret")
    source.reset()
    assert await source.current() == Credentials("AK4", "secret")


@pytest.mark.parametrize(
    "found",
    [None, TokenRetrievalError(provider="sso", error_msg="expired"), BotocoreKeys("", "")],
    ids=["nothing", "an expired session", "empty keys"],
)
async def test_a_session_without_credentials_says_so(found: Any) -> None:
    session = Session()
    session.found = found
    with pytest.raises(CredentialsUnavailable, match="AWS credentials"):
        await BotocoreCredentials(session, SetClock(START_S)).current()
