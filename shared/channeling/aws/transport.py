"""What the AWS client needs of an HTTP client; `channeling.http1` has it."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class TransportResponse(Protocol):
    """An answer whose body has not been read."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by lower-case name."""

    async def read(self, *, max_bytes: int) -> bytes:
        """Return the whole body, the connection given back; raise HttpError when it is cut off or longer."""

    async def aclose(self) -> None:
        """Close the connection if the body was not read to its end."""


class Transport(Protocol):
    """Sends requests; every failure is an HttpError."""

    async def send(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        *,
        read_timeout_s: float | None = None,
    ) -> TransportResponse:
        """Return the answer once its headers are here; Host and Content-Length are the transport's to add."""

    async def connect(self, url: str) -> None:
        """Open one connection ahead of the first request and keep it."""

    async def aclose(self) -> None:
        """Close every connection."""
