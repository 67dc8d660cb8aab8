"""What becomes of a stream when the built function's process, its memory, its time or its surroundings give out.

For each: what the client sees, what stays held, what is settled once reconciled, and what is logged.
"""

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

import httpx
import pytest

from channeling.reconcile.run import reconcile
from channeling.settings import Settings
from channeling_cli.lean_store import open_lean_store
from channeling_cli.listening_socket import base_url_of, listening_socket
from emulator.artifact import Artifact
from emulator.execution_environment import ExecutionEnvironment, execution_environment
from emulator.function import Function
from emulator.function_url import FunctionUrl
from emulator.local_gateway import LocalGateway, local_gateway
from emulator.sandbox import can_isolate
from emulator.url_server import running_url
from tests.stand_ins.anthropic_script import LONG_TEXT, Script, Text
from tests.stand_ins.anthropic_upstream import AnthropicUpstream
from tests.stand_ins.strict_reader import read_strictly

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]

BODY = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 200,
    "stream": True,
    "messages": [{"role": "user", "content": "Go on."}],
}
PACED = Script(blocks=(Text(LONG_TEXT),), gated=True, input_tokens=11)
PATIENCE_S = 60


@dataclass
class LaterClock:
    """Now, but for how much later it is set to be."""

    ahead_s: int = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_s * 1_000

    def now_s(self) -> int:
        return self.now_ms() // 1_000


@dataclass
class Deployment:
    """The function behind its URL, with what it prints and the store it writes to."""

    url: str
    function: Function
    gateway: LocalGateway
    log: IO[bytes]
    token: str

    @property
    def environment(self) -> ExecutionEnvironment:
        """The environment that was started last."""
        return self.function.environments[-1]

    def logged(self) -> str:
        """Return all that was printed so far."""
        self.log.seek(0)
        return self.log.read().decode()

    def records(self, message: str) -> list[dict[str, Any]]:
        """Return the function's log lines of that message."""
        lines = [json.loads(line) for line in self.logged().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("message") == message]

    async def budget(self) -> dict[str, Decimal]:
        """Return what is held and settled, as the API says it."""
        async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S) as client:
            answer = await client.get("/v1/budget", headers={"x-api-key": self.token})
        assert answer.status_code == 200, answer.text
        return {name: Decimal(answer.json()[name]) for name in ("held", "settled")}

    @asynccontextmanager
    async def stream(self, **body: Any) -> AsyncIterator[httpx.Response]:
        """Ask for a stream."""
        headers = {"x-api-key": self.token}
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S) as client,
            client.stream("POST", "/v1/messages", headers=headers, json=BODY | body) as answer,
        ):
            yield answer

    async def reconciled_budget(self) -> dict[str, Decimal]:
        """Return the budget after a run of the reconciler when every hold of now has outlived its request."""
        settings = Settings(self.gateway.backend.tables)
        clock = LaterClock(settings.hold_lifetime_s + 60)
        store = open_lean_store(self.gateway.backend.dynamodb_endpoint_url)
        try:
            await reconcile(store.dynamodb, settings, clock, clock.now_ms() + 600_000)
        finally:
            await store.aclose()
        return await self.budget()


@pytest.fixture(scope="module")
def upstream() -> Iterator[AnthropicUpstream]:
    with AnthropicUpstream() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def gateway(upstream: AnthropicUpstream) -> Iterator[LocalGateway]:
    keys = {"ANTHROPIC_API_KEY": "sk-ant-project", "CHANNELING_ANTHROPIC_BASE_URL": upstream.base_url}
    with local_gateway(keys) as running:
        yield running


Deploy = Callable[..., Any]


@pytest.fixture
def deploy(
    artifact: Artifact, gateway: LocalGateway, upstream: AnthropicUpstream, request: pytest.FixtureRequest
) -> Deploy:
    """Deploy the function: `async with deploy(timeout_s=…) as deployment`."""
    upstream.reset()

    @asynccontextmanager
    async def deployed(
        *,
        timeout_s: int = 900,
        memory_megabytes: int = 512,
        max_environments: int = 10,
        max_concurrency: int = 1,
    ) -> AsyncIterator[Deployment]:
        with tempfile.TemporaryFile() as log:
            function = Function(
                lambda: execution_environment(
                    artifact,
                    gateway.environ,
                    log=log,
                    timeout_s=timeout_s,
                    memory_megabytes=memory_megabytes,
                    max_concurrency=max_concurrency,
                ),
                timeout_s=timeout_s,
                max_environments=max_environments,
            )
            listener = listening_socket("127.0.0.1", 0)
            url = base_url_of(listener)
            token = gateway.backend.mint(request.node.name[:200], 5_000_000)
            async with function, running_url(FunctionUrl(function), listener):
                yield Deployment(url, function, gateway, log, token)

    return deployed


async def _read_words(pieces: AsyncIterator[bytes], count: int) -> bytes:
    """Read until so many deltas came; what comes in the same piece is returned with them."""
    read = b""
    async for piece in pieces:
        read += piece
        if read.count(b"event: content_block_delta") >= count:
            return read
    raise AssertionError(f"the stream ended after {read!r}")


async def _drain(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def test_a_killed_process_cuts_the_stream_and_its_hold_is_settled_by_the_reconciler(
    deploy: Deploy, upstream: AnthropicUpstream
) -> None:
    upstream.script = PACED
    async with deploy() as deployment:
        async with deployment.stream() as answer:
            pieces = answer.aiter_raw()
            upstream.release(2)
            await _read_words(pieces, 2)
            victim = deployment.environment
            victim.kill()
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                await _drain(pieces)
        assert await victim.wait() == -signal.SIGKILL
        before = await deployment.budget()
        after = await deployment.reconciled_budget()
        assert "settled" not in deployment.logged()
    assert before["held"] > 0
    assert before["settled"] == 0
    # What a dead request held is charged: what it really cost is not known any more.
    assert after == {"held": 0, "settled": before["held"]}


async def test_a_process_that_died_idle_is_replaced_and_nobody_sees_it(deploy: Deploy) -> None:
    async with deploy(max_environments=1) as deployment:
        first = await deployment.budget()
        dead = deployment.environment
        dead.kill()
        await dead.wait()
        assert await deployment.budget() == first
        assert deployment.environment is not dead


@pytest.mark.skipif(not can_isolate(), reason="a memory limit that kills needs root on Linux")
async def test_memory_that_runs_out_takes_the_streams_of_that_process_and_their_holds_are_settled(
    deploy: Deploy, upstream: AnthropicUpstream
) -> None:
    """One request as long as they may be, of two million empty lists, beside a stream in the same process."""
    upstream.script = PACED
    hostile = [{"role": "user", "content": [[]] * 1_450_000}]
    async with deploy(memory_megabytes=128, max_concurrency=2) as deployment:
        async with deployment.stream() as answer:
            pieces = answer.aiter_raw()
            upstream.release(2)
            await _read_words(pieces, 2)
            victim = deployment.environment
            async with deployment.stream(messages=hostile) as refused:
                assert (refused.status_code, await refused.aread()) == (502, b"Internal Server Error")
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                await _drain(pieces)
        assert await victim.wait() == -signal.SIGKILL
        before = await deployment.budget()
        after = await deployment.reconciled_budget()
    assert before["held"] > 0
    assert after == {"held": 0, "settled": before["held"]}


@pytest.mark.skipif(not can_isolate(), reason="a memory limit that kills needs root on Linux")
async def test_a_function_with_too_little_memory_never_comes_up_and_clients_are_told_no_more(
    deploy: Deploy,
) -> None:
    async with (
        deploy(memory_megabytes=8) as deployment,
        httpx.AsyncClient(base_url=deployment.url, timeout=PATIENCE_S) as client,
    ):
        answer = await client.get("/v1/budget", headers={"x-api-key": deployment.token})
        assert (answer.status_code, answer.text) == (502, "Internal Server Error")


async def test_a_deadline_ends_the_stream_in_good_order_and_settles_it(
    deploy: Deploy, upstream: AnthropicUpstream
) -> None:
    upstream.script = PACED
    async with deploy(timeout_s=12) as deployment:
        async with deployment.stream() as answer:
            assert answer.status_code == 200
            upstream.release(2)
            body = await _drain(answer.aiter_raw())
        budget = await deployment.budget()
        assert len(deployment.function.environments) == 1, "Lambda's own timeout came first"
        [settled] = deployment.records("settled")
    # Nobody said what was generated, so it is estimated.
    assert (settled["status"], settled["estimated"]) == ("failed", True)
    assert body.count(b"event: content_block_delta") == 2
    assert b"event: error" in body
    assert budget["held"] == 0
    assert int(budget["settled"] * 10**9) == settled["cost"] > 0


async def test_an_upstream_that_says_nothing_is_given_up_before_the_deadline(
    deploy: Deploy, upstream: AnthropicUpstream
) -> None:
    upstream.script = Script(answers=False)
    async with deploy(timeout_s=12) as deployment:
        async with deployment.stream() as answer:
            await answer.aread()
        assert await deployment.budget() == {"held": 0, "settled": 0}
        assert len(deployment.function.environments) == 1, "Lambda's own timeout came first"
        [settled] = deployment.records("settled")
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "api_error"
    assert (settled["cost"], settled["counts"]["output_tokens"]) == (0, 0)


async def test_a_stopped_process_settles_what_it_streamed(
    deploy: Deploy, upstream: AnthropicUpstream
) -> None:
    upstream.script = PACED
    async with deploy() as deployment:
        async with deployment.stream() as answer:
            pieces = answer.aiter_raw()
            upstream.release(2)
            await _read_words(pieces, 2)
            stopped = deployment.environment
            stopped.terminate()
            rest = await _drain(pieces)
        assert await stopped.wait() == 0
        budget = await deployment.budget()
        [settled] = deployment.records("settled")
    # A proper event, so that no client takes what it has for a whole answer; and what was written is charged.
    assert rest.startswith(b"event: error\n")
    assert json.loads(rest.partition(b"data: ")[2])["error"]["type"] == "overloaded_error"
    assert budget["held"] == 0
    assert int(budget["settled"] * 10**9) == settled["cost"] > 0


async def test_a_runtime_api_that_fails_ends_the_environment_and_the_next_request_gets_another(
    deploy: Deploy,
) -> None:
    async with deploy() as deployment:
        await deployment.budget()
        environment = deployment.environment
        async with asyncio.timeout(PATIENCE_S):
            await environment.idle.wait()
        environment.api.next_status = 500
        await deployment.budget()
        status = await environment.wait()
        await deployment.budget()
        assert deployment.environment is not environment
        assert status != 0
        assert "invocation/next answered 500" in deployment.logged()


async def test_requests_at_the_same_time_have_an_environment_each_up_to_the_limit(
    deploy: Deploy, upstream: AnthropicUpstream
) -> None:
    upstream.script = PACED
    async with (
        deploy(max_environments=2) as deployment,
        deployment.stream() as first,
        deployment.stream() as second,
    ):
        async with deployment.stream() as third:
            assert third.status_code == 429
            assert (await third.aread()).startswith(b'{"Reason"')
        assert len(deployment.function.environments) == 2
        upstream.release(1_000)
        for answer in (first, second):
            assert read_strictly(await _drain(answer.aiter_raw())).message["stop_reason"] == "max_tokens"
