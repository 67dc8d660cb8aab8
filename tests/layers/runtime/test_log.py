"""Log lines are what Lambda's two formats read, each of the request it belongs to, and no value is lost."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

import lambda_asgi
from lambda_asgi.asgi import Receive, Scope, Send
from lambda_asgi.log import configure_logging, log
from tests.layers.runtime.conftest import StartRuntime
from tests.layers.runtime.runtime_api_stand_in import RuntimeApiStandIn, event
from tests.layers.runtime.tiny_apps import echo, with_lifespan

pytestmark = pytest.mark.timeout(60)


@contextmanager
def _new_process() -> Iterator[None]:
    """Give the root logger no handlers, as in a new process, and pytest its own back."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_apps_own_record_has_the_fields_of_lambdas_json_format(capsys: pytest.CaptureFixture[str]) -> None:
    token = lambda_asgi.request_id.set("request-9")
    with _new_process():
        configure_logging({"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"})
        try:
            raise ValueError("no\nway")
        except ValueError:
            logging.getLogger("shop").exception("it %s", "broke", extra={"order": 7, "who": object})
        logging.getLogger("shop").debug("not from this level")
    lambda_asgi.request_id.reset(token)
    [line] = _lines(capsys)
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() is not None
    assert ":test_an_apps_own_record_has_the_fields_of_lambdas_json_format:" in line.pop("location")
    assert "raise ValueError" in line.pop("stackTrace")[0]
    assert line == {
        "level": "ERROR",
        "message": "it broke",
        "logger": "shop",
        "requestId": "request-9",
        "errorType": "ValueError",
        "errorMessage": "no\nway",
        "order": 7,
        "who": "<class 'object'>",
    }


def test_the_text_format_is_one_event_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging({"AWS_LAMBDA_LOG_FORMAT": "Text"})
    log("ERROR", "two\nlines", errorType="E")
    [line] = capsys.readouterr().err.split("\n")[:-1]
    level, _time, request_id, message, fields = line.split("\t")
    assert (level, request_id, message) == ("[ERROR]", "", "two\rlines")
    assert json.loads(fields) == {"errorType": "E"}


@pytest.mark.parametrize(
    ("named", "seen"),
    [
        ("", ["WARNING", "ERROR"]),
        ("TRACE", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("warn", ["WARNING", "ERROR"]),
        ("FATAL", []),
        ("nonsense", ["WARNING", "ERROR"]),
    ],
)
def test_levels(capsys: pytest.CaptureFixture[str], named: str, seen: list[str]) -> None:
    with _new_process():
        configure_logging({"AWS_LAMBDA_LOG_LEVEL": named})
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger("shop").log(level, "hello")
    assert [line["level"] for line in _lines(capsys)] == seen


def test_values_that_json_has_no_word_for_are_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging({})
    round_and_round: list[Any] = []
    round_and_round.append(round_and_round)
    log("ERROR", "\ud800", thing=object, bytes=b"x", loop=round_and_round)
    [line] = _lines(capsys)
    assert (line["message"], line["bytes"], line["loop"]) == ("\ud800", "b'x'", "[[...]]")
    log("ERROR", "odd", number=float("nan"))
    assert _lines(capsys)[0]["number"] == "nan"


def test_an_app_with_logging_of_its_own_is_left_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    own = logging.NullHandler()
    with _new_process():
        logging.getLogger().addHandler(own)
        configure_logging({})
        assert logging.getLogger().handlers == [own]
    log("ERROR", "the runtime's own still come")
    assert _lines(capsys)[0]["message"] == "the runtime's own still come"


@pytest.mark.parametrize("concurrency", ["1", "2"])
async def test_each_invocation_has_its_id_and_trace_in_context_variables(
    start_runtime: StartRuntime, runtime_api: RuntimeApiStandIn, concurrency: str
) -> None:
    seen: dict[str, tuple[str | None, str | None, str | None]] = {}
    meeting = asyncio.Barrier(int(concurrency))
    environ: dict[str, str] = {}

    @with_lifespan
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await meeting.wait()
        ids = await asyncio.create_task(asyncio.to_thread(lambda_asgi.request_id.get))
        seen[scope["path"]] = (ids, lambda_asgi.trace_id.get(), environ.get("_X_AMZN_TRACE_ID"))
        await echo(scope, receive, send)

    start_runtime(app, environ=environ, AWS_LAMBDA_MAX_CONCURRENCY=concurrency)
    traces = ({"Lambda-Runtime-Trace-Id": "Root=a"}, {"Lambda-Runtime-Trace-Id": "Root=b"})
    invocations = [
        runtime_api.invoke(event(f"/{number}"), headers=trace) for number, trace in enumerate(traces)
    ]
    for invocation in invocations:
        await invocation.over.wait()
    # One variable of the process cannot stand for invocations that run at the same time.
    variables = ("Root=a", "Root=b") if concurrency == "1" else (None, None)
    assert seen == {
        "/0": ("request-0", "Root=a", variables[0]),
        "/1": ("request-1", "Root=b", variables[1]),
    }
    assert lambda_asgi.request_id.get() is None
