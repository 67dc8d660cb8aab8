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


class SlowReader:
    """A `send` that waits while `is_stuck`; `waits` is set as it begins to."""

    def __init__(self) -> None:
        self.is_stuck = False
        self.waits = asyncio.Event()
        self.sent = 0

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self.is_stuck:
            self.waits.set()
            await asyncio.get_running_loop().create_future()
        self.sent += 1


async def test_after_the_deadline_a_piece_goes_out_that_need_not_wait() -> None:
    """The end of a stream that ended in time may come a little late, to a client that reads."""
    reader, loop = SlowReader(), asyncio.get_running_loop()
    answer = Answer(reader.send, request_id="req_1", deadline_s=loop.time())
    await answer.start(200, [])
    timer = answer._timer
    assert timer is not None
    answer._expire()  # as the timer does
    timer.cancel()
    await answer.write(b"late")
    await answer.end()
    assert reader.sent == 3
    reader.is_stuck = True
    async with asyncio.timeout(60):
        with pytest.raises(ClientGone):
            await answer.write(b"later")


async def test_a_piece_that_waits_at_the_deadline_is_given_up_and_its_task_lives_on() -> None:
    reader, loop = SlowReader(), asyncio.get_running_loop()
    answer = Answer(reader.send, request_id="req_1", deadline_s=loop.time() + 0.01)
    await answer.start(200, [])
    reader.is_stuck = True
    with pytest.raises(ClientGone):
        await answer.write(b"never read")
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)  # which raises where a cancellation is left over


async def test_a_cancellation_of_somebody_else_is_none_of_the_deadlines() -> None:
    reader, loop = SlowReader(), asyncio.get_running_loop()
    reader.is_stuck = True
    answer = Answer(reader.send, request_id="req_1", deadline_s=loop.time() + 60)
    writing = asyncio.create_task(answer.write(b"piece"))
    await reader.waits.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing


async def test_what_is_closed_waits_for_no_deadline() -> None:
    """Else each answer, and what it holds on to, would live for as long as the longest."""
    answer = Answer(SlowReader().send, request_id="req_1", deadline_s=asyncio.get_running_loop().time() + 60)
    await answer.start(200, [])
    timer = answer._timer
    assert timer is not None
    answer.close()
    assert timer.cancelled()
