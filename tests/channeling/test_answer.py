"""An answer's head and first piece go out together and in order, and wait for a slow reader until the deadline."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from channeling.answer import Answer, ClientGone


async def test_the_head_comes_before_the_first_piece() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    answer = Answer(send, request_id="req_1", deadline_s=asyncio.get_running_loop().time() + 60)
    await answer.start(200, [("content-type", "text/event-stream")], b"first")
    await answer.write(b"second")
    assert answer.started
    assert [message["type"] for message in sent] == [
        "http.response.start",
        "http.response.body",
        "http.response.body",
    ]
    assert sent[0]["headers"] == [(b"content-type", b"text/event-stream"), (b"request-id", b"req_1")]
    assert [(message["body"], message["more_body"]) for message in sent[1:]] == [
        (b"first", True),
        (b"second", True),
    ]


async def test_a_head_alone_brings_no_empty_piece() -> None:
    sent: list[str] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    answer = Answer(send, request_id="req_1", deadline_s=asyncio.get_running_loop().time() + 60)
    await answer.start(200, [])
    assert sent == ["http.response.start"]


@pytest.mark.parametrize("stuck_at", ["http.response.start", "http.response.body"])
async def test_a_client_that_does_not_read_is_gone_at_the_deadline(stuck_at: str) -> None:
    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == stuck_at:
            await asyncio.get_running_loop().create_future()

    answer = Answer(send, request_id="req_1", deadline_s=asyncio.get_running_loop().time())
    with pytest.raises(ClientGone):
        await answer.start(200, [], b"first")
