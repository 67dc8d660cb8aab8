"""A transport of the AWS client that asks a function for each answer, and notes what was sent."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from channeling.http1.errors import HttpError


class Broken(HttpError):
    """Some failure of the connection."""


@dataclass(frozen=True)
class Sent:
    """A request as it came; header names in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """What X-Amz-Target names."""
        return self.headers["x-amz-target"].rpartition(".")[2]


@dataclass
class Answer:
    """An answer; `breaks` has its body cut off. Closing it, or reading it whole, is noted."""

    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks: bool = False
    is_over: bool = False

    async def read(self, *, max_bytes: int) -> bytes:
        if self.breaks or len(self.content) > max_bytes:
            raise Broken
        self.is_over = True
        return self.content

    async def aclose(self) -> None:
        self.is_over = True


def answer(members: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer of JSON; header names are given with underscores."""
    return Answer(
        status, orjson.dumps(members), {name.replace("_", "-"): value for name, value in headers.items()}
    )


def error(code: str, status: int = 400, message: str = "", **headers: str) -> Answer:
    """Return an error as AWS's services send it."""
    return answer({"__type": f"com.amazonaws.service#{code}", "message": message}, status, **headers)


class ScriptedTransport:
    """`Transport` whose answers a function gives, or a list in its order; an exception there is raised."""

    def __init__(
        self, script: "Callable[[Sent], Answer | Awaitable[Answer]] | Sequence[Answer | Exception]"
    ) -> None:
        self._script = script
        self.sent: list[Sent] = []
        self.answers: list[Answer] = []
        self.is_closed = False
        self.connected: list[str] = []

    async def send(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        *,
        read_timeout_s: float | None = None,
    ) -> Answer:
        assert read_timeout_s is not None, "it would wait for ever"
        names = [name for name, _ in headers]
        assert len(set(names)) == len(names)
        assert not {"host", "content-length"} & set(names), "these are the transport's to add"
        self.sent.append(Sent(method, url, dict(headers), body))
        if callable(self._script):
            given = self._script(self.sent[-1])
            if isinstance(given, Awaitable):
                given = await given
        else:
            await asyncio.sleep(0)
            next_one = self._script[len(self.sent) - 1]
            if isinstance(next_one, Exception):
                raise next_one
            given = next_one
        self.answers.append(given)
        return given

    async def connect(self, url: str) -> None:
        self.connected.append(url)

    async def aclose(self) -> None:
        self.is_closed = True
