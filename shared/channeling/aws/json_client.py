"""Calls of one AWS service that speaks JSON over HTTP: signed, tried again where that helps, failures typed.

Source: the protocols aws.protocols#awsJson1_0 and 1_1 (Smithy specification): POST /, the operation in
X-Amz-Target, an error's code in `__type` of the body.
"""

import asyncio
import os
import time
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from msgspec import Struct

from channeling.aws.credentials import Credentials, CredentialsSource
from channeling.aws.endpoints import Endpoint
from channeling.aws.errors import AwsRefused, AwsUnanswered
from channeling.aws.retries import RetryQuota, is_retried, is_throttled, pause_s
from channeling.aws.sigv4 import RequestShape, Signer, request_shape
from channeling.aws.transport import Transport
from channeling.clock import Clock
from channeling.hidden_fields import repr_without
from channeling.http1.errors import HttpError

# A page of DynamoDB is at most 1 MB of items (Amazon DynamoDB quotas), some more as JSON.
_MAX_ANSWER_BYTES = 32 * 1024 * 1024
_MESSAGE_CHARS = 500
_SKEW_CODES = frozenset(
    {
        "RequestTimeTooSkewed",
        "RequestExpired",
        "RequestInTheFuture",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
    }
)
_EXPIRED_CODES = frozenset({"ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException"})
# A signature counts for five minutes (AWS General Reference, "Signing AWS API requests").
_SKEW_S = 240.0


class JsonClient:
    """One service at one endpoint; belongs to the event loop that it is used on.

    `randomness(n)` returns n random bytes.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: CredentialsSource,
        transport: Transport,
        clock: Clock,
        *,
        attempts: int = 3,
        read_timeout_s: float = 3.0,
        randomness: Callable[[int], bytes] = os.urandom,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._endpoint = endpoint
        self._service = endpoint.service
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._attempts = attempts
        self._read_timeout_s = read_timeout_s
        self._randomness = randomness
        self._sleep = sleep
        self._signer = Signer(endpoint.region, endpoint.service.name)
        self._quota = RetryQuota()
        # How far the service's clock is ahead of this machine's, once it has refused a signature for it.
        self._skew_s = 0.0
        self._dated = (0, "")
        self._calls: dict[str, _CallShape] = {}

    async def call(self, operation: str, body: bytes) -> Any:
        """Return the parsed answer of an operation whose input is `body`.

        Raises AwsRefused, AwsUnanswered or CredentialsUnavailable. A call that was tried again may have been
        carried out twice.
        """
        attempt, taken, corrected = 1, 0, False
        while True:
            credentials = await self._credentials.current()
            try:
                answer = await self._try(operation, body, credentials)
            except AwsRefused as error:
                if not corrected and await self._is_corrected(error, credentials):
                    corrected = True
                    continue
                if attempt >= self._attempts or not is_retried(error.code, error.status):
                    raise
                throttled, asked_ms = is_throttled(error.code, error.status), error.asked_pause_ms
                failure: Exception = error
            except AwsUnanswered as error:
                if attempt >= self._attempts:
                    raise
                throttled, asked_ms, failure = False, None, error
            else:
                self._quota.succeeded(taken)
                return answer
            taken = self._quota.take(throttled=throttled)
            if not taken:
                raise failure
            chance = int.from_bytes(self._randomness(4), "big") / 2**32
            await self._sleep(
                pause_s(self._service.name, attempt, chance, throttled=throttled, asked_ms=asked_ms)
            )
            attempt += 1

    async def connect(self) -> None:
        """Open one connection and get credentials ahead of the first call; what fails here fails there again."""
        await asyncio.gather(
            self._transport.connect(self._endpoint.url), self._credentials.current(), return_exceptions=True
        )

    async def _try(self, operation: str, body: bytes, credentials: Credentials) -> Any:
        try:
            response = await self._transport.send(
                "POST",
                self._endpoint.url,
                self._headers(operation, body, credentials),
                body,
                read_timeout_s=self._read_timeout_s,
            )
            try:
                content = await response.read(max_bytes=_MAX_ANSWER_BYTES)
            except BaseException:
                await response.aclose()
                raise
        except HttpError as error:
            raise AwsUnanswered(f"{self._service.name} did not answer: {type(error).__name__}") from error
        headers = response.headers
        checksum = headers.get("x-amz-crc32")
        if checksum is not None and checksum != str(zlib.crc32(content)):
            raise AwsUnanswered(f"{self._service.name} answered with bytes that do not match their checksum")
        if response.status != 200:
            raise _refusal(response.status, headers, content)
        try:
            return orjson.loads(content) if content else {}
        except orjson.JSONDecodeError as error:
            raise AwsUnanswered(f"{self._service.name} answered with what is no JSON") from error

    def _headers(self, operation: str, body: bytes, credentials: Credentials) -> list[tuple[str, str]]:
        shape = self._calls.get(operation)
        if shape is None or shape.session_token != credentials.session_token:
            shape = self._calls[operation] = self._shape(operation, credentials.session_token)
        now_s = int(self._clock.now_ms() / 1000 + self._skew_s)
        if now_s != self._dated[0]:
            self._dated = (now_s, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s)))
        amz_date = self._dated[1]
        authorization = self._signer.authorization(credentials, amz_date, shape.signed, body)
        return [("authorization", authorization), ("x-amz-date", amz_date), *shape.headers]

    def _shape(self, operation: str, session_token: str | None) -> "_CallShape":
        headers = [
            ("content-type", f"application/x-amz-json-{self._service.json_version}"),
            ("x-amz-target", f"{self._service.target}.{operation}"),
        ]
        if session_token is not None:
            headers.append(("x-amz-security-token", session_token))
        # The host is the transport's to send.
        signed = request_shape([("host", self._endpoint.host), *headers])
        # The checksum is of the bytes as sent: not compressed, they are those of the body.
        headers += [("accept-encoding", "identity"), ("user-agent", "channeling")]
        return _CallShape(session_token, tuple(headers), signed)

    async def _is_corrected(self, error: AwsRefused, credentials: Credentials) -> bool:
        """Return whether the next signature will differ in what this one was refused for."""
        if error.code in _SKEW_CODES and error.date is not None:
            told_s = _seconds(error.date)
            skew_s = self._skew_s if told_s is None else told_s - self._clock.now_ms() / 1000
            if abs(skew_s - self._skew_s) > _SKEW_S:
                self._skew_s = skew_s
                return True
        if error.code in _EXPIRED_CODES:
            self._credentials.refused(credentials)
            return await self._credentials.current() is not credentials
        return False


class _CallShape(Struct, frozen=True):
    """What the calls of one operation have in common, for as long as the session token is the same."""

    session_token: str | None
    headers: tuple[tuple[str, str], ...]
    signed: RequestShape
    __repr__ = repr_without("session_token", "headers")


def _refusal(status: int, headers: Mapping[str, str], content: bytes) -> AwsRefused:
    try:
        members = orjson.loads(content)
    except orjson.JSONDecodeError:
        members = {}  # a proxy in between, or nothing at all
    if not isinstance(members, dict):
        members = {}
    kind = members.get("__type") or headers.get("x-amzn-errortype") or ""
    # "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "ThrottlingException:http://..."
    code = str(kind).partition(":")[0].rpartition("#")[2] or f"HTTP {status}"
    message = members.get("message") or members.get("Message") or ""
    return AwsRefused(
        code,
        status,
        str(message)[:_MESSAGE_CHARS],
        members,
        asked_pause_ms=headers.get("x-amz-retry-after"),
        date=headers.get("date"),
    )


def _seconds(date: str) -> float | None:
    from email.utils import (
        parsedate_to_datetime,
    )  # here: hardly ever needed, and it brings in half of `email`

    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
