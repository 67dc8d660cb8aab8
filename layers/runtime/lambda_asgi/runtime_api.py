"""The Lambda Runtime API: next invocation, its answer, errors, and SnapStart's restore.

Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes" (version 2018-06-01).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from lambda_asgi import streamed_response
from lambda_asgi.buffered_response import BufferedResponse
from lambda_asgi.function_error import FunctionError
from lambda_asgi.http1 import ProtocolError, Response, read_response, request_head
from lambda_asgi.invocation_context import LambdaContext
from lambda_asgi.payload import Front
from lambda_asgi.streamed_response import StreamedResponse

_RUNTIME = "/2018-06-01/runtime"


class RuntimeApiError(Exception):
    """The Lambda Runtime API refused a call or did not speak as documented.

    `is_final`: asking again would be answered the same.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Invocation:
    """What Lambda says of one event; `invocation_id` is Lambda's own tag, sent back as it came."""

    context: LambdaContext
    invocation_id: str | None


class RuntimeApi:
    """One keep-alive connection to the Runtime API; each loop that takes invocations has its own."""

    def __init__(self, address: str) -> None:
        """`address` is AWS_LAMBDA_RUNTIME_API: host:port."""
        self._address = address
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def next_invocation(self) -> tuple[Invocation, bytes]:
        """Wait for the next invocation and its event (Lambda freezes the process in between); raise
        RuntimeApiError."""
        try:
            response = await self._call("GET", f"{_RUNTIME}/invocation/next")
        except (OSError, ProtocolError):
            # A kept connection may have been closed while nothing went on; asking again takes no event twice.
            response = await self._call_or_raise("GET", f"{_RUNTIME}/invocation/next")
        if response.status != 200:
            raise RuntimeApiError(
                f"invocation/next answered {response.status}: {response.body[:200]!r}",
                is_final=400 <= response.status < 500,
            )
        headers = response.headers
        try:
            context = LambdaContext(
                request_id=headers["lambda-runtime-aws-request-id"],
                deadline_ms=int(headers["lambda-runtime-deadline-ms"]),
                invoked_function_arn=headers.get("lambda-runtime-invoked-function-arn", ""),
                trace_id=headers.get("lambda-runtime-trace-id"),
            )
        except (KeyError, ValueError) as error:
            raise RuntimeApiError(f"invocation/next answered without a usable header: {error}") from error
        return Invocation(context, headers.get("lambda-runtime-invocation-id")), response.body

    def streamed(self, invocation: Invocation, front: Front) -> StreamedResponse:
        """Return the stream of an invocation's answer, which takes this connection until it is acknowledged."""
        path = _invocation_path(invocation, "response")
        headers = (*streamed_response.HEADERS, *_invocation_headers(invocation))
        return StreamedResponse(request_head("POST", path, self._address, headers), self._connected, front)

    def buffered(self, invocation: Invocation, front: Front) -> BufferedResponse:
        """Return the answer of an invocation whose front takes it in one piece."""

        async def respond(answer: bytes) -> Response:
            headers = (("Content-Type", "application/json"), *_invocation_headers(invocation))
            return await self._call("POST", _invocation_path(invocation, "response"), headers, answer)

        return BufferedResponse(front, respond)

    async def report_invocation_error(self, invocation: Invocation, error: FunctionError) -> None:
        """Answer an invocation with an error in place of a response; raise RuntimeApiError."""
        path = _invocation_path(invocation, "error")
        await self._report(path, error, error.error_type, _invocation_headers(invocation))

    async def report_init_error(self, error: FunctionError) -> None:
        """Say that this environment could not be initialised; raise RuntimeApiError."""
        await self._report(f"{_RUNTIME}/init/error", error, "Runtime.InitError")

    async def report_before_snapshot_error(self, error: FunctionError) -> None:
        """Say that this environment was not made ready for its snapshot; raise RuntimeApiError."""
        await self._report(f"{_RUNTIME}/init/error", error, "Runtime.BeforeSnapshotError")

    async def report_restore_error(self, error: FunctionError) -> None:
        """Say that this environment could not be restored from its snapshot; raise RuntimeApiError."""
        await self._report(f"{_RUNTIME}/restore/error", error, "Runtime.AfterRestoreError")

    async def restore_next(self) -> None:
        """Wait until the snapshot taken now is restored (SnapStart); raise RuntimeApiError."""
        response = await self._call_or_raise("GET", f"{_RUNTIME}/restore/next")
        if response.status != 200:
            raise RuntimeApiError(f"restore/next answered {response.status}: {response.body[:200]!r}")

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    async def _report(
        self, path: str, error: FunctionError, error_type: str, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        headers = (
            ("Content-Type", "application/vnd.aws.lambda.error+json"),
            ("Lambda-Runtime-Function-Error-Type", error_type),
            *headers,
        )
        response = await self._call_or_raise("POST", path, headers, error.to_json())
        if response.status != 202:
            raise RuntimeApiError(f"{path} answered {response.status}: {response.body[:200]!r}")

    async def _call_or_raise(
        self, method: str, path: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        try:
            return await self._call(method, path, headers, body)
        except (OSError, ProtocolError) as error:
            raise RuntimeApiError(f"{path} did not answer: {error}") from error

    async def _call(
        self, method: str, path: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> Response:
        reader, writer = await self._connected()
        try:
            length = (("Content-Length", str(len(body))),) if method == "POST" else ()
            writer.write(request_head(method, path, self._address, (*headers, *length)) + body)
            await writer.drain()
            response = await read_response(reader)
        except BaseException:
            self.close()
            raise
        if not response.keep_alive:
            self.close()
        return response

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._connection is None or self._connection[1].is_closing() or self._connection[0].at_eof():
            self.close()
            host, _, port = self._address.rpartition(":")
            self._connection = await asyncio.open_connection(host, int(port))
        return self._connection


def _invocation_path(invocation: Invocation, end: str) -> str:
    return f"{_RUNTIME}/invocation/{quote(invocation.context.request_id, safe='')}/{end}"


def _invocation_headers(invocation: Invocation) -> tuple[tuple[str, str], ...]:
    if invocation.invocation_id is None:
        return ()
    return (("Lambda-Runtime-Invocation-Id", invocation.invocation_id),)
