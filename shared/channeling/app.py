"""The ASGI app: routes, request bodies, CORS, and every failure in Anthropic's shape.

POST /v1/messages   POST /v1/messages/count_tokens   GET /v1/models[/{id}]   GET /v1/budget
GET /v1/usage   GET /api/oauth/usage   GET /healthz        HEAD /
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from channeling.answer import Answer, ClientGone
from channeling.asgi import ASGIApp, Receive, Scope, Send
from channeling.call import Call, Limits, Stop
from channeling.doors import Doors
from channeling.endpoints import count_tokens, get_budget, get_model, list_models
from channeling.errors import (
    GatewayError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RequestTimedOut,
    RequestTooLarge,
)
from channeling.gateway import Gateway, open_gateway
from channeling.metrics import Metrics
from channeling.open_doors import open_doors
from channeling.pipeline import answer_message, run_to_its_end
from channeling.routes import Lifespan, Routes
from channeling.settings import Settings
from channeling.usage_endpoints import get_claude_code_usage, get_usage

_log = logging.getLogger(__name__)

Work = Callable[[Gateway, Call, Answer], Any]

ENDPOINTS: tuple[tuple[str, str, Work], ...] = (
    ("POST", "/v1/messages", answer_message),
    ("POST", "/v1/messages/count_tokens", count_tokens),
    ("GET", "/v1/models", list_models),
    ("GET", "/v1/models/{model_id:path}", get_model),
    ("GET", "/v1/budget", get_budget),
    ("GET", "/v1/usage", get_usage),
    ("GET", "/api/oauth/usage", get_claude_code_usage),
)
EXPOSED_HEADERS = (
    "request-id",
    "retry-after",
    "x-should-retry",
    "x-channeling-budget-limit",
    "x-channeling-budget-remaining",
    "x-channeling-budget-reset",
    "x-channeling-max-tokens",
    "anthropic-ratelimit-unified-status",
    "anthropic-ratelimit-unified-reset",
    "anthropic-ratelimit-unified-overage-utilization",
)
# What is left for the last bytes, the record and the settle when a request is stopped before its deadline.
_SETTLE_TIME_S = 10.0
_ID_BYTES = 12


def create_app(settings: Settings, doors: Doors) -> ASGIApp:
    """Return the app over doors that are open already; whoever opened them closes them."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Mapping[str, Any]]:
        yield {"gateway": open_gateway(settings, doors)}

    return _app(settings, lifespan)


def create_app_from_environment(environ: Mapping[str, str]) -> "DeployedApp":
    """Return the app of a deployment: its settings are read now, its doors opened at start-up.

    Raises SettingsError.
    """
    return DeployedApp(Settings.from_environ(environ), environ)


class DeployedApp:
    """The app over doors that it opens itself as its lifespan begins, and closes as it ends."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ
        self._doors: Doors | None = None
        self._app = _app(settings, self._lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def after_restore(self) -> None:
        """Drop what copies of a process must not share; to be called when a snapshot of it has been restored."""
        if self._doors is not None:
            self._doors.reset()

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[Mapping[str, Any]]:
        async with open_doors(self._settings, self._environ) as doors:
            self._doors = doors
            yield {"gateway": open_gateway(self._settings, doors)}


def _app(settings: Settings, lifespan: Lifespan) -> ASGIApp:
    endpoints: list[tuple[str, str, ASGIApp]] = [
        (method, path, Endpoint(work, settings)) for method, path, work in ENDPOINTS
    ]
    endpoints += [("GET", "/healthz", _healthy), ("HEAD", "/", _healthy)]
    app = Routes(endpoints, lifespan, no_such_path=_no_such_path, wrong_method=_wrong_method)
    if not settings.cors_origins:
        return app
    # A tenth of a cold start, for those alone who let web pages call the gateway.
    from starlette.middleware.cors import CORSMiddleware

    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST"],
        # Every header that is asked for is allowed: clients send open lists of anthropic-* and x-stainless-* ones,
        # and none of them carries a browser's own credentials.
        allow_headers=["*"],
        expose_headers=EXPOSED_HEADERS,
        max_age=7200,
    )


class Endpoint:
    """One endpoint as an ASGI app: reads the body, runs the work to its end, answers its failures."""

    def __init__(self, work: Work, settings: Settings) -> None:
        self._work = work
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway: Gateway = scope["state"]["gateway"]
        doors = gateway.doors
        request_id = f"req_{doors.randomness(_ID_BYTES).hex()}"
        started_ms = doors.clock.now_ms()
        loop = asyncio.get_running_loop()
        stop_in_s = _seconds_left(scope, self._settings.max_request_s, started_ms)
        stop: asyncio.Future[Stop] = loop.create_future()
        limits = Limits(
            stop,
            deadline_s=loop.time() + stop_in_s,
            max_request_s=self._settings.max_request_s,
            ping_after_s=self._settings.ping_after_s,
        )
        answer = Answer(send, request_id=request_id, deadline_s=limits.deadline_s + _SETTLE_TIME_S / 2)
        watching: asyncio.Task[None] | None = None
        try:
            try:
                async with asyncio.timeout_at(limits.deadline_s):
                    body = await read_body(scope, receive, self._settings.max_body_bytes)
            except TimeoutError:
                raise RequestTimedOut("The request body did not arrive in time") from None
            watching = loop.create_task(_watch(receive, stop))
            call = Call(
                headers=scope["headers"],
                query=scope["query_string"].decode("latin-1"),
                body=body,
                request_id=request_id,
                started_ms=started_ms,
                limits=limits,
                path_parameters=scope.get("path_params", {}),
            )
            await run_to_its_end(_answered(self._work(gateway, call, answer), answer, doors.metrics), stop)
        except GatewayError as error:
            await _refused(answer, error, doors.metrics)
        except ClientGone:
            _log.info("request %s: the client left before its request was read", request_id)
        finally:
            answer.close()
            if watching is not None:
                watching.cancel()


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """Return the request's body; raise RequestTooLarge as soon as it is too long, InvalidRequest for an encoding,
    ClientGone when the client leaves first."""
    headers = dict(scope["headers"])
    if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
        raise InvalidRequest("content-encoding: request bodies must not be compressed")
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    pieces, length = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        pieces.append(piece)
        length += len(piece)
        if length > max_bytes:
            raise _too_large(max_bytes)
        if not message.get("more_body", False):
            # One piece, as most bodies are, is not copied by this.
            return b"".join(pieces)


def _too_large(max_bytes: int) -> RequestTooLarge:
    return RequestTooLarge(f"The request body is over the {max_bytes} bytes that this deployment takes")


async def _answered(work: Awaitable[None], answer: Answer, metrics: Metrics) -> None:
    try:
        await work
    except GatewayError as error:
        await _refused(answer, error, metrics)
    except ClientGone:
        pass  # it left while being answered; what was held is settled
    except Exception:
        _log.exception("request %s failed inside the gateway", answer.request_id)
        await _refused(answer, GatewayError("the gateway failed; the request can be tried again"), metrics)


async def _refused(answer: Answer, error: GatewayError, metrics: Metrics) -> None:
    metrics.request_refused(error, answer.request_id)
    try:
        if not answer.started:
            await answer.refuse(error)
    except ClientGone:
        pass  # nobody is there to be told


async def _watch(receive: Receive, stop: "asyncio.Future[Stop]") -> None:
    """Note that the client has left, which uvicorn tells of and Lambda does not."""
    while (await receive())["type"] != "http.disconnect":
        pass
    if not stop.done():
        stop.set_result(Stop.CLIENT_LEFT)


def _seconds_left(scope: Scope, max_request_s: int, now_ms: int) -> float:
    """The longest request, or what Lambda leaves of it, less the time to settle."""
    context = scope.get("extensions", {}).get("lambda.context")
    if context is None:
        return float(max_request_s)
    left_s = (int(context["deadline_ms"]) - now_ms) / 1000 - _SETTLE_TIME_S
    return min(float(max_request_s), left_s)


async def _healthy(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def _no_such_path(scope: Scope, send: Send) -> None:
    path = scope["path"]
    if path.startswith("/v1/v1/"):
        message = f"{path[:200]}: the base URL goes without /v1, since clients add it"
    else:
        offered = ", ".join(f"{method} {offer.replace(':path', '')}" for method, offer, _ in ENDPOINTS)
        message = f"{path[:200]}: no such path. Offered are {offered}"
    await _refuse(scope, send, NotFound(message))


async def _wrong_method(scope: Scope, send: Send, methods: Sequence[str]) -> None:
    allowed = ", ".join(methods)
    message = f"{scope['method']} is not offered on {scope['path'][:200]}, only {allowed}"
    await _refuse(scope, send, MethodNotAllowed(message, headers={"Allow": allowed}))


async def _refuse(scope: Scope, send: Send, error: GatewayError) -> None:
    gateway: Gateway = scope["state"]["gateway"]
    request_id = f"req_{gateway.doors.randomness(_ID_BYTES).hex()}"
    deadline_s = asyncio.get_running_loop().time() + _SETTLE_TIME_S
    answer = Answer(send, request_id=request_id, deadline_s=deadline_s)
    with suppress(ClientGone):
        await answer.refuse(error)
    answer.close()
