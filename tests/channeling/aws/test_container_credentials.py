"""Credentials of a container's endpoint are there whenever they are asked for; their token goes nowhere else."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channeling.aws.container_credentials import (
    ContainerCredentials,
    container_authorization,
    container_url,
)
from channeling.aws.credentials import Credentials, environment_credentials
from channeling.aws.endpoints import DYNAMODB, endpoint_at
from channeling.aws.errors import AwsConfigurationError, CredentialsUnavailable
from channeling.aws.json_client import JsonClient
from tests.stand_ins.aws_transport import Answer, Broken, ScriptedTransport, Sent, answer, error
from tests.stand_ins.clock import SetClock

URL = "http://169.254.170.2/v2/credentials/1"
START_S = 1_795_521_036.0
LIFE_S = 6 * 3600


def given(number: int, expires_s: float | None = START_S + LIFE_S) -> Answer:
    members = {"AccessKeyId": f"KEY{number}", "SecretAccessKey": "secret", "Token": f"token{number}"}
    if expires_s is not None:
        members["Expiration"] = datetime.fromtimestamp(expires_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return answer(members)


class Rig:
    """A source over answers that are set."""

    def __init__(self, script: Any, authorization: Callable[[], str | None] = lambda: None) -> None:
        self.clock = SetClock(START_S)
        self.transport = ScriptedTransport(script)
        self.pauses: list[float] = []
        self.source = ContainerCredentials(URL, authorization, self.transport, self.clock, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def key_at(self, seconds: float) -> str:
        self.clock.now_s = START_S + seconds
        return (await self.source.current()).access_key_id

    async def settled(self) -> None:
        """Let what runs in the background come to its end."""
        while (refreshing := self.source._refreshing) is not None and not refreshing.done():
            await asyncio.wait([refreshing])


async def test_they_are_fetched_once_and_kept() -> None:
    rig = Rig([given(1)], lambda: "tell")
    assert await rig.source.current() == Credentials("KEY1", "secret", "token1", START_S + LIFE_S)
    assert await rig.key_at(LIFE_S - 901) == "KEY1"
    [sent] = rig.transport.sent
    assert sent == Sent("GET", URL, {"accept": "application/json", "authorization": "tell"}, b"")


async def test_many_who_ask_at_once_wait_for_one_request() -> None:
    rig = Rig([given(1)])
    asked = await asyncio.gather(*(rig.source.current() for _ in range(200)))
    assert {credentials.access_key_id for credentials in asked} == {"KEY1"}
    assert len(rig.transport.sent) == 1


async def test_who_asked_first_may_leave_and_the_others_are_answered() -> None:
    rig = Rig([given(1)])
    first = asyncio.ensure_future(rig.source.current())
    second = asyncio.ensure_future(rig.source.current())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).access_key_id == "KEY1"
    assert first.cancelled()


async def test_new_ones_are_fetched_in_the_background_before_the_old_expire() -> None:
    """Nobody waits for that: whoever asks meanwhile gets the old ones, and causes no second request."""
    rig = Rig([given(1), given(2, START_S + 2 * LIFE_S)])
    await rig.source.current()
    assert [await rig.key_at(LIFE_S - 899) for _ in range(5)] == ["KEY1"] * 5
    await rig.settled()
    assert await rig.key_at(LIFE_S - 898) == "KEY2"
    assert len(rig.transport.sent) == 2


async def test_short_lived_ones_are_replaced_at_half_their_life() -> None:
    rig = Rig([given(1, START_S + 60), given(2, START_S + 90)])
    await rig.source.current()
    assert await rig.key_at(29) == "KEY1"
    assert len(rig.transport.sent) == 1
    await rig.key_at(31)
    await rig.settled()
    assert await rig.key_at(32) == "KEY2"


async def test_an_endpoint_that_has_no_newer_ones_yet_is_asked_again_after_a_while() -> None:
    rig = Rig([given(1), given(1), given(2, START_S + 2 * LIFE_S)])
    first = await rig.source.current()
    await rig.key_at(LIFE_S - 800)
    await rig.settled()
    assert await rig.source.current() is first, "the same ones keep their signing key"
    assert len(rig.transport.sent) == 2
    await rig.key_at(LIFE_S - 789)
    await rig.settled()
    assert await rig.key_at(LIFE_S - 788) == "KEY2"


async def test_old_ones_serve_while_a_refresh_fails_and_no_longer(caplog: pytest.LogCaptureFixture) -> None:
    outage = [Answer(500, b"secret text")] * 3
    rig = Rig([given(1), *outage, *outage, *outage, given(2, START_S + 2 * LIFE_S)])
    await rig.source.current()
    with caplog.at_level(logging.WARNING):
        for left_s in (800, 1):
            assert await rig.key_at(LIFE_S - left_s) == "KEY1"
            await rig.settled()
            tries = len(rig.transport.sent)
            assert await rig.key_at(LIFE_S - left_s) == "KEY1"
            await rig.settled()
            assert len(rig.transport.sent) == tries, "an endpoint that is down was asked again at once"
    assert [record.getMessage() for record in caplog.records] == ["credentials were not fetched"] * 2
    assert "secret" not in caplog.text
    with pytest.raises(CredentialsUnavailable, match="answered 500"):
        await rig.key_at(LIFE_S)
    assert await rig.key_at(LIFE_S + 1) == "KEY2"


@pytest.mark.parametrize(
    "failure",
    [
        Broken(),
        Answer(404, b"{}"),
        Answer(302, b""),
        Answer(200, b"<html>"),
        Answer(200, b""),
        Answer(200, b"[]"),
        Answer(200, b"x" * 70_000),
        Answer(200, b"{}", breaks=True),
        answer({"AccessKeyId": "KEY", "Token": "t"}),
        answer({"AccessKeyId": "KEY", "SecretAccessKey": None}),
        answer({"AccessKeyId": 7, "SecretAccessKey": "secret"}),
        answer({"AccessKeyId": "KEY\r\nx: y", "SecretAccessKey": "secret"}),
        answer({"AccessKeyId": "KEY", "SecretAccessKey": "secret", "Token": "t\n"}),
        answer({"AccessKeyId": "KEY", "SecretAccessKey": "secret", "Expiration": "soon"}),
        answer({"AccessKeyId": "KEY", "SecretAccessKey": "secret", "Expiration": 12}),
        answer({"AccessKeyId": "KEY", "SecretAccessKey": "secret", "Expiration": "2099-01-01T00:00:00"}),
        given(1, START_S - 1),
    ],
    ids=lambda failure: str(failure)[:60],
)
async def test_an_answer_that_is_none_is_asked_for_thrice_and_then_told(
    failure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig([failure, failure, failure, given(1)])
    with pytest.raises(CredentialsUnavailable) as told:
        await rig.source.current()
    assert "secret" not in str(told.value)
    [record] = caplog.records
    assert record.__dict__["fields"] == {"reason": str(told.value)}
    assert len(rig.transport.sent) == 3
    assert rig.pauses == [0.1, 0.3]
    assert await rig.key_at(0) == "KEY1"


async def test_ones_without_a_date_are_kept() -> None:
    rig = Rig([given(1, None), given(2, None)])
    await rig.source.current()
    assert await rig.key_at(500_000) == "KEY1"
    await rig.settled()
    assert len(rig.transport.sent) == 1


async def test_after_a_restore_they_are_fetched_anew() -> None:
    """A snapshot's own may have been given to another, or have expired; a fetch that was under way is forgotten."""
    never = asyncio.Event()

    async def script(sent: Sent) -> Answer:
        if len(rig.transport.sent) == 2:
            await never.wait()
        return given(len(rig.transport.sent))

    rig = Rig(script)
    assert await rig.key_at(0) == "KEY1"
    assert await rig.key_at(LIFE_S - 1) == "KEY1"
    stuck = rig.source._refreshing
    assert stuck is not None
    await asyncio.sleep(0)
    rig.source.reset()
    assert await rig.key_at(0) == "KEY3"
    await asyncio.wait([stuck])
    assert stuck.cancelled()


async def test_refused_ones_are_replaced_and_others_are_not() -> None:
    rig = Rig([given(1), given(2)])
    first = await rig.source.current()
    rig.source.refused(Credentials("KEY1", "secret", "token1"))
    assert await rig.source.current() is first
    rig.source.refused(first)
    assert await rig.key_at(0) == "KEY2"


async def test_closing_ends_what_is_under_way() -> None:
    async def script(_: Sent) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    rig = Rig(script)
    asking = asyncio.ensure_future(rig.source.current())
    await asyncio.sleep(0)
    await rig.source.aclose()
    await asyncio.wait([asking])
    assert asking.cancelled()
    assert rig.transport.is_closed


async def test_no_request_fails_while_credentials_rotate() -> None:
    """A service takes each credential in its own time alone; the endpoint is often down and sometimes slow.

    Requests come at random over two days, many at the same moment. Each is answered.
    """
    chance = random.Random(7)
    life_s = 3600

    def key_of(now_s: float) -> int:
        return int(now_s // life_s)

    async def endpoint(_: Sent) -> Answer:
        number = key_of(clock.now_s)
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        # Down for up to twelve minutes of each hour, none of them the hour's first.
        if 600 < clock.now_s % life_s < 600 + number % 12 * 60:
            raise Broken
        # As AWS does it: new ones well before the old end, which stay good for a while longer.
        return given(number, (number + 1) * life_s + 1200)

    def service(sent: Sent) -> Answer:
        number = int(sent.headers["authorization"].partition("Credential=KEY")[2].partition("/")[0])
        assert sent.headers["x-amz-security-token"] == f"token{number}"
        is_good = number * life_s <= clock.now_s < (number + 1) * life_s + 1200
        return answer({}) if is_good else error("ExpiredTokenException")

    clock = SetClock(START_S - START_S % life_s)
    source = ContainerCredentials(URL, lambda: None, ScriptedTransport(endpoint), clock, sleep=no_pause)
    transport = ScriptedTransport(service)
    client = JsonClient(
        endpoint_at(DYNAMODB, "http://127.0.0.1:1", "eu-west-1"), source, transport, clock, attempts=1
    )
    calls, end_s = 0, clock.now_s + 48 * 3600
    while clock.now_s < end_s:
        together = chance.randint(1, 20)
        await asyncio.gather(*(client.call("GetItem", b"{}") for _ in range(together)))
        calls += together
        clock.now_s += chance.choice([0.5, 10, 200, 290])
    assert len(transport.sent) == calls, "a request was refused first"
    assert len({sent.headers["x-amz-security-token"] for sent in transport.sent}) >= 48
    await source.aclose()


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, None),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": " "}, None),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1"}, URL),
        *(
            ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}, url)
            for url in (
                "http://127.0.0.1:9001/2021-08-23/credentials",
                "http://127.9.9.9/x",
                "http://localhost:81/x?id=1",
                "http://[::1]:81/x",
                "http://169.254.170.23/v1/credentials",
                "http://[fd00:ec2::23]/v1/credentials",
                "http://169.254.170.2/v1",
                "https://credentials.example/x",
            )
        ),
    ],
)
def test_where_the_endpoint_is(environ: dict[str, str], url: str | None) -> None:
    assert container_url(environ) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://credentials.example/x",
        "http://169.254.169.254/latest",
        "http://127.0.0.1.example/x",
        "http://10.0.0.1/x",
        "http://localhost.example/x",
        "http://[fd00:ec2::254]/x",
        "http://127.0.0.1@evil.example/x",
        "https://user@evil.example/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "//127.0.0.1/x",
        "http://127.0.0.1:port/x",
        "http://[::1/x",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nx",
        "http://127.0.0.1/#x",
    ],
)
def test_the_token_goes_to_no_other_host(url: str) -> None:
    with pytest.raises(AwsConfigurationError, match="AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        container_url({"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}"})


@pytest.mark.parametrize("path", ["v2", "@evil.example/x", "/a b", "/\u00e9"])
def test_a_relative_address_is_a_path(path: str) -> None:
    with pytest.raises(AwsConfigurationError, match="RELATIVE_URI"):
        container_url({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": path})


def test_a_token_file_is_read_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    read = container_authorization(
        {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file), "AWS_CONTAINER_AUTHORIZATION_TOKEN": "other"}
    )
    assert read() == "first"
    file.write_text("second")
    assert read() == "second"
    for broken in ("a\nb", "\u00e9", "x\r\ny: z"):
        file.write_text(broken)
        with pytest.raises(CredentialsUnavailable, match="no value for a header"):
            read()
    file.unlink()
    with pytest.raises(CredentialsUnavailable, match="cannot be read"):
        read()


async def test_a_token_file_that_is_rotated_just_now_is_read_again() -> None:
    reads: Iterator[Callable[[], str]] = iter([_missing, lambda: "here"])

    def read() -> str:
        return next(reads)()

    rig = Rig([given(1)], read)
    assert await rig.key_at(0) == "KEY1"
    assert rig.transport.sent[0].headers["authorization"] == "here"


def _missing() -> str:
    raise CredentialsUnavailable("the file is not there")


def test_a_token_of_the_environment_and_none() -> None:
    assert container_authorization({"AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic abc"})() == "Basic abc"
    assert container_authorization({})() is None


def test_keys_of_the_environment() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert environment_credentials(keys) == Credentials("AK", "secret")
    assert environment_credentials({**keys, "AWS_SESSION_TOKEN": "t"}) == Credentials("AK", "secret", "t")
    assert environment_credentials({"AWS_ACCESS_KEY_ID": "AK"}) is None
    assert environment_credentials({**keys, "AWS_ACCESS_KEY_ID": " "}) is None
