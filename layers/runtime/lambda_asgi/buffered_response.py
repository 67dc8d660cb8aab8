"""An answer that is sent when it is whole: one JSON object, for fronts that take no stream.

Source: API Gateway Developer Guide, "Output format of a Lambda function for proxy integration" and "Create AWS
Lambda proxy integrations for HTTP APIs"; AWS Lambda Developer Guide, "Lambda quotas", invocation payload: 6 MB.
"""

import base64
import json
from collections.abc import Callable
from typing import Protocol

from lambda_asgi.function_error import FunctionError
from lambda_asgi.http1 import Response
from lambda_asgi.log import log
from lambda_asgi.payload import Front
from lambda_asgi.response_head import ResponseHead, head_fields

PAYLOAD_BYTES_MAX = 6 * 1024 * 1024


class Respond(Protocol):
    """Sends a whole answer to Lambda."""

    async def __call__(self, answer: bytes) -> Response: ...


class AnswerTooLarge(OSError):
    """The app's answer is longer than Lambda takes in one piece."""


class BufferedResponse:
    """One answer; all of it is sent by `finished`."""

    def __init__(self, front: Front, respond: Respond) -> None:
        self._front = front
        self._respond = respond
        self._head: ResponseHead | None = None
        self._body = bytearray()
        self._too_large = False

    def check(self, head: ResponseHead) -> None:
        """Any head that is right can be sent."""

    async def start(self, head: ResponseHead, on_lost: Callable[[], None]) -> None:
        self._head = head

    async def write(self, data: bytes) -> None:
        """Keep body bytes; raise AnswerTooLarge as soon as no encoding can bring them within Lambda's limit."""
        if self._too_large or len(self._body) + len(data) > PAYLOAD_BYTES_MAX:
            self._too_large = True
            self._body.clear()
            raise AnswerTooLarge(f"the answer is over {PAYLOAD_BYTES_MAX} bytes; only a stream may be longer")
        self._body += data

    async def finish(self) -> None:
        """Nothing is sent before the app has returned."""

    async def finished(self, failure: FunctionError | None) -> Response:
        """Send the answer, or a 502 where it is too large for Lambda; raise OSError or ProtocolError."""
        assert self._head is not None  # noqa: S101 - an answer that was not started is not finished
        answer = b"" if self._too_large else whole_answer(self._head, bytes(self._body), self._front)
        self._body.clear()
        if self._too_large or len(answer) > PAYLOAD_BYTES_MAX:
            message = (
                f"the app's answer is over the {PAYLOAD_BYTES_MAX} bytes that Lambda takes in one piece, base64 "
                "and JSON escapes included; streamed answers may be longer"
            )
            log("ERROR", message, errorType="Function.ResponseSizeTooLarge")
            error = ResponseHead(502, (("content-type", "application/json"),), None)
            answer = whole_answer(error, json.dumps({"message": message}).encode(), self._front)
        return await self._respond(answer)

    @property
    def is_too_large(self) -> bool:
        """Whether the answer was given up because of its size."""
        return self._too_large

    def close(self) -> None:
        """Nothing is on its way that could be stopped."""


def whole_answer(head: ResponseHead, body: bytes, front: Front) -> bytes:
    """Return an answer as the JSON that API Gateway and function URLs take.

    A body that is UTF-8 goes as text, whatever it is: it comes out as the same bytes, and REST APIs decode base64
    only for media types that were named to them.
    """
    try:
        text, is_base64 = body.decode("utf-8"), False
    except UnicodeDecodeError:
        text, is_base64 = base64.b64encode(body).decode("ascii"), True
    answer = head_fields(head, front) | {"body": text, "isBase64Encoded": is_base64}
    return json.dumps(answer, ensure_ascii=False).encode()
