"""One HTTP request as it came in, with who may still be waiting for its answer, and until when."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import Enum, auto

from msgspec import Struct, field


class Stop(Enum):
    """Why a request is not waited for any longer."""

    CLIENT_LEFT = auto()
    SERVER_STOPS = auto()


class Limits(Struct, frozen=True):
    """When to stop waiting: `stop` is done when the client has left or we must go, `deadline_s` is the loop's time.

    `ping_after_s` of silence a stream gets a ping: Claude Code shows a stall after about 20 s without a byte, and
    load balancers close after 60.
    """

    stop: asyncio.Future[Stop]
    deadline_s: float
    max_request_s: int
    ping_after_s: float


class Call(Struct, frozen=True):
    """A request: raw headers, query and body; `started_ms` since the epoch."""

    headers: Sequence[tuple[bytes, bytes]]
    query: str
    body: bytes
    request_id: str
    started_ms: int
    limits: Limits
    path_parameters: Mapping[str, str] = field(default_factory=dict)

    def text_headers(self) -> list[tuple[str, str]]:
        """Return the headers as Latin-1 text."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers]
