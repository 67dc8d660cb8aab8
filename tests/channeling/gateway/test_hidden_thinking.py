"""An answer that thought without showing it teaches nothing about how many tokens its bytes are: the real pipeline
on virtual time, so that silence costs a test none."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from channeling.answer import Answer
from channeling.auth.mint import mint_token
from channeling.call import Call, Limits
from channeling.doors import Doors
from channeling.gateway import Gateway, open_gateway
from channeling.pipeline import answer_message
from channeling.projects.project import ProjectRules, ProjectSecrets
from channeling.projects.project_secrets import create_project
from channeling.projects.store import ProjectStore
from channeling.settings import Settings
from channeling.tables import TableNames
from channeling.upstream import UpstreamRequest
from channeling.usage.output_history import LEAST_SEEN
from simulation.memory_dynamodb import MemoryDynamoDB
from simulation.virtual_time import VirtualClock, VirtualTimeLoop, run_in_virtual_time
from tests.channeling.gateway.conftest import message
from tests.stand_ins.anthropic_script import Script, Text, encoded, events_of

EPOCH_S = 1_796_000_400
MODEL = "claude-sonnet-4-5-20250929"
SECRET = "hk_live_" + "5" * 32
SHOWN = "a word " * 50
THOUGHT_TOKENS, SHOWN_TOKENS = 2_000, 100


class NoCipher:
    """Secrets as they are: no thread may run on virtual time."""

    async def encrypt(self, project_id: str, plaintext: bytes) -> bytes:
        return plaintext

    async def decrypt(self, project_id: str, ciphertext: bytes) -> bytes:
        return ciphertext


class Provider:
    """Begins an answer, is silent, shows its text, in one piece with the ending or in many, and reports all that
    it generated."""

    status = 200
    headers = {"content-type": "text/event-stream"}  # noqa: RUF012  # nobody writes to it

    def __init__(self, silence_s: float, output_tokens: int, in_pieces: bool) -> None:
        self._silence_s = silence_s
        script = Script(blocks=(Text(SHOWN),), final_usage={"output_tokens": output_tokens})
        events = [
            encoded(event) for event in events_of(script, model=MODEL, max_tokens=9_999, input_tokens=10)
        ]
        self._beginning, shown = b"".join(events[:3]), events[3:]
        self._pieces = shown if in_pieces else [b"".join(shown)]

    async def send(self, _: UpstreamRequest) -> "Provider":
        return self

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._beginning
        await asyncio.sleep(self._silence_s)  # virtual seconds
        for piece in self._pieces:
            yield piece

    async def aclose(self) -> None: ...


async def learned_by(loop: VirtualTimeLoop, provider: Provider) -> Gateway:
    """Let a gateway answer as many requests as it needs to know a model."""
    store, tables = MemoryDynamoDB(), TableNames.with_prefix("hidden")
    numbers = itertools.count(1)
    doors = Doors(
        store,
        NoCipher(),
        provider,
        VirtualClock(loop, EPOCH_S * 1000),
        lambda count: next(numbers).to_bytes(count),
    )
    projects = ProjectStore(store, tables.projects)
    secrets = ProjectSecrets((SECRET,), {"anthropic": "sk-ant-hidden"})
    await create_project(projects, doors.cipher, "demo", ProjectRules("Demo"), secrets, now_ms=1)
    gateway = open_gateway(Settings(tables=tables), doors)
    token = mint_token(
        user_id="user-1",
        project_id="demo",
        secret=SECRET,
        limit_microusd=50_000_000,
        window="day",
        window_start_s=EPOCH_S,
        now_s=EPOCH_S,
        lifetime_s=86_400,
    )
    body = orjson.dumps(message(stream=True, max_tokens=32_000))
    for number in range(LEAST_SEEN):
        sent = bytearray()

        async def send(part: Any, sent: bytearray = sent) -> None:
            sent.extend(part.get("body", b""))

        limits = Limits(loop.create_future(), loop.time() + 900, 900, 15.0)
        answer = Answer(send, request_id=f"req_{number}", deadline_s=limits.deadline_s)
        headers = [(b"x-api-key", token.encode())]
        call = Call(headers, "", body, f"req_{number}", doors.clock.now_ms(), limits)
        await answer_message(gateway, call, answer)
        assert b'"stop_reason":"end_turn"' in sent
    return gateway


@pytest.mark.parametrize("in_pieces", [True, False])
@pytest.mark.parametrize(
    ("silence_s", "output_tokens", "rate"),
    [
        pytest.param(0.5, SHOWN_TOKENS, -(-SHOWN_TOKENS * 1000 // len(SHOWN)), id="all was shown"),
        pytest.param(40.0, THOUGHT_TOKENS + SHOWN_TOKENS, None, id="most was hidden"),
    ],
)
def test_only_an_answer_without_hidden_thinking_teaches_what_a_byte_is(
    silence_s: float, output_tokens: int, rate: int | None, in_pieces: bool
) -> None:
    """A rate learned of hidden thinking would meter every visible answer of that model at many times its tokens,
    hold as much, and cut streams that have money left. How long answers are is learned of both."""

    async def main(loop: VirtualTimeLoop) -> Gateway:
        return await learned_by(loop, Provider(silence_s, output_tokens, in_pieces))

    gateway = run_in_virtual_time(main)
    assert gateway.outputs.tokens_per_1000_bytes(MODEL, 99) == rate
    assert gateway.outputs.sizes("demo", MODEL, 0).percentile(95) == output_tokens
