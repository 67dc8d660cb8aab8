"""Streams through one process of the messages function: its memory, and how evenly their events come."""

import asyncio
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from channeling_cli.local import ANTHROPIC_URL_VARIABLE
from emulator.artifact import Artifact
from emulator.execution_environment import ExecutionEnvironment, execution_environment
from emulator.invocation import Invocation
from emulator.local_gateway import LocalGateway
from emulator.sam_cli import ROOT
from emulator.url_event import UrlRequest, event_of

_TRACE_ID = "Root=1-00000000-000000000000000000000000"
_TIMEOUT_S = 300
_LIMIT_MICROUSD = 5_000_000


@dataclass(frozen=True, slots=True)
class Evenness:
    """Gaps between the events of each stream, in milliseconds, and the memory that they all took at once."""

    median_ms: float
    p99_ms: float
    megabytes_a_stream: float


async def rss_after_streams_mb(artifact: Artifact, gateway: LocalGateway, count: int) -> tuple[float, float]:
    """Return the resident megabytes of a process ready for its first stream, and after `count` of them."""
    with _upstream_of(0) as url, tempfile.TemporaryFile() as log:
        environ = {**gateway.environ, ANTHROPIC_URL_VARIABLE: url}
        token = gateway.backend.mint("one-user", _LIMIT_MICROUSD)
        async with execution_environment(artifact, environ, log=log, freezes=False) as environment:
            before_mb = resident_mb(environment.process.pid)
            for _ in range(count):
                await _stream(environment, token, deltas=200)
            return before_mb, resident_mb(environment.process.pid)


async def many_at_a_time(
    artifact: Artifact, gateway: LocalGateway, count: int, *, deltas: int, gap_ms: float
) -> Evenness:
    """Run streams all at a time in one process and return how they came."""
    with _upstream_of(gap_ms) as url, tempfile.TemporaryFile() as log:
        environ = {**gateway.environ, ANTHROPIC_URL_VARIABLE: url}
        tokens = [gateway.backend.mint(f"user-{number}", _LIMIT_MICROUSD) for number in range(count)]
        async with execution_environment(
            artifact, environ, log=log, freezes=False, max_concurrency=count
        ) as environment:
            await _stream(environment, tokens[0], deltas=5)
            before_mb = resident_mb(environment.process.pid)
            streams = [_stream(environment, token, deltas=deltas) for token in tokens]
            times = await asyncio.gather(*streams)
            peak_mb = resident_mb(environment.process.pid, peak=True)
    gaps = sorted(later - earlier for each in times for earlier, later in itertools.pairwise(each))
    return Evenness(
        statistics.median(gaps) * 1_000,
        gaps[len(gaps) * 99 // 100] * 1_000,
        (peak_mb - before_mb) / count,
    )


async def _stream(environment: ExecutionEnvironment, token: str, *, deltas: int) -> list[float]:
    """Stream one answer and return when its deltas came; raise RuntimeError when it is not whole."""
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": deltas,
        "stream": True,
        "messages": [{"role": "user", "content": "Go on."}],
    }
    headers = [
        ("content-type", "application/json"),
        ("x-api-key", token),
        ("anthropic-version", "2023-06-01"),
    ]
    request = UrlRequest("POST", "/v1/messages", "", headers, json.dumps(body).encode(), "192.0.2.1")
    request_id = str(uuid.uuid4())
    event = event_of(request, request_id=request_id, trace_id=_TRACE_ID, now_s=time.time())
    deadline_ms = time.time_ns() // 1_000_000 + _TIMEOUT_S * 1_000
    invocation = Invocation(request_id, json.dumps(event).encode(), deadline_ms, _TRACE_ID)
    environment.invoke(invocation)
    head = await invocation.head()
    times: list[float] = []
    seen, tail = 0, b""
    async for piece in invocation.body():
        now_s = time.monotonic()
        # Events that came in one piece came at one time: a gap of nothing, and the one before it is as long.
        count = piece.count(b"event: content_block_delta")
        times += [now_s] * count
        seen, tail = seen + count, (tail + piece)[-40:]
    if head.status != 200 or seen != deltas or b"message_stop" not in tail:
        raise RuntimeError(f"a stream answered {head.status} with {seen} of {deltas} deltas: {tail!r}")
    return times


def resident_mb(pid: int, *, peak: bool = False) -> float:
    """Return the resident megabytes (10^6 bytes) of a process, or the most they ever were."""
    name = "VmHWM" if peak else "VmRSS"
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    if found is None:
        raise RuntimeError(f"/proc/{pid}/status has no {name}")
    return int(found[1]) * 1_024 / 1e6


@contextmanager
def _upstream_of(gap_ms: float) -> Iterator[str]:
    process = subprocess.Popen(  # noqa: S603 - arguments of ours
        [sys.executable, "-m", "bench.artifact.upstream", "--gap-ms", str(gap_ms)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        line = process.stdout.readline() if process.stdout is not None else b""
        yield json.loads(line)["base_url"]
    finally:
        process.communicate()
