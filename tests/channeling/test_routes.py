"""Each path and method comes to its endpoint, and a server's start and stop open and close what is behind them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from channeling.asgi import ASGIApp, Receive, Scope, Send
from channeling.routes import Routes


def named(name: str) -> ASGIApp:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"to": name, "parameters": scope.get("path_params", {}), "state": scope.get("state")})

    return endpoint


async def no_such_path(scope: Scope, send: Send) -> None:
    await send({"to": 404, "path": scope["path"]})


async def wrong_method(scope: Scope, send: Send, methods: Sequence[str]) -> None:
    await send({"to": 405, "methods": list(methods)})


def routes(events: list[str] | None = None, failing: str = "") -> Routes:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Mapping[str, Any]]:
        if failing == "startup":
            raise OSError("no store")
        yield {"gateway": "the gateway"}
        if failing == "shutdown":
            raise OSError("no end")
        if events is not None:
            events.append("closed")

    return Routes(
        [
            ("POST", "/v1/messages", named("messages")),
            ("GET", "/v1/models", named("models")),
            ("GET", "/v1/models/{model_id:path}", named("model")),
            ("HEAD", "/", named("probe")),
        ],
        lifespan,
        no_such_path=no_such_path,
        wrong_method=wrong_method,
    )


async def asked(app: ASGIApp, scope: Scope, received: Sequence[str] = ()) -> list[Any]:
    sent, waiting = [], iter(received)

    async def receive() -> dict[str, str]:
        return {"type": next(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("method", "path", "to", "parameters"),
    [
        ("POST", "/v1/messages", "messages", {}),
        ("GET", "/v1/models", "models", {}),
        ("HEAD", "/v1/models", "models", {}),
        ("GET", "/v1/models/", "model", {"model_id": ""}),
        ("GET", "/v1/models/a/b c", "model", {"model_id": "a/b c"}),
        ("HEAD", "/", "probe", {}),
    ],
)
async def test_a_path_comes_to_its_endpoint(method: str, path: str, to: str, parameters: Any) -> None:
    scope = {"type": "http", "method": method, "path": path, "state": {"gateway": 1}}
    (sent,) = await asked(routes(), scope)
    assert sent == {"to": to, "parameters": parameters, "state": {"gateway": 1}}


@pytest.mark.parametrize(
    ("path", "to"),
    [("/prod/v1/messages", "messages"), ("/v1/messages", "messages"), ("/product/v1/messages", 404)],
)
async def test_a_stage_before_the_path_is_none_of_it(path: str, to: str | int) -> None:
    """ASGI's `path` begins with its `root_path`; servers that leave it out are understood too."""
    scope = {"type": "http", "method": "POST", "path": path, "root_path": "/prod"}
    (sent,) = await asked(routes(), scope)
    assert sent["to"] == to


@pytest.mark.parametrize("path", ["/v1/message", "/v1/messages/", "", "/V1/messages", "/v1/model/x"])
async def test_any_other_path_is_none(path: str) -> None:
    assert await asked(routes(), {"type": "http", "method": "POST", "path": path}) == [
        {"to": 404, "path": path}
    ]


@pytest.mark.parametrize(
    ("method", "path", "methods"),
    [
        ("GET", "/v1/messages", ["POST"]),
        ("POST", "/v1/models/x", ["GET", "HEAD"]),
        ("BREW", "/", ["HEAD"]),
    ],
)
async def test_another_method_is_told_which_are_offered(method: str, path: str, methods: list[str]) -> None:
    scope = {"type": "http", "method": method, "path": path}
    assert await asked(routes(), scope) == [{"to": 405, "methods": methods}]


async def test_what_the_start_opens_is_in_the_state_and_closed_at_the_stop() -> None:
    events: list[str] = []
    scope: Scope = {"type": "lifespan", "state": {}}
    sent = await asked(routes(events), scope, ["lifespan.startup", "lifespan.shutdown"])
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert scope["state"] == {"gateway": "the gateway"}
    assert events == ["closed"]


@pytest.mark.parametrize(("failing", "why"), [("startup", "no store"), ("shutdown", "no end")])
async def test_a_start_or_stop_that_fails_is_told_to_the_server(failing: str, why: str) -> None:
    sent: list[Any] = []
    received = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, str]:
        return {"type": next(received)}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(OSError, match=why):
        await routes(failing=failing)({"type": "lifespan", "state": {}}, receive, send)
    assert sent[-1]["type"] == f"lifespan.{failing}.failed"
    assert why in sent[-1]["message"]


async def test_no_websocket_is_offered() -> None:
    (closed,) = await asked(routes(), {"type": "websocket", "path": "/v1/messages"}, ["websocket.connect"])
    assert closed["type"] == "websocket.close"


async def test_another_protocol_is_a_defect_of_the_server() -> None:
    with pytest.raises(RuntimeError, match="gopher"):
        await asked(routes(), {"type": "gopher"})
