"""A provider that streams: `python -m bench.artifact.upstream` prints its address and ends with its input.

Each answer has as many deltas as `max_tokens` says, one every `--gap-ms`.
"""

import argparse
import asyncio
import json
import sys

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nrequest-id: req_bench\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def _chunk(kind: str, **fields: object) -> bytes:
    event = f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
    return f"{len(event):x}\r\n".encode() + event + b"\r\n"


_START = _chunk(
    "message_start",
    message={
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    },
) + _chunk("content_block_start", index=0, content_block={"type": "text", "text": ""})
_DELTA = _chunk("content_block_delta", index=0, delta={"type": "text_delta", "text": "word "})


def _end(count: int) -> bytes:
    return (
        _chunk("content_block_stop", index=0)
        + _chunk(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": count},
        )
        + _chunk("message_stop")
        + b"0\r\n\r\n"
    )


async def _serve(gap_s: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                count = int(json.loads(await reader.readexactly(length))["max_tokens"])
                writer.write(_HEAD + _START)
                due_s = asyncio.get_running_loop().time()
                for _ in range(count):
                    # By the clock, not one gap after the other: a late one must not make all that follow late.
                    due_s += gap_s
                    await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
                    writer.write(_DELTA)
                writer.write(_end(count))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1_000)
    host, port = server.sockets[0].getsockname()
    sys.stdout.write(json.dumps({"base_url": f"http://{host}:{port}"}) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gap-ms", type=float, default=0.0)
    asyncio.run(_serve(parser.parse_args().gap_ms / 1_000))
