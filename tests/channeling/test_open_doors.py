"""A deployment's doors connect ahead where a request waits, and to nothing where a snapshot may be taken."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from channeling.open_doors import open_doors
from channeling.settings import Settings
from channeling.tables import TableNames


class Listener:
    """Accepts connections, and says when there is one, and when there are two."""

    def __init__(self) -> None:
        self.accepted = 0
        self.one, self.both = asyncio.Event(), asyncio.Event()
        self.url = ""
        self.writers: list[asyncio.StreamWriter] = []

    async def accept(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.writers.append(writer)
        self.one.set()
        if self.accepted == 2:
            self.both.set()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    server = await asyncio.start_server(listener.accept, "127.0.0.1", 0)
    listener.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield listener
    server.close()
    for writer in listener.writers:
        writer.close()


def environ_of(listener: Listener, initialization: str | None) -> dict[str, str]:
    environ = {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": listener.url,
    }
    if initialization is not None:
        environ["AWS_LAMBDA_INITIALIZATION_TYPE"] = initialization
    return environ


SETTINGS = Settings(TableNames("p", "b", "u"), kms_key_id="key")


async def test_an_environment_that_a_request_waits_for_connects_to_dynamodb_and_kms_at_once(
    listener: Listener,
) -> None:
    async with open_doors(SETTINGS, environ_of(listener, "on-demand")):
        await asyncio.wait_for(listener.both.wait(), 60)
    assert listener.accepted == 2


@pytest.mark.parametrize("initialization", [None, "snap-start", "provisioned-concurrency"])
async def test_any_other_connects_to_nothing(listener: Listener, initialization: str | None) -> None:
    async with open_doors(SETTINGS, environ_of(listener, initialization)) as doors:
        # A connection would have been made by the time that another one, begun later, is there.
        _, writer = await asyncio.open_connection("127.0.0.1", int(listener.url.rpartition(":")[2]))
        await asyncio.wait_for(listener.one.wait(), 60)
        doors.reset()
        writer.close()
    assert listener.accepted == 1


async def test_a_provider_is_connected_to_ahead_of_a_request_alone(listener: Listener) -> None:
    async with open_doors(SETTINGS, environ_of(listener, None)) as doors:
        assert listener.accepted == 0
        doors.connect_ahead(f"{listener.url}/v1/messages")
        await asyncio.wait_for(listener.one.wait(), 60)


async def test_a_service_that_cannot_be_reached_does_not_keep_it_from_starting() -> None:
    unreachable = Listener()
    unreachable.url = "http://127.0.0.1:9"
    async with open_doors(SETTINGS, environ_of(unreachable, "on-demand")) as doors:
        assert doors.dynamodb is not None
